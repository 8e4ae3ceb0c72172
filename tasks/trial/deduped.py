"""A changed rule of dedupe, tried on the rows that a version was made from."""

import polars as pl

from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import Stage
from schemas.recipe import Recipe
from schemas.record import VERDICT
from tasks.dedupe.stage import exact_stage, near_stage
from tasks.lake import Lake
from tasks.receipts import Receipts
from tasks.shards import STAGE_COLUMN, apply_verdicts, scan_shard
from tasks.trial.filtered import RECORD_COLUMNS, verdict_shards
from tasks.trial.outcome import EXAMPLE, Trial

Shards = dict[str, tuple[ShardRef, ShardRef]]


def try_dedupe(
    lake: Lake, receipts: Receipts, after: Recipe, source: str | None, trial: Trial
) -> Trial:
    """What dedupe by the changed recipe would drop and would let pass, of one source or of all.

    All rows take part in the election whatever `source` says; what sampling takes of those that are
    left does not count. Its verdicts stay in the lake as any
    stage's do: a refresh with that recipe finds them done.
    """
    filtered = receipts.of(Stage.FILTER)
    shards = tuple(one.parents[0] for one in filtered)
    exact = exact_stage(lake, shards, filtered, after)
    near = near_stage(lake, shards, filtered, exact, after)
    of_filter = verdict_shards(filtered)
    old = _of(receipts.of(Stage.DEDUPE_EXACT), of_filter, receipts.of(Stage.DEDUPE_NEAR))
    new = _of((exact,), of_filter, (near,))
    for shard in shards:
        if source in (None, shard.source):
            _compare(lake, shard, old, new, trial)
    return trial


def _of(
    exact: tuple[StageManifest, ...], of_filter: Shards, near: tuple[StageManifest, ...]
) -> dict[Stage, Shards]:
    return {
        Stage.DEDUPE_EXACT: verdict_shards(exact),
        Stage.FILTER: of_filter,
        Stage.DEDUPE_NEAR: verdict_shards(near),
    }


def _compare(
    lake: Lake, shard: ShardRef, old: dict[Stage, Shards], new: dict[Stage, Shards], trial: Trial
) -> None:
    records = scan_shard(lake, shard).select(RECORD_COLUMNS).collect()
    nothing = pl.DataFrame({"row": pl.int_range(shard.rows, eager=True)})
    before, after = (
        apply_verdicts(
            nothing,
            {
                stage: scan_shard(lake, said[shard.uri][1]).select(*VERDICT).collect()
                for stage, said in verdicts.items()
            },
        )
        for verdicts in (old, new)
    )
    stood, stands = before["drop_reason"].is_null(), after["drop_reason"].is_null()
    trial.rows += shard.rows
    trial.published += int(stood.sum())
    for moved, rows, said in (
        (trial.dropped, stood & ~stands, after),
        (trial.released, ~stood & stands, before),
    ):
        if rows.any():
            verdicts = said.drop("row", STAGE_COLUMN)
            moved.add(records.hstack(verdicts).filter(rows).select(EXAMPLE))
