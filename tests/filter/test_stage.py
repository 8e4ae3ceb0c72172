import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from schemas.contamination import HIT
from schemas.errors import ConfigError
from schemas.filter import Contamination, Echo, EvaluationSet, Filter
from schemas.language import Languages
from schemas.manifest import ShardRef
from schemas.reasons import DropReason
from schemas.record import VERDICT
from tasks.filter.stage import index_sets, judge_rows
from tasks.lake import Lake
from tasks.shards import scan_shard, write_shard
from tests.filter.rows import records

ITEM = "one two three four five six seven eight nine ten eleven twelve thirteen"
ROWS = (("Name a primate.", "Lemur"), ("Empty", ""), (ITEM, "Yes."), ("Empty too", ""))


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def shard(lake) -> ShardRef:
    return write_shard(records(*ROWS).collect(), lake, "records/part-00000.parquet", source="made")


def evaluation(folder: Path, name: str = "made.set", text: str = ITEM) -> EvaluationSet:
    folder.mkdir(exist_ok=True)
    (folder / "items.jsonl").write_text(json.dumps({"question": text}))
    return EvaluationSet(name=name, path=str(folder / "items.jsonl"))


def rules(*sets: EvaluationSet) -> Filter:
    return Filter(contamination=Contamination(sets=sets))


def test_verdicts_lie_beside_their_shard_and_drops_are_counted(lake, shard, tmp_path):
    given = rules(evaluation(tmp_path / "a"))
    index = index_sets(lake, given.contamination)
    manifest = judge_rows(lake, shard, given, index)
    verdicts = scan_shard(lake, manifest.shards[0]).collect()
    assert manifest.parents == (shard,)
    assert (manifest.rows_in, manifest.rows_out) == (4, 1)
    assert [(drop.reason, drop.source, drop.rows) for drop in manifest.drops] == [
        (DropReason.EMPTY_RESPONSE, "made", 2),
        (DropReason.EVALUATION_OVERLAP, "made", 1),
    ]
    assert verdicts.schema == VERDICT
    assert verdicts["expected"].to_list()[2] == "made.set:0"
    assert manifest.shards[0].uri == f"stages/filter/{manifest.digest}/part-00000.parquet"


def test_a_judged_shard_is_not_judged_again(lake, shard):
    first = judge_rows(lake, shard, Filter(), None)
    path = Path(lake.at(first.shards[0].uri))
    written = path.stat().st_mtime_ns
    assert judge_rows(lake, shard, Filter(), None) == first
    assert path.stat().st_mtime_ns == written


def test_a_changed_rule_or_evaluation_set_judges_again(lake, shard, tmp_path):
    a, b = (evaluation(tmp_path / name, text=f"{name} {ITEM}") for name in "ab")
    digests = {
        judge_rows(lake, shard, given, index_sets(lake, given.contamination)).digest
        for given in (rules(), rules(a), rules(b), Filter(echo=Echo(min_chars=9)))
    }
    assert len(digests) == 4


def test_the_place_of_an_evaluation_file_does_not_matter(lake, shard, tmp_path):
    indexes, manifests = [], []
    for folder in ("a", "b"):
        given = rules(evaluation(tmp_path / folder))
        indexes.append(index_sets(lake, given.contamination))
        manifests.append(judge_rows(lake, shard, given, indexes[-1]))
    assert indexes[0] == indexes[1]
    assert manifests[0] == manifests[1]


def test_the_index_keeps_hashes_items_and_an_excerpt(lake, tmp_path):
    manifest = index_sets(lake, rules(evaluation(tmp_path / "a")).contamination)
    hashes, items, questions = (scan_shard(lake, one).collect() for one in manifest.shards)
    assert questions["item"].to_list() == [0]
    assert hashes.schema == {"hash": pl.UInt64, "item": pl.UInt32}
    assert hashes.height == 1
    assert items.rows(named=True) == [{"item": 0, "set": "made.set", "row": 0, "excerpt": ITEM}]
    assert dict(manifest.notes) == {"ngram": "13", "hashes": "1", "items of made.set": "1"}


def test_a_recipe_without_evaluation_sets_has_an_empty_index(lake, shard):
    manifest = index_sets(lake, Contamination())
    assert manifest.rows_in == 0
    assert judge_rows(lake, shard, Filter(), manifest).rows_out == 2


def test_evaluation_sets_without_their_index_are_an_error(lake, shard, tmp_path):
    with pytest.raises(ConfigError, match="no index of them was given"):
        judge_rows(lake, shard, rules(evaluation(tmp_path / "a")), None)


def test_two_sets_of_one_name_are_an_error(lake, tmp_path):
    twice = evaluation(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"'made\.set' is named 2 times"):
        index_sets(lake, Contamination(sets=(twice, twice)))


def test_a_missing_evaluation_file_is_an_error_before_any_row_is_judged(lake, tmp_path):
    gone = EvaluationSet(name="gone", path=str(tmp_path / "gone.jsonl"))
    with pytest.raises(ConfigError, match="no such file"):
        index_sets(lake, Contamination(sets=(gone,)))


def test_a_run_with_nothing_to_do_compiles_and_loads_nothing(lake, shard):
    judge_rows(lake, shard, Filter(), None)
    again = (
        "import sys\n"
        "from schemas.manifest import ShardRef\n"
        "from schemas.recipe import Filter\n"
        "from tasks.filter.stage import judge_rows\n"
        "from tasks.lake import Lake\n"
        f"shard = ShardRef.model_validate_json({shard.model_dump_json()!r})\n"
        f"judge_rows(Lake({lake.uri!r}), shard, Filter(), None)\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", again], check=True, timeout=60)


def test_every_item_found_is_in_the_hit_table_whatever_the_verdict(lake, tmp_path):
    rows = ((ITEM, ""), ("Name a primate.", f"It says: {ITEM}."), ("Name a primate.", "Lemur"))
    shard = write_shard(records(*rows).collect(), lake, "records/b.parquet", source="made")
    given = rules(evaluation(tmp_path / "a"))
    manifest = judge_rows(lake, shard, given, index_sets(lake, given.contamination))
    (written,) = manifest.hits
    hits = scan_shard(lake, written).collect()
    assert hits.schema == HIT
    assert hits.select("source_row", "part", "how", "set", "row", "excerpt").rows() == [
        (0, "prompt", "ngram", "made.set", 0, ITEM),
        (1, "response", "ngram", "made.set", 0, ITEM),
    ]
    assert [(one.name, one.items) for one in manifest.evaluations] == [("made.set", 1)]
    assert manifest.drops[0].reason == DropReason.EMPTY_RESPONSE


def test_without_evaluation_sets_there_is_no_hit_table(lake, shard):
    manifest = judge_rows(lake, shard, Filter(), index_sets(lake, Contamination()))
    assert (manifest.hits, manifest.evaluations) == ((), ())


def test_the_declared_languages_of_other_sources_do_not_judge_a_shard_again(lake, shard):
    def digest(**declared: tuple[str, ...]) -> str:
        language = Languages(untranslated=True, declared=tuple(declared.items()))
        return judge_rows(lake, shard, Filter(language=language), None).digest

    assert digest(made=("en",)) == digest(made=("en",), other=("zh",)) != digest(made=("zh",))
