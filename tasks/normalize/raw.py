"""What a reader hands on: rows of raw strings, and the stretches of a file that gave none."""

import codecs
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

OFFSET = "offset"
EXCERPT_CHARS = 500
EXCERPT_BYTES = 4 * EXCERPT_CHARS
INVALID_UTF8 = "invalid_utf8"
"""Counts the rows that are damage because of their bytes."""

_LOOK_BYTES = 4 << 10
_SEQUENCE_BYTES = 4
_MAX_NULS = 20  # bytes of text for each NUL


Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Damage:
    """A stretch of a file that is not a row: where it begins, what is wrong and what stands there.

    `offset` is in bytes from the start of the decompressed file; in Parquet and Arrow files, which
    have no bytes to point at, it is the number of the row.
    """

    offset: int
    message: str
    excerpt: str
    invalid_utf8: bool = False


@dataclass(frozen=True)
class Batch:
    """Rows and damage of one piece of a file, each in the order of the file.

    `rows` has `OFFSET` (UInt64) and the wanted columns, all String; null where a row lacks one.
    Nested values are JSON text behind `scan.NESTED`. `keys` are the names that the file itself
    gives the values of its first row there.
    """

    rows: pl.DataFrame
    damage: tuple[Damage, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


class Piece(NamedTuple):
    """The rows of one batch under their layout's column names, and where they stand."""

    file: str
    first_row: int
    """Number of the first of them among the rows of the file, which counts from 1."""
    rows: pl.DataFrame


def unnamed(what: str, count: int) -> tuple[str, ...]:
    """Names for so many values that have none: `field 1`, and so on."""
    return tuple(f"{what} {number}" for number in range(1, count + 1))


def excerpt(raw: bytes) -> str:
    r"""The beginning of some bytes as text, whatever they are: one that is no text is `\xe9`."""
    return shown(raw[:EXCERPT_BYTES])[:EXCERPT_CHARS]


def shown(raw: bytes) -> str:
    r"""Bytes as text; those that are not valid UTF-8 as `\xe9`, so that none is lost."""
    return raw.decode("utf-8", "backslashreplace")


def is_binary(head: bytes) -> bool:
    """Whether some bytes, among which NUL is more than a slip, begin a file that is no text."""
    look = head[:_LOOK_BYTES]
    return _MAX_NULS * look.count(0) > len(look)


def is_utf8(raw: bytes) -> bool:
    """Whether some bytes are valid UTF-8 from the first to the last."""
    try:
        pl.Series([raw], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return False
    return True


def valid_lines(raw: bytes) -> pl.Series:
    r"""Whether each line, as `raw.split(b"\n")` gives them, is valid UTF-8."""
    spoilt = []
    start = 0
    while (position := invalid_byte(raw, start, len(raw))) is not None:
        spoilt.append(position)
        start = raw.find(b"\n", position) + 1 or len(raw)
    line_ends = np.flatnonzero(np.frombuffer(raw, dtype=np.uint8) == ord("\n"))
    valid = np.ones(line_ends.size + 1, dtype=np.bool_)
    valid[np.searchsorted(line_ends, spoilt)] = False
    return pl.Series(valid)


def invalid_byte(data: bytes | mmap.mmap, start: int, stop: int) -> int | None:
    """The position of the first byte of `data[start:stop]` at which it stops being UTF-8.

    A sequence that `stop` cuts is none, unless the data end there.
    """
    while start < stop:
        end = min(start + _LOOK_BYTES, stop)
        try:
            _, length = codecs.utf_8_decode(data[start:end], "strict", end == len(data))
        except UnicodeDecodeError as error:
            return start + error.start
        if end == stop:
            return None
        start += length
    return None


def invalid_until(data: bytes | mmap.mmap, start: int, where: int) -> int | None:
    """The same for a stretch that goes on to the character at `where`."""
    return invalid_byte(data, start, min(where + _SEQUENCE_BYTES, len(data)))


def not_utf8(data: bytes | mmap.mmap, position: int) -> str:
    """What the ledger says of a row whose byte at `position` is not valid UTF-8."""
    return (
        f"not valid UTF-8: byte {data[position]:#04x} at offset {position}; convert the file, e.g. "
        "from Windows-1252 or GB18030, to UTF-8"
    )


def without_spoilt(
    data: bytes | mmap.mmap, lines: bytes, offsets: Offsets
) -> tuple[bytes, Offsets, list[Damage]]:
    """Flat lines and their offsets without those that are not valid UTF-8, which are damage."""
    if is_utf8(lines):
        return lines, offsets, []
    valid = valid_lines(lines)[:-1]
    records = pl.Series(lines.split(b"\n")[:-1], dtype=pl.Binary).filter(valid)
    kept = b"\n".join([*records, b""])
    spoilt = offsets[~valid.to_numpy()].tolist()
    return kept, offsets[valid.to_numpy()], [_spoilt(data, start) for start in spoilt]


def _spoilt(data: bytes | mmap.mmap, start: int) -> Damage:
    """The record at `start`, somewhere in which a byte is not valid UTF-8."""
    position = invalid_byte(data, start, len(data))
    return Damage(
        start,
        not_utf8(data, start if position is None else position),
        excerpt(data[start : start + EXCERPT_BYTES]),
        invalid_utf8=True,
    )
