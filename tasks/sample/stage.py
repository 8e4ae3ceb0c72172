"""The sample stage over a lake: read what is left, choose, write verdicts and copies."""

from collections.abc import Sequence

import polars as pl

from schemas.manifest import Drops, ShardRef, StageManifest
from schemas.reasons import Stage
from schemas.recipe import Recipe
from tasks.judged import Judgement, judged_index
from tasks.lake import Lake
from tasks.sample.choose import LEFT, choose
from tasks.shards import write_shard
from tasks.stages import add_drops, drops_by_reason, finish, finished, stage_digest, stage_key


def sample_stage(lake: Lake, judgement: Judgement, recipe: Recipe) -> Judgement:
    """The judgement with the recipe's sampling in it; as it is where the recipe samples nothing.

    A verdict shard speaks of its parent row for row, with `copies` beside VERDICT: how often a row
    that stays is published, null where another stage dropped it or this one does.
    """
    if not recipe.sampling.is_on:
        return judgement
    digest = stage_digest(
        Stage.SAMPLE,
        judgement=judgement.digests,
        sampling=recipe.sampling.model_dump(mode="json"),
        split=recipe.split.model_dump(mode="json") if recipe.sampling.repeats else None,
        seed=recipe.seed,
    )
    done = finished(lake, Stage.SAMPLE, digest)
    sampled = done or _sample(lake, judgement, recipe, digest)
    return judgement.model_copy(update={"sampled": (sampled,)})


def _sample(lake: Lake, judgement: Judgement, recipe: Recipe, digest: str) -> StageManifest:
    index = judged_index(lake, judgement)
    is_left = pl.col("drop_reason").is_null()
    left = index.filter(is_left).select(LEFT)
    verdicts, notes = choose(left, recipe)
    row_of = index.select(pl.when(is_left).then(is_left.cast(pl.UInt32).cum_sum() - 1)).to_series()
    spread = verdicts.select(pl.all().gather(row_of))
    rows_dropped = verdicts["drop_reason"].count()
    rows_repeated = int((verdicts["copies"].drop_nulls() - 1).sum())
    folder = stage_key(Stage.SAMPLE, digest)
    shards: list[ShardRef] = []
    drops: list[Drops] = []
    for number, (shard, part) in enumerate(_parts(spread, judgement.shards)):
        key = f"{folder}/part-{number:05d}.parquet"
        shards.append(write_shard(part, lake, key, source=shard.source))
        drops += drops_by_reason(part["drop_reason"], Stage.SAMPLE, shard.source or "")
    return finish(
        lake,
        StageManifest(
            stage=Stage.SAMPLE,
            digest=digest,
            uri=folder,
            parents=judgement.shards,
            rows_in=left.height,
            rows_out=left.height - rows_dropped + rows_repeated,
            rows_repeated=rows_repeated,
            drops=add_drops(drops),
            shards=tuple(shards),
            notes=notes,
        ),
    )


def _parts(rows: pl.DataFrame, shards: Sequence[ShardRef]) -> list[tuple[ShardRef, pl.DataFrame]]:
    """The rows cut to those of each shard."""
    ends = pl.Series([shard.rows for shard in shards], dtype=pl.Int64).cum_sum().to_list()
    return [
        (shard, rows.slice(end - shard.rows, shard.rows))
        for shard, end in zip(shards, ends, strict=True)
    ]
