"""What depends on the filter, run again: dedupe, and sampling of what it leaves."""

from dataclasses import dataclass

import polars as pl

from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import Stage
from schemas.recipe import Recipe
from schemas.record import VERDICT
from tasks.dedupe.stage import exact_stage, near_stage
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.receipts import Receipts
from tasks.sample.stage import sample_stage
from tasks.shards import STAGE_COLUMN, apply_verdicts, scan_shard
from tasks.trial.filtered import RECORD_COLUMNS, verdict_shards
from tasks.trial.outcome import EXAMPLE, Moved, Trial

MEASURE = "measure"
Shards = dict[str, tuple[ShardRef, ShardRef]]


@dataclass(frozen=True)
class Verdicts:
    """What every stage says, in the order in which the ledger asks them: by stage, by shard."""

    stages: dict[Stage, Shards]

    def on(self, lake: Lake, shard: ShardRef, *, sampled: bool) -> pl.DataFrame:
        """One row per row of the shard: VERDICT of the first stage that drops it."""
        said: dict[str, pl.DataFrame] = {
            stage: scan_shard(lake, shards[shard.uri][1]).select(*VERDICT).collect()
            for stage, shards in self.stages.items()
            if shards and (sampled or stage is not Stage.SAMPLE)
        }
        rows = pl.DataFrame({"row": pl.int_range(shard.rows, eager=True)})
        return apply_verdicts(rows, said).drop("row", STAGE_COLUMN)


def try_dedupe(
    lake: Lake, receipts: Receipts, after: Recipe, source: str | None, trial: Trial
) -> Trial:
    """What dedupe by the changed recipe would drop and would let pass, of one source or of all.

    All rows take part in the election whatever `source` says. Its verdicts stay in the lake as any
    stage's do: a refresh with that recipe finds them done.
    """
    old, new = _as_it_was(receipts), _run_again(lake, receipts, receipts.of(Stage.FILTER), after)
    for shard in _shards(receipts, source):
        before, would_be = (one.on(lake, shard, sampled=False) for one in (old, new))
        trial.rows += shard.rows
        trial.published += int(before["drop_reason"].is_null().sum())
        _compare(lake, shard, before, would_be, (trial.dropped, trial.released))
    _follow(lake, receipts, (old, new), source, trial)
    return trial


def follow(
    lake: Lake,
    receipts: Receipts,
    filtered: tuple[StageManifest, ...],
    recipe: Recipe,
    source: str | None,
    trial: Trial,
) -> Trial:
    """Count in `trial` what becomes of the version's rows where the filter says `filtered`.

    Dedupe and sampling judge all rows, and the rows of `source`, or of all, are counted. Nothing
    is run where the filter says what it said.
    """
    if filtered != receipts.of(Stage.FILTER):
        new = _run_again(lake, receipts, filtered, recipe)
        _follow(lake, receipts, (_as_it_was(receipts), new), source, trial)
    return trial


def _follow(
    lake: Lake,
    receipts: Receipts,
    verdicts: tuple[Verdicts, Verdicts],
    source: str | None,
    trial: Trial,
) -> None:
    for shard in _shards(receipts, source):
        before, would_be = (one.on(lake, shard, sampled=True) for one in verdicts)
        _compare(lake, shard, before, would_be, (trial.leaving, trial.entering))


def _shards(receipts: Receipts, source: str | None) -> list[ShardRef]:
    shards = (one.parents[0] for one in receipts.of(Stage.FILTER))
    return [shard for shard in shards if source in (None, shard.source)]


def _as_it_was(receipts: Receipts) -> Verdicts:
    asked = (Stage.DEDUPE_EXACT, Stage.FILTER, Stage.DEDUPE_NEAR, Stage.SAMPLE)
    return Verdicts({stage: verdict_shards(receipts.of(stage)) for stage in asked})


def _run_again(
    lake: Lake, receipts: Receipts, filtered: tuple[StageManifest, ...], recipe: Recipe
) -> Verdicts:
    """What all stages would say after a filter that says `filtered`, by this recipe."""
    shards = tuple(one.parents[0] for one in filtered)
    exact = exact_stage(lake, shards, filtered, recipe)
    near = near_stage(lake, shards, filtered, exact, recipe)
    sampled: tuple[StageManifest, ...] = ()
    if recipe.sampling.is_on:
        judgement = Judgement(
            normalized=receipts.of(Stage.NORMALIZE),
            filtered=filtered,
            measured=receipts.of(MEASURE),
            exact=exact,
            near=near,
        )
        sampled = sample_stage(lake, judgement, recipe).sampled
    return Verdicts(
        {
            Stage.DEDUPE_EXACT: verdict_shards((exact,)),
            Stage.FILTER: verdict_shards(filtered),
            Stage.DEDUPE_NEAR: verdict_shards((near,)),
            Stage.SAMPLE: verdict_shards(sampled),
        }
    )


def _compare(
    lake: Lake,
    shard: ShardRef,
    before: pl.DataFrame,
    after: pl.DataFrame,
    moved: tuple[Moved, Moved],
) -> None:
    """Add the rows that only `before` lets pass to the first, and those that only `after` does."""
    stood, stands = before["drop_reason"].is_null(), after["drop_reason"].is_null()
    for rows, places, said in (
        (moved[0], stood & ~stands, after),
        (moved[1], ~stood & stands, before),
    ):
        if places.any():
            records = scan_shard(lake, shard).select(RECORD_COLUMNS).collect()
            rows.add(records.hstack(said).filter(places).select(EXAMPLE))
