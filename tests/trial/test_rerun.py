"""What depends on a changed rule is run again: copies take places, and lose them."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from schemas.manifest import StageManifest
from schemas.privacy import PersonalKind
from schemas.reasons import Stage
from schemas.recipe import Recipe
from tasks.dedupe.stage import exact_stage, near_stage
from tasks.filter.stage import judge_rows
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.measure.rows import measure_rows
from tasks.measure.stage import STAGE as MEASURE
from tasks.receipts import Receipts
from tasks.sample.stage import sample_stage
from tasks.shards import write_shard
from tasks.trial.deduped import MEASURE as MEASURED
from tasks.trial.deduped import follow, try_dedupe
from tasks.trial.filtered import Change, try_filter
from tasks.trial.outcome import EXAMPLE, Moved, Trial, masked
from tasks.trial.rule import changed, find_rule
from tests.judgements import draw, recipe_of, records

# The copies differ in white space alone, which the lengths count and dedupe does not.
TABLE = """
    source | user                       | assistant
    alpaca | Name two colours.          | Blue, grey
    alpaca | Name an animal.            | A fox
    belle  | Name two colours.          | Blue,   grey
    belle  | Name a river.              | The Danube is one
"""
NEARLY = """
    source | user                                     | assistant
    alpaca | Name the river that flows through Vienna | It is the Danube.
    belle  | Name the river that flows through Vienna | It is the Danube
"""
COLOURS, COPY = ("alpaca", 0), ("belle", 0)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def version(lake: Lake, recipe: Recipe, table: str = TABLE) -> Receipts:
    """The receipts of all stages but those that no verdict depends on, by this recipe."""
    rows = draw(table)
    normalized, measured = [], []
    for source in ("alpaca", "belle"):
        frame = records([row for row in rows if row["source"] == source])
        shard = write_shard(frame, lake, f"records/{source}.parquet", source=source)
        normalized.append(stage(Stage.NORMALIZE, source, shards=(shard,), rows=shard.rows))
        said = write_shard(measures(frame), lake, f"measures/{source}.parquet", source=source)
        measured.append(stage(MEASURE, source, parents=(shard,), shards=(said,), rows=shard.rows))
    shards = tuple(one.shards[0] for one in normalized)
    filtered = tuple(judge_rows(lake, shard, recipe.filter, None) for shard in shards)
    exact = exact_stage(lake, shards, filtered, recipe)
    near = near_stage(lake, shards, filtered, exact, recipe)
    judgement = Judgement(
        normalized=tuple(normalized),
        filtered=filtered,
        measured=tuple(measured),
        exact=exact,
        near=near,
    )
    sampled = sample_stage(lake, judgement, recipe).sampled
    return Receipts((*normalized, *filtered, *measured, exact, near, *sampled), ())


def stage(name: str, source: str, rows: int, **more: Any) -> StageManifest:
    digest = (f"{name}{source}".encode().hex() * 4)[:64]
    return StageManifest(
        stage=name, digest=digest, uri=name, source=source, rows_in=rows, rows_out=rows, **more
    )


def measures(frame: pl.DataFrame) -> pl.DataFrame:
    return measure_rows(frame.lazy())


def tried(
    lake: Lake,
    before: Recipe,
    rule: str,
    *settings: str,
    source: str | None = None,
    table: str = TABLE,
) -> Trial:
    receipts = version(lake, before, table)
    path = find_rule(before, rule)
    after = changed(before, path, settings)
    trial = Trial.empty(9, 0)
    if path[0] == "dedupe":
        return try_dedupe(lake, receipts, after, source, trial)
    change = Change(before.filter, after.filter, path[1:])
    filtered = try_filter(lake, receipts, change, lambda: None, source, trial)
    return follow(lake, receipts, filtered, after, source, trial)


def recipe(min_response_chars: int = 1, **more: Any) -> Recipe:
    lengths = {"min_response_chars": min_response_chars}
    return recipe_of("alpaca", "belle", filter={"lengths": lengths}, **more)


def moved(rows: Moved) -> dict[tuple[str, int], str]:
    """By place: the reason."""
    if not rows.rows:
        return {}
    return {
        (source, row): reason
        for source, row, reason in rows.sample.select("source", "source_row", "drop_reason").rows()
    }


def test_the_copy_of_a_row_that_falls_takes_its_place(lake: Lake) -> None:
    trial = tried(lake, recipe(), "lengths", "min_response_chars=11")
    assert moved(trial.dropped) == {COLOURS: "short_response", ("alpaca", 1): "short_response"}
    assert moved(trial.leaving) == moved(trial.dropped) | {COLOURS: "exact_duplicate"}
    assert moved(trial.entering) == {COPY: "exact_duplicate"}
    assert (trial.published, trial.would_be_published) == (3, 2)


def test_a_row_that_is_let_pass_takes_the_place_of_its_copy(lake: Lake) -> None:
    trial = tried(lake, recipe(11), "lengths", "min_response_chars=6")
    assert moved(trial.released) == {}  # it had fallen to dedupe, which prefers rows without fault
    assert moved(trial.entering) == {COLOURS: "exact_duplicate"}
    assert moved(trial.leaving) == {COPY: "exact_duplicate"}
    assert (trial.published, trial.would_be_published) == (2, 2)


def test_a_row_that_is_let_pass_may_be_nearly_a_published_one(lake: Lake) -> None:
    near = {"near": {"threshold": 0.5}}
    before = recipe(17, dedupe=near)
    trial = tried(lake, before, "lengths", "min_response_chars=16", table=NEARLY)
    assert moved(trial.released) == {("belle", 0): "short_response"}
    assert (trial.entering.rows, trial.leaving.rows) == (0, 0)


def test_where_a_sampled_row_falls_another_is_drawn(lake: Lake) -> None:
    before = recipe(sampling={"sources": {"alpaca": {"max_rows": 1}}})
    (sample,) = version(lake, before).of(Stage.SAMPLE)
    reasons = pl.read_parquet(lake.at(sample.shards[0].uri))["drop_reason"].to_list()
    taken = reasons.index(None)
    falls = ("max_response_chars=9", "min_response_chars=6")[taken]
    trial = tried(lake, before, "lengths", falls, source="alpaca")
    assert sorted(reasons, key=str) == [None, "not_sampled"]
    assert ("alpaca", taken) in moved(trial.leaving)
    assert moved(trial.entering) == {("alpaca", 1 - taken): "not_sampled"}


def test_nothing_is_run_where_nothing_moves(lake: Lake) -> None:
    trial = tried(lake, recipe(), "echo", "min_chars=9")
    assert (trial.leaving.rows, trial.entering.rows, trial.would_be_published) == (0, 0, 3)
    assert "trial" not in lake.folders("stages")


def test_one_source_is_counted_and_all_take_part(lake: Lake) -> None:
    trial = tried(lake, recipe(), "lengths", "min_response_chars=11", source="alpaca")
    assert set(moved(trial.leaving)) == {COLOURS, ("alpaca", 1)}
    assert trial.entering.rows == 0
    assert trial.published == 2


def test_a_rule_of_dedupe_moves_in_the_end_what_it_moves(lake: Lake) -> None:
    trial = tried(lake, recipe(), "exact", "enabled=false")
    assert trial.leaving.rows == trial.dropped.rows == 0
    assert moved(trial.entering) == moved(trial.released)


def test_the_result_is_that_of_a_refresh_with_the_changed_recipe(lake: Lake) -> None:
    trial = tried(lake, recipe(), "lengths", "min_response_chars=11")
    assert trial.would_be_published == published(lake, version(lake, recipe(11)))
    back = tried(lake, recipe(11), "lengths", "min_response_chars=1")
    assert back.would_be_published == published(lake, version(lake, recipe()))


def published(lake: Lake, receipts: Receipts) -> int:
    """How many rows no stage drops."""
    trial = Trial.empty(0, 0)
    change = Change(recipe().filter, recipe().filter, ("lengths",))
    try_filter(lake, receipts, change, lambda: None, None, trial)
    return trial.published


def test_personal_data_in_examples_is_masked() -> None:
    rows = records(
        [{"source": "a", "user": "Whose is greta_l@posteo.net?", "assistant": "502-294-8258"}]
    )
    verdict = dict.fromkeys(EXAMPLE[4:])
    shown = masked(rows.with_columns(**{k: pl.lit(None) for k in verdict}), [PersonalKind.EMAIL])
    assert [turn["content"] for turn in shown["messages"][0]] == [
        "Whose is g…@p….net?",
        "502-294-8258",
    ]


def test_the_name_of_the_stage_that_measures_is_its_own() -> None:
    assert MEASURED == MEASURE
