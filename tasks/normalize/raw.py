"""What a reader hands on: rows of raw strings, and the stretches of a file that gave none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

OFFSET = "offset"
EXCERPT_CHARS = 500


@dataclass(frozen=True)
class Damage:
    """A stretch of a file that is not a row: where it begins, what is wrong and what stands there.

    `offset` is in bytes from the start of the decompressed file; in Parquet and Arrow files, which
    have no bytes to point at, it is the number of the row.
    """

    offset: int
    message: str
    excerpt: str


@dataclass(frozen=True)
class Batch:
    """Rows and damage of one piece of a file, each in the order of the file.

    `rows` has `OFFSET` (UInt64) and the wanted columns, all String; null where a row lacks one.
    Nested values are JSON text behind `scan.NESTED`.
    """

    rows: pl.DataFrame
    damage: tuple[Damage, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def excerpt(raw: bytes) -> str:
    """The beginning of some bytes as text, whatever they are."""
    return raw[: 4 * EXCERPT_CHARS].decode("utf-8", "replace")[:EXCERPT_CHARS]


def text_of(raw: bytes) -> tuple[bytes, int]:
    """The same bytes as valid UTF-8, and how many U+FFFD had to stand in for what was not."""
    try:
        pl.Series([raw], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        text = raw.decode("utf-8", "replace")
        return text.encode(), text.count("\ufffd") - raw.count("\ufffd".encode())
    return raw, 0
