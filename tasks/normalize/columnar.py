"""Parquet and Arrow files to rows of strings."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from tasks.normalize.raw import OFFSET, Batch
from tasks.normalize.scan import NESTED

BATCH_ROWS = 20_000
PARQUET, ARROW = b"PAR1", b"ARROW1"


def is_columnar(head: bytes) -> bool:
    """Whether a file that begins like this is Parquet or Arrow IPC."""
    return head.startswith((PARQUET, ARROW))


def read_columnar(path: Path, wanted: tuple[str, ...]) -> Iterator[Batch]:
    """One row per row; `OFFSET` is its number. Nested values become JSON text."""
    with path.open("rb") as file:
        parquet = file.read(len(PARQUET)) == PARQUET
    frame = pl.scan_parquet(path) if parquet else pl.scan_ipc(path)
    schema = frame.collect_schema()
    columns = [
        # By number, behind the row's: a name may look like a pattern.
        as_text(pl.nth(1 + schema.names().index(name)), schema[name]).alias(name)
        if name in schema
        else pl.lit(None, pl.String).alias(name)
        for name in wanted
    ]
    numbered = frame.with_row_index(OFFSET).select(pl.col(OFFSET).cast(pl.UInt64), *columns)
    total = int(frame.select(pl.len()).collect().item())
    for start in range(0, total, BATCH_ROWS):
        yield Batch(numbered.slice(start, BATCH_ROWS).collect(), keys=tuple(schema))


def as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A column as the JSON readers give it: String, nested values as JSON behind `NESTED`."""
    if not dtype.is_nested():
        return column.cast(pl.String)
    wrapped = pl.struct(column.alias("_")).struct.json_encode()
    text = wrapped.str.strip_prefix('{"_":').str.strip_suffix("}")
    return pl.when(column.is_not_null()).then(pl.lit(NESTED) + text)
