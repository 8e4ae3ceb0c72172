"""Tab- and comma-separated text to rows, with or without a line of column names.

Tabs separate fields and quotes mean nothing in a file whose first line holds a tab. In
comma-separated text a quoted field may hold commas, doubled quotes and newlines (RFC 4180);
semicolons and bars separate fields where that gives the first line a wanted column's name.
A record whose bytes are not valid UTF-8 is damage.
"""

import csv
from collections.abc import Iterator

import numpy as np
import polars as pl

from tasks.kernel import announce_compilation
from tasks.normalize import fields
from tasks.normalize.containers import Raw, json_key
from tasks.normalize.json_rows import flat_lines
from tasks.normalize.raw import (
    EXCERPT_BYTES,
    INVALID_UTF8,
    OFFSET,
    Batch,
    Damage,
    excerpt,
    invalid_byte,
    is_binary,
    not_utf8,
    unnamed,
    without_spoilt,
)

BATCH_ROWS = 20_000
WINDOW_BYTES = 8 << 20
MAX_FIELD_BYTES = 16 << 20
_HEADER_BYTES = 64 << 10
_FIELD_COST = 5
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
        window = WINDOW_BYTES if reached > position else 2 * window
        position = reached
        if batch.rows.height or batch.damage:
            yield batch


def _walk(
    data: Raw,
    array: np.ndarray[tuple[int], np.dtype[np.uint8]],
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
    told = [
        _damage(data, slice(start, stop), found, names, delimiter)
        for start, stop, found in faults[:wrong].tolist()
    ]
    damage = sorted([*told, *spoilt], key=lambda one: one.offset)
    rows = flat_lines(lines, wanted).insert_column(0, pl.Series(OFFSET, offsets).cast(pl.UInt64))
    counts = {INVALID_UTF8: sum(one.invalid_utf8 for one in damage)}
    return Batch(rows, tuple(damage), counts, names), int(reached)


def _damage(
    data: Raw, stretch: slice, found: int, names: tuple[str, ...], delimiter: str
) -> Damage:
    if found == fields.OPEN_QUOTE:
        message = "a quote is opened and never closed"
    elif found == fields.AFTER_QUOTE:
        another = f"{_DELIMITERS[delimiter]} or " if delimiter in _DELIMITERS else ""
        message = f"expected {another}the end of the line after a closing quote"
    else:
        shown = ", ".join(names) or "named in the first line"
        message = f"expected {len(names)} fields ({shown}), found {found}"
    start, stop = stretch.start, stretch.stop
    position = invalid_byte(data, start, stop)
    raw = data[start : min(stop, start + EXCERPT_BYTES)].removesuffix(b"\r")
    if position is not None:
        return Damage(start, not_utf8(data, position), excerpt(raw), invalid_utf8=True)
    return Damage(start, message, excerpt(raw))


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
