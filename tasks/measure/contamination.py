"""What was found of each evaluation set, over all rows that the filter judged."""

import polars as pl

from schemas.contamination import HIT, EvaluationHits, ItemHit
from schemas.manifest import StageManifest
from tasks.lake import Lake
from tasks.shards import scan_shard, total_rows

LISTED_HITS = 50


def contamination(lake: Lake, filtered: tuple[StageManifest, ...]) -> tuple[EvaluationHits, ...]:
    """One entry per evaluation set, in the recipe's order; none where no row was compared.

    All rows count, also those that another stage drops. Of each set the first `LISTED_HITS` hits
    are listed, by source and row.
    """
    compared = [stage for stage in filtered if stage.evaluations]
    if not compared:
        return ()
    frames = [
        scan_shard(lake, shard).select(*HIT.names(), source=pl.lit(shard.source or "unknown"))
        for stage in compared
        for shard in stage.hits
    ]
    hits = pl.concat(frames).sort("source", "source_row", "part", "row").collect()
    rows = sum(total_rows(stage.parents) for stage in compared)
    return tuple(
        EvaluationHits(
            **counts.model_dump(),
            rows_compared=rows,
            rows_hit=mine.select("source", "source_row").n_unique(),
            items_hit=mine["row"].n_unique(),
            hits=tuple(ItemHit(**hit) for hit in mine.select(LISTED).head(LISTED_HITS).to_dicts()),
        )
        for counts in compared[0].evaluations
        for mine in (hits.filter(pl.col("set") == counts.name),)
    )


LISTED = tuple(ItemHit.model_fields)
