"""Every input row with its verdict and its measures, put side by side from the stages' shards."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from schemas.frozen import Frozen
from schemas.manifest import ShardRef, StageManifest, StageRef
from schemas.reasons import Stage
from tasks.lake import Lake
from tasks.shards import apply_verdicts, scan_shard

INDEX_COLUMNS = ("record_id", "source", "source_row", "category", "licence")


class Judgement(Frozen):
    """What all stages said of a corpus's records.

    The i-th of `filtered`, of `measured`, and of the shards of `exact`, `near` and `sampled`,
    speaks of `shards[i]`. The order of `normalized` is that of the recipe's sources. `sampled` has
    one stage, or none where the recipe takes every row that is left, once.
    """

    normalized: tuple[StageManifest, ...]
    filtered: tuple[StageManifest, ...]
    measured: tuple[StageManifest, ...]
    exact: StageManifest
    near: StageManifest
    sampled: tuple[StageManifest, ...] = ()

    @property
    def shards(self) -> tuple[ShardRef, ...]:
        """The shards of records that were judged, source by source."""
        return tuple(shard for stage in self.normalized for shard in stage.shards)

    @property
    def stages(self) -> tuple[StageRef, ...]:
        """Every stage by name and digest, in the order of the fields, then of the shards."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        parts = (part if isinstance(part, tuple) else (part,) for part in fields)
        return tuple(
            StageRef(stage=one.stage, digest=one.digest, source=one.source or _only_source(one))
            for part in parts
            for one in part
        )

    @property
    def digests(self) -> tuple[str, ...]:
        """What the judgement depends on: the digests of its stages, in order."""
        return (
            *(stage.digest for stage in self.normalized),
            *(stage.digest for stage in (*self.filtered, *self.measured)),
            self.exact.digest,
            self.near.digest,
            *(stage.digest for stage in self.sampled),
        )


def judged_index(lake: Lake, judgement: Judgement) -> pl.DataFrame:
    """One row per record of every shard, in order, without its text.

    Columns: `INDEX_COLUMNS`, the measures, `stage` and VERDICT's (null where the row is kept),
    `cluster` (null where a stage before sampling dropped it) and `copies`: how often a kept row is
    published, null where it is dropped.
    """
    return pl.concat(
        judged_rows(lake, judgement, index, INDEX_COLUMNS) for index in range(len(judgement.shards))
    )


def each_copy(index: pl.DataFrame) -> pl.DataFrame:
    """The same rows, a kept one as often as it is published, its copies next to one another."""
    if not (index["copies"] > 1).any():
        return index
    times = pl.col("copies").fill_null(1)
    places = index.select(pl.int_range(pl.len(), dtype=pl.UInt32).repeat_by(times))
    return index[places.to_series().explode(empty_as_null=False)]


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
    copies = pl.repeat(1, near.height, dtype=pl.UInt32, eager=True).alias("copies")
    for stage in judgement.sampled:
        chosen = scan_shard(lake, stage.shards[index]).collect()
        verdicts = {**verdicts, Stage.SAMPLE: chosen.drop("copies")}
        copies = chosen["copies"]
    measures = scan_shard(lake, judgement.measured[index].shards[0]).collect()
    beside = records.collect().hstack(measures).hstack([near["cluster"], copies])
    judged = apply_verdicts(beside, verdicts)
    return judged.with_columns(pl.when(pl.col("drop_reason").is_null()).then("copies"))


def _only_source(stage: StageManifest) -> str | None:
    sources = {parent.source for parent in stage.parents}
    return sources.pop() if len(sources) == 1 else None
