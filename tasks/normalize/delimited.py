"""Tab- and comma-separated text to rows, with or without a line of column names.

Tabs separate fields and quotes mean nothing in a file whose first line holds a tab. In
comma-separated text a quoted field may hold commas, doubled quotes and newlines (RFC 4180);
semicolons and bars separate fields where that gives the first line a wanted column's name.
A record whose bytes are not valid UTF-8 is damage.
"""

import csv
import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from tasks.kernel import announce_compilation
from tasks.normalize import fields
from tasks.normalize.containers import json_key
from tasks.normalize.raw import (
    MAX_RECORD_BYTES,
    OFFSET,
    Batch,
    Damages,
    Raw,
    damages_at,
    is_binary,
    no_rows,
    not_utf8,
    release,
    search,
    unnamed,
    without_spoilt,
)
from tasks.normalize.utf8 import Bytes, Offsets, invalid_bytes

BATCH_ROWS = 20_000
WINDOW_BYTES = 8 << 20
MAX_FIELD_BYTES = 16 << 20
_HEADER_BYTES = 64 << 10
_FIELD_COST = 5
_LINE_END = re.compile(rb"\n")
_MARK = b"\xef\xbb\xbf"
_ALONE = "\xff"
"""Stands for a delimiter in a file of one column: a byte that no text has."""
_DELIMITERS = {"\t": "a tab", ",": "a comma", ";": "a semicolon", "|": "a bar"}


def has_header(head: bytes, wanted: tuple[str, ...]) -> bool:
    """Whether the first line of a file that begins like this has a wanted column's name."""
    return _naming(_first_line(head), wanted) is not None


def delimiter_of(head: bytes, wanted: tuple[str, ...]) -> str | None:
    """What separates the fields of a file that begins like this; None where nothing does.

    A first line that is a wanted column's name is a file of that one column, in which commas are
    text.
    """
    line = _first_line(head)
    either = "\t" if b"\t" in line else "," if b"," in line else None
    return _naming(line, wanted) or (None if is_binary(head) else either)


def read_delimited(
    data: Raw,
    delimiter: str,
    wanted: tuple[str, ...],
    positional: tuple[str, ...],
    declared: bool = False,
) -> Iterator[Batch]:
    """One row per record; a record with the wrong number of fields is damage.

    A first line that holds a wanted column's name names the columns. Without one the fields are
    the `positional` columns, in that order, which only tab-separated files may leave undeclared;
    where it is empty, `column 1`, `column 2` and so on.
    """
    array = np.frombuffer(data, dtype=np.uint8)
    position = len(_MARK) if data[: len(_MARK)] == _MARK else 0
    line = _first_line(data[position : position + _HEADER_BYTES])
    first = _split(line, delimiter)
    if _are_names(first, wanted):
        names = _distinct(first)
        position = data.find(line, position) + len(line)
    elif not positional:
        names = unnamed("column", len(first))
    else:
        names = positional if declared or delimiter == "\t" else ()
    window = WINDOW_BYTES
    while position < array.size:
        end = min(position + window, array.size)
        batch, reached = _walk(data, array, slice(position, end), delimiter, names, wanted)
        if reached == position and end - position >= MAX_RECORD_BYTES:
            batch, reached = _too_long(data, position, wanted)
        window = WINDOW_BYTES if reached > position else min(2 * window, MAX_RECORD_BYTES)
        position = reached
        if batch.rows.height or batch.damage:
            yield batch
        else:
            release(data)


def _walk(
    data: Raw,
    array: Bytes,
    window: slice,
    delimiter: str,
    names: tuple[str, ...],
    wanted: tuple[str, ...],
) -> tuple[Batch, int]:
    """The records of a window, or `BATCH_ROWS` of them, and the byte that they reach."""
    announce_compilation(fields.split)
    named = [b'"%b":' % json_key(name) for name in names]
    cost = fields.GROWTH + _FIELD_COST + max(map(len, named), default=0)
    size = window.stop - window.start
    out = np.empty(cost * size + sum(map(len, named)) + 64, dtype=np.uint8)
    starts = np.empty(BATCH_ROWS, dtype=np.int64)
    faults = np.empty((BATCH_ROWS, 3), dtype=np.int64)
    records, wrong, length, reached = fields.split(
        *(array, window.start, window.stop, window.stop == array.size),
        *(ord(delimiter), delimiter != "\t", MAX_FIELD_BYTES),
        np.array([*b"".join(named)], dtype=np.uint8),
        np.cumsum([0, *map(len, named)], dtype=np.int64),
        *(BATCH_ROWS, out, starts, faults),
    )
    lines, offsets, spoilt = without_spoilt(data, out[:length].tobytes(), starts[:records])
    told = _damages(data, array, faults[:wrong], names, delimiter)
    rows = flat_lines(lines, wanted).insert_column(0, pl.Series(OFFSET, offsets).cast(pl.UInt64))
    damage = told + spoilt
    return Batch(rows, damage, damage.counts, names), int(reached)


def flat_lines(lines: bytes, wanted: tuple[str, ...]) -> pl.DataFrame:
    """One row per line of what `fields.split` writes; the wanted columns as String."""
    schema = dict.fromkeys(wanted, pl.String)
    if not lines:
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(lines, schema=schema)


def _too_long(data: Raw, position: int, wanted: tuple[str, ...]) -> tuple[Batch, int]:
    """The damage that a record is which is too long to be read, and where its first line ends."""
    line_end = search(data, _LINE_END, position)
    stop = len(data) if line_end is None else line_end.end()
    message = pl.Series([f"a record longer than {MAX_RECORD_BYTES >> 20} MiB"])
    damage = damages_at(data, np.array([position]), message)
    return Batch(no_rows(wanted), damage), stop


def _damages(
    data: Raw,
    array: Bytes,
    faults: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    names: tuple[str, ...],
    delimiter: str,
) -> Damages:
    """What is wrong with records that begin and end there, by the number of their fields."""
    starts, stops, found = faults.T.copy()
    separator = f"{_DELIMITERS[delimiter]} or " if delimiter in _DELIMITERS else ""
    shown = ", ".join(names) or "named in the first line"
    count = pl.Series(found)
    messages = pl.select(
        pl.when(count == fields.OPEN_QUOTE)
        .then(pl.lit("a quote is opened and never closed"))
        .when(count == fields.AFTER_QUOTE)
        .then(pl.lit(f"expected {separator}the end of the line after a closing quote"))
        .otherwise(
            pl.lit(f"expected {len(names)} fields ({shown}), found ") + count.cast(pl.String)
        )
    ).to_series()
    position = invalid_bytes(array, starts, stops)
    invalid = position >= 0
    messages = messages.scatter(np.flatnonzero(invalid), not_utf8(array, position[invalid]))
    return damages_at(data, starts, messages, _without_return(array, stops), pl.Series(invalid))


def _without_return(array: Bytes, stops: Offsets) -> Offsets:
    """Where lines end that end there, without the carriage return of some."""
    returns: Offsets = (array[np.maximum(stops - 1, 0)] == ord("\r")).astype(np.int64)
    return stops - returns


def _naming(line: bytes, wanted: tuple[str, ...]) -> str | None:
    """The delimiter that gives a line a wanted column's name, if any does."""
    alone = line.strip(b' "').decode("utf-8", "replace")
    if _are_names([alone], wanted):
        return _ALONE
    return next((one for one in _DELIMITERS if _are_names(_split(line, one), wanted)), None)


def _are_names(first: list[str], wanted: tuple[str, ...]) -> bool:
    """Whether fields name columns: a wanted one is among them, or two of a single letter."""
    known = {*first} & {*wanted}
    return len(known) > 1 or any(len(name) > 1 for name in known)


def _first_line(head: bytes) -> bytes:
    """The first line that is not blank, without its end."""
    return head.removeprefix(_MARK).lstrip(b" \r\n").split(b"\n", 1)[0].removesuffix(b"\r")


def _split(line: bytes, delimiter: str) -> list[str]:
    """The fields of one line, without white space around them."""
    text = line.decode("utf-8", "replace")
    if delimiter == "\t":
        return [name.strip() for name in text.split(delimiter)]
    csv.field_size_limit(MAX_FIELD_BYTES)
    try:
        return [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _distinct(names: list[str]) -> tuple[str, ...]:
    """The names, those that were there before with their number."""
    return tuple(
        f"{name} ({number})" if name in names[:number] else name
        for number, name in enumerate(names)
    )
