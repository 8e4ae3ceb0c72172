"""`winnow …`: a thin face over the flows and the lake."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.quiet import quieten

quieten()

from flows import ledger  # noqa: E402
from flows.looking import lake_of, only_corpus, version_of  # noqa: E402
from flows.options import Copies, Json, local_copies  # noqa: E402
from flows.sources import sources_app  # noqa: E402
from flows.terminal import err, near, one_object, out, plain, table  # noqa: E402
from schemas.errors import ConfigError, WinnowError  # noqa: E402
from schemas.frozen import Frozen  # noqa: E402
from schemas.manifest import CorpusManifest, LengthStats, SourceEntry  # noqa: E402
from schemas.outcome import Outcome  # noqa: E402

app = typer.Typer(
    help="Keeps an instruction corpus fresh on a schedule and fine-tunes from it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(sources_app, name="sources")
app.command()(ledger.why)
app.command()(ledger.ledger)
app.command("try")(ledger.try_rule)

Corpus = Annotated[
    str | None, typer.Argument(help="NAME or NAME@v0007; may be left out where there is one corpus")
]


SOURCE_COLUMNS = ("source", "rows in", "rows out", "licence", "revision")
LENGTH_COLUMNS = ("of", "count", "mean", "std", "min", "25 %", "50 %", "75 %", "90 %", "max")


@app.callback()
def lake_option(
    context: typer.Context,
    lake: Annotated[
        str, typer.Option(envvar="WINNOW_LAKE", help="folder that holds everything Winnow writes")
    ] = "lake",
) -> None:
    """Keeps an instruction corpus fresh on a schedule and fine-tunes from it."""
    context.obj = str(Path(lake).expanduser().absolute()) if "://" not in lake else lake


@app.command()
def refresh(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="name in deployments/recipes, or path to a YAML")],
    copies: Copies = None,
    train: Annotated[bool, typer.Option(help="train an adapter from the new version")] = True,
    json: Json = False,
) -> None:
    """Download, normalise, dedupe, filter, measure, publish; then train."""
    local = local_copies(copies)
    _preflight(recipe, local)

    from flows.progress import watched
    from flows.refresh_corpus import refresh_corpus

    with _outcome_of_errors(json), watched(quiet=json):
        outcome = refresh_corpus(recipe, context.obj, local, train)
    _show_outcome(outcome, json)


@app.command()
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="recipe with a train section")],
    corpus: Annotated[
        str | None, typer.Option(help="NAME@v0007; the latest version of the recipe's corpus else")
    ] = None,
    json: Json = False,
) -> None:
    """Train an adapter from a published version."""
    _preflight(recipe, {})

    from flows.progress import watched
    from flows.train_adapter import train_adapter

    with _outcome_of_errors(json), watched(quiet=json):
        adapter = train_adapter(recipe, context.obj, corpus)
    if json:
        one_object({"adapter": adapter})
    else:
        out.print(plain(f"adapter: {adapter}"))


@app.command()
def chat(
    context: typer.Context,
    adapter: Annotated[
        str | None, typer.Argument(help="run name or adapter folder; the newest run else")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="answer this and leave")] = None,
    system: Annotated[str | None, typer.Option(help="the system message")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="per answer, at most")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token")] = 0.7,
    seed: Annotated[int | None, typer.Option(help="the same seed gives the same answer")] = None,
) -> None:
    """Talk to a trained adapter in the terminal."""
    from trainer.chat import Sampling
    from trainer.chat import chat as talk

    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
    talk(adapter, Path(context.obj), prompt, system, sampling)


@app.command()
def versions(context: typer.Context, corpus: Corpus = None, json: Json = False) -> None:
    """List the versions of a corpus."""
    from tasks.corpora import latest, read_manifest
    from tasks.corpora import versions as versions_of

    lake = lake_of(context)
    name = (corpus or only_corpus(lake)).partition("@")[0]
    manifests = [read_manifest(lake, name, version) for version in versions_of(lake, name)]
    newest = latest(lake, name)
    rows = [
        {
            "version": manifest.version,
            "latest": manifest.version == newest,
            "status": manifest.status,
            "rows_in": manifest.rows_in,
            "rows_out": manifest.rows_out,
            "failed_gates": [gate.gate for gate in manifest.gates if not gate.passed],
            "created_at": manifest.created_at,
            "digest": manifest.digest,
        }
        for manifest in manifests
    ]
    if json:
        one_object({"corpus": name, "versions": rows})
        return
    shown = [
        (f"{row['version']}{' *' if row['latest'] else ''}", row["status"], row["rows_in"],
         row["rows_out"], row["created_at"], str(row["digest"])[:12])
        for row in rows
    ]  # fmt: skip
    table(f"{name} (* is latest)", ("version", "status", "in", "out", "created", "digest"), shown)


@app.command()
def show(context: typer.Context, corpus: Corpus = None, json: Json = False) -> None:
    """Show what one version holds and what was dropped."""
    manifest = version_of(lake_of(context), corpus)
    if json:
        one_object(manifest.model_dump(mode="json"))
        return
    out.print(plain(f"{manifest.name} {manifest.version}  {manifest.status}  {manifest.digest}"))
    table("Sources", SOURCE_COLUMNS, map(_source_cells, manifest.sources))
    if manifest.failed_sources:
        failed = [(source.name, source.message) for source in manifest.failed_sources]
        table("Sources that failed", ("source", "message"), failed)
    gates = [
        (gate.gate, "passed" if gate.passed else "FAILED", gate.found, gate.bound, gate.detail)
        for gate in manifest.gates
    ]
    table("Gates", ("gate", "result", "found", "bound", "detail"), gates)
    drops = [(drop.source, drop.stage, drop.reason, drop.rows) for drop in manifest.drops]
    table("Dropped", ("source", "stage", "reason", "rows"), drops)
    lengths = [row for row in manifest.statistics.lengths if row.source == "all"]
    table("Lengths of published rows", LENGTH_COLUMNS, map(_length_cells, lengths))


@app.command()
def verify(context: typer.Context, corpus: Corpus = None, json: Json = False) -> None:
    """Check every file, row, column and record of a version against its manifest."""
    from tasks.publish.verify import problems

    lake = lake_of(context)
    manifest = version_of(lake, corpus)
    found = problems(lake, manifest)
    if json:
        one_object({"ok": not found, "problems": found})
    elif found:
        for line in found:
            err.print(plain(line))
        err.print(
            plain("Restore these files from a copy, or remove the version and refresh again.")
        )
    else:
        out.print(plain(f"{manifest.name} {manifest.version}: whole, {manifest.rows_out:,} rows"))
    if found:
        raise typer.Exit(5)


@app.command()
def report(
    context: typer.Context,
    corpus: Corpus = None,
    show: Annotated[bool, typer.Option("--open", help="open it in the browser")] = False,
    json: Json = False,
) -> None:
    """Tell where a version's report is, or open it."""
    from tasks.corpora import version_key

    lake = lake_of(context)
    manifest = version_of(lake, corpus)
    path = lake.at(f"{version_key(manifest.name, manifest.version)}/report.html")
    if json:
        one_object({"report": path})
    else:
        out.print(plain(near(path)))
    if show:
        typer.launch(path)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="recipe, source, manifest or training")] = "recipe",
) -> None:
    """Print the JSON Schema of a file that people write or read."""
    from schemas.adapter import TrainingManifest
    from schemas.recipe import Recipe, known_name
    from schemas.source import Source

    models: dict[str, type[Frozen]] = {
        "recipe": Recipe,
        "source": Source,
        "manifest": CorpusManifest,
        "training": TrainingManifest,
    }
    one_object(models[known_name(kind, tuple(models), "schema")].model_json_schema())


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 4200,
) -> None:
    """Start the Prefect server and its UI on this machine, until Ctrl-C."""
    from flows.server import serve

    serve(port)


@app.command()
def deploy() -> None:
    """Register the deployments of deployments/prefect.yaml with the server."""
    from flows.server import deploy_all

    raise typer.Exit(deploy_all())


def main() -> None:
    """Run the command line: one clear line per error, and the exit code of its class."""
    try:
        app(_lake_first(sys.argv[1:]))
    except WinnowError as error:
        if "--json" in sys.argv:
            one_object({"error": type(error).__name__, "message": str(error)})
        err.print(plain(f"winnow: {error}"))
        sys.exit(error.exit_code)


def _lake_first(arguments: list[str]) -> list[str]:
    """The same arguments with `--lake` before the command, where Typer looks for it."""
    for place, word in enumerate(arguments):
        taken = 2 if word == "--lake" else 1 if word.startswith("--lake=") else 0
        if taken:
            lake = arguments[place : place + taken]
            return lake + arguments[:place] + arguments[place + taken :]
    return arguments


def _preflight(recipe: str, local: dict[str, str]) -> None:
    """Find what is wrong with a recipe, and whether a server answers, before any work is done."""
    from flows.server import check_server
    from schemas.recipe import load_recipe

    plan = load_recipe(recipe, {name: Path(path) for name, path in local.items()})
    for one in plan.evaluation_sets:
        if one.path is not None and not Path(one.path).is_file():
            raise ConfigError(
                f"evaluation set {one.name!r}: {one.path} is not a file. Correct its path in the "
                f"recipe, or give a copy with --from {one.name}=PATH."
            )
    check_server()


@contextlib.contextmanager
def _outcome_of_errors(json: bool) -> Iterator[None]:
    """Print the outcome that an error carries: a rejected version is an answer too.

    SIGTERM ends the work as Ctrl-C does, so that Prefect's own server ends with it.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except WinnowError as error:
        if isinstance(error.outcome, Outcome):
            _show_outcome(error.outcome, json)
            err.print(plain(f"winnow: {error}"))
            raise typer.Exit(error.exit_code) from None
        raise
    except KeyboardInterrupt:
        err.print(plain("winnow: interrupted; finished stages are kept, run it again to go on"))
        raise typer.Exit(130) from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _show_outcome(outcome: Outcome, json: bool) -> None:
    if json:
        one_object(outcome.model_dump(mode="json"))
        return
    out.print(
        plain(
            f"{outcome.corpus} {outcome.version} {outcome.status}: {outcome.rows_in:,} rows in, "
            f"{outcome.rows_out:,} rows out"
        )
    )
    drops = [
        (stage, reason, rows)
        for stage, reasons in outcome.dropped.items()
        for reason, rows in reasons.items()
    ]
    if drops:
        table("Dropped", ("stage", "reason", "rows"), drops)
    out.print(plain(f"report:  {near(outcome.path)}/report.html"))
    for name, message in outcome.failed_sources.items():
        err.print(plain(f"source {name} failed: {message}"))
    if outcome.adapter:
        out.print(plain(f"adapter: {near(outcome.adapter)}"))


def _source_cells(source: SourceEntry) -> tuple[Any, ...]:
    revision = (source.revision or source.raw_digest)[:12]
    return source.name, source.rows_in, source.rows_out, source.licence, revision


def _length_cells(row: LengthStats) -> tuple[Any, ...]:
    of = f"{row.part} {row.unit}"
    spread = (round(row.mean, 2), round(row.std, 2), row.min, row.p25, row.p50, row.p75, row.p90)
    return of, row.count, *spread, row.max
