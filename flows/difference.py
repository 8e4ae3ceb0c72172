"""`winnow diff`: what one version has that another has not, and why."""

import io
import json as jsons
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from flows.looking import lake_of, only_corpus, version_of
from flows.options import Json
from flows.terminal import err, one_object, out, plain, table
from schemas.manifest import CorpusManifest
from schemas.printable import printable

if TYPE_CHECKING:
    import polars as pl

    from tasks.history.changes import Change, SourceChange

SHOWN_VALUE_CHARS = 60
HELD_BYTES = 16 << 20
"""Of listed rows, in memory until all are there: an error on the way leaves no half an object."""


def diff(
    context: typer.Context,
    old: Annotated[
        str | None,
        typer.Argument(metavar="A", help="the older version; the one before the latest else"),
    ] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="B", help="the newer one; A's latest else")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="list every record that differs")] = False,
    json: Json = False,
) -> None:
    """Say what differs between two versions: records and why, sources, licences, recipe, code.

    A and B are named as NAME@v0003, NAME@TAG, NAME@latest~1; B may be @v0004, of the same corpus.
    """
    from tasks.history.diff import Side, changes, counted

    lake = lake_of(context)
    first, second = _named(old or only_corpus(lake), new)
    sides = [Side(lake, version_of(lake, one)) for one in (first, second)]
    before, after = (side.manifest for side in sides)
    with tempfile.SpooledTemporaryFile(HELD_BYTES, "w+", encoding="utf-8", newline="") as listed:
        found = changes(*sides)
        if rows:
            found = _listed(found, json, listed if json else sys.stdout)
        with err.status(plain(f"comparing {first} and {second}")):
            counts = counted(found)
        _show(before, after, counts, json, listed if rows else None)


def _show(
    before: CorpusManifest,
    after: CorpusManifest,
    counts: "pl.DataFrame",
    json: bool,
    listed: IO[str] | None,
) -> None:
    """All that differs but the rows; with `json` those as well, where they were `listed`."""
    from tasks.history.changes import code_changes, drop_changes, recipe_changes, source_changes

    of_sources = source_changes(before, after)
    others = {
        "recipe": recipe_changes(before, after),
        "drops": drop_changes(before, after),
        "code": code_changes(before, after),
    }
    if json:
        answer = {
            "old": _about(before),
            "new": _about(after),
            "records": counts.to_dicts(),
            "sources": [one.model_dump(mode="json") for one in of_sources],
            **{
                name: [one.model_dump(mode="json") for one in some] for name, some in others.items()
            },
        }
        one_object(answer) if listed is None else _with_rows(answer, listed)
        return
    out.print(plain(f"{_line(before)}\n{_line(after)}"))
    _show_records(counts)
    _show_sources(of_sources)
    for title, some in others.items():
        _show_changes(title, some)


def _named(old: str, new: str | None) -> tuple[str, str]:
    """The two references; what is left out is the latest of the corpus, or the one before that."""
    name, at, _ = old.partition("@")
    if new is not None:
        return old, f"{name}{new}" if new.startswith("@") else new
    return (old if at else f"{name}@latest~1"), f"{name}@latest"


def _listed(frames: Iterator["pl.DataFrame"], json: bool, to: IO[str]) -> Iterator["pl.DataFrame"]:
    """The same frames, each written down as it comes."""
    begun = False
    for frame in frames:
        if frame.height:
            text = _json_rows(frame) if json else _text_rows(frame)
            to.write(f",\n{text}" if begun and json else text)
            begun = True
        yield frame


def _with_rows(answer: dict[str, Any], listed: IO[str]) -> None:
    """Print one JSON object: the rows that were written down, however many, then the answer."""
    listed.seek(0)
    sys.stdout.write('{"rows": [')
    shutil.copyfileobj(listed, sys.stdout)
    sys.stdout.write(f"], {jsons.dumps(answer, ensure_ascii=False)[1:]}\n")


def _json_rows(frame: "pl.DataFrame") -> str:
    buffer = io.BytesIO()
    frame.write_ndjson(buffer)
    return buffer.getvalue().decode().rstrip("\n").replace("\n", ",\n")


def _text_rows(frame: "pl.DataFrame") -> str:
    """A line for each row: what happened to it, its place, its id and why."""
    import polars as pl

    moved = pl.concat_str("before", pl.lit(" → "), "after")
    why = pl.concat_str(pl.coalesce("stage", pl.lit("not dropped")), pl.lit(": "), "reason")
    place = pl.concat_str("source", pl.lit(":"), "source_row")
    line = pl.concat_str(
        pl.col("change").str.pad_end(8),
        place,
        "record_id",
        pl.coalesce(moved, why).str.replace_all(r"\s", " "),
        separator="  ",
    )
    return printable(f"{frame.select(line.str.join(chr(10))).item()}\n")


def _about(manifest: CorpusManifest) -> dict[str, Any]:
    return {
        "corpus": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "status": manifest.status,
        "rows_out": manifest.rows_out,
    }


def _line(manifest: CorpusManifest) -> str:
    rows = f"{manifest.rows_out:,} rows"
    return f"{manifest.name} {manifest.version}  {rows}  {manifest.digest[:12]}"


def _show_records(counts: "pl.DataFrame") -> None:
    from tasks.history.diff import Cause

    if counts.is_empty():
        out.print(plain("the same records, in the same splits"))
        return
    rows = [
        (row["change"], row["source"], row["stage"], row["reason"], _moved(row), row["rows"])
        for row in counts.to_dicts()
    ]
    table("Records", ("change", "source", "stage", "reason", "from → to", "rows"), rows)
    told = {row["reason"] for row in counts.to_dicts() if row["stage"] is None}
    for cause in Cause:
        if cause.value in told:
            out.print(plain(f"{cause.value}: {cause.meaning}"))


def _moved(row: dict[str, Any]) -> str:
    return f"{row['before']} → {row['after']}" if row["before"] is not None else ""


def _show_sources(changes: "tuple[SourceChange, ...]") -> None:
    rows = [
        (one.source, one.status, _shown(one.rows_out[0]), _shown(one.rows_out[1]), _keys(one))
        for one in changes
    ]
    if rows:
        table("Sources", ("source", "", "rows out", "now", "changes"), rows)


def _keys(change: "SourceChange") -> str:
    told = [one for one in change.changes if one.key not in ("rows_in", "rows_out")]
    return "; ".join(f"{one.key} {_shown(one.before)} → {_shown(one.after)}" for one in told)


def _show_changes(title: str, changes: "tuple[Change, ...]") -> None:
    rows = [(one.key, _shown(one.before), _shown(one.after)) for one in changes]
    if rows:
        table(title.capitalize(), ("key", "was", "is"), rows)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= SHOWN_VALUE_CHARS else f"{text[:SHOWN_VALUE_CHARS]}…"
