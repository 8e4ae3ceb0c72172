"""Every input row with its verdict and its measures, put side by side from the stages' shards."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from schemas.frozen import Frozen
from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import Stage
from tasks.lake import Lake
from tasks.shards import apply_verdicts, scan_shard

INDEX_COLUMNS = ("record_id", "source", "source_row", "category", "licence")


class Judgement(Frozen):
    """What all stages said of a corpus's records.

    The i-th of `filtered`, of `measured`, and of the shards of `exact` and `near`, speaks of
    `shards[i]`. The order of `normalized` is that of the recipe's sources.
    """

    normalized: tuple[StageManifest, ...]
    filtered: tuple[StageManifest, ...]
    measured: tuple[StageManifest, ...]
    exact: StageManifest
    near: StageManifest

    @property
    def shards(self) -> tuple[ShardRef, ...]:
        """The shards of records that were judged, source by source."""
        return tuple(shard for stage in self.normalized for shard in stage.shards)

    @property
    def digests(self) -> tuple[str, ...]:
        """What the judgement depends on: the digests of its stages, in order."""
        return (
            *(stage.digest for stage in self.normalized),
            *(stage.digest for stage in (*self.filtered, *self.measured)),
            self.exact.digest,
            self.near.digest,
        )


def judged_index(lake: Lake, judgement: Judgement) -> pl.DataFrame:
    """One row per record of every shard, in order, without its text.

    Columns: `INDEX_COLUMNS`, the measures, `stage` and VERDICT's (null where the row is kept) and
    `cluster` (null where it is not).
    """
    return pl.concat(
        judged_rows(lake, judgement, index, INDEX_COLUMNS) for index in range(len(judgement.shards))
    )


def judged_shards(lake: Lake, judgement: Judgement) -> Iterator[pl.DataFrame]:
    """One frame per shard: all of its records, text included, as `judged_index` has them."""
    for index in range(len(judgement.shards)):
        yield judged_rows(lake, judgement, index, None)


def judged_rows(
    lake: Lake, judgement: Judgement, index: int, columns: Sequence[str] | None
) -> pl.DataFrame:
    """One row per record of shard `index`: the named columns (None: all), measures and verdict."""
    records = scan_shard(lake, judgement.shards[index])
    if columns is not None:
        records = records.select(columns)
    near = scan_shard(lake, judgement.near.shards[index]).collect()
    verdicts: Mapping[str, pl.DataFrame] = {
        Stage.DEDUPE_EXACT: scan_shard(lake, judgement.exact.shards[index]).collect(),
        Stage.FILTER: scan_shard(lake, judgement.filtered[index].shards[0]).collect(),
        Stage.DEDUPE_NEAR: near.drop("cluster"),
    }
    measures = scan_shard(lake, judgement.measured[index].shards[0]).collect()
    beside = records.collect().hstack(measures).hstack(near.select("cluster"))
    return apply_verdicts(beside, verdicts)
