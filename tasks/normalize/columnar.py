"""Parquet and Arrow files to rows of strings."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.lake import first_line
from tasks.normalize.columnar_types import (
    NoText,
    as_text,
    check_structure,
    is_bytes,
    plain_type,
    with_texts,
)
from tasks.normalize.raw import DAMAGE, OFFSET, Batch, Damage, Damages, excerpt, no_rows

BATCH_ROWS = 20_000
BATCH_BYTES = 64 << 20
"""Of values in memory, as a record batch or the mean of a file's rows tells them."""

PARQUET, ARROW = b"PAR1", b"ARROW1"
FAILURES = (
    *(pa.ArrowException, OSError, UnicodeDecodeError),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
)
"""What is raised where the bytes of such a file are not what they should be."""


class Lost(NamedTuple):
    """So many rows that follow each other and cannot be read, and why."""

    num_rows: int
    message: str


_NO_TEXT = pl.Series(dtype=pl.String)
Stretch: TypeAlias = "pa.RecordBatch | Lost"


def is_columnar(head: bytes) -> bool:
    """Whether a file that begins like this is Parquet or Arrow IPC."""
    return head.startswith((PARQUET, ARROW))


def read_columnar(path: Path, wanted: tuple[str, ...]) -> Iterator[Batch]:
    """One row or one damage per row; `OFFSET` is its number. Nested values become JSON text.

    A row is damage where a text of it is not UTF-8, and where its row group cannot be read. Bytes
    inside nested values that are no text are null there.

    Raises:
        pyarrow.ArrowException: it is no such file; nothing was yielded then.
        OSError: the same.
    """
    with path.open("rb") as file:
        parquet = file.read(len(PARQUET)) == PARQUET
    names = (pq.read_schema(path) if parquet else pa.ipc.open_file(path).schema).names
    table = _Table(wanted, tuple(names), path.stat().st_size)
    number = 0
    for stretch in _parquet(path, wanted) if parquet else _gathered(_arrow(path, wanted)):
        yield from table.batches(stretch, number)
        number += stretch.num_rows


def _parquet(path: Path, wanted: tuple[str, ...]) -> Iterator[Stretch]:
    """The stretches of a Parquet file, with the wanted columns that it has."""
    with pq.ParquetFile(path, memory_map=True) as file:
        columns = [name for name in file.schema_arrow.names if name in wanted]
        below = tuple(f"{name}." for name in columns)
        size_bytes = sum(
            chunk.total_uncompressed_size
            for group in map(file.metadata.row_group, range(file.num_row_groups))
            for chunk in map(group.column, range(group.num_columns))
            if f"{chunk.path_in_schema}.".startswith(below)
        )
        fitting = BATCH_BYTES * file.metadata.num_rows // max(1, size_bytes)
        batch_rows = max(1, min(BATCH_ROWS, fitting))
        done = 0
        with contextlib.suppress(*FAILURES):
            for batch in file.iter_batches(batch_rows, columns=columns):
                yield batch
                done += batch.num_rows
            return
        yield from _salvaged(file, columns, batch_rows, done)


def _salvaged(
    file: pq.ParquetFile, columns: list[str], batch_rows: int, done: int
) -> Iterator[Stretch]:
    """The rows of a damaged file from number `done` on, row group by row group."""
    first = 0
    for group in range(file.num_row_groups):
        rows = max(0, file.metadata.row_group(group).num_rows)
        told = min(max(0, done - first), rows)
        first += rows
        read = 0
        try:
            for batch in file.iter_batches(batch_rows, row_groups=[group], columns=columns):
                yield batch.slice(min(max(0, told - read), batch.num_rows))
                read += batch.num_rows
        except FAILURES as error:
            yield Lost(rows - max(told, read), f"row group {group}: {first_line(error)}")


def _arrow(path: Path, wanted: tuple[str, ...]) -> Iterator[Stretch]:
    """The record batches of an Arrow file, with the wanted columns that it has, or the first."""
    with pa.memory_map(str(path)) as data:
        names = pa.ipc.open_file(data).schema.names
        there = [place for place, name in enumerate(names) if name in wanted]
        options = pa.ipc.IpcReadOptions(included_fields=there or [0])
        file = pa.ipc.open_file(data, options=options)
        left = max(0, file.count_rows())
        for place in range(file.num_record_batches):
            rows = left  # how many a record batch has, only itself tells
            try:
                batch = file.get_batch(place)
                rows = min(left, batch.num_rows)
                check_structure(batch)
            except FAILURES as error:
                yield Lost(rows, f"record batch {place}: {first_line(error)}")
            else:
                yield batch
            left -= rows
            if not left:
                return


def _gathered(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """The same stretches, small record batches put together."""
    held: list[pa.RecordBatch] = []
    for stretch in stretches:
        alone = isinstance(stretch, Lost) or _is_full([stretch])
        if held and (alone or _is_full(held)):
            yield pa.concat_batches(held)
            held = []
        if alone:
            yield stretch
        else:
            held.append(stretch)
    if held:
        yield pa.concat_batches(held)


def _is_full(held: list[pa.RecordBatch]) -> bool:
    rows = sum(batch.num_rows for batch in held)
    return rows >= BATCH_ROWS or sum(int(batch.nbytes) for batch in held) >= BATCH_BYTES


@dataclass(frozen=True)
class _Table:
    """What is wanted of a file, and what it has: the names of all columns, and its size."""

    wanted: tuple[str, ...]
    names: tuple[str, ...]
    size_bytes: int

    def batches(self, stretch: Stretch, number: int) -> Iterator[Batch]:
        """The rows of a stretch, of which the first one has that number in the file."""
        if isinstance(stretch, Lost):
            yield from self._lost(stretch, number)
            return
        for start in range(0, stretch.num_rows, BATCH_ROWS):
            piece = stretch
            if stretch.num_rows > BATCH_ROWS:  # copied, or each carries all that lists hold
                piece = pa.concat_batches([stretch.slice(start, BATCH_ROWS)])
            try:
                yield self._batch(piece, number + start)
            except (*FAILURES, NoText) as error:
                yield from self._lost(Lost(piece.num_rows, first_line(error)), number + start)

    def _batch(self, piece: pa.RecordBatch, number: int) -> Batch:
        names = piece.schema.names
        columns = {
            name: _plain(piece.column(names.index(name)), name)
            for name in self.wanted
            if name in names
        }
        damage = {row: one for name in columns for row, one in _spoilt(columns[name], name, number)}
        numbers = np.arange(number, number + piece.num_rows, dtype=np.uint64)
        if damage:
            sound = np.ones(piece.num_rows, dtype=np.bool_)
            sound[list(damage)] = False
            numbers = numbers[sound]
            columns = {name: values.filter(pa.array(sound)) for name, values in columns.items()}
        absent = _NO_TEXT.clear(numbers.size)
        texts = {
            name: as_text(with_texts(columns[name])) if name in columns else absent
            for name in self.wanted
        }
        damages = Damages.of(damage.values())
        rows = pl.DataFrame({OFFSET: numbers, **texts})
        return Batch(rows, damages, damages.counts, self.names)

    def _lost(self, lost: Lost, number: int) -> Iterator[Batch]:
        """A damage for each lost row; one for all where there are more than the file has bytes."""
        message = f"the columns cannot be read: {lost.message}"
        rows = lost.num_rows
        if rows > self.size_bytes:
            message, rows = f"{message}; {rows:,} rows are said to be there", 1
        for start in range(0, rows, BATCH_ROWS):
            offsets = np.arange(start, min(start + BATCH_ROWS, rows)) + number
            frame = pl.DataFrame({"offset": offsets}).with_columns(
                message=pl.lit(message[:300]), excerpt=pl.lit(""), invalid_utf8=False
            )
            yield Batch(no_rows(self.wanted), Damages(frame.cast(DAMAGE)), keys=self.names)


def _plain(values: pa.Array, name: str) -> pa.Array:
    """The values of a column in a plain type; bytes as texts that may be none.

    Raises:
        NoText: no text stands for values of its type.
    """
    if is_bytes(values.type):
        return values.cast(pa.large_binary()).cast(pa.large_string(), safe=False)
    try:
        return values.cast(plain_type(values.type))
    except NoText as error:
        raise NoText(f"{name!r} holds {error}, for which no text stands") from error


def _spoilt(values: pa.Array, name: str, number: int) -> Iterator[tuple[int, Damage]]:
    """The rows whose texts are not UTF-8, and their damage; the first has that number."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        for row in range(len(values)):  # one at a time: this is seldom
            value = values.take(pa.array([row]))
            try:
                value.validate(full=True)
            except pa.ArrowInvalid as error:
                yield row, _damage(value[0], error, name, number + row)


def _damage(value: pa.Scalar, fault: pa.ArrowInvalid, name: str, number: int) -> Damage:
    if "UTF8" not in str(fault):
        return Damage(number, f"{name!r} cannot be read: {first_line(fault)}", "")
    where, shown = "", b""
    try:
        value.as_py()
    except UnicodeDecodeError as error:
        shown = error.object
        where = f": byte {shown[error.start]:#04x} at offset {error.start}"
    except (ValueError, OverflowError):  # a time that Python does not know, before the text
        pass
    message = (
        f"not valid UTF-8{where} of {name!r}; convert the file, e.g. from Windows-1252 or GB18030, "
        "to UTF-8"
    )
    return Damage(number, message, excerpt(shown), invalid_utf8=True)
