"""Versions in a bucket: one winner per number, none skipped, none half there, whoever dies when."""

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import CorpusDamaged, StorageError
from schemas.manifest import CorpusManifest, GateResult, Statistics
from tasks import store
from tasks.claims import known_etags
from tasks.corpora import (
    files_of,
    latest,
    lost_versions,
    made_from,
    next_version,
    promote,
    read_manifest,
    remove_version,
    standing,
    tidy,
    versions,
)
from tasks.history.gc import give_up
from tasks.history.named import named_version
from tasks.history.tags import set_tag, tags
from tasks.judged import Judgement
from tasks.lake import Entry, Lake
from tasks.publish.verify import problems
from tasks.publish.version import publish_version
from tests.judgements import judgement, recipe_of
from tests.object_store.s3_server import S3Server

PASSED = (GateResult(gate="min_rows", passed=True, found=3, bound=1),)
TABLE = """
    source | user            | assistant | reason
    alpaca | Name a primate. | Lemur     |
    alpaca | Say nothing.    |           | empty_response
    belle  | Name a colour.  | Teal      |
"""
PUBLISHERS = 10
WAIT_S = 60
BESIDE_VERSIONS = ("claims", "etags", "latest.json", "latest.json.lock", "unchanged.json")
ROOT = Path(__file__).parents[2]


def pages(manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    return {"report.html": f"report of {manifest.version}"}


@dataclass
class Refresh:
    """A refresh that has come as far as publishing."""

    lake: Lake
    judged: Judgement
    receipts: tuple[Any, ...]

    def publish(self) -> tuple[CorpusManifest, bool]:
        recipe = recipe_of(*(receipt.source for receipt in self.receipts))
        return publish_version(
            self.lake, recipe, self.judged, self.receipts, (), Statistics(), PASSED, pages
        )


def judged(lake: Lake, rows: int = 0) -> Refresh:
    """The table with so many rows more."""
    more = "".join(f"belle | Prompt {index} | Answer {index} |\n" for index in range(rows))
    return Refresh(lake, *judgement(lake, TABLE + more))


def another(uri: str, index: int) -> str:
    """Publish rows that no other index has, with stages of its own; returns the version."""
    lake = Lake(uri)
    name = f"source{index}"
    table = TABLE.replace("belle", name) + f"{name} | Prompt {index} | Answer {index} |\n"
    manifest, _ = Refresh(lake, *judgement(lake, table)).publish()
    return manifest.version


@pytest.fixture(params=("memory", "s3"))
def bucket(request: pytest.FixtureRequest) -> Lake:
    if request.param == "s3":
        return Lake(request.getfixturevalue("s3").uri)
    return Lake("memory://")


@pytest.fixture
def lake() -> Lake:
    return Lake("memory://")


def whole(lake: Lake) -> tuple[str, ...]:
    """The versions that can be seen, each of which must be whole."""
    seen = versions(lake, "tiny")
    for version in seen:
        assert problems(lake, read_manifest(lake, "tiny", version)) == []
    return seen


def orphans(lake: Lake) -> list[str]:
    """Keys of the corpus that belong to no version and are no pointer."""
    seen = versions(lake, "tiny")
    return [
        key
        for key in lake.keys("corpora/tiny")
        if key.split("/")[2] not in (*seen, *BESIDE_VERSIONS)
    ]


def test_a_version_in_a_bucket_is_whole_and_the_latest(bucket: Lake) -> None:
    manifest, is_new = judged(bucket).publish()
    assert (manifest.version, is_new) == ("v0001", True)
    assert (whole(bucket), latest(bucket, "tiny")) == (("v0001",), "v0001")
    assert bucket.read("corpora/tiny/v0001/report.html") == b"report of v0001"
    assert read_manifest(bucket, "tiny", "v0001") == manifest
    assert orphans(bucket) == []
    assert judged(bucket).publish() == (manifest, False)
    assert judged(bucket, rows=1).publish()[0].version == "v0002"
    assert whole(bucket) == ("v0001", "v0002")


def test_a_bucket_and_a_folder_have_the_same_version(lake: Lake, tmp_path: Path) -> None:
    there, _ = judged(lake).publish()
    here, _ = judged(Lake(str(tmp_path / "lake"))).publish()
    assert (there.digest, there.splits, there.ledger) == (here.digest, here.splits, here.ledger)


def in_threads(uri: str, indexes: Iterable[int] = range(PUBLISHERS)) -> list[str]:
    wanted = list(indexes)
    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(another, itertools.repeat(uri), wanted))


def in_processes(uri: str) -> list[str]:
    """Two processes of five threads each."""
    program = (
        "import sys\n"
        "from tests.object_store.test_versions_in_buckets import in_threads\n"
        "print(*in_threads(sys.argv[1], map(int, sys.argv[2:])))"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, uri, *map(str, range(first, first + 5))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(0, PUBLISHERS, 5)
    ]
    return [version for one in running for version in one.communicate(timeout=WAIT_S)[0].split()]


# fmt: off
AT_ONCE: dict[str, tuple[Callable[[str], list[str]], str]] = {
    "threads in memory":    (in_threads,   "memory://ten-at-once"),
    "processes on S3":      (in_processes, "s3"),
    "processes on a disk":  (in_processes, "folder"),
}
# fmt: on


@pytest.mark.parametrize(("run", "place"), AT_ONCE.values(), ids=AT_ONCE)
def test_ten_refreshes_at_once_share_no_version_skip_none_and_mix_no_files(
    run: Callable[[str], list[str]], place: str, s3: S3Server, tmp_path: Path
) -> None:
    uri = {"s3": s3.uri, "folder": str(tmp_path / "lake")}.get(place, place)
    expected = tuple(f"v{number:04d}" for number in range(1, PUBLISHERS + 1))
    assert tuple(sorted(run(uri))) == expected
    lake = Lake(uri)
    assert whole(lake) == expected
    assert latest(lake, "tiny") == expected[-1]
    assert orphans(lake) == []


class Killed(BaseException):
    """What stands for `kill -9`: nobody catches it."""


class Mortal:
    """obstore, that dies before or after its n-th write, and ever after."""

    def __init__(self, store: Any, writes: int, answered: bool) -> None:
        self.store, self.left, self.answered = store, writes, answered

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.store, name)

        def write(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0 or (self.left == 0 and not self.answered):
                raise Killed
            result = function(*arguments, **named)
            if self.left == 0:
                raise Killed
            return result

        return write if name in ("put", "copy", "rename", "delete") else function


def killed_at(refresh: Refresh, writes: int, answered: bool) -> bool:
    """Publish and die at a write; False if it came to its end before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "obstore", Mortal(store.obstore, writes, answered))
        try:
            refresh.publish()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("answered", [False, True], ids=["before it", "after it"])
def test_killed_at_any_write_nothing_half_is_seen_and_the_next_run_makes_the_same(
    answered: bool,
) -> None:
    expected, _ = judged(Lake("memory://")).publish()
    for writes in itertools.count(1):
        lake = Lake("memory://")
        refresh = judged(lake)
        if not killed_at(refresh, writes, answered):
            break
        assert whole(lake) in ((), ("v0001",))
        tidy(lake)
        assert orphans(lake) == []
        manifest, _ = refresh.publish()
        assert (manifest.version, manifest.digest) == ("v0001", expected.digest)
        promote(lake, manifest)
        assert (whole(lake), latest(lake, "tiny")) == (("v0001",), "v0001")
        assert orphans(lake) == []
    assert writes > 15


def test_whoever_comes_after_a_killed_refresh_finishes_its_version() -> None:
    finished = 0
    for writes in itertools.count(1):
        lake = Lake("memory://")
        killed, other = judged(lake), judged(lake, rows=1)
        if not killed_at(killed, writes, True):
            break
        manifest, _ = other.publish()
        seen = whole(lake)
        assert seen in (("v0001",), ("v0001", "v0002"))
        assert (manifest.version, latest(lake, "tiny")) == (seen[-1], seen[-1])
        finished += seen == ("v0001", "v0002")
    assert finished


def test_what_another_machine_is_writing_is_left_alone(lake: Lake) -> None:
    lake.put("corpora/tiny/staging/another-winnow-x/data/part", b"x")
    tidy(lake)
    assert orphans(lake) == ["corpora/tiny/staging/another-winnow-x/data/part"]
    judged(lake).publish()
    assert whole(lake) == ("v0001",)


@pytest.mark.parametrize("writes", [1, 2, 3, 4])
def test_a_version_whose_removal_was_cut_short_is_removed_and_its_number_stays_taken(
    lake: Lake, writes: int
) -> None:
    for rows in range(2):
        judged(lake, rows).publish()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "obstore", Mortal(store.obstore, writes, answered=True))
        with contextlib.suppress(Killed):
            remove_version(lake, "tiny", "v0002")
    assert next_version(lake, "tiny") == "v0003"
    before = lake.keys("corpora/tiny/v0002")
    tidy(lake)
    assert lake.keys("corpora/tiny/v0002") == before  # others may be making it again
    tidy(lake, alone=True)
    if lake.exists("corpora/tiny/v0002/manifest.json"):  # no file of it had gone
        assert (writes, whole(lake)) == (1, ("v0001", "v0002"))
        return
    assert lake.keys("corpora/tiny/v0002") == lake.keys("corpora/tiny/removals") == []
    assert judged(lake, rows=2).publish()[0].version == "v0003"
    assert whole(lake) == ("v0001", "v0003")


def test_a_version_that_lost_its_manifest_is_not_touched_and_stops_its_own_corpus_alone(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    for rows in range(2):
        judged(lake, rows).publish()
    key = "corpora/tiny/v0002/manifest.json"
    manifest, others = lake.read(key), lake.keys("corpora/tiny/v0002")
    others.remove(key)
    lake.delete([key])
    for alone in (False, True):
        caplog.clear()
        tidy(lake, alone)
        assert "v0002/manifest.json is missing. Restore it from a copy" in caplog.text
    with pytest.raises(CorpusDamaged, match=r"v0002/manifest.json is missing. Restore it from a"):
        made_from(lake, "tiny", "")
    assert made_from(lake, "other", "") is None
    assert lake.keys("corpora/tiny/v0002") == others
    lake.put(key, manifest)
    tidy(lake)
    assert whole(lake) == ("v0001", "v0002")
    lake.delete([key, *others])  # what the message says for who gives the version up
    tidy(lake)
    assert judged(lake, rows=2).publish()[0].version == "v0003"


def test_one_bit_of_a_published_file_in_a_bucket_is_seen_by_the_next_refresh(bucket: Lake) -> None:
    manifest, _ = judged(bucket).publish()
    for key in bucket.keys("corpora/tiny/v0001"):
        if key.endswith("manifest.json"):
            continue
        whole = bucket.read(key)
        flipped = bytearray(whole)
        flipped[len(flipped) // 2] ^= 1
        bucket.put(key, bytes(flipped))
        assert standing(bucket, "tiny", manifest.equals) == (), key
        bucket.put(key, whole)
        assert standing(bucket, "tiny", manifest.equals) == (manifest,), key


def test_nothing_of_a_version_is_fetched_to_say_that_it_is_unchanged(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifest, _ = judged(Lake(s3.uri)).publish()
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "of-another-machine"))
    s3.requests.clear()
    assert standing(Lake(s3.uri), "tiny", manifest.equals) == (manifest,)
    fetched = [one for one in s3.requests if one.startswith("GET /bucket/lake/corpora/tiny/v0001/")]
    assert {one.rsplit("/", 1)[1] for one in fetched} == {"manifest.json"}


def fetched(s3: S3Server) -> set[str]:
    """The files of v0001 that were fetched since the last look."""
    found = [one for one in s3.requests if one.startswith("GET /bucket/lake/corpora/tiny/v0001/")]
    s3.requests.clear()
    return {one.rsplit("/", 1)[1] for one in found}


@pytest.mark.parametrize("said", [None, b"{}", b'{"report.html": "another"}'])
def test_a_version_without_known_tags_is_fetched_once_and_by_no_other_machine(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: bytes | None
) -> None:
    manifest, _ = judged(Lake(s3.uri)).publish()
    tags_key = "corpora/tiny/etags/v0001.json"
    Lake(s3.uri).delete([tags_key])
    if said is not None:
        Lake(s3.uri).put(tags_key, said)
    fetched(s3)
    for machine in range(3):
        monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / f"machine-{machine}"))
        assert standing(Lake(s3.uri), "tiny", manifest.equals) == (manifest,)
        wanted = {name.rsplit("/", 1)[-1] for name in files_of(manifest)}
        assert fetched(s3) == ({"manifest.json"} if machine else wanted)


def test_tags_of_a_damaged_version_are_not_taken_for_right(s3: S3Server) -> None:
    lake = Lake(s3.uri)
    manifest, _ = judged(lake).publish()
    lake.delete(["corpora/tiny/etags/v0001.json"])
    lake.put("corpora/tiny/v0001/report.html", b"Report of v0001")
    for _ in range(2):
        assert standing(lake, "tiny", manifest.equals) == ()
    assert not lake.exists("corpora/tiny/etags/v0001.json")


@pytest.mark.parametrize("answered", [False, True], ids=["before it", "after it"])
def test_killed_at_any_write_a_version_that_is_there_has_its_tags(answered: bool) -> None:
    for writes in itertools.count(1):
        lake = Lake("memory://")
        if not killed_at(judged(lake), writes, answered):
            break
        for _ in range(2):
            if versions(lake, "tiny"):
                known = known_etags(lake, "corpora/tiny", "v0001")
                named = set(files_of(read_manifest(lake, "tiny", "v0001"))) - {"manifest.json"}
                assert named <= {name for name, tag in known.items() if tag}
                assert all(lake.etag(f"corpora/tiny/v0001/{name}") == known[name] for name in named)
            tidy(lake)
    assert writes > 15


def test_a_version_that_is_being_made_is_not_lost() -> None:
    seen = set()
    for writes in itertools.count(1):
        lake = Lake("memory://")
        if not killed_at(judged(lake), writes, answered=True):
            break
        seen.add((bool(lake.keys("corpora/tiny/v0001")), bool(versions(lake, "tiny"))))
        assert lost_versions(lake, "tiny") == ()
    assert (True, False) in seen


def test_an_older_winnows_removal_that_was_cut_short_is_brought_to_its_end(lake: Lake) -> None:
    for rows in range(2):
        judged(lake, rows).publish()
    lake.delete(["corpora/tiny/v0001/manifest.json", "corpora/tiny/etags/v0001.json"])
    tidy(lake)
    with pytest.raises(CorpusDamaged, match=r"winnow gc tiny --lost --apply"):
        made_from(lake, "tiny", "")
    assert give_up(lake).removed
    assert judged(lake, rows=2).publish()[0].version == "v0003"
    assert lake.keys("corpora/tiny/v0001") == lake.keys("corpora/tiny/removals") == []


def test_verify_fetches_each_file_once(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifest, _ = judged(Lake(s3.uri)).publish()
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "of-another-machine"))
    s3.requests.clear()
    assert problems(Lake(s3.uri), manifest) == []
    fetched = [one for one in s3.requests if one.startswith("GET /bucket/lake/corpora/tiny/v0001/")]
    assert len(fetched) == len(set(fetched)) == len(files_of(manifest)) - 1


def test_a_version_is_found_by_its_name_while_listings_are_behind(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in range(2):
        made, _ = judged(lake, rows).publish()
    set_tag(lake, made, "prod")
    monkeypatch.setattr(lake, "entries", lambda prefix: [])
    monkeypatch.setattr(lake, "folders", lambda prefix: [])
    for name in ("tiny", "tiny@v0002", "tiny@latest", "tiny@prod"):
        assert named_version(lake, name) == made, name
    assert list(tags(lake, "tiny")) == ["prod"]


def test_a_copy_of_a_lake_that_is_still_under_way_is_left_alone(lake: Lake) -> None:
    lake.put("corpora/tiny/v0001/data/part", b"x")
    tidy(lake)
    assert versions(lake, "tiny") == ()
    assert lake.exists("corpora/tiny/v0001/data/part")


def test_a_listing_that_is_behind_leads_to_no_wrong_number(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in range(3):
        judged(lake, rows).publish()
    late = judged(lake, rows=3)
    entries = lake.entries

    def behind(prefix: str) -> list[Entry]:
        known = ("corpora/tiny/v0001", "corpora/tiny/staging")
        return [entry for entry in entries(prefix) if entry.key.startswith(known)]

    monkeypatch.setattr(lake, "entries", behind)
    manifest, _ = late.publish()
    monkeypatch.undo()
    assert manifest.version == "v0004"
    assert whole(lake) == ("v0001", "v0002", "v0003", "v0004")


def test_a_claim_that_no_listing_tells_keeps_its_staged_files(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(lake).publish()
    late = judged(lake, rows=1)
    writes = itertools.count(1)
    while not lake.exists("corpora/tiny/claims/v0002.json"):
        assert killed_at(late, next(writes), answered=True)
    entries = lake.entries
    monkeypatch.setattr(
        lake, "entries", lambda prefix: [] if prefix.endswith("/claims") else entries(prefix)
    )
    tidy(lake)
    monkeypatch.undo()
    assert whole(lake) == ("v0001", "v0002")


@pytest.fixture
def ailing(s3: S3Server) -> tuple[S3Server, Refresh]:
    return s3, judged(Lake(s3.uri))


# fmt: off
PAINS = {  #                       kind     requests
    "data refused":               ("503",   r"PUT .*/staging/.*/data/"),
    "the claim refused":          ("500",   r"PUT .*/claims/"),
    "the copies refused":         ("500",   r"PUT .*/v0001/data"),
    "the manifest refused":       ("503",   r"PUT .*/v0001/manifest"),
    "latest.json refused":        ("500",   r"PUT .*/latest.json"),
    "listings refused":           ("500",   r"GET /bucket$"),
}
# fmt: on


@pytest.mark.parametrize(("kind", "pattern"), PAINS.values(), ids=PAINS)
def test_a_store_that_fails_loses_nothing_and_the_next_run_goes_on(
    ailing: tuple[S3Server, Refresh], kind: str, pattern: str
) -> None:
    s3, refresh = ailing
    fault = s3.fail(kind, pattern, times=1000)
    with pytest.raises(StorageError, match=r"run it again"):
        refresh.publish()
    fault.times = 0
    assert whole(refresh.lake) in ((), ("v0001",))
    tidy(refresh.lake)
    manifest, _ = refresh.publish()
    promote(refresh.lake, manifest)
    assert (whole(refresh.lake), latest(refresh.lake, "tiny")) == (("v0001",), "v0001")
    assert orphans(refresh.lake) == []


@pytest.mark.parametrize("pattern", [r"PUT .*/claims/", r"PUT .*/v0001/", r"PUT .*latest"])
def test_an_answer_that_is_lost_changes_nothing(
    ailing: tuple[S3Server, Refresh], pattern: str
) -> None:
    s3, refresh = ailing
    s3.fail("lost", pattern, times=3)
    manifest, is_new = refresh.publish()
    assert (manifest.version, is_new) == ("v0001", True)
    assert (whole(refresh.lake), latest(refresh.lake, "tiny")) == (("v0001",), "v0001")
    assert orphans(refresh.lake) == []
