"""Stage folders: done when the manifest and every file it names are there, and not before."""

import importlib.metadata
import shutil
import unicodedata
from pathlib import Path

import polars as pl
import pytest

from schemas.manifest import Drops, StageManifest
from tasks import stages
from tasks.lake import Lake
from tasks.shards import write_shard
from tasks.stages import (
    add_drops,
    code_digest,
    drops_by_reason,
    finish,
    finished,
    stage_digest,
    stage_key,
)

NO_CACHES = shutil.ignore_patterns("__pycache__")


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


# fmt: off
CODE = {  #                            stage        the file changed             its digest changes
    "the stage":                       ("measure",   "tasks/measure/stage.py",    True),
    "another file of the stage":       ("measure",   "tasks/measure/rows.py",     True),
    "what every stage folds with":     ("measure",   "tasks/fold.py",             True),
    "the order of reasons":            ("measure",   "schemas/reasons.py",        True),
    "the columns of metrics":          ("measure",   "schemas/metrics.py",        True),
    "what Prefect calls it":           ("measure",   "tasks/measure/task.py",     False),
    "another stage":                   ("measure",   "tasks/dedupe/stage.py",     False),
    "a page about the results":        ("measure",   "tasks/measure/report/page.py", False),
    "what a source file says":         ("normalize", "schemas/source.py",         True),
    "what another stage never reads":  ("measure",   "schemas/source.py",         False),
}
# fmt: on


@pytest.mark.parametrize(("stage", "file", "counts"), CODE.values(), ids=CODE)
def test_code_that_decides_results_is_in_the_digest(
    stage: str, file: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("tasks", "schemas"):
        shutil.copytree(stages.ROOT / folder, tmp_path / folder, ignore=NO_CACHES)
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    before = code_digest.__wrapped__(stage)
    with (tmp_path / file).open("a") as code:
        code.write("# changed")
    assert (code_digest.__wrapped__(stage) != before) is counts


@pytest.mark.parametrize("name", ["polars", "polars-hash", "numba", "unicode"])
def test_versions_that_decide_results_are_in_the_digest(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_digest.__wrapped__("measure")
    assert before == code_digest("measure")
    if name == "unicode":
        monkeypatch.setattr(unicodedata, "unidata_version", "1.1.5")
    else:
        version = importlib.metadata.version
        monkeypatch.setattr(
            importlib.metadata, "version", lambda n: "0.0.1" if n == name else version(n)
        )
    assert code_digest.__wrapped__("measure") != before


def test_drops_are_counted_by_reason_in_order() -> None:
    reasons = pl.Series("drop_reason", ["phone", None, "echo", "phone"])
    counted = drops_by_reason(reasons, "filter", "a")
    assert [(drop.reason, drop.rows) for drop in counted] == [("echo", 1), ("phone", 2)]


def test_equal_drops_are_added_up() -> None:
    one = Drops(stage="filter", reason="echo", source="a", rows=1)
    other = one.model_copy(update={"source": "b"})
    added = add_drops([other, one, one])
    assert [(drop.source, drop.rows) for drop in added] == [("a", 2), ("b", 1)]
