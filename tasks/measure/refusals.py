"""How often the published responses turn their user down."""

import polars as pl

from schemas.manifest import RefusalRate
from schemas.source import ALL_SOURCES


def refusal_rates(published: pl.LazyFrame) -> tuple[RefusalRate, ...]:
    """One per source, sorted by name, and `all` first; none where no row is published."""
    counted = (
        published.group_by("source")
        .agg(rows=pl.len(), refusals=pl.col("refusal").sum())
        .sort("source")
        .collect()
    )
    if counted.is_empty():
        return ()
    total = counted.select(pl.lit(ALL_SOURCES).alias("source"), pl.col("rows", "refusals").sum())
    return tuple(
        RefusalRate.model_validate(line) for line in pl.concat([total, counted]).to_dicts()
    )
