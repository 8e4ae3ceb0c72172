"""Stage folders: done when the manifest and every file it names are there, and not before."""

from pathlib import Path

import polars as pl
import pytest

from schemas.manifest import Drops, StageManifest
from tasks.lake import Lake
from tasks.shards import write_shard
from tasks.stages import add_drops, drops_by_reason, finish, finished, stage_digest, stage_key


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def done(lake: Lake) -> StageManifest:
    digest = stage_digest("publish", parent="x")
    folder = stage_key("test", digest)
    shard = write_shard(pl.DataFrame({"n": [1]}), lake, f"{folder}/part-00000.parquet")
    manifest = StageManifest(
        stage="test", digest=digest, uri=folder, rows_in=1, rows_out=1, shards=(shard,)
    )
    return finish(lake, manifest)


def test_a_finished_stage_is_found(lake: Lake) -> None:
    manifest = done(lake)
    assert finished(lake, "test", manifest.digest) == manifest
    assert finished(lake, "test", "0" * 64) is None


@pytest.mark.parametrize("fault", ["no manifest", "half a manifest", "no shard", "a cut shard"])
def test_a_stage_that_is_not_whole_is_not_done(lake: Lake, fault: str) -> None:
    manifest = done(lake)
    receipt = Path(lake.at(f"{manifest.uri}/manifest.json"))
    shard = Path(lake.at(manifest.shards[0].uri))
    match fault:
        case "no manifest":
            receipt.unlink()
        case "half a manifest":
            receipt.write_text(receipt.read_text()[:40])
        case "no shard":
            shard.unlink()
        case "a cut shard":
            shard.write_bytes(shard.read_bytes()[:-1])
    assert finished(lake, "test", manifest.digest) is None


def test_a_stage_is_named_by_its_inputs_and_its_code() -> None:
    name = stage_digest("publish", parent="x")
    assert name == stage_digest("publish", parent="x")
    assert name != stage_digest("publish", parent="y")
    assert name != stage_digest("filter", parent="x")


def test_drops_are_counted_by_reason_in_order() -> None:
    reasons = pl.Series("drop_reason", ["phone", None, "echo", "phone"])
    counted = drops_by_reason(reasons, "filter", "a")
    assert [(drop.reason, drop.rows) for drop in counted] == [("echo", 1), ("phone", 2)]


def test_equal_drops_are_added_up() -> None:
    one = Drops(stage="filter", reason="echo", source="a", rows=1)
    other = one.model_copy(update={"source": "b"})
    added = add_drops([other, one, one])
    assert [(drop.source, drop.rows) for drop in added] == [("a", 2), ("b", 1)]
