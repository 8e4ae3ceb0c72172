"""Duplicate clusters: a published row and the rows that fell to it."""

import polars as pl

from schemas.manifest import Cluster
from tasks.text import prompt, squeeze

PROMPT_CHARS = 200


def clusters(judged: pl.LazyFrame) -> pl.LazyFrame:
    """One row per published row that others fell to: record_id, source, rows, removed_from.

    `rows` counts the published row too; `removed_from` lists the sources of the others, sorted.
    A row may fall to one that falls to a third (an exact copy of a near duplicate): it counts
    towards the third. A row that fell to one which a rule then dropped belongs to no cluster.
    """
    fallen = judged.filter(pl.col("duplicate_of").is_not_null())
    onward = fallen.select("record_id", "duplicate_of").filter(
        pl.col("record_id") != pl.col("duplicate_of")
    )
    onward = onward.unique("record_id", keep="first", maintain_order=True)
    rooted = fallen.join(
        onward.rename({"record_id": "duplicate_of", "duplicate_of": "onward"}),
        on="duplicate_of",
        how="left",
    ).select("source", root=pl.coalesce("onward", "duplicate_of"))
    removed = rooted.group_by("root").agg(
        fallen=pl.len(), removed_from=pl.col("source").unique().sort()
    )
    kept = (
        judged.filter(pl.col("drop_reason").is_null())
        .select("record_id", "source")
        .sort("record_id", "source")
        .unique("record_id", keep="first", maintain_order=True)
    )
    return kept.join(removed, left_on="record_id", right_on="root").select(
        "record_id", "source", "removed_from", rows=pl.col("fallen") + 1
    )


def largest_clusters(
    judged: pl.LazyFrame, records: pl.LazyFrame, count: int
) -> tuple[Cluster, ...]:
    """The `count` clusters with most rows, equal ones by record_id, with the start of the prompt.

    `records` are RECORD rows that hold the published ones; only the prompts of the clusters named
    are read from them.
    """
    if count == 0:
        return ()
    largest = (
        clusters(judged).sort(["rows", "record_id"], descending=[True, False]).head(count).collect()
    )
    named = first_prompts(largest, records)
    return tuple(Cluster.model_validate(line) for line in named.to_dicts())


def first_prompts(named: pl.DataFrame, records: pl.LazyFrame) -> pl.DataFrame:
    """The same rows with `prompt`, the start of their record's; `records` are RECORD rows."""
    if named.is_empty():
        return named.with_columns(prompt=pl.lit(""))
    prompts = (
        records.filter(pl.col("record_id").is_in(named["record_id"].implode()))
        .select("record_id", prompt=squeeze(prompt()).str.head(PROMPT_CHARS))
        .unique("record_id")
        .collect()
    )
    joined = named.join(prompts, on="record_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("prompt").fill_null(""))
