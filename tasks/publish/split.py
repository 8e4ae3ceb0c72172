"""Which split a row belongs to: by its duplicate cluster, so that no near copy leaks."""

import polars as pl
import polars_hash as plh

from schemas.recipe import Split

SPLIT_COLUMN = "split"
TRAIN, VALIDATION = "train", "validation"


def assign_splits(kept: pl.DataFrame, split: Split, seed: int) -> pl.DataFrame:
    """Add `split` to the kept rows; rows of one cluster share one, in any row order.

    One row per kept row, with `cluster`. A cluster is held out where the hash of its name and the
    seed, as a number from 0 to 1, is below `validation_share`; clusters of more than
    `max_cluster_share` of the corpus (at least 2 rows) stay in train, whole.
    """
    largest = max(1.0, split.max_cluster_share * kept.height)
    held_out = (_position(seed) < split.validation_share) & (pl.len().over("cluster") <= largest)
    return kept.with_columns(
        pl.when(held_out).then(pl.lit(VALIDATION)).otherwise(pl.lit(TRAIN)).alias(SPLIT_COLUMN)
    )


def _position(seed: int) -> pl.Expr:
    """A cluster's place in [0, 1): its name and the seed through SHA-256, 52 bits of it."""
    digest: pl.Expr = plh.concat_str(pl.lit(f"{seed}:"), pl.col("cluster")).chash.sha2_256()
    return digest.str.head(13).str.to_integer(base=16, dtype=pl.UInt64) / 2.0**52
