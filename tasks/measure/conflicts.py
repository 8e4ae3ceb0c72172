"""Conflicts: prompts that rows answer differently."""

import polars as pl

from schemas.manifest import Conflict
from tasks.measure.clusters import first_prompts

ROWS = ("record_id", "source", "drop_reason", "conflict")


def largest_conflicts(
    judged: pl.LazyFrame, records: pl.LazyFrame, count: int
) -> tuple[Conflict, ...]:
    """The `count` prompts with most different answers, equal ones by record_id.

    `judged` has `ROWS`, one row per record: `conflict` names the conflict a row is part of, null
    for none, and `drop_reason` is null for a published row. `records` are RECORD rows that hold
    them; only the prompts of the conflicts named are read from them.
    """
    if count == 0:
        return ()
    largest = (
        judged.filter(pl.col("conflict").is_not_null())
        .group_by(record_id="conflict")
        .agg(
            answers=pl.len(),
            published=pl.col("drop_reason").is_null().sum(),
            sources=pl.col("source").unique().sort(),
        )
        .sort(["answers", "record_id"], descending=[True, False])
        .head(count)
        .collect()
    )
    named = first_prompts(largest, records)
    return tuple(Conflict.model_validate(line) for line in named.to_dicts())
