"""A changed rule of the filter, tried on the rows that a version was made from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from schemas.filter import Filter
from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import DropReason, Stage
from schemas.record import VERDICT
from tasks.filter.contamination import EvaluationIndex, contamination_rules
from tasks.filter.judge import judge, rule_table
from tasks.lake import Lake, digest_of
from tasks.receipts import Receipts
from tasks.shards import scan_shard, write_shard
from tasks.stages import drops_by_reason, finish, stage_key
from tasks.trial.outcome import EXAMPLE, Trial
from tasks.trial.rule import Path, alone

CONTAMINATION = "contamination"
TRIAL = "trial"  # the folder of stages that holds verdicts of no recipe that was refreshed
Evaluations = Callable[[], EvaluationIndex | None]
RECORD_COLUMNS = ("source", "source_row", "record_id", "messages")


@dataclass(frozen=True)
class Change:
    """The filter's rules before and after, and the keys that lead to the rule that differs."""

    before: Filter
    after: Filter
    path: Path

    @property
    def reasons(self) -> frozenset[DropReason]:
        """The reasons that this rule alone gives, before or after; all, if it has no switch."""
        if CONTAMINATION in self.path:
            return frozenset(contamination_rules())
        others, *mine = (
            frozenset(rule_table(rules, None))
            for rules in (
                alone(self.before, ()),
                alone(self.before, self.path),
                alone(self.after, self.path),
            )
        )
        return frozenset().union(*mine) - others or frozenset(DropReason)


def try_filter(
    lake: Lake,
    receipts: Receipts,
    change: Change,
    evaluations: Evaluations,
    source: str | None,
    trial: Trial,
) -> tuple[StageManifest, ...]:
    """Count in `trial` what the changed rule would drop and let pass, of one source or of all.

    The changed rule alone judges every row; all rules judge those that had fallen to it and that it
    lets pass. `evaluations` gives the recipe's, if they are needed and can be had. Returns the
    filter's receipts, with those of this trial in the place of what would be another verdict: they
    drop the same rows as the changed recipe's would, for those stages that are asked after it.
    """
    only = alone(change.after, change.path)
    held_against = evaluations() if CONTAMINATION in change.path else None
    reasons = list(change.reasons)
    judged = {one.parents[0].uri: one for one in receipts.of(Stage.FILTER)}
    for shard, before in _shards(lake, receipts, source):
        records = scan_shard(lake, shard)
        after = judge(records, only, held_against).collect()
        published = before["published"]
        breaks = after["drop_reason"].is_not_null() & before["filter"].is_null()
        falls, covered = breaks & published, breaks & ~published
        freed = after["drop_reason"].is_null() & before["filter"].is_in(reasons).fill_null(False)
        trial.rows += shard.rows
        trial.published += int(published.sum())
        trial.covered += int(covered.sum())
        old, asked_before = before.select(*VERDICT), before["before_filter"]
        if falls.any():
            trial.dropped.add(_texts(records).hstack(after).filter(falls))
        now = after
        if freed.any():
            now = _in_places(after, freed, _judged(records, freed, change.after, evaluations()))
            passes = freed & now["drop_reason"].is_null() & ~asked_before
            if passes.any():
                trial.released.add(_texts(records).hstack(old).filter(passes).select(EXAMPLE))
        if breaks.any() or freed.any():
            verdicts = _in_places(old, breaks | freed, now.filter(breaks | freed))
            judged[shard.uri] = _receipt(lake, judged[shard.uri], verdicts, change)
    return tuple(judged.values())


def _judged(
    records: pl.LazyFrame, freed: pl.Series, rules: Filter, evaluations: EvaluationIndex | None
) -> pl.DataFrame:
    """VERDICT of all rules on the freed rows alone."""
    return judge(records.collect().filter(freed).lazy(), rules, evaluations).collect()


def _in_places(verdicts: pl.DataFrame, places: pl.Series, others: pl.DataFrame) -> pl.DataFrame:
    """The verdicts with others where `places` is true, in their order."""
    order = pl.int_range(verdicts.height, dtype=pl.UInt32, eager=True)
    inserted = (places.cast(pl.UInt32).cum_sum() + (verdicts.height - 1)).alias("row")
    rows = order.zip_with(~places, inserted)
    return pl.concat([verdicts, others.select(verdicts.columns)])[rows]


def _receipt(
    lake: Lake, old: StageManifest, verdicts: pl.DataFrame, change: Change
) -> StageManifest:
    """The receipt of other verdicts on a shard, which now lie in the trials' folder of the lake."""
    (shard,) = old.parents
    rules = change.after.model_dump(mode="json")
    digest = digest_of({"verdicts": old.digest, "rule": change.path, "rules": rules})
    key = f"{stage_key(TRIAL, digest)}/part-00000.parquet"
    drops = drops_by_reason(verdicts["drop_reason"], Stage.FILTER, shard.source or "unknown")
    return finish(
        lake,
        StageManifest(
            stage=TRIAL,
            digest=digest,
            uri=stage_key(TRIAL, digest),
            parents=old.parents,
            rows_in=shard.rows,
            rows_out=shard.rows - sum(drop.rows for drop in drops),
            drops=drops,
            shards=(write_shard(verdicts, lake, key, source=shard.source),),
        ),
    )


def _texts(records: pl.LazyFrame) -> pl.DataFrame:
    return records.select(RECORD_COLUMNS).collect()


def _shards(
    lake: Lake, receipts: Receipts, source: str | None
) -> Iterator[tuple[ShardRef, pl.DataFrame]]:
    """Each shard of records, and what was said of its rows when the version was made.

    Columns: the filter's VERDICT, `filter` (its reason), `before_filter` (whether a stage that is
    asked before has dropped the row), `published`.
    """
    others = {
        stage: verdict_shards(receipts.of(stage))
        for stage in Stage
        if stage not in (Stage.NORMALIZE, Stage.FILTER)
    }
    for uri, (shard, verdict) in verdict_shards(receipts.of(Stage.FILTER)).items():
        if source not in (None, shard.source):
            continue
        mine = scan_shard(lake, verdict).select(*VERDICT).collect()
        falls = {
            stage: scan_shard(lake, said[uri][1])
            .select(pl.col("drop_reason").is_not_null().alias(stage))
            .collect()
            .to_series()
            for stage, said in others.items()
            if uri in said
        }
        dropped = pl.any_horizontal(pl.col("drop_reason").is_not_null(), *falls.values())
        yield (
            shard,
            mine.with_columns(
                pl.col("drop_reason").alias("filter"),
                falls[Stage.DEDUPE_EXACT].alias("before_filter"),
                (~dropped).alias("published"),
            ),
        )


def verdict_shards(receipts: Sequence[StageManifest]) -> dict[str, tuple[ShardRef, ShardRef]]:
    """By the uri of a shard of records: that shard and the one with the verdicts on it."""
    return {
        parent.uri: (parent, shard)
        for receipt in receipts
        for parent, shard in zip(receipt.parents, receipt.shards, strict=True)
    }
