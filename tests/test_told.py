"""The languages of a shard's rows are told once, and the filter and the measures share them."""

from pathlib import Path

import pytest

from schemas.language import Languages
from schemas.manifest import ShardRef
from schemas.recipe import Measure
from tasks.filter.judge import judge_with_hits
from tasks.filter.stage import judge_rows
from tasks.lake import Lake
from tasks.measure.rows import measure_rows
from tasks.measure.stage import measure_stage
from tasks.shards import write_shard
from tasks.told import shard_languages
from tests.filter.rows import only, records

# fmt: off
ROWS = [  # prompt                                       response                        prompt, response, row
    ("What did you do when it was raining?",             "昨天下了一整天的雨，我们在家。",   ("en", "zh", "zh")),
    ("How many days are there in a leap year?",          "366",                          ("en", None, "en")),
    ("Translate into Spanish: He ate three apples.",     "Él comió tres manzanas.",      ("en", "es", "es")),
    ("",                                                 "",                             (None, None, None)),
]
# fmt: on
SPOKEN = records(*((prompt, response) for prompt, response, _ in ROWS))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


@pytest.fixture
def shard(lake: Lake) -> ShardRef:
    return write_shard(SPOKEN.collect(), lake, "records/part-00000.parquet", source="made")


def folders(lake: Lake) -> list[str]:
    return list(lake.folders("stages/language"))


def test_the_rows_of_a_shard_are_told_in_their_order(lake, shard):
    told = shard_languages(lake, shard)
    assert told.columns == ["prompt_language", "response_language", "language"]
    assert told.rows() == [languages for _, _, languages in ROWS]


def test_whoever_asks_later_is_given_what_was_told(lake, shard):
    measure_stage(lake, shard, Measure())
    (folder,) = folders(lake)
    written = Path(lake.at(f"stages/language/{folder}/part-00000.parquet"))
    before = written.stat().st_mtime_ns
    judge_rows(lake, shard, only(language=Languages(allowed=("en",))), None)
    assert folders(lake) == [folder]
    assert written.stat().st_mtime_ns == before


def test_without_a_rule_on_languages_the_filter_asks_for_none(lake, shard):
    judge_rows(lake, shard, only(), None)
    assert folders(lake) == []


def test_a_lost_file_is_told_again(lake, shard):
    told = shard_languages(lake, shard)
    (folder,) = folders(lake)
    Path(lake.at(f"stages/language/{folder}/part-00000.parquet")).unlink()
    assert shard_languages(lake, shard).equals(told)


def test_verdicts_and_measures_are_the_same_with_and_without_a_lake(lake, shard):
    told = shard_languages(lake, shard)
    rules = only(language=Languages(allowed=("en",), match_prompt=True))
    with_lake = judge_with_hits(SPOKEN, rules, None, told).collect()
    assert with_lake.equals(judge_with_hits(SPOKEN, rules).collect())
    assert measure_rows(SPOKEN, None, told).equals(measure_rows(SPOKEN))
