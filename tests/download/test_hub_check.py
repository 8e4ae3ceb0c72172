import hashlib
import io
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import SourceError, SourceMissing, SourceUnreachable
from schemas.upstream import HubUpstream, Upstream
from tasks.download.fetch import download
from tasks.download.head import head
from tasks.download.hub import check_hub, fetch_hub, head_hub
from tasks.download.hub_repository import Repository
from tasks.download.patience import Patience
from tasks.download.raw import RawFolder
from tasks.lake import Lake
from tests.download.hub_server import SIGNATURE, Commit, Hub, hub_in_use
from tests.download.server import Answer, File, Server

REPO = "org/small"
ONE, TWO = "1" * 40, "2" * 40
INFO = f"/api/datasets/{REPO}/revision/main"
FILES = {"README.md": b"# Small", "a.json": b'[{"a": 1}]', "b.json": b'[{"b": 2}]'}
THEN, NOW = "commit 111111111111…", "222222222222…"


@pytest.fixture
def hub(server: Server, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return hub_in_use(server, monkeypatch)


@pytest.fixture
def raw(lake: Lake) -> RawFolder:
    return RawFolder(lake, "small")


def json_files(revision: str = "main") -> HubUpstream:
    return HubUpstream(repo=REPO, revision=revision, files=("*.json",))


def opened(upstream: HubUpstream, patience: Patience) -> Repository:
    return Repository.open("small", upstream, patience)


def numbers(start: int, end: int) -> bytes:
    body = io.BytesIO()
    pl.DataFrame({"text": [f"row {number}" for number in range(start, end)]}).write_parquet(body)
    return body.getvalue()


# fmt: off
CHANGES = {  #             files of the new commit                              state        detail
    "another file":        ({**FILES, "README.md": b"# New"},                   "unchanged", "none of its files differs"),
    "one differs":         ({**FILES, "a.json": b"[]"},                         "changed",   "1 of 2 files differ"),
    "both differ":         ({"a.json": b"[]", "b.json": b"{}"},                 "changed",   "2 of 2 files differ"),
    "one is new":          ({**FILES, "c.json": b"[]"},                         "changed",   "1 are new"),
    "one is gone":         ({"a.json": FILES["a.json"]},                        "changed",   "1 are gone"),
    "one of each":         ({"a.json": b"[]", "c.json": b"[]"},                 "changed",   "1 of 2 files differ, 1 are new, 1 are gone"),
}
# fmt: on


@pytest.mark.parametrize(("files", "state", "detail"), CHANGES.values(), ids=CHANGES)
def test_a_new_commit_says_how_many_files_differ(
    hub: Hub,
    raw: RawFolder,
    patience: Patience,
    files: dict[str, bytes],
    state: str,
    detail: str,
):
    hub.publish(REPO, Commit(ONE, FILES))
    receipt = fetch_hub(json_files(), raw, patience)
    hub.publish(REPO, Commit(TWO, files))
    hub.asked()
    before = {path: path.read_bytes() for path in raw.lake.folder.rglob("*") if path.is_file()}

    checked = check_hub(json_files(), raw, patience)

    assert (checked.source, checked.state) == ("small", state)
    assert checked.detail == f"{THEN} now {NOW}: {detail}"
    assert hub.asked() == [f"GET {INFO}", f"GET /api/datasets/{REPO}/tree/{TWO}"]
    assert checked.requests == 2
    after = {path: path.read_bytes() for path in raw.lake.folder.rglob("*") if path.is_file()}
    assert after == before, "nothing was written"
    changed = fetch_hub(json_files(), raw, patience) != receipt
    assert changed == (state == "changed"), "a download says the same"


def test_an_unchanged_commit_costs_one_request(hub: Hub, raw: RawFolder, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch_hub(json_files(), raw, patience)
    hub.asked()

    checked = check_hub(json_files(), raw, patience)

    assert (checked.state, checked.detail, checked.requests) == ("unchanged", THEN, 1)
    assert hub.asked() == [f"GET {INFO}"]


def test_a_commit_named_in_full_costs_none(hub: Hub, raw: RawFolder, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch_hub(json_files(ONE), raw, patience)
    hub.asked()

    checked = check_hub(json_files(ONE), raw, patience)

    assert (checked.state, checked.requests, hub.asked()) == ("unchanged", 0, [])


def test_what_was_never_downloaded_is_new(hub: Hub, raw: RawFolder, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))

    checked = check_hub(json_files(), raw, patience)

    assert (checked.state, checked.detail) == ("new", f"{THEN}, 2 files of 20 bytes")


def test_a_renamed_file_is_a_change(hub: Hub, raw: RawFolder, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))
    fetch_hub(json_files(), raw, patience)
    hub.publish(REPO, Commit(TWO, {"new.json": FILES["a.json"], "b.json": FILES["b.json"]}))

    checked = check_hub(json_files(), raw, patience)

    assert checked.detail.endswith(": 1 are new, 1 are gone")


@pytest.mark.parametrize(
    ("max_rows", "detail"),
    [
        (None, "1 of 3 files differ, 1 are new"),
        (30, "1 of 2 files differ"),
        (45, "1 of 3 files differ, 1 are new"),
    ],
)
def test_a_stream_is_compared_by_the_files_it_is_of(
    hub: Hub, raw: RawFolder, patience: Patience, max_rows: int | None, detail: str
):
    upstream = HubUpstream(repo=REPO, files=("*.parquet",), stream=True, max_rows=max_rows)
    first, second = numbers(0, 20), numbers(20, 40)
    hub.publish(REPO, Commit(ONE, {"a.parquet": first, "b.parquet": second}))
    fetch_hub(upstream, raw, patience, columns=("text",))
    changed = {"a.parquet": numbers(40, 60), "b.parquet": second, "c.parquet": second}
    hub.publish(REPO, Commit(TWO, changed))

    checked = check_hub(upstream, raw, patience, columns=("text",))

    assert (checked.state, checked.detail) == ("changed", f"{THEN} now {NOW}: {detail}")
    assert check_hub(upstream, raw, patience, columns=("other",)).state == "new"


# fmt: off
FAILURES = {  #       status  code               error               words
    "gone":          (404,    "RepoNotFound",     SourceMissing,      "does not exist"),
    "no revision":   (404,    "RevisionNotFound", SourceMissing,      "has no such revision"),
    "gated":         (403,    "GatedRepo",        SourceError,        "Ask for it on that page"),
    "unreachable":   (503,    "",                 SourceUnreachable,  "answered 503"),
}
# fmt: on


@pytest.mark.parametrize(("status", "code", "error", "words"), FAILURES.values(), ids=FAILURES)
def test_a_repository_that_does_not_answer_is_an_error(
    hub: Hub,
    raw: RawFolder,
    patience: Patience,
    tmp_path: Path,
    status: int,
    code: str,
    error: type[SourceError],
    words: str,
):
    hub.refuse(INFO, status, code)

    with pytest.raises(error, match=words) as caught:
        check_hub(json_files(), raw, patience)
    assert type(caught.value) is error
    with pytest.raises(error, match=f"source 'small'.*{words}"):
        head_hub(opened(json_files(), patience), 10, tmp_path)


# fmt: off
HEADS = {  #            max_bytes  kept  cut
    "one byte":         (1,        1,    True),
    "all but one":      (9,        9,    True),
    "all":              (10,       10,   False),
    "more than all":    (11,       10,   False),
}
# fmt: on


@pytest.mark.parametrize("lfs", [frozenset(), frozenset({"x/a.json"})], ids=["git", "lfs"])
@pytest.mark.parametrize(("max_bytes", "kept", "cut"), HEADS.values(), ids=HEADS)
def test_the_head_is_the_start_of_the_first_file(
    hub: Hub,
    patience: Patience,
    tmp_path: Path,
    lfs: frozenset[str],
    max_bytes: int,
    kept: int,
    cut: bool,
):
    hub.publish(REPO, Commit(ONE, {"x/b.json": b"no", "x/a.json": b'[{"a": 1}]'}, lfs))

    found = head_hub(opened(json_files(), patience), max_bytes, tmp_path)

    assert found == (tmp_path / "x/a.json", cut)
    assert (tmp_path / "x/a.json").read_bytes() == b'[{"a": 1}]'[:kept]
    assert not [line for line in hub.asked() if line.endswith("b.json")]


def test_the_head_of_an_empty_file_is_empty(hub: Hub, patience: Patience, tmp_path: Path):
    hub.publish(REPO, Commit(ONE, {"a.json": b""}))

    assert head_hub(opened(json_files(), patience), 10, tmp_path) == (tmp_path / "a.json", False)
    assert (tmp_path / "a.json").read_bytes() == b""


@pytest.mark.parametrize("stream", [False, True], ids=["whole files", "stream"])
@pytest.mark.parametrize(
    ("start", "end", "max_bytes", "rows"),
    [(0, 0, 10_000_000, 0), (0, 1, 1, 1), (0, 5_000, 10_000_000, 1_000), (0, 5_000, 1, 1)],
)
def test_the_head_of_parquet_is_its_first_rows(
    hub: Hub,
    patience: Patience,
    tmp_path: Path,
    stream: bool,
    start: int,
    end: int,
    max_bytes: int,
    rows: int,
):
    hub.publish(REPO, Commit(ONE, {"a.parquet": numbers(start, end), "b.parquet": b"no"}))
    upstream = HubUpstream(repo=REPO, files=("*.parquet",), stream=stream)

    path, cut = head_hub(opened(upstream, patience), max_bytes, tmp_path)

    assert not cut
    expected = pl.read_parquet(io.BytesIO(numbers(start, end))).head(rows)
    assert pl.read_parquet(path).equals(expected)


@pytest.mark.parametrize("stream", [False, True], ids=["whole files", "stream"])
def test_a_repository_that_is_in_the_lake_is_shown_without_the_network(
    hub: Hub,
    lake: Lake,
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    stream: bool,
):
    hub.publish(REPO, Commit(ONE, {"a.parquet": numbers(0, 20), "b.parquet": numbers(20, 30)}))
    source = Upstream(name="small", hub=HubUpstream(repo=REPO, files=("*.parquet",), stream=stream))
    download(source, lake, patience=patience, columns=("text",))
    hub.asked()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with head(source, lake, patience=patience, columns=("text",)) as found:
        assert pl.concat(map(pl.read_parquet, found.paths)).height == 30
        assert not found.cut
    assert hub.asked() == []

    if stream:  # what is there lacks a column
        with (
            pytest.raises(SourceError, match="HF_HUB_OFFLINE"),
            head(source, lake, patience=patience, columns=("text", "more")),
        ):
            pass


def test_a_head_that_comes_late_is_waited_for(
    hub: Hub, patience: Patience, waits: list[float], tmp_path: Path
):
    hub.publish(REPO, Commit(ONE, FILES))
    fine = File(FILES["a.json"])
    busy = Answer(429, headers={"Retry-After": "3"})
    hub.server.answer(
        f"/datasets/{REPO}/resolve/{ONE}/a.json", busy, File(b"0123456789", cut_after=4), fine
    )

    path, _ = head_hub(opened(json_files(), patience), 10, tmp_path)

    assert path.read_bytes() == FILES["a.json"]
    assert waits[0] == 3


def test_a_signed_url_is_in_no_error(hub: Hub, patience: Patience, tmp_path: Path):
    hub.publish(REPO, Commit(ONE, FILES, frozenset(FILES)))
    sha256 = hashlib.sha256(FILES["a.json"]).hexdigest()
    hub.server.answer(f"/lfs/{sha256}", Answer(404))

    with pytest.raises(SourceMissing) as caught:
        head_hub(opened(json_files(), patience), 10, tmp_path)
    assert SIGNATURE not in repr(caught.value) + repr(caught.value.__cause__)
