"""A changed rule of the filter, held against the verdicts that a version was made with."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.filter import Filter
from schemas.manifest import ShardRef, StageManifest
from schemas.reasons import DropReason, Stage
from tasks.filter.stage import judge_rows
from tasks.lake import Lake
from tasks.receipts import Receipts
from tasks.shards import no_verdicts, write_shard
from tasks.trial.filtered import Change, try_filter
from tasks.trial.outcome import Moved, Trial
from tasks.trial.rule import changed, find_rule
from tests.judgements import draw, recipe_of, records

TABLE = """
    source | user                                | assistant                 | exact
    alpaca | Name a primate.                     | A lemur is one of them.   |
    alpaca | Name a colour.                      | Teal                      |
    alpaca | Name two colours.                   | Teal, red                 | copy
    alpaca | Say nothing.                        |                           |
    alpaca | Write to jo.smith@brindlewood.net.  |                           |
    belle  | Name an animal.                     | Fox                       |
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def judged(lake: Lake, rules: Filter) -> Receipts:
    """The receipts of a version: the filter's as it judges, exact dedupe's as drawn, no near."""
    rows = draw(TABLE)
    found: list[StageManifest] = []
    for source in ("alpaca", "belle"):
        mine = [row for row in rows if row["source"] == source]
        shard = write_shard(records(mine), lake, f"records/{source}.parquet", source=source)
        copies = [DropReason.EXACT_DUPLICATE.value if row["exact"] else None for row in mine]
        exact = no_verdicts(len(mine)).with_columns(pl.Series("drop_reason", copies, pl.String))
        found += [
            judge_rows(lake, shard, rules, None),
            receipt(lake, Stage.DEDUPE_EXACT, shard, exact),
            receipt(lake, Stage.DEDUPE_NEAR, shard, no_verdicts(len(mine))),
        ]
    return Receipts(tuple(found), ())


def receipt(lake: Lake, stage: Stage, shard: ShardRef, verdicts: pl.DataFrame) -> StageManifest:
    written = write_shard(verdicts, lake, f"{stage}/{shard.source}.parquet", source=shard.source)
    return StageManifest(
        stage=stage,
        digest=shard.sha256,
        uri=stage,
        parents=(shard,),
        rows_in=shard.rows,
        rows_out=shard.rows,
        shards=(written,),
    )


def tried(lake: Lake, rule: str, *settings: str, source: str | None = None) -> Trial:
    recipe = recipe_of("alpaca", "belle")
    path = find_rule(recipe, rule)
    after = changed(recipe, path, settings)
    change = Change(recipe.filter, after.filter, path[1:])
    trial = Trial.empty(9, 0)
    receipts = judged(lake, recipe.filter)
    try_filter(lake, receipts, change, lambda: None, source, trial)
    return trial


def moved(rows: Moved) -> list[tuple[Any, ...]]:
    if not rows.rows:
        return []
    places = rows.sample.select("source", "source_row", "drop_reason")
    return sorted(places.rows())


def test_published_rows_that_break_the_changed_rule_are_named_and_no_others(lake: Lake) -> None:
    trial = tried(lake, "lengths", "min_response_chars=5")
    assert moved(trial.dropped) == [("alpaca", 1, "short_response"), ("belle", 0, "short_response")]
    assert moved(trial.released) == []
    assert (trial.rows, trial.published, trial.covered) == (6, 3, 0)


def test_a_copy_that_fell_before_is_covered_not_dropped_anew(lake: Lake) -> None:
    trial = tried(lake, "lengths", "min_response_chars=10")
    assert moved(trial.dropped) == [("alpaca", 1, "short_response"), ("belle", 0, "short_response")]
    assert trial.covered == 1


@pytest.mark.parametrize("bound", [3, 4])
def test_a_bound_is_inclusive(lake: Lake, bound: int) -> None:
    trial = tried(lake, "lengths", f"min_response_chars={bound}", source="belle")
    assert trial.dropped.rows == (0 if bound == 3 else 1)


def test_a_row_that_another_rule_drops_as_well_is_not_let_pass(lake: Lake) -> None:
    trial = tried(lake, "lengths", "min_response_chars=0")
    assert moved(trial.released) == [("alpaca", 3, "empty_response")]  # row 4 holds an address


def test_a_row_is_let_pass_with_the_evidence_it_fell_by(lake: Lake) -> None:
    (row,) = tried(lake, "lengths", "enabled=false").released.sample.to_dicts()
    assert (row["found"], row["expected"]) == ("0 characters", "at least 1 character")
    assert row["messages"][0]["content"] == "Say nothing."


def test_a_rule_that_is_as_it_was_moves_nothing(lake: Lake) -> None:
    trial = tried(lake, "lengths")
    assert (trial.dropped.rows, trial.released.rows, trial.covered) == (0, 0, 0)


def test_one_source_alone_can_be_judged(lake: Lake) -> None:
    trial = tried(lake, "lengths", "min_response_chars=5", source="belle")
    assert moved(trial.dropped) == [("belle", 0, "short_response")]
    assert trial.rows == 1


@pytest.mark.parametrize("most", [0, 1, 9])
def test_examples_are_as_many_as_asked_for_and_counts_are_whole(most: int) -> None:
    rows = records(draw(TABLE)).hstack(no_verdicts(6)).with_columns(drop_reason=pl.lit("echo"))
    one, two = Moved(most, 0), Moved(most, 0)
    one.add(rows)
    two.add(rows.tail(2))
    two.add(rows.head(4))
    assert one.counts.rows() == two.counts.rows() == [("echo", "alpaca", 5), ("echo", "belle", 1)]
    assert one.sample.rows() == two.sample.rows()
    assert one.sample.height == min(most, 6)
