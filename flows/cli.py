"""`winnow …`: a thin face over the flows and the lake."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from flows.quiet import quieten

quieten()

from flows import ablate, chat, difference, exchange, ledger, merge, push, versions  # noqa: E402
from flows.options import Copies, Json, local_copies  # noqa: E402
from flows.running import preflight, stoppable  # noqa: E402
from flows.sources import sources_app  # noqa: E402
from flows.terminal import err, near, one_object, out, plain, table  # noqa: E402
from schemas.errors import WinnowError  # noqa: E402
from schemas.outcome import Outcome  # noqa: E402
from schemas.stores import is_bucket, without_scheme  # noqa: E402

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
app.command()(push.push)
app.command()(chat.chat)
app.command()(chat.generate)
app.command()(merge.merge)
app.command()(ablate.ablate)
for command in (
    *(versions.versions, versions.show, versions.verify, versions.report),
    *(difference.diff, versions.rollback, versions.tag, versions.gc, exchange.export),
):
    app.command()(command)
app.command("import")(exchange.import_)


@app.callback()
def lake_option(
    context: typer.Context,
    lake: Annotated[
        str, typer.Option(envvar="WINNOW_LAKE", help="folder or bucket for all that Winnow writes")
    ] = "lake",
) -> None:
    """Keeps an instruction corpus fresh on a schedule and fine-tunes from it."""
    place = without_scheme(lake)
    context.obj = place if is_bucket(place) else str(Path(place).expanduser().absolute())


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
    preflight(recipe, local)

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
    preflight(recipe)

    from flows.progress import watched
    from flows.train_adapter import train_adapter

    with _outcome_of_errors(json), watched(quiet=json):
        adapter = train_adapter(recipe, context.obj, corpus)
    if json:
        one_object({"adapter": adapter})
    else:
        out.print(plain(f"adapter: {adapter}"))


@app.command()
def schema(
    kind: Annotated[
        str, typer.Argument(help="recipe, source, manifest, training, stage, receipt or export")
    ] = "recipe",
) -> None:
    """Print the JSON Schema of a file that people write or read."""
    from schemas.documents import DOCUMENTS
    from schemas.recipe import known_name

    one_object(DOCUMENTS[known_name(kind, tuple(DOCUMENTS), "schema")].model_json_schema())


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


@contextlib.contextmanager
def _outcome_of_errors(json: bool) -> Iterator[None]:
    """Print the outcome that an error carries: a rejected version is an answer too."""
    with stoppable():
        try:
            yield
        except WinnowError as error:
            if isinstance(error.outcome, Outcome):
                _show_outcome(error.outcome, json)
                err.print(plain(f"winnow: {error}"))
                raise typer.Exit(error.exit_code) from None
            raise


def _show_outcome(outcome: Outcome, json: bool) -> None:
    if json:
        one_object(outcome.model_dump(mode="json"))
        return
    repeats = outcome.rows_repeated
    repeated = f", {repeats:,} of them repeated" if repeats else ""
    out.print(
        plain(
            f"{outcome.corpus} {outcome.version} {outcome.status}: {outcome.rows_in:,} rows in, "
            f"{outcome.rows_out:,} rows out{repeated}"
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
    for name, records in outcome.unexpected_rows.items():
        err.print(plain(f"source {name} gave {records}: see whether upstream changed"))
    if outcome.dataset:
        out.print(plain(f"dataset: {outcome.dataset}"))
    if outcome.adapter:
        out.print(plain(f"adapter: {near(outcome.adapter)}"))
