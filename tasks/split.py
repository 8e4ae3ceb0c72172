"""Which split a row belongs to: by its duplicate cluster, so that no near copy leaks."""

import polars as pl

from schemas.recipe import Split
from tasks.text import place

SPLIT_COLUMN = "split"
TRAIN, VALIDATION = "train", "validation"


def assign_splits(kept: pl.DataFrame, split: Split, seed: int) -> pl.DataFrame:
    """Add `split` to the kept rows; rows of one cluster share one, in any row order.

    One row per kept row, with `cluster`. A cluster is held out where the place of its name is
    below `validation_share`; clusters of more than `max_cluster_share` of the corpus (at least 2
    rows) stay in train, whole.
    """
    largest = max(1.0, split.max_cluster_share * kept.height)
    place_of_cluster = place(f"{seed}:", pl.col("cluster"))
    held_out = (place_of_cluster < split.validation_share) & (pl.len().over("cluster") <= largest)
    return kept.with_columns(
        pl.when(held_out).then(pl.lit(VALIDATION)).otherwise(pl.lit(TRAIN)).alias(SPLIT_COLUMN)
    )
