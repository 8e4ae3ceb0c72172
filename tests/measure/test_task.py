"""Measuring a shard: written once for its content, row for row."""

import shutil
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from schemas.manifest import ShardRef, StageManifest
from schemas.metrics import METRICS
from schemas.recipe import Measure
from tasks.lake import Lake
from tasks.measure.task import measure_shard
from tasks.shards import scan_shard, write_shard
from tests.judgements import draw, records

TABLE = """
    source | user            | assistant
    alpaca | Name a primate. | The lemur is a primate of Madagascar.
    alpaca | 一加一等于几？    | 一加一等于二。
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def shard(lake: Lake) -> ShardRef:
    return write_shard(
        records(draw(TABLE)), lake, "stages/normalize/a/part-00000.parquet", "alpaca"
    )


def measured(lake: Lake, shard: ShardRef, measure: Measure | None = None) -> StageManifest:
    return measure_shard.fn(lake.uri, shard, measure or Measure())


def test_a_shard_gets_one_row_of_metrics_per_row(lake: Lake, shard: ShardRef) -> None:
    manifest = measured(lake, shard)
    metrics = scan_shard(lake, manifest.shards[0]).collect()
    assert (manifest.stage, manifest.parents, manifest.source) == ("measure", (shard,), "alpaca")
    assert (manifest.rows_in, manifest.rows_out) == (2, 2)
    assert metrics.schema == METRICS
    assert metrics["language"].to_list() == ["en", "zh"]


def test_what_is_measured_is_not_measured_again(lake: Lake, shard: ShardRef) -> None:
    first = measured(lake, shard)
    shutil.rmtree(lake.at("stages/normalize"))
    assert measured(lake, shard) == first


def test_a_tokenizer_with_other_bytes_is_another_stage(
    lake: Lake, shard: ShardRef, tmp_path: Path
) -> None:
    first = measured(lake, shard)
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(WORDS)
    with_tokens = measured(lake, shard, Measure(tokenizer=str(tokenizer)))
    assert with_tokens.digest != first.digest
    assert scan_shard(lake, with_tokens.shards[0]).collect()["prompt_tokens"].to_list() == [3, 1]
    tokenizer.write_text(WORDS + "\n")
    assert measured(lake, shard, Measure(tokenizer=str(tokenizer))).digest != with_tokens.digest


def test_more_clusters_in_the_report_measure_nothing_anew(lake: Lake, shard: ShardRef) -> None:
    assert measured(lake, shard) == measured(lake, shard, Measure(largest_clusters=3))


def test_a_missing_tokenizer_stops_before_anything_is_written(lake: Lake, shard: ShardRef) -> None:
    with pytest.raises(ConfigError, match="no tokenizer at"):
        measured(lake, shard, Measure(tokenizer="/nowhere/tokenizer.json"))
    assert lake.keys("stages/measure") == []


WORDS = """{
  "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
  "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}
}"""
