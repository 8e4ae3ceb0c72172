"""What a reader hands on: rows of raw strings, and the stretches of a file that gave none."""

import mmap
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

import numpy as np
import polars as pl
import pyarrow as pa

from tasks.normalize.utf8 import Bytes, Offsets, invalid_bytes

OFFSET = "\x1eoffset"
"""The readers' own column, under a name that no source gives to one of its own."""

MAX_RECORD_BYTES = 64 << 20
"""What takes more is no record: it costs several times that to read one."""

EXCERPT_CHARS = 500
EXCERPT_BYTES = 4 * EXCERPT_CHARS
INVALID_UTF8 = "invalid_utf8"
"""Counts the rows that are damage because of their bytes."""

SEQUENCE_BYTES = 4
DAMAGE = pl.Schema(
    {"offset": pl.UInt64, "message": pl.String, "excerpt": pl.String, "invalid_utf8": pl.Boolean}
)
_LOOK_BYTES = 4 << 10
_MAX_NULS = 20  # bytes of text for each NUL
_SEARCH_BYTES = 16 << 20
_OVERLAP_BYTES = 64 << 10

Raw = bytes | mmap.mmap
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


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


class Damages(Sequence[Damage]):
    """All the damage of one piece of a file, in the file's order.

    `frame` is DAMAGE, one row per stretch: there may be millions of them.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        """Take DAMAGE in any order."""
        self.frame = frame.sort("offset", maintain_order=True)

    @classmethod
    def of(cls, damages: "Iterable[Damage]") -> "Damages":
        """The same of single ones."""
        if isinstance(damages, cls):
            return damages
        rows = [(one.offset, one.message, one.excerpt, one.invalid_utf8) for one in damages]
        return cls(pl.DataFrame(rows, schema=DAMAGE, orient="row"))

    def __len__(self) -> int:
        return self.frame.height

    @overload
    def __getitem__(self, place: int) -> Damage: ...
    @overload
    def __getitem__(self, place: slice) -> "Damages": ...
    def __getitem__(self, place: int | slice) -> "Damage | Damages":
        if isinstance(place, slice):
            return Damages(self.frame[place])
        return Damage(*self.frame.row(place))

    def __iter__(self) -> Iterator[Damage]:
        return (Damage(*row) for row in self.frame.rows())

    def __add__(self, others: "Damages") -> "Damages":
        return Damages(pl.concat([self.frame, others.frame])) if others else self

    @property
    def counts(self) -> dict[str, int]:
        """How many of them are because of bytes that are not UTF-8, for a batch's counts."""
        return {INVALID_UTF8: int(self.frame["invalid_utf8"].sum())}


@dataclass(frozen=True)
class Batch:
    """Rows and damage of one piece of a file, each in the order of the file.

    `rows` has `OFFSET` (UInt64) and the wanted columns, all String; null where a row lacks one.
    Nested values are JSON text behind `scan.NESTED`. `keys` are the names that the file itself
    gives the values of its first row there.
    """

    rows: pl.DataFrame
    damage: Sequence[Damage] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


class Piece(NamedTuple):
    """The rows of one batch under their layout's column names, and where they stand."""

    file: str
    first_row: int
    """Number of the first of them among the rows of the file, which counts from 1."""
    rows: pl.DataFrame


def no_rows(wanted: tuple[str, ...]) -> pl.DataFrame:
    """The rows of a batch that has none."""
    return pl.DataFrame(schema={OFFSET: pl.UInt64, **dict.fromkeys(wanted, pl.String)})


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


def is_utf8(raw: bytes | memoryview) -> bool:
    """Whether some bytes are valid UTF-8 from the first to the last; they are not copied."""
    ends = np.array([0, len(raw)], dtype=np.int64)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(raw)]
    try:
        pl.Series(pa.Array.from_buffers(pa.large_binary(), 1, buffers)).cast(pl.String)
    except pl.exceptions.ComputeError:
        return False
    return True


def valid_lines(raw: bytes) -> pl.Series:
    r"""Whether each line, as `raw.split(b"\n")` gives them, is valid UTF-8."""
    array = np.frombuffer(raw, dtype=np.uint8)
    line_ends = np.append(np.flatnonzero(array == ord("\n")), array.size)
    starts = np.insert(line_ends[:-1] + 1, 0, 0)
    # A line's end belongs to it: a character that it cuts is none.
    return pl.Series(invalid_bytes(array, starts, line_ends + 1) < 0)


def not_utf8(array: Bytes, positions: Offsets) -> pl.Series:
    """What the ledger says of rows, for each the position of a byte that is not valid UTF-8."""
    return pl.select(
        pl.format(
            "not valid UTF-8: byte {} at offset {}; convert the file, e.g. from Windows-1252 or "
            "GB18030, to UTF-8",
            pl.Series(_HEX).gather(array[positions]),
            pl.Series(positions),
        )
    ).to_series()


def sound(data: Raw, starts: Offsets, stops: Offsets) -> Flags:
    """Which of these stretches, that follow each other, are valid UTF-8."""
    if not starts.size or is_utf8(memoryview(data)[starts[0] : stops[-1]]):
        return np.ones(starts.size, dtype=np.bool_)
    return invalid_bytes(np.frombuffer(data, dtype=np.uint8), starts, stops) < 0


def spoilt_at(data: Raw, starts: Offsets, spoilt: pl.Series) -> Damages:
    """Of the records that begin there, those that are `spoilt`: a byte in them is not UTF-8."""
    array = np.frombuffer(data, dtype=np.uint8)
    chosen = spoilt.to_numpy()
    begun = starts[chosen]
    stops = np.append(starts[1:], array.size)[chosen]
    positions = invalid_bytes(array, begun, stops)
    messages = not_utf8(array, np.where(positions < 0, begun, positions))
    return damages_at(data, begun, messages, stops, invalid=True)


def damages_at(
    data: Raw,
    starts: Offsets,
    messages: pl.Series,
    stops: Offsets | None = None,
    invalid: bool | pl.Series = False,
) -> Damages:
    """Damage that begins at these places, with what stands there, up to `stops` if given."""
    ends = starts + EXCERPT_BYTES if stops is None else np.minimum(stops, starts + EXCERPT_BYTES)
    excerpts = [
        excerpt(data[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    columns = {"offset": pl.Series(starts), "message": messages, "excerpt": pl.Series(excerpts)}
    frame = pl.DataFrame(columns).with_columns(invalid_utf8=invalid)
    return Damages(frame.cast(DAMAGE))


def without_spoilt(data: Raw, lines: bytes, offsets: Offsets) -> tuple[bytes, Offsets, Damages]:
    """Flat lines and their offsets without those that are not valid UTF-8, which are damage."""
    if is_utf8(lines):
        return lines, offsets, NO_DAMAGE
    valid = valid_lines(lines)[:-1]
    records = pl.Series(lines.split(b"\n")[:-1], dtype=pl.Binary).filter(valid)
    kept = b"\n".join([*records, b""])
    return kept, offsets[valid.to_numpy()], spoilt_at(data, offsets, ~valid)


def search(data: Raw, pattern: re.Pattern[bytes], start: int) -> re.Match[bytes] | None:
    """The first match from a position on, of patterns that match no more than `_OVERLAP_BYTES`."""
    while True:
        stop = min(start + _SEARCH_BYTES, len(data))
        match = pattern.search(data, start, stop)
        if match is not None or stop == len(data):
            return match
        release(data)
        start = stop - _OVERLAP_BYTES


def release(data: Raw) -> None:
    """Let go of what was read: what is wanted again comes from the system's cache."""
    if isinstance(data, mmap.mmap) and hasattr(data, "madvise"):
        data.madvise(mmap.MADV_DONTNEED)


_HEX = [f"{byte:#04x}" for byte in range(256)]
NO_DAMAGE = Damages(pl.DataFrame(schema=DAMAGE))
