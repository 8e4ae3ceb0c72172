"""Raw files to records: one shard every so many rows, and a ledger of what is not a record."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from schemas.errors import CorpusDamaged, SourceEmpty
from schemas.manifest import RawFile, RawReceipt, StageManifest
from schemas.reasons import Stage
from schemas.source import Source
from tasks.lake import Lake
from tasks.stages import finish, finished, stage_digest, stage_key

if TYPE_CHECKING:
    from tasks.normalize.layouts import Shape
    from tasks.normalize.raw import Piece

STAGE = Stage.NORMALIZE.value
MATTERS = {
    *("name", "layout", "columns", "fields", "constants", "roles", "template", "placeholders"),
    *("answer_only", "separator", "members", "unpacking"),
    *("category", "licence", "code", "first_option"),
}
CATEGORY_FROM_FILE = "file"
SHOWN_BYTES = 100
_PACKED_SUFFIXES = (".gz", ".bz2", ".xz")


def normalize(receipt: RawReceipt, source: Source, lake: Lake, shard_rows: int) -> StageManifest:
    """Write a source's records as shards of `shard_rows` rows, in the order of the raw data.

    Rows that cannot become records go to the ledger; both count in one sequence, `source_row`, by
    which the shards are cut. A finished folder is taken as it is.

    Raises:
        SourceEmpty: not one record came out; says what was expected and what stands there.
        SourceError: multiple choice whose answers do not tell where their numbers begin.
        CorpusDamaged: a raw file is not in the lake, or is not the one the receipt names.
    """
    digest = stage_digest(
        STAGE,
        raw=receipt.digest,
        source=source.model_dump(mode="json", include=MATTERS),
        shard_rows=shard_rows,
    )
    done = finished(lake, STAGE, digest)
    return done or _normalize(receipt, source, lake, shard_rows, digest)


def _normalize(
    receipt: RawReceipt, source: Source, lake: Lake, shard_rows: int, digest: str
) -> StageManifest:
    from tasks.normalize.records import records_of
    from tasks.normalize.writer import SourceWriter

    check_raw(receipt, lake)
    shape = settled_shape(receipt, source, lake)
    counts: Counter[str] = Counter()
    with SourceWriter(lake, stage_key(STAGE, digest), source.name, shard_rows) as writer:
        for file in receipt.files:
            category = stem(file.name) if source.category == CATEGORY_FROM_FILE else source.category
            with raw_file(lake, receipt, file) as path, lake.scratch() as scratch:
                for outcome in records_of(path, scratch, source, shape, file.name, category):
                    writer.add(outcome)
                    counts.update(outcome.counts)
        writer.close()
    if not writer.records:
        raise SourceEmpty(_nothing_in(receipt, source, lake, writer.reasons, counts))
    return finish(
        lake,
        StageManifest(
            stage=STAGE,
            digest=digest,
            uri=stage_key(STAGE, digest),
            source=source.name,
            rows_in=writer.rows,
            rows_out=writer.records,
            drops=writer.drops(STAGE),
            shards=tuple(writer.shards),
            ledger=tuple(writer.ledger),
            notes=(*_notes(counts), *_row_band(source, writer.records)),
        ),
    )


def check_raw(receipt: RawReceipt, lake: Lake) -> None:
    """Raise CorpusDamaged unless every raw file is there, byte for byte as it was downloaded."""
    for file in receipt.files:
        path = lake.at(f"{receipt.uri}/{file.name}")
        found = lake.sha256(f"{receipt.uri}/{file.name}")
        if found is None:
            raise CorpusDamaged(
                f"{path} is missing, expected {file.size_bytes} bytes of source "
                f"{receipt.source!r}. {_download_anew(receipt, lake)}"
            )
        if found != file.sha256:
            raise CorpusDamaged(
                f"{path} is not the file that was downloaded for source {receipt.source!r}: "
                f"expected sha256 {file.sha256}, found {found}. {_download_anew(receipt, lake)}"
            )


def _download_anew(receipt: RawReceipt, lake: Lake) -> str:
    return f"Remove {lake.at(receipt.uri)} and run the refresh again, which downloads it anew."


def settled_shape(receipt: RawReceipt, source: Source, lake: Lake) -> "Shape":
    """The shape of a source's rows; where a row alone does not tell it, every file is read."""
    from tasks.normalize.layouts import shape_of

    shape = shape_of(source)
    if shape.settle is None:
        return shape
    turns = shape.settle(source.name, _pieces(receipt, source, lake, shape))
    return replace(shape, turns=turns, settle=None)


def _pieces(receipt: RawReceipt, source: Source, lake: Lake, shape: "Shape") -> "Iterator[Piece]":
    """The rows of a source batch by batch, in the order of the raw data."""
    from tasks.normalize.raw import Piece
    from tasks.normalize.readers import read_file

    wanted, positional = shape.wanted(source), shape.positional(source)
    for file in receipt.files:
        first_row = 1
        with raw_file(lake, receipt, file) as path, lake.scratch() as scratch:
            for batch in read_file(path, wanted, positional, scratch):
                yield Piece(file.name, first_row, shape.renamed(batch.rows, source))
                first_row += batch.rows.height


def stem(name: str) -> str:
    """A raw file's name without folders, packing and suffix: `a/coding.json.gz` is `coding`."""
    path = PurePosixPath(name)
    return path.with_suffix("").stem if path.suffix in _PACKED_SUFFIXES else path.stem


@contextmanager
def raw_file(lake: Lake, receipt: RawReceipt, file: RawFile) -> Iterator[Path]:
    """A raw file as a local path: where it lies, or a copy that is gone afterwards."""
    key = f"{receipt.uri}/{file.name}"
    if lake.folder is None:
        with tempfile.TemporaryDirectory(prefix="winnow-") as folder:
            path = Path(folder) / "raw"
            path.write_bytes(lake.read(key))
            yield path
        return
    yield Path(lake.at(key))


def _notes(counts: Counter[str]) -> tuple[tuple[str, str], ...]:
    """What was changed at the door, in rows."""
    return tuple((name, str(rows)) for name, rows in sorted(counts.items()) if rows)


def _row_band(source: Source, records: int) -> tuple[tuple[str, str], ...]:
    band = source.expected_rows
    if band.min <= records <= band.max:
        return ()
    return (("expected_rows", f"{records} records, expected {band.min} to {band.max}"),)


def _nothing_in(
    receipt: RawReceipt,
    source: Source,
    lake: Lake,
    reasons: Counter[str],
    counts: Counter[str],
) -> str:
    from tasks.normalize.layouts import shape_of
    from tasks.normalize.raw import INVALID_UTF8

    columns = ", ".join(shape_of(source).positional(source))
    largest = max(receipt.files, key=lambda file: file.size_bytes)
    with raw_file(lake, receipt, largest) as path, path.open("rb") as file:
        found = file.read(SHOWN_BYTES)
    dropped = ", ".join(f"{rows} {reason}" for reason, rows in sorted(reasons.items())) or "no row"
    others = f" and {len(receipt.files) - 1} more files" if len(receipt.files) > 1 else ""
    advice = (
        f"Check `layout` and `columns` in the source file {source.name}.yaml, or whether upstream "
        "answered with another page."
    )
    if 2 * counts[INVALID_UTF8] >= reasons.total() > 0:
        advice = (
            f"{counts[INVALID_UTF8]} of these are not valid UTF-8: convert the file, e.g. from "
            f"Windows-1252 or GB18030, to UTF-8. {advice}"
        )
    return (
        f"source {source.name!r} has not one record: {lake.at(receipt.uri)}/{largest.name}{others} "
        f"gave {dropped}. Expected rows of layout {source.layout.value!r} with columns {columns}; "
        f"the file begins with {found!r}. {advice}"
    )
