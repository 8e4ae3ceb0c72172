"""Read closely only those rows that a cheap look suspects."""

from collections.abc import Callable

import polars as pl


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
