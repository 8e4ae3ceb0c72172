"""What the published rows are made of: by source, language, category, licence and turns."""

import polars as pl

from schemas.manifest import Composition

UNKNOWN_LANGUAGE = "unknown"
NO_CATEGORY = "(none)"
OTHER = "(other)"
LARGEST = 30

# fmt: off
KEYS = {
    "source":   pl.col("source"),
    "language": pl.col("language").fill_null(UNKNOWN_LANGUAGE),
    "category": pl.col("category").fill_null(NO_CATEGORY),
    "licence":  pl.col("licence"),
    "turns":    pl.col("turns").cast(pl.String),
}
# fmt: on


def composition(published: pl.LazyFrame) -> tuple[Composition, ...]:
    """Published rows by each of KEYS in turn, most rows first, equal ones by name.

    Of each key the LARGEST values are named and the rest is added up as OTHER, which comes last;
    the rows of every key add up to all rows. `turns` counts the user's messages.
    """
    return tuple(
        Composition(key=key, value=value, rows=rows)
        for key, expression in KEYS.items()
        for value, rows in _named(published, expression).rows()
    )


def _named(published: pl.LazyFrame, key: pl.Expr) -> pl.DataFrame:
    counted = (
        published.select(value=key)
        .group_by("value")
        .len("rows")
        .sort(["rows", "value"], descending=[True, False])
        .collect()
    )
    rest = counted.slice(LARGEST).select(value=pl.lit(OTHER), rows=pl.col("rows").sum())
    return pl.concat([counted.head(LARGEST), rest.filter(pl.col("rows") > 0).unique()])
