"""Sampling over a lake, and the version that comes of it: balanced, repeated, verified."""

from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from datasets import disable_progress_bars, load_dataset
from pydantic import ValidationError

from schemas.manifest import CorpusManifest, Statistics
from schemas.recipe import Recipe
from tasks.corpora import version_key
from tasks.judged import Judgement, judged_index
from tasks.lake import Lake
from tasks.measure.corpus import measure_corpus, report_pages
from tasks.publish.ledger import why
from tasks.publish.verify import problems
from tasks.publish.version import publish_version, unchanged_version
from tasks.sample.stage import sample_stage
from tests.judgements import judgement, recipe_of

TABLE = "source | user | assistant | reason\n" + "".join(
    f"{source} | Prompt {number} of {source} | Answer {number} | {reason}\n"
    for source, count in (("a", 30), ("b", 20))
    for number in range(count)
    for reason in (["short_response"] if number % 10 == 9 else [""])
)
SAMPLING: dict[str, Any] = {
    "sources": {"a": {"fraction": 0.8, "max_rows": 10}, "b": {"repeat": 2.5}}
}
SPLIT = {"validation_share": 0.3, "max_cluster_share": 1}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def recipe(**changes: Any) -> Recipe:
    return recipe_of("a", "b", **{"sampling": SAMPLING, "split": SPLIT} | changes)


def sampled(lake: Lake, plan: Recipe, table: str = TABLE) -> Judgement:
    return sample_stage(lake, judgement(lake, table)[0], plan)


def publish(lake: Lake, plan: Recipe, table: str = TABLE) -> CorpusManifest:
    """A version, not measured."""
    judged, receipts = judgement(lake, table)
    judged = sample_stage(lake, judged, plan)
    manifest, _ = publish_version(
        lake, plan, judged, receipts, (), Statistics(), (), lambda final, folder: {}
    )
    return manifest


def publish_measured(lake: Lake, plan: Recipe) -> CorpusManifest:
    """A version with statistics, gates and report."""
    judged, receipts = judgement(lake, TABLE)
    judged = sample_stage(lake, judged, plan)
    statistics, gates = measure_corpus(lake, plan, judged, receipts, ())
    pages = partial(report_pages, lake)
    return publish_version(lake, plan, judged, receipts, (), statistics, gates, pages)[0]


def data(lake: Lake, manifest: CorpusManifest, split: str) -> pl.DataFrame:
    folder = version_key(manifest.name, manifest.version)
    shards = next(one.shards for one in manifest.splits if one.name == split)
    return pl.concat(pl.read_parquet(lake.at(f"{folder}/{shard.uri}")) for shard in shards)


def test_a_recipe_that_samples_nothing_leaves_no_stage(lake: Lake) -> None:
    judged, _ = judgement(lake, TABLE)
    assert sample_stage(lake, judged, recipe(sampling={})) is judged
    assert "sample" not in lake.folders("stages")


def test_a_stage_speaks_of_every_row_and_balances(lake: Lake) -> None:
    judged = sampled(lake, recipe())
    (stage,) = judged.sampled
    assert [shard.rows for shard in stage.shards] == [30, 20]
    assert [parent.source for parent in stage.parents] == ["a", "b"]
    assert stage.rows_in == 27 + 18
    assert [(drop.source, drop.rows) for drop in stage.drops] == [("a", 17)]
    assert stage.rows_in + stage.rows_repeated == stage.rows_out + 17
    index = judged_index(lake, judged)
    dropped_before = index.filter(pl.col("stage") == "filter")
    assert dropped_before.height == 5
    assert dropped_before["copies"].null_count() == 5
    assert stage.rows_out == index["copies"].sum()


def test_a_stage_that_is_done_is_not_done_again(lake: Lake) -> None:
    first = sampled(lake, recipe())
    marker = Path(lake.at(first.sampled[0].shards[0].uri))
    written = marker.stat().st_mtime_ns
    assert sampled(lake, recipe()) == first
    assert marker.stat().st_mtime_ns == written


# fmt: off
DEPENDS = {  #                 changes                                                again
    "on the seed":            ({"seed": 18},                                          True),
    "on the sampling":        ({"sampling": {"sources": {"b": {"repeat": 2}}}},       True),
    "on the split, with repeats": ({"split": {"validation_share": 0.1}},              True),
    "not on the gates":       ({"gates": {"min_rows": 2}},                            False),
}
# fmt: on


@pytest.mark.parametrize(("changes", "again"), DEPENDS.values(), ids=DEPENDS)
def test_a_stage_depends(lake: Lake, changes: dict[str, Any], again: bool) -> None:
    one, other = sampled(lake, recipe()), sampled(lake, recipe(**changes))
    assert (one.sampled[0].digest != other.sampled[0].digest) is again


def test_without_repeats_the_split_does_not_count(lake: Lake) -> None:
    sampling = {"sources": {"a": {"fraction": 0.5}}}
    one = sampled(lake, recipe(sampling=sampling))
    assert sampled(lake, recipe(sampling=sampling, split={})) == one


def test_a_version_accounts_for_rows_in_repeated_out_and_dropped(lake: Lake) -> None:
    manifest = publish(lake, recipe())
    assert manifest.status == "published"
    assert problems(lake, manifest) == []
    dropped = sum(drop.rows for drop in manifest.drops)
    assert manifest.rows_repeated > 0
    assert manifest.rows_in + manifest.rows_repeated == manifest.rows_out + dropped
    assert manifest.dropped()["sample"] == {"not_sampled": 17}
    a, b = manifest.sources
    assert (a.rows_in, a.rows_out, a.rows_repeated) == (30, 10, 0)
    assert (b.rows_in, b.rows_out) == (20, 18 + b.rows_repeated)
    assert manifest.rows_out == sum(split.rows for split in manifest.splits)


def test_train_repeats_rows_and_validation_never_does(lake: Lake) -> None:
    manifest = publish(lake, recipe())
    train, validation = data(lake, manifest, "train"), data(lake, manifest, "validation")
    times = train.group_by("record_id", "source").len()
    assert set(times.filter(source="a")["len"]) == {1}
    assert set(times.filter(source="b")["len"]) == {2, 3}
    assert not validation["record_id"].is_duplicated().any()
    assert set(train["cluster"]).isdisjoint(validation["cluster"])
    assert validation.filter(source="b").height > 0


def test_copies_come_round_after_everything_else(lake: Lake) -> None:
    sampling = {"sources": {"a": {"repeat": 3}, "b": {"repeat": 2}}}
    manifest = publish(lake, recipe(sampling=sampling, split={"validation_share": 0}))
    once_a, once_b = (
        [(source, row) for row in range(count) if row % 10 != 9]
        for source, count in (("a", 30), ("b", 20))
    )
    rows = data(lake, manifest, "train").select("source", "source_row").rows()
    assert rows == [*once_a, *once_b, *once_a, *once_b, *once_a]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_repeated_rows_are_cut_into_files_like_any_other(lake: Lake, form: str) -> None:
    publishing = {"publish": {"shard_rows": 7, "format": form}}
    manifest = publish(lake, recipe(**publishing))
    shards = manifest.splits[0].shards
    assert [shard.rows for shard in shards[:-1]] == [7] * (len(shards) - 1)
    assert problems(lake, manifest) == []


def test_datasets_loads_a_version_with_repeats(lake: Lake, tmp_path: Path) -> None:
    manifest = publish(lake, recipe())
    disable_progress_bars()
    folder = lake.at(version_key(manifest.name, manifest.version))
    loaded = load_dataset(folder, cache_dir=str(tmp_path / "cache"))
    assert {name: split.num_rows for name, split in loaded.items()} == {
        split.name: split.rows for split in manifest.splits
    }


def test_the_digest_counts_copies_and_not_the_order_of_rows(tmp_path: Path) -> None:
    lines = TABLE.strip().splitlines()
    backwards = "\n".join([lines[0], *reversed(lines[1:])])
    forward = publish(Lake(str(tmp_path / "a")), recipe())
    assert publish(Lake(str(tmp_path / "b")), recipe(), backwards).digest == forward.digest
    twice = recipe(sampling={"sources": {"b": {"repeat": 2}}})
    thrice = recipe(sampling={"sources": {"b": {"repeat": 3}}})
    records = {
        publish(Lake(str(tmp_path / name)), plan).records_digest
        for name, plan in (("c", twice), ("d", thrice), ("e", recipe(sampling={})))
    }
    assert len(records) == 3


def test_the_same_sampling_again_is_unchanged_and_another_is_not(lake: Lake) -> None:
    first = publish(lake, recipe())
    assert publish(lake, recipe()) == first
    assert unchanged_version(lake, recipe(), sampled(lake, recipe()), ()) == first
    plain, _ = judgement(lake, TABLE)
    assert unchanged_version(lake, recipe(), plain, ()) is None


def test_a_manifest_whose_repeats_do_not_add_up_cannot_be_made(lake: Lake) -> None:
    manifest = publish(lake, recipe())
    wrong = manifest.model_dump(mode="json")
    for changes, says in (
        ({"rows_repeated": 0}, "lost rows: 50 in, "),
        ({"rows_in": 51, "rows_repeated": manifest.rows_repeated - 1}, "sources repeat "),
    ):
        with pytest.raises(ValidationError, match=says):
            CorpusManifest.model_validate(wrong | changes)


def test_an_older_manifest_repeats_nothing(lake: Lake) -> None:
    written = publish(lake, recipe(sampling={})).model_dump(mode="json")
    for part in (written, *written["sources"]):
        assert part.pop("rows_repeated") == 0
    assert CorpusManifest.model_validate(written).rows_repeated == 0


def test_verify_sees_a_repeat_that_the_manifest_does_not_know(lake: Lake) -> None:
    manifest = publish(lake, recipe())
    other = manifest.model_copy(update={"rows_repeated": manifest.rows_repeated - 1})
    assert any("/ledger: expected" in line for line in problems(lake, other))


def test_why_tells_what_a_row_not_sampled_lacks_and_names_a_repeated_one_once(lake: Lake) -> None:
    manifest = publish(lake, recipe())
    index = judged_index(lake, sampled(lake, recipe()))
    out = index.filter(pl.col("stage") == "sample").row(0, named=True)
    (row,) = why(lake, manifest, out["record_id"], limit=5)
    assert (row["status"], row["stage"], row["reason"]) == ("dropped", "sample", "not_sampled")
    assert row["evidence"]["found"] == out["found"]
    again = index.filter(pl.col("copies") == 3).row(0, named=True)
    (row,) = why(lake, manifest, again["record_id"], limit=5)
    assert (row["status"], row["source_row"]) == ("published", again["source_row"])


def test_the_report_tells_of_sampling_and_repeats_and_the_gates_pass(lake: Lake) -> None:
    balance = {"by": "language", "shares": {"en": 0.9, "zh": 0.1}}
    plan = recipe(sampling=SAMPLING | {"balance": balance}, gates={"max_dropped_share": 0.1})
    manifest = publish_measured(lake, plan)
    folder = Path(lake.at(version_key(manifest.name, manifest.version)))
    page = (folder / "report.html").read_text()
    repeated = f"{manifest.rows_repeated} of them repeated"
    assert "not_sampled" in page
    assert "Sampling: how much of it the recipe takes" in page
    assert "balance: language zh" in page
    assert repeated in page
    assert f"{repeated} as the recipe asks" in (folder / "README.md").read_text()
    assert manifest.statistics.lengths[0].count == manifest.rows_out
    (gate,) = (gate for gate in manifest.gates if gate.gate == "max_dropped_share")
    assert (gate.passed, gate.found) == (True, 0.1)  # rows not sampled were not wanted
