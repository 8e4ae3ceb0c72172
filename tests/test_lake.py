"""The lake: atomic writes, one winner per claim, errors with a next step."""

import fcntl
import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schemas.errors import CorpusDamaged, StorageError
from tasks.lake import LEFT_AFTER_S, Lake, digest_of, is_held, sha256_of
from tests.disks import mounted
from tests.users import said, shared, started

__all__ = ["shared"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_what_was_put_is_read(lake: Lake) -> None:
    lake.put("a/b", b"one")
    lake.put("a/b", b"two")
    assert lake.read("a/b") == b"two"
    assert lake.size_bytes("a/b") == 3


@pytest.mark.parametrize("uri", ["memory://", "a folder"])
def test_a_copy_of_a_key_is_a_local_file(uri: str, tmp_path: Path) -> None:
    lake = Lake(uri if "://" in uri else str(tmp_path / uri))
    lake.put("a/b", b"one" * 1_000_000)

    lake.copy_out("a/b", tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"one" * 1_000_000
    with pytest.raises(CorpusDamaged, match="a/c is missing"):
        lake.copy_out("a/c", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(StorageError, match="cannot read"):
        lake.copy_out("a/b", tmp_path / "no such folder" / "copy")


def test_of_many_claims_at_once_one_wins_and_the_folder_is_whole(lake: Lake) -> None:
    for writer in range(8):
        for name in ("x", "y/z"):
            lake.put(f"staging/{writer}/{name}", str(writer).encode())
    start = threading.Barrier(8)

    def claim(writer: int) -> bool:
        start.wait()
        return lake.claim_folder(f"staging/{writer}", "v1")

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(8)))
    assert won.count(True) == 1
    assert {lake.read(f"v1/{name}") for name in ("x", "y/z")} == {str(won.index(True)).encode()}


def test_missing_bytes_are_damage_with_a_next_step(lake: Lake) -> None:
    with pytest.raises(CorpusDamaged, match=r"none is missing\. Run the refresh again"):
        lake.read("none")
    assert lake.read_if_any("none") is None
    assert lake.size_bytes("none") is None


def test_keys_are_listed_in_order(lake: Lake) -> None:
    for key in ("p/b/2", "p/a", "q", "p/b/1"):
        lake.put(key, b"")
    assert lake.keys("p") == ["p/a", "p/b/1", "p/b/2"]
    assert lake.folders("p") == ["b"]
    assert lake.folders("") == ["p"]


def test_scratch_is_gone_afterwards(lake: Lake) -> None:
    with lake.scratch() as folder:
        (folder / "file").write_bytes(b"x")
        lake.adopt(folder / "file", "kept")
    assert not folder.exists()
    assert lake.read("kept") == b"x"


def test_sweeping_removes_what_dead_processes_left_and_nothing_else(lake: Lake) -> None:
    tmp = Path(lake.at("tmp"))
    with lake.scratch() as alive, lake.scratch() as young:
        dead = tmp / "winnow-dead"
        never_held = tmp / "winnow-never-held"
        for folder in (dead, never_held):
            folder.mkdir()
        (dead / ".held").touch()
        for folder in (alive, dead, never_held):
            os.utime(folder, (0, 0))
        assert lake.sweep() == 2
        assert sorted(tmp.iterdir()) == sorted([alive, young])


def test_a_lake_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot open .*file: .*"):
        Lake(str(tmp_path / "file"))


def test_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        lake = Lake(str(place))
        with pytest.raises(StorageError, match="Free some space, then run it again"):
            lake.put("a", b"x" * 1_000_000)
        lake.put("b", b"fits")
        assert lake.read("b") == b"fits"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_digest_is_of_the_value_not_of_its_order(tmp_path: Path) -> None:
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})
    (tmp_path / "empty").write_bytes(b"")
    of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_of(tmp_path / "empty") == of_nothing


NO_SHA = "0" * 64

# fmt: off
NO_KEYS = {
    "a parent":              "../x",
    "a parent inside":       "raw/../../x",
    "a parent at the end":   "raw/..",
    "an absolute path":      "/tmp/x",
    "an empty part":         "raw//x",
    "the folder itself":     "./x",
    "a zero":                "a\0b",
}
# fmt: on


@pytest.mark.parametrize("uri", ["folder", "memory://"])
@pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)
def test_no_key_leads_out_of_a_lake(uri: str, key: str, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake") if uri == "folder" else uri)
    (tmp_path / "x").write_bytes(b"theirs")
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    lake.put("kept", b"1")
    uses: list[Callable[[], object]] = [
        lambda: lake.read_if_any(key), lambda: lake.exists(key), lambda: lake.size_bytes(key),
        lambda: lake.sha256(key), lambda: lake.is_intact(key, NO_SHA), lambda: lake.local(key, NO_SHA),
        lambda: lake.put(key, b""), lambda: lake.create(key, b""), lambda: lake.delete([key]),
        lambda: lake.update(key, lambda old: b""), lambda: lake.adopt(mine, key),
        lambda: lake.upload(mine, key), lambda: lake.copy(key, "a"), lambda: lake.copy("kept", key),
        lambda: lake.move("kept", key), lambda: lake.move(key, "a"), lambda: lake.keys(key),
        lambda: lake.folders(key), lambda: lake.remove_folder(key), lambda: lake.etag(key),
        lambda: lake.copy_out(key, tmp_path / "out"),
    ]  # fmt: skip
    if lake.folder is not None:
        uses += [lambda: lake.claim_folder(key, "a"), lambda: lake.claim_folder("kept", key)]
    for use in uses:
        with pytest.raises(StorageError, match="is no key of"):
            use()
    assert ((tmp_path / "x").read_bytes(), mine.read_bytes()) == (b"theirs", b"mine")
    assert lake.read("kept") == b"1"


# fmt: off
KEYS = ["a", "a/b", ".hidden", "...", "a..b/c", "..a", "a b/ü 中", "a#b", "%2E%2E/a", "a\nb"]
# fmt: on


@pytest.mark.parametrize("key", KEYS)
def test_a_key_may_look_odd(lake: Lake, key: str) -> None:
    assert lake.at(key) == f"{lake.folder}/{key}"


def test_a_write_leaves_nothing_beside_its_key(lake: Lake) -> None:
    with lake.lock("a"):
        lake.put("a", b"1")
        lake.create("b", b"1")
        lake.create("b", b"2")
        lake.now()
    assert lake.folder is not None
    assert sorted(path.name for path in lake.folder.iterdir()) == ["a", "a.lock", "b", "tmp"]
    assert list((lake.folder / "tmp").iterdir()) == []


def test_an_error_of_the_work_under_a_lock_is_not_one_of_the_lock(lake: Lake) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), lake.lock("a"):
        raise FileNotFoundError("mine")


def test_a_probe_that_a_killed_process_left_in_a_bucket_is_swept_after_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = Lake("memory://probes")
    bucket.put("tmp/probe-left", b"")
    written = bucket.now()
    for age_s, left in ((LEFT_AFTER_S - 60, ["tmp/probe-left"]), (LEFT_AFTER_S + 60, [])):
        monkeypatch.setattr(Lake, "now", lambda _, later_s=age_s: written + later_s)
        bucket.sweep()
        assert bucket.keys("tmp") == left


HOLD = "with lake.scratch():\n    print('begun', flush=True)\n    sys.stdin.read()\n"


def test_another_users_scratch_folder_is_no_business_of_a_sweep(shared: Path) -> None:
    with started(54321, shared, HOLD) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        (scratch,) = (shared / "tmp").iterdir()
        for mode in (0o711, 0o700):
            scratch.chmod(mode)
            assert said(54322, shared, "tidy(lake)\nprint('tidy')") == "tidy"
        assert (scratch / ".held").exists()


def test_a_scratch_folder_that_cannot_be_looked_at_is_taken_for_held(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = Path(lake.at("tmp/winnow-dead"))
    dead.mkdir(parents=True)
    (dead / ".held").touch()
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refused)
        assert is_held(dead)
        assert lake.sweep() == 0
    assert not is_held(dead)
    assert lake.sweep() == 1
    assert not is_held(dead)


def test_two_who_look_at_a_scratch_folder_do_not_take_each_other_for_its_holder(
    tmp_path: Path,
) -> None:
    with (tmp_path / ".held").open("w") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        assert not is_held(tmp_path)
        fcntl.flock(looked_at, fcntl.LOCK_EX)
        assert is_held(tmp_path)


def refused(*_: object) -> None:
    raise PermissionError


def test_a_sweep_of_a_folder_lists_no_scratch_folder(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    monkeypatch.setattr(lake, "entries", lambda prefix: listed.append(prefix) or [])
    lake.sweep()
    assert listed == []


def test_a_file_of_another_disk_comes_in_one_step_and_other_errors_are_told(
    lake: Lake, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk") as disk:
        file = disk.path / "file"
        file.write_bytes(b"1")
        lake.adopt(file, "a/b")
        assert (lake.read("a/b"), file.exists()) == (b"1", False)
    (tmp_path / "mine").write_bytes(b"2")
    with pytest.raises(StorageError, match=r"cannot write .*/a: Is a directory"):
        lake.adopt(tmp_path / "mine", "a")
    assert (tmp_path / "mine").read_bytes() == b"2"


def test_writers_and_removers_of_one_folder_do_not_hinder_each_other(lake: Lake) -> None:
    def work(who: int) -> None:
        for number in range(100):
            key = f"a/b/{who}-{number}"
            assert lake.create(key, b"1")
            lake.delete([key])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert lake.keys("a") == []
