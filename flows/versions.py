"""`winnow versions`, `show`, `verify`, `report`, `rollback`, `tag` and `gc`: a corpus's history."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.looking import lake_of, only_corpus, version_of
from flows.options import Json
from flows.terminal import err, near, one_object, out, plain, table
from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest, LengthStats, SourceEntry

if TYPE_CHECKING:
    from tasks.history.adapters import Run
    from tasks.history.gc import Folder, Plan
    from tasks.lake import Lake

NAMES = "NAME, NAME@v0007, NAME@TAG or NAME@latest~1"
Corpus = Annotated[
    str | None, typer.Argument(help=f"{NAMES}; may be left out where there is one corpus")
]
Version = Annotated[str, typer.Argument(metavar="VERSION", help=NAMES)]

SOURCE_COLUMNS = ("source", "rows in", "rows out", "licence", "revision")
LENGTH_COLUMNS = ("of", "count", "mean", "std", "min", "25 %", "50 %", "75 %", "90 %", "max")
HISTORY_COLUMNS = (*("version", "status", "in", "dropped", "out", "gates", "adapters", "created"),)


def versions(context: typer.Context, corpus: Corpus = None, json: Json = False) -> None:
    """List the versions of a corpus: rows, drops, gates, tags, and adapters trained from each."""
    lake = lake_of(context)
    name = (corpus or "").partition("@")[0] or only_corpus(lake)
    rows = _history(lake, name)
    if json:
        from tasks.history.log import events

        log = [event.model_dump(mode="json") for event in events(lake, name)]
        one_object({"corpus": name, "versions": rows, "log": log})
    else:
        table(f"{name} (* is latest)", HISTORY_COLUMNS, map(_history_cells, rows))


def show(context: typer.Context, corpus: Corpus = None, json: Json = False) -> None:
    """Show what one version holds and what was dropped."""
    manifest = version_of(lake_of(context), corpus)
    if json:
        one_object(manifest.model_dump(mode="json"))
        return
    out.print(plain(f"{manifest.name} {manifest.version}  {manifest.status}  {manifest.digest}"))
    table("Sources", SOURCE_COLUMNS, map(_source_cells, manifest.sources))
    unexpected = [
        (source.name, source.unexpected_rows)
        for source in manifest.sources
        if source.unexpected_rows
    ]
    if unexpected:
        table("Sources with unexpected numbers of rows", ("source", "records"), unexpected)
    if manifest.failed_sources:
        failed = [(source.name, source.message) for source in manifest.failed_sources]
        table("Sources that failed", ("source", "message"), failed)
    _show_stages(manifest)
    gates = [
        (gate.gate, "passed" if gate.passed else "FAILED", gate.found, gate.bound, gate.detail)
        for gate in manifest.gates
    ]
    table("Gates", ("gate", "result", "found", "bound", "detail"), gates)
    drops = [(drop.source, drop.stage, drop.reason, drop.rows) for drop in manifest.drops]
    table("Dropped", ("source", "stage", "reason", "rows"), drops)
    lengths = [row for row in manifest.statistics.lengths if row.source == "all"]
    table("Lengths of published rows", LENGTH_COLUMNS, map(_length_cells, lengths))


def verify(
    context: typer.Context,
    corpus: Corpus = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="derive every record's id from its text again, too")
    ] = False,
    alone: Annotated[
        bool, typer.Option("--alone", help="not the raw files and stages that it was made from")
    ] = False,
    json: Json = False,
) -> None:
    """Check every file, row, column and record of a version against its manifest.

    So are the raw files and stages that it was made from, as far as the lake still holds them.
    """
    from tasks.history.inputs import Inputs
    from tasks.publish.verify import other_bytes, problems

    lake = lake_of(context)
    manifest = version_of(lake, corpus)
    found = problems(lake, manifest, deep)
    inputs = None if alone else Inputs(lake, manifest)
    spoilt = inputs.wrong + other_bytes(lake, inputs.files) if inputs else []
    if json:
        one_object({"ok": not found + spoilt, "problems": found + spoilt})
    for line in () if json else (*found, *spoilt):
        err.print(plain(line))
    if found and not json:
        err.print(
            plain("Restore these files from a copy, or remove the version and refresh again.")
        )
    if spoilt and not json:
        err.print(plain("Refresh again: it makes damaged raw files and stages anew."))
    if found or spoilt:
        raise typer.Exit(5)
    if not json:
        more = f", {len(inputs.files):,} raw and stage files" if inputs else ""
        rows = f"{manifest.rows_out:,} rows"
        out.print(plain(f"{manifest.name} {manifest.version}: whole, {rows}{more}"))


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


def rollback(context: typer.Context, version: Version, json: Json = False) -> None:
    """Make an older version the latest, or a newer one again. Refreshes go on from there."""
    from tasks.history.rollback import roll_back

    lake = lake_of(context)
    manifest = version_of(lake, version)
    was = roll_back(lake, manifest)
    if json:
        one_object({"corpus": manifest.name, "latest": manifest.version, "before": was})
    elif was is None:
        out.print(plain(f"{manifest.name}: {manifest.version} is the latest"))
    else:
        out.print(plain(f"{manifest.name}: {manifest.version} is the latest, {was} was"))


def tag(
    context: typer.Context,
    version: Version,
    name: Annotated[str, typer.Argument(metavar="TAG", help="as prod; then NAME@prod is it")],
    force: Annotated[
        bool, typer.Option("--force", help="move a tag; tag a rejected version")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="take the tag away")] = False,
    json: Json = False,
) -> None:
    """Name a version: a tag stays where it is until somebody moves it, and gc keeps its version."""
    from tasks.history.tags import remove_tag, set_tag

    lake = lake_of(context)
    if remove:
        corpus = version.partition("@")[0] or only_corpus(lake)
        was: str | None = remove_tag(lake, corpus, name)
        said, stands = f"{corpus}@{name} is gone, it was {was}", None
    else:
        manifest = version_of(lake, version)
        corpus, stands = manifest.name, manifest.version
        was = set_tag(lake, manifest, name, force)
        said = f"{corpus}@{name} is {stands}" + (
            f", it was {was}" if was not in (None, stands) else ""
        )
    if json:
        one_object({"corpus": corpus, "tag": name, "version": stands, "before": was})
    else:
        out.print(plain(said))


def gc(
    context: typer.Context,
    corpus: Annotated[str | None, typer.Argument(help="of this corpus; of all else")] = None,
    keep: Annotated[int, typer.Option(min=1, help="newest versions of a corpus that stay")] = 10,
    fresh: Annotated[
        float,
        typer.Option(metavar="HOURS", min=0, help="stages and raw files so young stay"),
    ] = 24,
    apply: Annotated[bool, typer.Option("--apply", help="remove it; else it is only told")] = False,
    give_lost_up: Annotated[
        bool,
        typer.Option("--lost", help="only the versions that lost their manifest, to give them up"),
    ] = False,
    json: Json = False,
) -> None:
    """Tell what old versions, stages and downloads take; with --apply, remove them.

    A version stays that is the latest, has a tag, or that a training run of this lake is of.
    """
    from schemas.recipe import known_name
    from tasks.corpora import corpora
    from tasks.history.gc import collect, give_up, lost, plan

    lake = lake_of(context)
    if corpus is not None:
        if "@" in corpus:
            raise ConfigError(f"gc takes the name of a corpus, not of a version: {corpus!r}")
        known_name(corpus, corpora(lake), f"corpus in {lake.uri}")
    if give_lost_up:
        done = (give_up if apply else lost)(lake, corpus)
    else:
        done = (collect if apply else plan)(lake, keep, corpus, fresh * 3600)
    if json:
        kept, removed = (
            [_folder_object(one) for one in some] for some in (done.kept, done.removed)
        )
        one_object(
            {"applied": apply, "size_bytes": done.size_bytes, "removed": removed, "kept": kept}
        )
    else:
        _show_plan(done, apply)


def _history(lake: "Lake", name: str) -> list[dict[str, Any]]:
    """One entry per version, oldest first."""
    from schemas.recipe import known_name
    from tasks.corpora import corpora, latest, pointer, read_manifest
    from tasks.corpora import versions as versions_of
    from tasks.history.adapters import runs
    from tasks.history.tags import tags

    known_name(name, corpora(lake), f"corpus in {lake.uri}")
    newest, points_to = latest(lake, name), pointer(lake, name)
    trained = [run for run in runs(lake) if run.manifest is not None]
    tagged = tags(lake, name)
    entries = []
    for version in versions_of(lake, name):
        manifest = read_manifest(lake, name, version)
        entries.append(
            {
                "version": version,
                "latest": version == newest,
                "withdrawn": points_to is not None and points_to.withdraws(version),
                "tags": [
                    tag
                    for tag, one in tagged.items()
                    if (one.version, one.digest) == (version, manifest.digest)
                ],
                "status": manifest.status,
                "parent": manifest.parent,
                "rows_in": manifest.rows_in,
                "rows_out": manifest.rows_out,
                "dropped": manifest.dropped(),
                "gates": {gate.gate: gate.passed for gate in manifest.gates},
                "failed_gates": [gate.gate for gate in manifest.gates if not gate.passed],
                "adapters": [_adapter(run) for run in trained if run.may_need(manifest)],
                "created_at": manifest.created_at,
                "digest": manifest.digest,
            }
        )
    return entries


def _adapter(run: "Run") -> dict[str, str | None]:
    pushed = run.manifest.pushed if run.manifest else None
    return {"run": run.name, "pushed": pushed.uri if pushed else None}


def _history_cells(row: dict[str, Any]) -> tuple[Any, ...]:
    dropped = sum(rows for reasons in row["dropped"].values() for rows in reasons.values())
    named = " ".join([f"{row['version']}{' *' if row['latest'] else ''}", *row["tags"]])
    status = "withdrawn" if row["withdrawn"] else row["status"]
    passed = f"{len(row['gates']) - len(row['failed_gates'])} of {len(row['gates'])}"
    gates = ", ".join(row["failed_gates"]) or passed
    adapters = ", ".join(adapter["run"] for adapter in row["adapters"])
    counts = (row["rows_in"], dropped, row["rows_out"])
    return named, status, *counts, gates, adapters, row["created_at"][:10]


def _show_stages(manifest: CorpusManifest) -> None:
    """The rows of every source after each stage, where the manifest has them."""
    stages = [stage.stage for stage in manifest.sources[0].stages] if manifest.sources else []
    if stages:
        rows = [
            (source.name, source.rows_in, *(stage.rows_out for stage in source.stages))
            for source in manifest.sources
        ]
        table("Rows after each stage", ("source", "raw", *stages), rows)


def _source_cells(source: SourceEntry) -> tuple[Any, ...]:
    revision = (source.revision or source.raw_digest)[:12]
    return source.name, source.rows_in, source.rows_out, source.licence, revision


def _length_cells(row: LengthStats) -> tuple[Any, ...]:
    of = f"{row.part} {row.unit}"
    spread = (round(row.mean, 2), round(row.std, 2), row.min, row.p25, row.p50, row.p75, row.p90)
    return of, row.count, *spread, row.max


def _show_plan(plan: "Plan", applied: bool) -> None:
    kept = [(folder.key, folder.size_bytes, folder.why) for folder in plan.kept]
    table("Kept", ("version", "bytes", "because it is"), kept)
    if not plan.removed:
        out.print(plain("nothing to remove"))
        return
    removed = [(folder.key, folder.size_bytes, folder.why) for folder in plan.removed]
    table("Removed" if applied else "To be removed", ("what", "bytes", "why"), removed)
    total = f"{plan.size_bytes:,} bytes in {len(plan.removed):,} folders"
    out.print(plain(f"{total} removed" if applied else f"{total}; remove them with --apply"))


def _folder_object(folder: "Folder") -> dict[str, Any]:
    return {
        "kind": folder.kind.value,
        "key": folder.key,
        "size_bytes": folder.size_bytes,
        "why": folder.why,
    }
