"""Drawing lots: a sample of rows that is the same whenever, and in whatever order, it is drawn."""

from typing import Any

import polars as pl
import polars_hash as plh


def lot(seed: int) -> pl.Expr:
    """A row's lot (UInt64): xxh3 of the seed, its source and its number there. Low lots win.

    So a larger sample holds every smaller one, and the sample of a part of the rows is what the
    sample of all has of that part.
    """
    row = pl.col("source_row").cast(pl.String)
    named: Any = plh.concat_str(pl.lit(f"{seed}:"), "source", pl.lit(":"), row)
    drawn: pl.Expr = named.nchash.xxh3_64()
    return drawn.alias("lot")
