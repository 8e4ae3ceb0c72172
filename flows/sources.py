"""`winnow sources …`: the upstream corpora that recipes name."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Copies, Json, local_copies
from flows.streams import columns_of
from flows.terminal import one_object, out, plain, table, told
from schemas.errors import SourceError

if TYPE_CHECKING:
    from schemas.manifest import RawReceipt
    from schemas.source import Source
    from tasks.download.head import Head
    from tasks.lake import Lake
    from tasks.normalize.sample import Sample

ASKED_AT_ONCE = 8
SHOWN_FAILURES = 10
SHOWN_EXCERPT_CHARS = 200
NOBODY_HASHED = "0" * 64  # a look at ten records does not read 10 GB for a digest
BEGINNING = "beginning"  # where a source's first files are seen in a passing lake

sources_app = typer.Typer(help="The upstream corpora that recipes name.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="name in deployments/sources, or path to a YAML file")]


@sources_app.command("list")
def sources_list(
    json: Json = False,
    markdown: Annotated[bool, typer.Option(help="print the page docs/sources.md")] = False,
) -> None:
    """List the sources in deployments/sources."""
    from flows.catalogue import catalogue, shown_languages
    from schemas.recipe import known_sources

    found = known_sources()
    if json:
        one_object([source.model_dump(mode="json") for source in found])
    elif markdown:
        typer.echo(catalogue(found), nl=False)
    else:
        rows = [
            (
                source.name,
                source.layout.value,
                shown_languages(source.languages, most=2),
                source.licence,
            )
            for source in found
        ]
        table("", ("source", "layout", "languages", "licence"), rows)


@sources_app.command("show")
def sources_show(name: Name, json: Json = False) -> None:
    """Show one source file as Winnow reads it."""
    import yaml

    from schemas.recipe import load_source

    found = load_source(name, Path()).model_dump(mode="json", exclude_defaults=True)
    if json:
        one_object(found)
    else:
        out.print(plain(yaml.safe_dump(found, sort_keys=False, allow_unicode=True)))


@sources_app.command("check")
def sources_check(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="all sources, where none is named")
    ] = None,
    json: Json = False,
) -> None:
    """Ask upstream whether sources are there and have changed; nothing is downloaded.

    Ends with 4 where one is gone or out of reach.
    """
    from schemas.recipe import known_sources, load_source
    from tasks.download.check import check
    from tasks.download.checked import State

    _keep_waits_silent()
    sources = [load_source(name, Path()) for name in names or ()] or known_sources()
    with _lake(context.obj) as lake, ThreadPoolExecutor(ASKED_AT_ONCE) as asking:
        answers = []
        for answer in asking.map(lambda one: check(one, lake, columns=columns_of(one)), sources):
            answers.append(answer)
            if not json:
                line = f"{answer.source}  {answer.state.value}  {answer.detail}"
                out.print(plain(" ".join(line.splitlines())))
    if json:
        one_object([answer.model_dump(mode="json") for answer in answers])
    if {answer.state for answer in answers} & {State.GONE, State.UNREACHABLE}:
        raise typer.Exit(SourceError.exit_code)


@sources_app.command("sample")
def sources_sample(
    context: typer.Context,
    name: Name,
    rows: Annotated[int, typer.Option(min=1, help="records shown, at most")] = 10,
    copies: Copies = None,
    json: Json = False,
) -> None:
    """Show the first records of a source as Winnow makes them, and the rows that are none.

    Only its beginning is downloaded, where the lake does not hold it; no refresh is needed.
    """
    from schemas.recipe import known_name, load_source
    from tasks.download.head import head
    from tasks.normalize.sample import first_records

    source = load_source(name, Path())
    for copied, path in local_copies(copies).items():
        known_name(copied, (source.name,), "source to sample")
        source = source.at(Path(path))
    with (
        _waits_shown(quiet=json),
        _lake(context.obj) as lake,
        head(source, lake, columns=columns_of(source)) as beginning,
        _passing_lake() as passing,
    ):
        receipt = _receipt(beginning, source, passing)
        sample = first_records(receipt, source, passing, rows)
    if json:
        one_object(
            {
                "source": source.name,
                "cut": beginning.cut,
                "notes": dict(sample.notes),
                "records": sample.records.to_dicts(),
                "ledger": sample.ledger.to_dicts(),
            }
        )
    else:
        _show_sample(source, sample, beginning.cut)


def _keep_waits_silent() -> None:
    """No word of every wait for upstream: what it comes to is in the answer or the error."""
    logging.getLogger("tasks").addHandler(logging.NullHandler())


@contextlib.contextmanager
def _waits_shown(quiet: bool) -> Iterator[None]:
    """Say what is waited for while somebody looks on."""
    if quiet:
        _keep_waits_silent()
        yield
    else:
        with told(logging.WARNING):
            yield


@contextlib.contextmanager
def _lake(uri: str) -> Iterator["Lake"]:
    """The lake, or an empty one that is gone afterwards: looking does not make one."""
    from tasks.lake import Lake

    if "://" in uri or Path(uri).exists():
        yield Lake(uri)
        return
    with _passing_lake() as passing:
        yield passing


@contextlib.contextmanager
def _passing_lake() -> Iterator["Lake"]:
    from tasks.lake import Lake

    with tempfile.TemporaryDirectory(prefix="winnow-") as folder:
        yield Lake(folder)


def _receipt(beginning: "Head", source: "Source", lake: "Lake") -> "RawReceipt":
    """The receipt of a download whose files are a source's beginning, made to be seen in a lake."""
    from schemas.manifest import RawFile, RawReceipt
    from tasks.lake import digest_of

    Path(lake.at(BEGINNING)).symlink_to(beginning.folder, target_is_directory=True)
    files = tuple(
        RawFile(name=name, sha256=NOBODY_HASHED, size_bytes=path.stat().st_size)
        for name, path in zip(beginning.names, beginning.paths, strict=True)
    )
    return RawReceipt(
        source=source.name,
        uri=BEGINNING,
        digest=digest_of([(file.name, file.size_bytes) for file in files]),
        upstream=source.local.path if source.local else f"the beginning of {source.name}",
        files=files,
    )


def _show_sample(source: "Source", sample: "Sample", cut: bool) -> None:
    for name, value in sample.notes:
        out.print(plain(f"{name}: {value}"))
    for record in sample.records.to_dicts():
        _show_record(record)
    failures = sample.ledger.head(SHOWN_FAILURES).to_dicts()
    for failure in failures:
        _show_failure(failure)
    more = sample.ledger.height - len(failures)
    if more:
        out.print(plain(f"… and {more:,} rows more that are no records"))
    seen = sample.records.height + sample.ledger.height
    rows = "row" if seen == 1 else f"{seen:,} rows"
    of = f"of the first {rows} of {source.name}" if seen else f"in what {source.name} holds"
    ending = "; only its beginning was read" if cut else ""
    records = f"{sample.records.height:,} record{'' if sample.records.height == 1 else 's'}"
    out.print(plain(f"{records} {of}{ending}"))


def _show_record(record: dict[str, Any]) -> None:
    about = " ".join(filter(None, (record["record_id"], record["category"])))
    out.print(plain(f"{record['source']}:{record['source_row']}  {about}"))
    for message in record["messages"]:
        out.print(plain(f"  {message['role']}> {message['content']}"))
    if record["tools"]:
        out.print(plain(f"  tools: {record['tools']}"))
    out.print()


def _show_failure(failure: dict[str, Any]) -> None:
    row = f"{failure['source']}:{failure['source_row']}"
    place = f"{failure['file']} at {failure['offset']:,}"
    out.print(plain(f"{row}  {place}  {failure['drop_reason']}: {failure['message']}"))
    if failure["excerpt"].strip():
        out.print(plain(indent(failure["excerpt"][:SHOWN_EXCERPT_CHARS], "  ")))
    out.print()
