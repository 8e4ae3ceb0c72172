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
from tasks.lake import Lake
from tasks.receipts import Receipts
from tasks.shards import scan_shard
from tasks.trial.outcome import EXAMPLE, Trial
from tasks.trial.rule import Path, alone

CONTAMINATION = "contamination"
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
) -> Trial:
    """What the changed rule would drop, and what it would let pass, of one source or of all.

    The changed rule alone judges every row; all rules judge those that had fallen to it and that it
    lets pass. `evaluations` gives the recipe's, if they are needed and can be had. What dedupe and
    sampling would make of rows that pass anew, and of copies of rows that fall, is not tried.
    """
    only = alone(change.after, change.path)
    held_against = evaluations() if CONTAMINATION in change.path else None
    reasons = list(change.reasons)
    for shard, before in _shards(lake, receipts, source):
        records = scan_shard(lake, shard)
        after = judge(records, only, held_against).collect()
        published = before["published"]
        breaks = after["drop_reason"].is_not_null() & before["filter"].is_null()
        falls, covered = breaks & published, breaks & ~published
        freed = after["drop_reason"].is_null() & before["filter"].is_in(reasons).fill_null(False)
        freed &= ~before["before_filter"]
        trial.rows += shard.rows
        trial.published += int(published.sum())
        trial.covered += int(covered.sum())
        if falls.any():
            trial.dropped.add(_texts(records).hstack(after).filter(falls))
        if freed.any():
            old = before.select(*VERDICT)
            trial.released.add(_free(records, freed, old, change.after, evaluations()))
    return trial


def _free(
    records: pl.LazyFrame,
    freed: pl.Series,
    old: pl.DataFrame,
    rules: Filter,
    evaluations: EvaluationIndex | None,
) -> pl.DataFrame:
    """Those of the freed rows that no other rule of the filter drops, with their old verdict."""
    now = judge(records.collect().filter(freed).lazy(), rules, evaluations).collect()
    rows = _texts(records).hstack(old).filter(freed)
    return rows.filter(now["drop_reason"].is_null()).select(EXAMPLE)


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
