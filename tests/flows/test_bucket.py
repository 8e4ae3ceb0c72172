"""A lake in a bucket from download to adapter, and what another machine finds there."""

import json
from pathlib import Path

import pytest
import yaml

from flows.refresh_corpus import refresh_corpus
from schemas.errors import StorageError
from schemas.outcome import Outcome, Status
from tasks.corpora import latest, read_manifest, versions
from tasks.lake import Lake
from tasks.publish.ledger import why
from tasks.publish.verify import problems
from tests.flows.conftest import Winnow
from tests.object_store.s3_server import S3Server, s3
from tests.trainer.building import COLOURS, build_model

__all__ = ["s3"]
ROWS = 40


def write_sources(folder: Path, rows: int = ROWS) -> None:
    for name, things in (("a", "thing"), ("b", "box")):
        text = "".join(
            json.dumps(
                {
                    "instruction": f"What colour is {things} {number} of {name}?",
                    "input": "",
                    "output": f"It is {COLOURS[number % len(COLOURS)]}, says {name} {number}.",
                }
            )
            + "\n"
            for number in range(rows)
        )
        (folder / f"{name}.jsonl").write_text(text)


def write_recipe(folder: Path, **parts: object) -> str:
    write_sources(folder)
    sources = [
        {"name": name, "layout": "alpaca", "licence": "MIT", "local": {"path": f"{name}.jsonl"}}
        for name in "ab"
    ]
    common = {"name": "small", "sources": sources, "stage_shard_rows": 25}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(common | {"split": {"validation_share": 0.1}} | parts))
    return str(path)


def refresh(recipe: str, lake: str, train: bool = False) -> Outcome:
    return refresh_corpus(recipe, lake, None, train)


@pytest.fixture
def trained_recipe(tmp_path: Path) -> str:
    train = {
        "base_model": {"name": "tests/tiny", "path": str(build_model(tmp_path / "model"))},
        "max_tokens": 64,
        "max_steps": 2,
        "batch_size": 4,
        "threads": 1,
        "max_loss_increase": 9,
        "push": {"repo": "winnow/tiny", "target": "folder"},
    }
    return write_recipe(tmp_path, train=train)


def test_a_corpus_in_memory_is_the_one_in_a_folder(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    here, there = refresh(recipe, str(tmp_path / "lake")), refresh(recipe, "memory://a-corpus")
    assert (there.status, there.digest) == (Status.PUBLISHED, here.digest)
    assert there.path == "memory://a-corpus/corpora/small/v0001"
    folder, memory = Lake(str(tmp_path / "lake")), Lake("memory://a-corpus")
    one, other = (read_manifest(lake, "small", "v0001") for lake in (folder, memory))
    assert (one.splits, one.ledger) == (other.splits, other.ledger)
    assert refresh(recipe, "memory://a-corpus").status is Status.UNCHANGED


def test_from_download_to_adapter_on_s3(
    s3: S3Server,
    trained_recipe: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    winnow: Winnow,
) -> None:
    done = refresh(trained_recipe, s3.uri, train=True)
    lake = Lake(s3.uri)
    manifest = read_manifest(lake, "small", "v0001")
    assert (done.status, done.path) == (Status.PUBLISHED, f"{s3.uri}/corpora/small/v0001")
    assert problems(lake, manifest) == []
    assert latest(lake, "small") == "v0001"
    (row,) = why(lake, manifest, "a:3", limit=2)
    assert row["status"] == "published"
    assert done.adapter is not None
    assert done.adapter.startswith(f"{s3.uri}/hub/winnow/tiny/commits/")
    (run,) = lake.folders("runs")
    assert lake.exists(f"runs/{run}/training_manifest.json")
    assert lake.exists(f"{done.adapter.removeprefix(s3.uri + '/')}/adapter_model.safetensors")

    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache of another machine"))
    again = refresh(trained_recipe, s3.uri, train=True)
    assert (again.status, again.digest) == (Status.UNCHANGED, done.digest)
    assert again.adapter == done.adapter
    assert versions(lake, "small") == ("v0001",)
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache of a third machine"))
    answer = winnow("--lake", s3.uri, "chat", "--prompt", "Hello", "--max-new-tokens", "1")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_what_stands_in_a_bucket_is_not_read_again(s3: S3Server, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    refresh(recipe, s3.uri)
    s3.requests.clear()
    assert refresh(recipe, s3.uri).status is Status.UNCHANGED
    assert not [one for one in s3.requests if one.startswith("GET") and one.endswith(".parquet")]
    assert not [one for one in s3.requests if one.startswith("PUT") and "stages" in one]


def test_a_stage_file_that_was_changed_in_the_bucket_is_made_again(
    s3: S3Server, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path)
    first = refresh(recipe, s3.uri)
    lake = Lake(s3.uri)
    key = next(key for key in lake.keys("stages/normalize") if key.endswith("part-00000.parquet"))
    before = lake.read(key)
    lake.put(key, bytes(before[:100]) + bytes([before[100] ^ 1]) + bytes(before[101:]))
    assert refresh(recipe, s3.uri).digest == first.digest
    assert lake.read(key) == before


def test_a_bucket_that_gives_out_half_way_keeps_what_was_done(s3: S3Server, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    fault = s3.fail("503", r"PUT .*/stages/dedupe_near", times=10_000)
    with pytest.raises(StorageError, match=r"503.*run it again: finished stages are kept"):
        refresh(recipe, s3.uri)
    fault.times = 0
    s3.requests.clear()
    assert refresh(recipe, s3.uri).status is Status.PUBLISHED
    assert not [one for one in s3.requests if one.startswith("PUT") and "stages/normalize" in one]


def test_a_bucket_that_two_could_spoil_is_refused_before_any_work(
    s3: S3Server, tmp_path: Path
) -> None:
    s3.fail("ignored", "PUT", times=10_000)
    with pytest.raises(StorageError, match="ignores conditional writes"):
        refresh(write_recipe(tmp_path), s3.uri)
    assert not Lake(s3.uri).keys("raw")


def test_the_commands_speak_of_a_bucket_by_its_uri(
    s3: S3Server, tmp_path: Path, winnow: Winnow
) -> None:
    refresh(write_recipe(tmp_path), s3.uri)
    told = winnow("--lake", s3.uri, "report", "small")
    assert told.stdout.strip() == f"{s3.uri}/corpora/small/v0001/report.html"
    assert winnow("--lake", s3.uri, "verify", "small").returncode == 0
    assert winnow("--lake", "s3://no-such-bucket/lake", "verify", "small").returncode == 5
