"""Tab- and comma-separated text to rows, with or without a line of column names.

Tabs separate fields and quotes mean nothing in a file whose first line holds a tab. In
comma-separated text a quoted field may hold commas, doubled quotes and newlines (RFC 4180).
A record whose bytes are not valid UTF-8 is damage.
"""

import contextlib
import csv
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from tasks.normalize.raw import (
    EXCERPT_CHARS,
    INVALID_UTF8,
    OFFSET,
    Batch,
    Damage,
    invalid_byte,
    is_utf8,
    not_utf8,
    shown,
    valid_lines,
)

WINDOW_BYTES = 8 << 20
MAX_FIELD_BYTES = 64 << 20
_MARK = b"\xef\xbb\xbf"

Raw = bytes | mmap.mmap


def delimiter_of(head: bytes) -> str | None:
    """What separates the fields of a file that begins like this; None where nothing does."""
    line = head.removeprefix(_MARK).split(b"\n", 1)[0]
    if b"\0" in head[:1024]:
        return None
    return "\t" if b"\t" in line else "," if b"," in line else None


def read_delimited(
    data: Raw, delimiter: str, wanted: tuple[str, ...], positional: tuple[str, ...]
) -> Iterator[Batch]:
    """One row per record; a record with the wrong number of fields is damage.

    A first line that holds a wanted column's name names the columns. Without one the fields are
    the `positional` columns, in that order, which only tab-separated files may leave unsaid.
    """
    start = len(_MARK) if data[: len(_MARK)] == _MARK else 0
    names: Sequence[str] | None = None
    for offset, raw in _windows(data, start):
        records = _records(raw, offset, quoted=delimiter == ",")
        fields = _fields(records, delimiter)
        if fields.is_empty():
            continue
        if names is None:
            first = [name.strip() for name in fields["fields"][0].to_list()]
            named = bool({*first} & {*wanted})
            names = first if named else positional if delimiter == "\t" else ()
            fields = fields.slice(1) if named else fields
        yield _batch(data, fields, tuple(names), wanted)


def _windows(data: Raw, start: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of about `WINDOW_BYTES`, each ending where a line ends outside quotes."""
    size = len(data)
    while start < size:
        end = min(start + WINDOW_BYTES, size)
        while end < size:
            cut = data.rfind(b"\n", start, end) + 1
            if cut > start and (end - start > MAX_FIELD_BYTES or _balanced(data[start:cut])):
                end = cut
                break
            end = min(2 * end - start, size)
        yield start, data[start:end]
        start = end


def _balanced(raw: bytes) -> bool:
    return raw.count(b'"') % 2 == 0 or b"\t" in raw.split(b"\n", 1)[0]


def _lines(raw: bytes) -> pl.DataFrame:
    """One row per line: `record`, `bytes` without the newline, and `valid`, whether it is UTF-8."""
    lines = pl.DataFrame({"record": shown(raw).split("\n")})
    if is_utf8(raw):
        return lines.with_columns(bytes=pl.col("record").str.len_bytes(), valid=pl.lit(value=True))
    split = pl.Series(raw.split(b"\n"), dtype=pl.Binary)
    return lines.with_columns(bytes=split.bin.size(), valid=valid_lines(raw))


def _records(raw: bytes, offset: int, quoted: bool) -> pl.DataFrame:
    """One row per record: `OFFSET`, `valid` and `record`, without its line end; no blank ones."""
    lines = _lines(raw).with_columns(ends=(pl.col("bytes").cast(pl.UInt64) + 1).cum_sum())
    lines = lines.with_columns(
        (pl.col("ends").shift(1, fill_value=0) + offset).alias(OFFSET),
    )
    if quoted:
        quotes = pl.col("record").str.count_matches('"', literal=True).cum_sum() % 2
        inside = quotes.shift(1, fill_value=0) == 1
        lines = lines.group_by((~inside).cum_sum().alias("number"), maintain_order=True).agg(
            pl.col("record").str.join("\n"), pl.col(OFFSET).first(), pl.col("valid").all()
        )
    record = pl.col("record").str.strip_suffix("\r")
    return lines.select(OFFSET, "valid", record).filter(pl.col("record").str.strip_chars() != "")


def _fields(records: pl.DataFrame, delimiter: str) -> pl.DataFrame:
    """The same with `fields`, a list of String."""
    if delimiter == "\t":
        return records.with_columns(fields=pl.col("record").str.split(delimiter))
    csv.field_size_limit(MAX_FIELD_BYTES)
    rows = _csv_rows(records["record"].to_list())
    return records.with_columns(fields=pl.Series(rows, dtype=pl.List(pl.String)))


def _csv_rows(records: list[str]) -> list[list[str]]:
    """The fields of each record; none of a record whose quotes or newlines make no sense."""
    with contextlib.suppress(csv.Error):
        rows = list(csv.reader(records))
        if len(rows) == len(records):
            return rows
    return [_csv_row(record) for record in records]


def _csv_row(record: str) -> list[str]:
    try:
        return next(csv.reader([record]), [])
    except csv.Error:
        return []


def _batch(
    data: Raw, fields: pl.DataFrame, names: tuple[str, ...], wanted: tuple[str, ...]
) -> Batch:
    right = pl.col("valid") & (pl.col("fields").list.len() == len(names))
    rows = fields.filter(right).select(
        OFFSET,
        *(
            pl.col("fields").list.get(names.index(name)).alias(name)
            if name in names
            else pl.lit(None, dtype=pl.String).alias(name)
            for name in wanted
        ),
    )
    wrong = fields.filter(~right).select(
        OFFSET,
        pl.format(
            "expected {} fields ({}), found {}",
            pl.lit(len(names)),
            pl.lit(", ".join(names) or "named in the first line"),
            pl.col("fields").list.len(),
        ),
        pl.col("record").str.head(EXCERPT_CHARS),
        invalid_utf8=~pl.col("valid"),
    )
    damage = tuple(_in_bytes(data, Damage(*row)) for row in wrong.rows())
    return Batch(rows, damage, {INVALID_UTF8: sum(one.invalid_utf8 for one in damage)})


def _in_bytes(data: Raw, damage: Damage) -> Damage:
    """The same, pointing at the byte that is not valid UTF-8 if that is what is wrong."""
    if not damage.invalid_utf8:
        return damage
    position = invalid_byte(data, damage.offset, len(data))
    where = damage.offset if position is None else position
    return replace(damage, message=not_utf8(data, where))
