"""A version in a bucket comes to its own folder, and never takes away what another reads."""

import hashlib
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from schemas.errors import CorpusDamaged
from schemas.manifest import ShardRef
from trainer.bucket import Bucket

URI = "s3://bucket/lake/corpora/tiny/v0001"
CONTENT = b"rows"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryStore:
    """The version's folder in the bucket."""
    found = MemoryStore()
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("trainer.bucket.open_store", lambda uri: found)
    return found


def shard(uri: str) -> ShardRef:
    """As a manifest may name it that no schema has looked at."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    return ShardRef.model_construct(uri=uri, sha256=digest, rows=1, size_bytes=len(CONTENT))


# fmt: off
OUTSIDE = {
    "an absolute path":       "{root}/owned",
    "up and out":             "../../../../../owned",
    "down, then up and out":  "data/../../../../../../owned",
}
# fmt: on


@pytest.mark.parametrize("uri", OUTSIDE.values(), ids=OUTSIDE)
def test_a_shard_that_leads_out_of_its_version_is_refused(
    uri: str, store: MemoryStore, tmp_path: Path
) -> None:
    named = uri.format(root=tmp_path)
    obstore.put(store, named.lstrip("/.").replace("../", ""), CONTENT)
    with pytest.raises(CorpusDamaged, match=r"leads out of the version"):
        Bucket(URI).fetch_shard(shard(named))
    assert not list(tmp_path.rglob("owned"))


def test_a_shard_comes_to_where_its_manifest_says(store: MemoryStore) -> None:
    obstore.put(store, "data/train.parquet", CONTENT)
    bucket = Bucket(URI)
    bucket.fetch_shard(shard("data/train.parquet"))
    assert (bucket.folder / "data" / "train.parquet").read_bytes() == CONTENT


def test_a_manifest_that_is_fetched_again_is_there_all_the_time(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another trainer reads it while the bucket has not answered yet."""
    obstore.put(store, "manifest.json", b"{}")
    bucket = Bucket(URI)
    path = bucket.fetch_manifest()
    there: list[bool] = []
    get = obstore.get

    def slow(*asked: object) -> object:
        there.append(path.is_file())
        return get(*asked)

    monkeypatch.setattr("obstore.get", slow)
    assert bucket.fetch_manifest() == path
    assert there == [True]
    obstore.delete(store, "manifest.json")
    assert not bucket.fetch_manifest().exists()
