"""The trainer's view of a version in a bucket: fetched once, proven, or refused with what to do."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from schemas.errors import ConfigError, CorpusDamaged, StorageError
from schemas.manifest import CorpusManifest, GateResult, Statistics
from tasks.lake import Lake
from tasks.publish.version import publish_version
from tests.judgements import judgement, recipe_of
from tests.object_store.s3_server import S3Server
from trainer.__main__ import main
from trainer.corpus import Corpus

PASSED = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
TABLE = """
    source | user            | assistant | reason
    alpaca | Name a primate. | Lemur     |
    alpaca | Name a metal.   | Tin       |
    belle  | Name a colour.  | Teal      |
"""


def pages(manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    return {"report.html": ""}


@pytest.fixture
def version(s3: S3Server) -> str:
    """The URI of a published version."""
    lake = Lake(s3.uri)
    judged, receipts = judgement(lake, TABLE)
    recipe = recipe_of(*(receipt.source for receipt in receipts), split={"validation_share": 0})
    publish_version(lake, recipe, judged, receipts, (), Statistics(), PASSED, pages)
    return f"{s3.uri}/corpora/tiny/v0001"


@pytest.mark.parametrize("named", ["manifest.json", ""])
def test_a_version_is_read_from_its_uri(version: str, named: str) -> None:
    corpus = Corpus(f"{version}/{named}".rstrip("/"))
    corpus.verify()
    rows = [row for batch in corpus.batches("train") for row in batch.to_pylist()]
    answers = sorted(row["messages"][-1]["content"] for row in rows)
    assert answers == ["Lemur", "Teal", "Tin"]
    assert (corpus.version, corpus.uri) == ("v0001", "corpora/tiny/v0001")


def test_a_shard_is_fetched_once(s3: S3Server, version: str) -> None:
    Corpus(version).verify()
    s3.requests.clear()
    Corpus(version).verify()
    assert [one for one in s3.requests if one.startswith("GET")] == [
        "GET /bucket/lake/corpora/tiny/v0001/manifest.json"
    ]


def test_what_was_fetched_goes_when_it_is_long_out_of_use(s3: S3Server, version: str) -> None:
    corpus, lake = Corpus(version), Lake(s3.uri)
    corpus.verify()
    (shard,) = (corpus.folder / "data").iterdir()
    lake.sweep()
    assert shard.exists()
    os.utime(shard, (0, 0))
    lake.sweep()
    assert not shard.exists()
    corpus.verify()


def shard_key(lake: Lake) -> str:
    return next(key for key in lake.keys("corpora/tiny/v0001/data"))


def test_a_shard_that_was_changed_is_refused(s3: S3Server, version: str) -> None:
    lake = Lake(s3.uri)
    lake.put(shard_key(lake), b"PAR1")
    with pytest.raises(CorpusDamaged, match="is not the shard that its manifest names"):
        Corpus(version).verify()


def test_a_shard_that_is_gone_is_refused(s3: S3Server, version: str) -> None:
    lake = Lake(s3.uri)
    lake.delete([shard_key(lake)])
    with pytest.raises(
        CorpusDamaged, match=r"^s3://.* is missing: its manifest names it with 3 rows"
    ):
        Corpus(version).verify()


# fmt: off
EDITS = {  #                changes                     says
    "a newer format":      ({"format_version": 99},     "has format 99.*Update Winnow"),
    "by hand":             ({"host": "elsewhere"},      "is not as it was written"),
}
# fmt: on


@pytest.mark.parametrize(("changes", "says"), EDITS.values(), ids=EDITS)
def test_a_manifest_that_was_edited_is_refused(
    s3: S3Server, version: str, changes: dict[str, object], says: str
) -> None:
    lake, key = Lake(s3.uri), "corpora/tiny/v0001/manifest.json"
    lake.put(key, json.dumps(json.loads(lake.read(key)) | changes, indent=1).encode())
    with pytest.raises(CorpusDamaged, match=says):
        Corpus(version)


def test_where_no_version_is_the_trainer_says_so(s3: S3Server) -> None:
    with pytest.raises(ConfigError, match="no corpus manifest there"):
        Corpus(f"{s3.uri}/corpora/tiny/v0002")
    s3.fail("503", "GET", times=1000)
    with pytest.raises(StorageError, match="cannot read s3://bucket/lake/corpora/tiny/v0002/"):
        Corpus(f"{s3.uri}/corpora/tiny/v0002")


def test_a_run_is_made_on_a_disk(
    version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--manifest", version, "--recipe", "quickstart", "--lake", "s3://bucket/lake"]
    assert main(arguments) == 2
    assert "a run is made on a disk" in capsys.readouterr().err
