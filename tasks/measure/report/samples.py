"""Rows of the ledger to read in the report, beside the rows they fell to."""

import polars as pl

from schemas.manifest import CorpusManifest
from schemas.metrics import SAMPLE
from schemas.reasons import DropReason
from tasks.lake import Lake
from tasks.shards import scan_shard
from tasks.text import prompt, response

ROWS_PER_REASON = 5
UNREAD_ROWS = 50


def ledger_samples(lake: Lake, manifest: CorpusManifest, folder: str) -> pl.DataFrame:
    """SAMPLE rows: up to 5 per drop reason, 50 of the unreadable ones, in the ledger's order.

    Sources take turns, so that a reason's samples are of as many sources as it struck.
    """
    if not manifest.ledger:
        return pl.DataFrame(schema=SAMPLE)
    ledger = pl.concat([scan_shard(lake, shard, folder) for shard in manifest.ledger])
    places = ledger.select("drop_reason", "source", "source_row").collect()
    chosen = places.filter(_turn() < _limit())
    rows = ledger.join(chosen.lazy(), on=["drop_reason", "source", "source_row"], how="semi")
    shown = rows.collect().with_columns(prompt=prompt(), response=response(), excerpt="found")
    kept = _kept_texts(lake, manifest, folder, shown["duplicate_of"].drop_nulls().unique())
    beside = shown.join(kept, on="duplicate_of", how="left", maintain_order="left")
    return beside.select(SAMPLE.names()).cast(SAMPLE)


def _turn() -> pl.Expr:
    """A row's place when the sources of its reason take turns, each with its first rows first."""
    nth = pl.col("source_row").rank("ordinal").over("drop_reason", "source")
    order = pl.struct(nth, "source").rank("ordinal")
    return order.over("drop_reason") - 1


def _limit() -> pl.Expr:
    unread = pl.col("drop_reason") == DropReason.UNREADABLE
    return pl.when(unread).then(UNREAD_ROWS).otherwise(ROWS_PER_REASON)


def _kept_texts(
    lake: Lake, manifest: CorpusManifest, folder: str, record_ids: pl.Series
) -> pl.DataFrame:
    """One row per record id found: duplicate_of, kept_prompt, kept_response."""
    columns, shards = ("record_id", "messages"), (*manifest.shards, *manifest.ledger)
    found = pl.concat([scan_shard(lake, shard, folder).select(columns) for shard in shards])
    return (
        found.filter(pl.col("record_id").is_in(record_ids.implode()))
        .unique("record_id", keep="first", maintain_order=True)
        .select(duplicate_of="record_id", kept_prompt=prompt(), kept_response=response())
        .collect()
    )
