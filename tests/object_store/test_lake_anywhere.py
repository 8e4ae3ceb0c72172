"""A lake is the same on a folder, in memory and on S3, whatever the server does on the way."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from schemas import stores
from schemas.digests import sha256_of
from schemas.errors import CorpusDamaged, StorageError
from schemas.manifest import ShardRef
from tasks import copies
from tasks.lake import Lake
from tasks.shards import scan_shard, write_shard
from tests.object_store.s3_server import S3Server

KINDS = ("folder", "memory", "s3")
SHA256_OF_ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"


@pytest.fixture(params=KINDS)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "s3":
        return Lake(request.getfixturevalue("s3").uri)
    return Lake("memory://" if request.param == "memory" else str(tmp_path / "lake"))


def test_of_two_who_create_the_first_wins(lake: Lake) -> None:
    assert lake.create("a/b", b"one")
    assert not lake.create("a/b", b"two")
    assert lake.read("a/b") == b"one"
    assert lake.create("a/b", b"one")


def test_of_ten_who_create_at_once_one_wins(lake: Lake) -> None:
    with ThreadPoolExecutor(10) as pool:
        won = list(pool.map(lambda who: lake.create("a/b", f"{who}".encode()), range(10)))
    assert won.count(True) == 1
    assert lake.read("a/b") == f"{won.index(True)}".encode()


def test_nobodys_change_is_lost(lake: Lake) -> None:
    def add(who: int) -> Callable[[bytes | None], bytes]:
        return lambda old: (old or b"") + bytes([who])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda who: lake.update("list", add(who)), range(8)))
    assert sorted(lake.read("list")) == list(range(8))


def test_a_change_may_leave_what_is_there(lake: Lake) -> None:
    assert lake.update("a", lambda old: None) is None
    assert not lake.exists("a")
    lake.put("a", b"one")
    assert lake.update("a", lambda old: None) == b"one"
    assert lake.update("a", lambda old: b"two") == b"two"


def test_what_is_deleted_is_gone_and_what_was_not_there_is_no_error(lake: Lake) -> None:
    for key in ("p/a", "p/q/b", "r/c"):
        lake.put(key, b"x")
    lake.delete(["p/a", "p/q/b", "p/none"])
    assert lake.keys("p") == []
    assert lake.folders("") == ["r"]
    lake.delete([])


def test_a_folder_is_removed_with_all_that_is_in_it(lake: Lake) -> None:
    for key in ("v1/manifest.json", "v1/data/a", "v10/manifest.json"):
        lake.put(key, b"x")
    assert lake.remove_folder("v1") == 2
    assert lake.remove_folder("v1") == 0
    assert [name for name in lake.folders("") if name != "tmp"] == ["v10"]


def test_a_listing_has_sizes_and_times_by_the_stores_clock(lake: Lake) -> None:
    lake.put("p/a", b"123")
    (entry,) = lake.entries("p")
    assert (entry.key, entry.size_bytes) == ("p/a", 3)
    assert abs(lake.now() - entry.modified_at) < 5


def test_a_copy_has_the_same_bytes_and_the_original_stays(lake: Lake) -> None:
    lake.put("a/b", b"one")
    lake.copy("a/b", "c/d")
    assert lake.read("c/d") == lake.read("a/b") == b"one"
    with pytest.raises(CorpusDamaged, match=r"a/none is missing\."):
        lake.copy("a/none", "c/d")


def test_a_shard_is_read_as_it_was_written(lake: Lake) -> None:
    frame = pl.DataFrame({"n": range(100)})
    shard = write_shard(frame, lake, "stages/x/part.parquet")
    assert scan_shard(lake, shard).collect().equals(frame)
    assert lake.is_intact(shard.uri, shard.sha256)
    assert not lake.is_intact(shard.uri, "0" * 64)
    assert not lake.is_intact("stages/x/none.parquet", shard.sha256)
    with pytest.raises(CorpusDamaged, match=r"none\.parquet is missing, expected 100 rows"):
        scan_shard(lake, shard.model_copy(update={"uri": "stages/x/none.parquet"}))


def test_a_shard_that_was_changed_is_noticed(lake: Lake) -> None:
    shard = write_shard(pl.DataFrame({"n": range(100)}), lake, "part.parquet")
    data = bytearray(lake.read("part.parquet"))
    data[50] ^= 1
    lake.put("part.parquet", bytes(data))
    assert not lake.is_intact(shard.uri, shard.sha256)
    assert lake.sha256(shard.uri) != shard.sha256


def test_what_a_bucket_no_longer_holds_as_written_is_not_read(s3: S3Server, tmp_path: Path) -> None:
    lake = Lake(s3.uri)
    lake.put("part", b"two")
    with pytest.raises(CorpusDamaged, match="is not what was written there: expected sha256 7692c"):
        lake.local("part", SHA256_OF_ONE)


def test_a_buckets_file_is_fetched_once(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = write_shard(pl.DataFrame({"n": [1]}), Lake(s3.uri), "part.parquet")
    monkeypatch.setenv("WINNOW_CACHE", f"{os.environ['WINNOW_CACHE']}-of-another-machine")
    lake = Lake(s3.uri)
    s3.requests.clear()
    paths = {lake.local(shard.uri, shard.sha256) for _ in range(3)}
    assert len(paths) == 1
    assert s3.requests.count("GET /bucket/lake/part.parquet") == 1
    assert lake.is_intact(shard.uri, shard.sha256)
    assert lake.is_intact(shard.uri, shard.sha256)
    assert s3.requests.count("GET /bucket/lake/part.parquet") == 2


# fmt: off
REFUSALS = {  #             kind     requests that meet it                  times
    "one 503":             ("503",   r"/bucket/lake/part",                  1),
    "three 500s":          ("500",   r"/bucket/lake/part",                  3),
    "a 429":               ("429",   r"/bucket/lake/part",                  1),
    "half of a file":      ("short", r"GET /bucket/lake/part",              2),
    "an answer lost":      ("lost",  r"PUT /bucket/lake/part",              2),
}
# fmt: on


@pytest.mark.parametrize(("kind", "pattern", "times"), REFUSALS.values(), ids=REFUSALS)
def test_what_passes_is_survived(
    s3: S3Server, kind: str, pattern: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(s3.uri)
    frame = pl.DataFrame({"n": range(50_000)})
    writing = s3.fail(kind, pattern, times)
    shard = write_shard(frame, lake, "part.parquet")
    monkeypatch.setenv("WINNOW_CACHE", f"{os.environ['WINNOW_CACHE']}-of-another-machine")
    reading = s3.fail(kind, pattern, times)
    assert scan_shard(Lake(s3.uri), shard).collect().equals(frame)
    assert writing.met + reading.met > 0


def test_a_create_whose_answer_was_lost_counts_as_what_it_was(s3: S3Server) -> None:
    lake = Lake(s3.uri)
    s3.fail("lost", "PUT /bucket/lake/claim")
    assert lake.create("claim", b"mine")
    s3.fail("lost", "PUT /bucket/lake/claim")
    assert not lake.create("claim", b"yours")
    s3.fail("lost", "PUT /bucket/lake/counter")
    assert lake.update("counter", lambda old: b"1") == b"1"
    s3.fail("lost", "PUT /bucket/lake/counter")
    assert lake.update("counter", lambda old: b"2") == b"2"


# fmt: off
GIVEN_UP = {  #             kind     says
    "a server in pain":    ("500",   r"cannot write s3://bucket/lake/a: .*500.* run it again"),
    "too many requests":   ("503",   r"cannot write s3://bucket/lake/a: .*503.* run it again"),
    "no permission":       ("403",   r"cannot write s3://bucket/lake/a: .*403.* See that your credentials"),
}
# fmt: on


@pytest.mark.parametrize(("kind", "says"), GIVEN_UP.values(), ids=GIVEN_UP)
def test_what_stays_is_an_error_with_a_next_step(s3: S3Server, kind: str, says: str) -> None:
    lake = Lake(s3.uri)
    s3.fail(kind, "PUT", times=100)
    with pytest.raises(StorageError, match=says):
        lake.put("a", b"x")


@pytest.mark.parametrize("write", [True, False], ids=["written to", "read from"])
def test_a_server_that_falls_silent_is_given_up(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, write: bool
) -> None:
    monkeypatch.setattr(stores, "WAITS", {"read_timeout": "100ms"})
    lake = Lake(s3.uri)
    fault = s3.fail("silent", "PUT" if write else "GET", times=100)
    with pytest.raises(StorageError, match=r"cannot (read|write) s3://bucket/lake/a: .* run it"):
        lake.create("a", b"x") if write else lake.read("a")
    fault.times = 0
    assert lake.create("a", b"x")


def test_a_file_that_keeps_coming_in_half_is_an_error_and_leaves_nothing(s3: S3Server) -> None:
    lake = Lake(s3.uri)
    lake.put("part", b"one" * 100_000)
    s3.fail("short", "GET /bucket/lake/part", times=100)
    with pytest.raises(StorageError, match=r"cannot read s3://bucket/lake/part: "):
        lake.local("part", SHA256_OF_ONE)
    assert list((lake.disk / "tmp").iterdir()) == []
    assert not (lake.disk / "copies").exists()


def test_a_bucket_that_is_not_there_says_so(s3: S3Server) -> None:
    lake = Lake("s3://no-such-bucket/lake")
    with pytest.raises(StorageError, match=r"no-such-bucket.*There is no such bucket"):
        lake.read_if_any("a")
    with pytest.raises(StorageError, match="There is no such bucket: create it"):
        lake.publishable()


def test_a_server_that_ignores_conditions_is_refused_before_any_work(s3: S3Server) -> None:
    lake = Lake(s3.uri)
    assert lake.publishable() is lake
    s3.fail("ignored", "PUT", times=100)
    with pytest.raises(StorageError, match="ignores conditional writes"):
        lake.publishable()
    assert lake.keys("") == []


def test_without_any_keys_the_lake_says_so(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="credentials"):
        Lake(s3.uri).put("a", b"x")


def test_keys_and_region_come_from_the_profile_of_the_environment(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = a\naws_secret_access_key = b%c\n"
    )
    (tmp_path / "config").write_text("[profile team]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    lake = Lake(s3.uri)
    lake.put("a", b"x")
    assert lake.read("a") == b"x"
    assert lake._store.config["region"] == "eu-west-1"


def test_copies_out_of_use_go_when_they_are_too_many(s3: S3Server) -> None:
    lake = Lake(s3.uri)
    shards = [
        write_shard(pl.DataFrame({"n": [number]}), lake, f"{number}.parquet") for number in range(3)
    ]
    kept = [lake.local(shard.uri, shard.sha256) for shard in shards]
    for age, copy in enumerate(kept):
        os.utime(copy, (age, age))
    bound = kept[2].stat().st_size
    lake._copies.trim(bound)
    assert [copy.exists() for copy in kept] == [False, False, True]
    lake._copies.trim(0, in_use_s=10**12)
    assert kept[2].exists()


def test_a_lake_in_memory_has_a_name_or_is_nobody_elses() -> None:
    Lake("memory://shared-by-name").put("a", b"x")
    assert Lake("memory://shared-by-name").read("a") == b"x"
    Lake("memory://").put("a", b"x")
    assert not Lake("memory://").exists("a")


def test_a_shard_of_another_lake_is_a_copy_of_its_own(tmp_path: Path) -> None:
    shard = ShardRef(uri="x", sha256="0" * 64, rows=1, size_bytes=1)
    with pytest.raises(CorpusDamaged):
        scan_shard(Lake("memory://"), shard)


# fmt: off
CLOUDS = {
    "gs://bucket/lake":                                     "GCSStore",
    "az://container/lake":                                  "AzureStore",
    "abfss://container@team.dfs.core.windows.net/lake":     "AzureStore",
    "s3://bucket/lake":                                     "S3Store",
}
# fmt: on


@pytest.mark.parametrize(("uri", "kind"), CLOUDS.items(), ids=CLOUDS)
def test_every_cloud_is_opened_by_the_same_code(
    uri: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "team")
    assert type(stores.open_store(uri)).__name__ == kind


def test_what_is_no_store_is_refused_with_its_name() -> None:
    with pytest.raises(StorageError, match=r"cannot open nowhere://bucket: "):
        Lake("nowhere://bucket")


def spoilt(copy: Path, how: str) -> None:
    """Have other bytes in a copy: of the same size, or fewer."""
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(bytes(data) if how == "a bit" else bytes(data)[:-1])


@pytest.mark.parametrize("how", ["a bit", "a byte less"])
@pytest.mark.parametrize("process", ["this one", "another one"])
def test_a_copy_that_was_damaged_is_fetched_again(
    s3: S3Server, how: str, process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"n": range(1000)})
    lake = Lake(s3.uri)
    shard = write_shard(frame, lake, "part.parquet")
    copy = lake.local(shard.uri, shard.sha256)
    status = copy.stat()
    spoilt(copy, how)
    if process == "another one":  # whose clock may be a coarse one
        monkeypatch.setattr(copies, "_seen_whole", {})
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    s3.requests.clear()
    assert scan_shard(Lake(s3.uri), shard).collect().equals(frame)
    assert s3.requests.count("GET /bucket/lake/part.parquet") == 1
    assert lake.is_intact(shard.uri, shard.sha256)


def test_a_copy_is_looked_at_once_in_a_process(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(s3.uri)
    shard = write_shard(pl.DataFrame({"n": [1]}), lake, "part.parquet")
    monkeypatch.setattr(copies, "_seen_whole", {})
    looked = []
    monkeypatch.setattr(copies, "sha256_of", lambda path: looked.append(path) or sha256_of(path))
    for _ in range(3):
        Lake(s3.uri).local(shard.uri, shard.sha256)
    assert len(looked) == 1


def test_a_damaged_note_of_what_a_bucket_holds_is_asked_anew(s3: S3Server) -> None:
    lake = Lake(s3.uri)
    shard = write_shard(pl.DataFrame({"n": [1]}), lake, "part.parquet")
    for data in (b"\xff", b"0" * 64, b""):
        for note in (lake.disk / "copies/seen").iterdir():
            note.write_bytes(data)
        assert lake.is_intact(shard.uri, shard.sha256)


def test_two_servers_with_one_buckets_name_have_disks_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path))
    for name in ("AWS_ENDPOINT_URL", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    disks = {stores.disk_of("s3://b/lake"), stores.disk_of("s3://b/lake/")}
    assert len(disks) == 1
    for port in (1, 2):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        disks.add(stores.disk_of("s3://b/lake"))
    gcs = stores.disk_of("gs://b/lake")
    for account in ("one", "other"):
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", account)
        disks.add(stores.disk_of("az://b/lake"))
    assert len(disks) == 5
    assert stores.disk_of("gs://b/lake") == gcs
