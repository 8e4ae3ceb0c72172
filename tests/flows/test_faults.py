"""Refreshes that the machine fails: full and read-only disks, denied rights, flipped bits, clocks.

Each time there is one clear error, what was published stays, and the next refresh works.
"""

import contextlib
import datetime
import json
import os
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.errors import CorpusDamaged, StorageError
from schemas.outcome import Status
from tasks.corpora import find_version, latest, read_manifest, versions
from tasks.history.gc import collect
from tasks.lake import Lake
from tasks.publish.verify import problems
from tests.disks import Disk, mounted
from tests.flows.test_refresh import refresh, rows, write_recipe, write_source

FULL = r"^cannot .*: .*([Nn]o space left on device|needs .* are free).*Free some space, then run it"
READ_ONLY = r"^cannot .*: .*[Rr]ead-only file system.*Make the lake writable for this user"
DENIED = r"^cannot .*: .*[Pp]ermission denied.*Make the lake writable for this user"
NOBODY = 65534
DAY_S = 24 * 3600

# fmt: off
STAGES = {  #                what works in it, called where it begins to write
    "download":              "tasks.download.local._copied",
    "normalize":             "tasks.normalize.normalize._normalize",
    "evaluation sets":       "tasks.filter.stage._index",
    "filter":                "tasks.filter.stage._judge",
    "languages":             "tasks.told._tell",
    "measure":               "tasks.measure.stage.measure_rows",
    "exact dedupe":          "tasks.dedupe.stage._judge_exact",
    "signatures":            "tasks.dedupe.signatures._write",
    "near dedupe":           "tasks.dedupe.stage._spread",
    "sample":                "tasks.sample.stage.choose",
    "publish":               "tasks.publish.version.write_data",
    "the version's name":    "tasks.publish.version.claim_version",
    "latest":                "tasks.publish.version.promote",
}
# fmt: on


def recipe_with_all_stages(folder: Path, salt: str = "") -> str:
    """A recipe of one source in which every stage has something to do."""
    items = [{"question": f"What is colour {n} of the {salt} rainbow?"} for n in range(3)]
    (folder / "set.jsonl").write_text("\n".join(map(json.dumps, items)))
    contamination = {"sets": [{"name": "set", "path": "set.jsonl"}]}
    sampling = {"sources": {"a": {"max_rows": 1000}}}
    return write_recipe(folder, "a", filter={"contamination": contamination}, sampling=sampling)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with mounted(tmp_path_factory.mktemp("disks") / "small") as disk:
        yield disk


@pytest.fixture
def disk(small: Disk) -> Iterator[Disk]:
    yield small
    small.free()


@pytest.mark.parametrize("work", STAGES.values(), ids=STAGES)
def test_a_disk_that_fills_up_loses_nothing_and_the_next_refresh_goes_on(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    salt = work.rpartition(".")[2]
    number = 100 * list(STAGES.values()).index(work)
    recipe = recipe_with_all_stages(tmp_path, salt)
    write_source(tmp_path, "a", rows(number, 60))
    lake = Lake(str(disk.path / "lake"))
    before = versions(lake, "small")
    with monkeypatch.context() as patched:
        patched.setattr(work, disk.full_before(pkgutil.resolve_name(work)))
        with pytest.raises(StorageError, match=FULL):
            refresh(recipe, lake.uri)
    disk.free()
    for version in versions(lake, "small"):
        assert problems(lake, read_manifest(lake, "small", version)) == []
    assert latest(lake, "small") == (before[-1] if before else None)

    again = refresh(recipe, lake.uri)

    assert (again.rows_out, again.version) == (60, latest(lake, "small"))
    assert len(versions(lake, "small")) == len(before) + 1
    assert problems(lake, find_version(lake, "small")) == []
    assert lake.keys("tmp") == []


def test_a_read_only_lake_refuses_a_refresh_and_still_has_its_version(
    tmp_path: Path, disk: Disk
) -> None:
    write_source(tmp_path, "a", rows(0, 20))
    recipe = write_recipe(tmp_path, "a")
    lake = Lake(str(disk.path / "read-only"))
    first = refresh(recipe, lake.uri)
    write_source(tmp_path, "a", rows(0, 22))
    disk.remount("ro")
    try:
        with pytest.raises(StorageError, match=READ_ONLY):
            refresh(recipe, lake.uri)
        assert problems(lake, find_version(lake, "small")) == []
    finally:
        disk.remount("rw")
    assert (first.rows_out, refresh(recipe, lake.uri).rows_out) == (20, 22)


# --- what is kept beside versions ------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"version": 1}'])
def test_a_damaged_note_beside_the_versions_is_passed_over_or_told(
    tmp_path: Path, data: bytes
) -> None:
    write_source(tmp_path, "a", rows(0, 9))
    recipe = write_recipe(tmp_path, "a")
    lake = Lake(str(tmp_path / "lake"))
    first = refresh(recipe, lake.uri)
    for key in ("raw/a/upstream.json", "corpora/small/unchanged.json"):
        lake.put(key, data)
    assert refresh(recipe, lake.uri).version == first.version
    lake.put("corpora/small/latest.json", data)
    with pytest.raises(CorpusDamaged, match="Remove it: the next refresh writes it again"):
        refresh(recipe, lake.uri)
    lake.delete(["corpora/small/latest.json"])
    again = refresh(recipe, lake.uri)
    assert (again.version, latest(lake, "small")) == (first.version, first.version)


# --- rights --------------------------------------------------------------------------------------


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """Be a user to whom rights matter, as root is not."""
    root = os.geteuid() == 0
    closed = [path for path in Path(sys.prefix, "lib").parents if not path.stat().st_mode & 0o001]
    if root and closed:
        pytest.skip(f"{closed[0]} is open to its owner alone: others cannot even import Winnow")
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="winnow-rights-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("place", ["", "stages/filter", "corpora/small"])
def test_a_folder_that_may_not_be_written_is_one_clear_error(open_folder: Path, place: str) -> None:
    write_source(open_folder, "a", rows(0, 20))
    recipe = write_recipe(open_folder, "a")
    lake = Lake(str(open_folder / "lake"))
    refresh(recipe, lake.uri)
    write_source(open_folder, "a", rows(0, 22))
    for path in (open_folder / "lake", *(open_folder / "lake").rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (open_folder / "lake" / place).chmod(0o555)
    with without_rights(), pytest.raises(StorageError, match=DENIED):
        refresh(recipe, lake.uri)
    assert versions(lake, "small") == ("v0001",)
    assert problems(lake, find_version(lake, "small")) == []
    (open_folder / "lake" / place).chmod(0o755)
    assert refresh(recipe, lake.uri).rows_out == 22


def test_a_file_that_may_not_be_read_is_one_clear_error(open_folder: Path) -> None:
    write_source(open_folder, "a", rows(0, 20))
    recipe = write_recipe(open_folder, "a")
    lake = Lake(str(open_folder / "lake"))
    refresh(recipe, lake.uri)
    for path in (open_folder / "lake", *(open_folder / "lake").rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (manifest,) = (open_folder / "lake/stages/normalize").glob("*/manifest.json")
    manifest.chmod(0)
    with without_rights(), pytest.raises(StorageError, match=r"^cannot read .*manifest\.json: .*"):
        refresh(recipe, lake.uri)
    manifest.chmod(0o644)
    assert refresh(recipe, lake.uri).status is Status.UNCHANGED


# --- bits ----------------------------------------------------------------------------------------


def flip(path: Path, share: float) -> None:
    """Flip one bit of a file, so far into it."""
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 1
    path.write_bytes(data)


def kept_files(lake: Path) -> dict[str, bytes]:
    """The raw and stage files of a lake; what a download remembers of upstream is no such file."""
    paths = [path for root in ("raw", "stages") for path in (lake / root).rglob("*")]
    return {
        str(path.relative_to(lake)): path.read_bytes()
        for path in paths
        if path.is_file() and path.suffix != ".lock" and path.name != "upstream.json"
    }


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_of_files_that_lost_a_bit_each_every_one_is_made_again(
    tmp_path: Path, lake: str, share: float
) -> None:
    write_source(tmp_path, "a", rows(0, 60))
    recipe = recipe_with_all_stages(tmp_path)
    first = refresh(recipe, lake)
    whole = kept_files(Path(lake))
    kinds = {name.split("/")[1] for name in whole if name.startswith("stages")}
    assert kinds == {
        *("normalize", "filter", "evaluations", "language", "measure", "dedupe_exact"),
        *("dedupe_sign", "dedupe_near", "sample"),
    }
    for name in whole:
        flip(Path(lake, name), share)
    again = refresh(recipe, lake)
    assert (again.status, again.digest) == (Status.UNCHANGED, first.digest)
    assert kept_files(Path(lake)) == whole


@pytest.mark.parametrize("kind", ["raw/*/*/a.json", "raw/*/*/receipt.json"])
def test_a_download_that_lost_a_bit_is_made_again_before_it_is_used(
    tmp_path: Path, lake: str, kind: str
) -> None:
    write_source(tmp_path, "a", rows(0, 20))
    refresh(write_recipe(tmp_path, "a"), lake)
    (path,) = Path(lake).glob(kind)
    whole = path.read_bytes()
    flip(path, 0.5)
    other = write_recipe(tmp_path, "a", stage_shard_rows=10)
    assert refresh(other, lake).rows_out == 20
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", ["data/*.parquet", "README.md", "report.html"])
def test_a_version_that_lost_a_bit_is_made_again_under_the_next_number(
    tmp_path: Path, lake: str, kind: str
) -> None:
    write_source(tmp_path, "a", rows(0, 20))
    recipe = write_recipe(tmp_path, "a")
    first = refresh(recipe, lake)
    flip(sorted(Path(first.path).glob(kind))[0], 0.5)
    assert problems(Lake(lake), find_version(Lake(lake), "small"))
    again = refresh(recipe, lake)
    assert (again.status, again.version) == (Status.PUBLISHED, "v0002")
    assert again.digest == first.digest
    assert problems(Lake(lake), find_version(Lake(lake), "small")) == []


def test_a_manifest_that_lost_a_bit_is_refused_with_what_to_do_and_that_helps(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 20))
    recipe = write_recipe(tmp_path, "a")
    first = refresh(recipe, lake)
    flip(Path(first.path, "manifest.json"), 0.5)
    with pytest.raises(CorpusDamaged, match="remove that version's folder and run the refresh"):
        refresh(recipe, lake)
    shutil.rmtree(first.path)
    again = refresh(recipe, lake)
    assert (again.status, again.digest) == (Status.PUBLISHED, first.digest)


# --- clocks --------------------------------------------------------------------------------------


def set_clock(lake: Path, days: float) -> None:
    """Have the clock set by so many days since all of a lake was written."""
    for path in [lake, *lake.rglob("*")]:
        then = path.stat().st_mtime - days * DAY_S
        os.utime(path, (then, then))


@pytest.mark.parametrize("days", [-400, -3, 3], ids=["back a year", "back", "forward"])
def test_a_clock_that_is_set_between_refreshes_changes_no_version(
    tmp_path: Path, lake: str, days: float
) -> None:
    write_source(tmp_path, "a", rows(0, 20))
    recipe = write_recipe(tmp_path, "a")
    first = refresh(recipe, lake)
    set_clock(Path(lake), days)
    assert refresh(recipe, lake).status is Status.UNCHANGED

    write_source(tmp_path, "a", rows(0, 22))
    second = refresh(recipe, lake)

    store = Lake(lake)
    assert (first.version, second.version, latest(store, "small")) == ("v0001", "v0002", "v0002")
    assert find_version(store, "small").parent == "v0001"
    collect(store, keep=1)
    assert versions(store, "small") == ("v0002",)
    assert problems(store, find_version(store, "small")) == []
    again = refresh(recipe, lake)
    assert (again.status, again.digest) == (Status.UNCHANGED, second.digest)


def test_versions_are_in_order_of_their_numbers_whatever_the_clock_said(
    tmp_path: Path, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.UTC)

    clock = SimpleNamespace(now=lambda _: now + datetime.timedelta(days=3))
    write_source(tmp_path, "a", rows(0, 20))
    recipe = write_recipe(tmp_path, "a")
    with monkeypatch.context() as ahead:
        days_later = SimpleNamespace(datetime=clock, UTC=datetime.UTC)
        ahead.setattr("tasks.publish.version.datetime", days_later)
        refresh(recipe, lake)
    write_source(tmp_path, "a", rows(0, 22))
    refresh(recipe, lake)
    store = Lake(lake)
    one, two = (read_manifest(store, "small", version) for version in versions(store, "small"))
    assert one.created_at > two.created_at
    assert (latest(store, "small"), two.parent) == ("v0002", "v0001")
