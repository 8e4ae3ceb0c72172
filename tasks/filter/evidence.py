"""What a rule says of a row: the evidence against it, or nothing."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from schemas.reasons import DropReason

EVIDENCE_CHARS = 200


class Evidence(NamedTuple):
    """Two String expressions over the columns that `judge` prepares.

    `found` is what broke the rule (a count with its unit, or the matched text) and is null where
    the row passes; `expected` is the bound or the item it was held against.
    """

    found: pl.Expr
    expected: pl.Expr


Rules = dict[DropReason, Evidence]


def matched(found: pl.Expr, expected: pl.Expr | str) -> Evidence:
    """Evidence that quotes the matched text, at most `EVIDENCE_CHARS` of it."""
    held_against = pl.lit(expected) if isinstance(expected, str) else expected
    return Evidence(found.str.head(EVIDENCE_CHARS), held_against)


def of_suspects(
    suspected: pl.Expr,
    verdict: Callable[[pl.LazyFrame], pl.LazyFrame],
    dtype: pl.DataType,
    **columns: pl.Expr,
) -> pl.Expr:
    """What `verdict` says of the suspected rows, null for all others: they alone are read closely.

    `suspected` is over `columns`; `verdict` gets a frame of these and gives one column of `dtype`,
    one row per row.
    """

    def read(rows: pl.Series) -> pl.Series:
        frame = rows.struct.unnest()
        suspects = frame.select(suspected.fill_null(False)).to_series()
        said = verdict(frame.lazy().filter(suspects)).collect().to_series()
        place = pl.when(suspects).then(suspects.cum_sum() - 1)
        return said.gather(pl.select(place).to_series())

    fields = [expression.alias(name) for name, expression in columns.items()]
    return pl.struct(fields).map_batches(read, return_dtype=dtype, is_elementwise=True)
