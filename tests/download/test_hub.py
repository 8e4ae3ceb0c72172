import hashlib
import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from huggingface_hub import constants

from schemas.errors import SourceError, SourceMissing, SourceUnreachable
from schemas.source import Source
from tasks.download.fetch import download
from tasks.download.head import head
from tasks.download.hosts import Hosts
from tasks.download.patience import Patience
from tasks.lake import Lake
from tests.download.hub_server import SIGNATURE, Commit, Hub, hub_in_use
from tests.download.server import Answer, File, Request, Server, span_of

REPO = "BelleGroup/train_0.5M_CN"
ONE, TWO = "1" * 40, "2" * 40
INFO = f"/api/datasets/{REPO}/revision/main"
TREE = f"/api/datasets/{REPO}/tree/{ONE}"
RESOLVE = f"/datasets/{REPO}/resolve/{ONE}"
FILES = {
    ".gitattributes": b"* text",
    "README.md": b"# Belle",
    "data/b.json": b'{"instruction": "b"}',
    "data/a.json": b'{"instruction": "a"}',
    "data/zh (1)/\u4e2d\u6587.json": b'{"instruction": "c"}',
}
TOKEN = "hf_" + "hushhushhush" * 2


@pytest.fixture
def hub(server: Server, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return hub_in_use(server, monkeypatch)


def dataset(*files: str, revision: str = "main") -> Source:
    return Source.model_validate(
        {
            "name": "belle",
            "layout": "belle",
            "licence": "GPL-3.0",
            "hub": {"repo": REPO, "revision": revision, "files": files or ("*.json",)},
        }
    )


def git_id(body: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def test_the_files_that_match_are_kept_with_the_commit_they_are_of(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, FILES))

    receipt = download(dataset(), lake, patience=patience)

    names = ["data/a.json", "data/b.json", "data/zh (1)/\u4e2d\u6587.json"]
    assert [file.name for file in receipt.files] == names
    for name in names:
        assert lake.read(f"{receipt.uri}/{name}") == FILES[name]
    assert receipt.revision == ONE
    assert receipt.upstream == f"{hub.server.url}/datasets/{REPO}/tree/{ONE}"
    assert receipt.files[0].url == f"{hub.server.url}{RESOLVE}/data/a.json"
    assert not (lake.folder / "raw/belle/partial").exists()


def test_an_unchanged_commit_costs_one_request(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))
    first = download(dataset(), lake, patience=patience)
    hub.asked()

    assert download(dataset(), lake, patience=patience) == first
    assert hub.asked() == [f"GET {INFO}"]


def test_a_commit_named_in_full_costs_no_request_once_it_is_there(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, FILES))
    first = download(dataset(revision=ONE), lake, patience=patience)
    assert f"GET {INFO}" not in hub.asked()

    assert download(dataset(revision=ONE), lake, patience=patience) == first
    assert hub.asked() == []


def test_other_patterns_at_the_same_commit_are_another_download(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, FILES))
    download(dataset("data/a.json"), lake, patience=patience)

    receipt = download(dataset("data/b.json"), lake, patience=patience)

    assert [file.name for file in receipt.files] == ["data/b.json"]


@pytest.mark.parametrize("lfs", [frozenset(), frozenset({"data/a.json"})], ids=["git", "lfs"])
def test_of_a_new_commit_only_the_files_that_differ_are_downloaded(
    hub: Hub, lake: Lake, patience: Patience, lfs: frozenset[str]
):
    hub.publish(REPO, Commit(ONE, FILES, lfs))
    first = download(dataset("data/?.json"), lake, patience=patience)
    hub.publish(REPO, Commit(TWO, {**FILES, "data/b.json": b"[]"}, lfs))
    hub.asked()

    second = download(dataset("data/?.json"), lake, patience=patience)

    assert [line for line in hub.asked() if "resolve" in line] == [
        f"GET /datasets/{REPO}/resolve/{TWO}/data/b.json",
    ]
    assert second.revision == TWO
    assert lake.read(f"{second.uri}/data/a.json") == FILES["data/a.json"]
    assert lake.read(f"{second.uri}/data/b.json") == b"[]"
    assert lake.read(f"{first.uri}/data/b.json") == FILES["data/b.json"]


def test_a_new_commit_that_changes_other_files_only_gives_the_old_receipt(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, FILES))
    first = download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit(TWO, {**FILES, "README.md": b"# New"}))

    assert download(dataset(), lake, patience=patience) == first
    hub.asked()
    assert download(dataset(), lake, patience=patience) == first
    assert hub.asked() == [f"GET {INFO}"], "the new commit is remembered"


def test_no_matching_file_says_what_is_there(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))

    with pytest.raises(SourceMissing) as caught:
        download(dataset("*.parquet", ".*"), lake, patience=patience)

    message = str(caught.value)
    assert f"no file of {hub.server.url}/datasets/{REPO} at commit {ONE[:12]}" in message
    assert "'*.parquet', '.*'" in message
    assert "README.md, data/a.json, data/b.json" in message
    assert ".gitattributes" not in message


def test_a_listing_is_read_to_its_last_page(hub: Hub, lake: Lake, patience: Patience):
    files = {name: FILES[name] for name in ("data/a.json", "data/b.json")}
    hub.publish(REPO, Commit(ONE, files))
    entries = [
        {"type": "file", "oid": git_id(body), "size": len(body), "path": path}
        for path, body in files.items()
    ]
    hub.answer(TREE + "/2", entries[1:])
    link = f'<{hub.server.url}{TREE}/2>; rel="next"'
    hub.server.answer(TREE, Answer(body=json.dumps(entries[:1]).encode(), headers={"Link": link}))

    receipt = download(dataset(), lake, patience=patience)

    assert [file.name for file in receipt.files] == ["data/a.json", "data/b.json"]


@pytest.mark.parametrize("path", ["{}/pwned.json", "/{}/pwned.json", "a/../../pwned.json"])
def test_a_listing_that_leaves_the_repository_is_refused(
    hub: Hub, lake: Lake, patience: Patience, tmp_path: Path, path: str
):
    outside = tmp_path / "outside"
    outside.mkdir()
    path = path.format(outside)
    hub.publish(REPO, Commit(ONE, {"data/z.json": b"{}"}))
    entry = {"type": "file", "oid": git_id(b"{}"), "size": 2, "path": path}
    hub.answer(TREE, [entry])
    hub.server.answer(f"{RESOLVE}/{path}", File(b"{}"))

    said = r"lists '.*pwned\.json', which is no path in it"
    with pytest.raises(SourceError, match=said):
        download(dataset(), lake, patience=patience)
    with pytest.raises(SourceError, match=said), head(dataset(), lake, patience=patience):
        pass
    assert not list(outside.iterdir())


def further(hub: Hub, link: str) -> None:
    """Let the listing go on at a link."""
    entry = {"type": "file", "oid": git_id(b"{}"), "size": 2, "path": "a.json"}
    headers = {"Link": f'<{link}>; rel="next"'}
    hub.server.answer(TREE, Answer(body=json.dumps([entry]).encode(), headers=headers))
    hub.server.answer(f"{RESOLVE}/a.json", File(b"{}"))


def test_a_listing_does_not_go_on_at_another_host_which_sees_no_token(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.publish(REPO, Commit(ONE, {"a.json": b"{}"}))
    with Server().running() as other:
        other.answer("/more", Answer(body=b"[]"))
        port = hub.server.url.rpartition(":")[2]
        elsewhere = (f"{other.url}/more", f"{hub.storage}/more", f"https://127.0.0.1:{port}/more")
        for link in (*elsewhere, f"{hub.server.url}@localhost/more", "//localhost/more"):
            further(hub, link)
            hub.asked()

            with pytest.raises(SourceError, match="goes on at another host") as caught:
                download(dataset(), lake, patience=patience)

            assert hub.asked() == [f"GET {INFO}", f"GET {TREE}"]
            assert "hush" not in str(caught.value)
        assert other.requests == []


@pytest.mark.parametrize("link", ["{}/more?cursor=x", "/more?cursor=x", "?cursor=x"])
def test_a_listing_goes_on_wherever_the_same_host_says(
    hub: Hub, lake: Lake, patience: Patience, link: str
):
    hub.publish(REPO, Commit(ONE, {"a.json": b"{}"}))
    further(hub, link.format(hub.server.url))
    more = Answer(body=b"[]", headers={"Content-Type": "application/json"})
    hub.server.answer("/more", more)
    first = hub.server._scripts[TREE]
    hub.server.answer(TREE, *first, more)

    assert [file.name for file in download(dataset(), lake, patience=patience).files] == ["a.json"]


HOPS = {  # where each redirect of an answer goes, and whether that is refused
    "nowhere else":        ((), False),
    "to another host":     (("https://other.test/x",), False),
    "to http":             (("http://other.test/x",), True),
    "to http and back":    (("http://other.test/x", "https://other.test/y"), True),
    "back and forth":      (("https://a.test/x", "http://hub.test/y", "https://hub.test/z"), True),
}  # fmt: skip


@pytest.mark.parametrize("what", ["revision", "tree", "resolve"])
@pytest.mark.parametrize(("hops", "refused"), HOPS.values(), ids=HOPS)
def test_no_answer_is_taken_that_came_over_http_though_asked_for_over_https(
    lake: Lake,
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    hops: tuple[str, ...],
    refused: bool,
):
    entry = {"type": "file", "oid": git_id(b"{}"), "size": 2, "path": "a.json"}
    answers = {
        "revision": httpx.Response(200, json={"id": REPO, "sha": ONE}),
        "tree": httpx.Response(200, json=[entry]),
        "resolve": httpx.Response(206, content=b"{}", headers={"Content-Range": "bytes 0-1/2"}),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        asked = next((name for name in answers if f"/{name}/" in url), what)
        places = [None, *hops]
        number = places.index(url) if url in places else 0
        if asked == what and number < len(hops):
            return httpx.Response(302, headers={"Location": hops[number]})
        return answers[asked]

    client = httpx.Client(transport=httpx.MockTransport(answer), follow_redirects=True)
    monkeypatch.setattr("huggingface_hub.hf_api.get_session", lambda: client)
    monkeypatch.setattr("tasks.download.hub_repository.get_session", lambda: client)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.test")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    if refused:
        with pytest.raises(SourceError, match="redirected from https to http"):
            download(dataset(), lake, patience=patience)
    else:
        assert download(dataset(), lake, patience=patience).files[0].name == "a.json"
    client.close()


def test_a_range_that_is_not_the_one_asked_for_is_told_in_one_sentence(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, {"a.json": b"{}"}))
    other = Answer(206, b"{}", {"Content-Range": "bytes 5-6/9"})
    hub.server.answer(f"{RESOLVE}/a.json", other)

    with pytest.raises(SourceError) as caught:
        download(dataset(), lake, patience=patience)

    assert "  " not in str(caught.value)
    assert "of 2 bytes, and gave bytes 5-6/9." in str(caught.value)


def test_of_a_changed_commit_only_the_bytes_that_are_used_again_are_looked_at(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    files = {f"data/{name}.json": f'{{"instruction": "{name}"}}'.encode() for name in "abc"}
    for sha, number in ((ONE, 1), (TWO, 2), ("3" * 40, 3)):
        hub.publish(REPO, Commit(sha, files | {"data/c.json": b'{"n": %d}' % number}))
        download(dataset(), lake, patience=patience)
    looked_at: list[str] = []
    sha256 = Lake.sha256

    def seen(lake: Lake, key: str, keep_copy: bool = False) -> str | None:
        looked_at.append(key)
        return sha256(lake, key, keep_copy)

    monkeypatch.setattr(Lake, "sha256", seen)
    hub.publish(REPO, Commit("4" * 40, files | {"data/c.json": b'{"n": 4}'}))

    receipt = download(dataset(), lake, patience=patience)

    assert len(looked_at) == len(set(looked_at)) == 2, "a.json and b.json, once each"
    assert lake.read(f"{receipt.uri}/data/c.json") == b'{"n": 4}'


# fmt: off
REFUSALS = {  #             path    status  code                 error          words
    "gated":               (INFO,   403, "GatedRepo",            SourceError,   "Ask for it on that page"),
    "gated, at the file":  ("FILE", 403, "GatedRepo",            SourceError,   "Ask for it on that page"),
    "no repository":       (INFO,   404, "RepoNotFound",         SourceMissing, "does not exist, or is private"),
    "private":             (INFO,   401, "RepoNotFound",         SourceMissing, "put a token that may read it"),
    "no token":            (INFO,   401, "",                     SourceError,   "wants a token"),
    "no revision":         (INFO,   404, "RevisionNotFound",     SourceMissing, "(revision 'main') has no such revision"),
    "no file":             ("FILE", 404, "EntryNotFound",        SourceMissing, "answered 404"),
    "forbidden":           (INFO,   403, "",                     SourceError,   "wants a token"),
    "forbidden, the tree": (TREE,   403, "",                     SourceError,   "wants a token"),
    "teapot":              (INFO,   418, "",                     SourceError,   "answered 418, expected 200"),
}
# fmt: on


@pytest.mark.parametrize(
    ("path", "status", "code", "error", "words"), REFUSALS.values(), ids=REFUSALS
)
def test_a_refusal_names_the_page_and_what_to_do(
    hub: Hub,
    lake: Lake,
    patience: Patience,
    waits: list[float],
    path: str,
    status: int,
    code: str,
    error: type[SourceError],
    words: str,
):
    hub.publish(REPO, Commit(ONE, FILES))
    hub.refuse(f"{RESOLVE}/data/a.json" if path == "FILE" else path, status, code)

    with pytest.raises(error) as caught:
        download(dataset("data/a.json"), lake, patience=patience)

    assert type(caught.value) is error
    assert f"source 'belle': {hub.server.url}/datasets/{REPO}" in str(caught.value)
    assert words in str(caught.value)
    assert "--from belle=PATH" in str(caught.value) or "hub.revision" in str(caught.value)
    assert waits == []


def test_a_busy_hub_is_asked_again(hub: Hub, lake: Lake, patience: Patience, waits: list[float]):
    hub.publish(REPO, Commit(ONE, FILES))
    download(dataset(), lake, patience=patience)
    busy = Answer(429, headers={"Retry-After": "7"})
    hub.server.answer(
        INFO, busy, Answer(503), Answer(404, headers={"X-Error-Code": "RepoNotFound"})
    )

    with pytest.raises(SourceMissing):
        download(dataset(), lake, patience=patience)

    assert waits[0] == 7
    assert 2 <= waits[1] <= 3
    assert len(waits) == 2


def test_a_hub_that_is_not_there_is_worth_retrying(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch, waits: list[float]
):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")

    with pytest.raises(SourceUnreachable, match="cannot be read: ConnectError"):
        download(dataset(), lake, patience=patience)
    assert len(waits) == patience.attempts - 1


def test_a_network_that_is_switched_off_is_no_reason_to_wait(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch, waits: list[float]
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(SourceError, match="HF_HUB_OFFLINE switches the network off"):
        download(dataset(), lake, patience=patience)
    assert waits == []
    assert hub.asked() == []


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"id": "a/b", "sha": "main"}'])
def test_an_endpoint_that_is_no_hub_is_named(hub: Hub, lake: Lake, patience: Patience, body: bytes):
    hub.server.answer(INFO, Answer(body=body))

    with pytest.raises(SourceError, match="Check HF_ENDPOINT"):
        download(dataset(), lake, patience=patience)


def test_an_lfs_file_that_is_not_the_listed_one_is_refused(
    hub: Hub, lake: Lake, patience: Patience
):
    commit = Commit(ONE, FILES, frozenset({"data/a.json"}))
    hub.publish(REPO, commit)
    hub.server.answer(f"{RESOLVE}/data/a.json", File(FILES["data/b.json"]))

    with pytest.raises(SourceError, match="did not arrive as listed"):
        download(dataset("data/a.json"), lake, patience=patience)

    hub.publish(REPO, commit)
    receipt = download(dataset("data/a.json"), lake, patience=patience)
    assert lake.read(f"{receipt.uri}/data/a.json") == FILES["data/a.json"]


def test_the_token_comes_from_the_environment_and_is_never_shown(
    hub: Hub,
    lake: Lake,
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    hub.publish(REPO, Commit(ONE, FILES))
    monkeypatch.setenv("HF_TOKEN", TOKEN)

    receipt = download(dataset(), lake, patience=patience)
    assert set(hub.server.asked("Authorization")) == {f"Bearer {TOKEN}"}

    hub.refuse(INFO, 403, "", **{"X-Error-Message": f"{TOKEN} may not"})
    with pytest.raises(SourceError) as caught:
        download(dataset(), lake, patience=patience)
    for text in (str(caught.value), receipt.model_dump_json(), caplog.text):
        assert "hush" not in text
    kept = [path for path in Path(lake.folder).rglob("*") if path.is_file()]
    assert not any(b"hush" in path.read_bytes() for path in kept)


def test_a_stored_login_is_not_used(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    stored = tmp_path / "token"
    stored.write_text(TOKEN)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(stored))
    hub.publish(REPO, Commit(ONE, FILES))

    download(dataset(), lake, patience=patience)

    assert hub.server.asked("authorization") == [None] * len(hub.server.requests)


def test_the_endpoint_comes_from_the_environment(hub: Hub, lake: Lake):
    hub.publish(REPO, Commit(ONE, FILES))
    code = f"""
from schemas.source import Source
from tasks.download.fetch import download
from tasks.lake import Lake
source = Source.model_validate_json({dataset().model_dump_json()!r})
print(download(source, Lake({str(lake.folder)!r})).revision)
"""
    environment = {**os.environ, "HF_ENDPOINT": hub.server.url}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout == f"{ONE}\n"
    assert done.stderr == "", "no progress bars, no warnings"


def test_a_failed_download_keeps_the_files_that_are_there(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, FILES))
    hub.refuse(f"{RESOLVE}/data/b.json", 403, "")
    with pytest.raises(SourceError):
        download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit(ONE, FILES))
    hub.asked()

    download(dataset(), lake, patience=patience)

    assert f"GET {RESOLVE}/data/a.json" not in hub.asked()


LFS = frozenset({"data/a.json"})
A_SHA256 = hashlib.sha256(FILES["data/a.json"]).hexdigest()


def test_of_ten_files_one_changed_one_is_fetched(hub: Hub, lake: Lake, patience: Patience):
    files = {f"{number}.json": b"[%d]" % number for number in range(10)}
    hub.publish(REPO, Commit(ONE, files, frozenset(files)))
    download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit(TWO, {**files, "7.json": b"[70]"}, frozenset(files)))
    hub.asked()

    download(dataset(), lake, patience=patience)

    assert hub.asked() == [
        f"GET {INFO}",
        f"GET /api/datasets/{REPO}/tree/{TWO}",
        f"GET /datasets/{REPO}/resolve/{TWO}/7.json",
        f"GET /lfs/{hashlib.sha256(b'[70]').hexdigest()}",
    ]


def test_a_renamed_file_is_not_fetched_and_a_removed_one_is_gone(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, {"a.json": b"[1]", "b.json": b"[2]"}))
    first = download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit(TWO, {"new/a.json": b"[1]"}))
    hub.asked()

    second = download(dataset(), lake, patience=patience)

    assert [line for line in hub.asked() if "resolve" in line] == []
    assert [file.name for file in second.files] == ["new/a.json"]
    assert second.files[0].url == f"{hub.server.url}/datasets/{REPO}/resolve/{TWO}/new/a.json"
    assert lake.read(f"{second.uri}/new/a.json") == b"[1]"
    assert lake.read(f"{first.uri}/a.json") == b"[1]"
    assert lake.read(f"{first.uri}/b.json") == b"[2]"


@pytest.mark.parametrize("lfs", [False, True], ids=["git", "lfs"])
def test_other_patterns_fetch_only_what_no_download_of_the_source_has(
    hub: Hub, lake: Lake, patience: Patience, lfs: bool
):
    files = {"a.json": b"[1]", "b.json": b"[2]", "c.json": b"[3]"}
    hub.publish(REPO, Commit(ONE, files, frozenset(files) if lfs else frozenset()))
    download(dataset("a.json"), lake, patience=patience)
    download(dataset("b.json"), lake, patience=patience)
    hub.asked()

    receipt = download(dataset(), lake, patience=patience)

    assert [line for line in hub.asked() if "resolve" in line] == [f"GET {RESOLVE}/c.json"]
    assert [lake.read(f"{receipt.uri}/{name}") for name in files] == list(files.values())


def test_a_commit_that_goes_back_to_an_earlier_one_fetches_nothing(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, {"a.json": b"[1]"}))
    first = download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit(TWO, {"a.json": b"[2]"}))
    download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit("3" * 40, {"a.json": b"[1]"}))
    hub.asked()

    assert download(dataset(), lake, patience=patience).digest == first.digest
    assert not [line for line in hub.asked() if "resolve" in line]


def test_a_copy_that_was_given_by_hand_is_not_fetched_again(
    hub: Hub, lake: Lake, patience: Patience, tmp_path: Path
):
    hub.publish(REPO, Commit(ONE, {"a.json": b"[1]"}, frozenset({"a.json"})))
    (tmp_path / "copy.json").write_bytes(b"[1]")
    download(dataset().at(tmp_path / "copy.json"), lake)

    receipt = download(dataset(), lake, patience=patience)

    assert not [line for line in hub.asked() if "resolve" in line or "lfs" in line]
    assert lake.read(f"{receipt.uri}/a.json") == b"[1]"


def test_a_file_that_was_cut_in_the_lake_is_fetched_again(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, {"a.json": b"[1]"}))
    first = download(dataset("a.json"), lake, patience=patience)
    (lake.folder / first.uri / "a.json").write_bytes(b"[")

    receipt = download(dataset(), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == b"[1]"


def test_documents_are_read_only_where_a_pattern_is_their_path(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, {"README.md": b"# A", "a.json": b"[]", "x/LICENSE": b"MIT"}))

    for patterns, names in (
        (("*",), ["a.json"]),
        (("*", "README.md"), ["README.md", "a.json"]),
        (("x/LICENSE",), ["x/LICENSE"]),
    ):
        receipt = download(dataset(*patterns), lake, patience=patience)
        assert [file.name for file in receipt.files] == names
    with pytest.raises(SourceMissing, match=r"A document .* where a pattern is its whole path"):
        download(dataset("*.md"), lake, patience=patience)


def test_two_files_of_the_same_bytes_are_both_kept(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, {"a.json": b"[1]", "b.json": b"[1]"}))

    receipt = download(dataset(), lake, patience=patience)

    assert [lake.read(f"{receipt.uri}/{name}") for name in ("a.json", "b.json")] == [b"[1]"] * 2


def test_an_lfs_file_comes_from_its_storage_which_sees_no_token(
    hub: Hub,
    lake: Lake,
    patience: Patience,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.publish(REPO, Commit(ONE, FILES, LFS))

    receipt = download(dataset("data/a.json"), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/data/a.json") == FILES["data/a.json"]
    assert receipt.files[0].etag == A_SHA256
    hosts = {"authorization": [], "none": []}
    for request in hub.server.requests:
        kind = "authorization" if "Authorization" in request.headers else "none"
        hosts[kind].append(request.headers["Host"])
    assert hosts["none"] == [hub.storage.removeprefix("http://")], "the last request"
    assert set(hosts["authorization"]) == {hub.server.url.removeprefix("http://")}
    assert SIGNATURE not in receipt.model_dump_json() + caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize("status", [403, 418, 500, None], ids=str)
def test_a_signed_url_is_in_no_error_and_no_log(
    hub: Hub, lake: Lake, patience: Patience, caplog: pytest.LogCaptureFixture, status: int | None
):
    caplog.set_level(logging.DEBUG)
    hub.publish(REPO, Commit(ONE, FILES, LFS))
    bad = File(FILES["data/a.json"], cut_after=0) if status is None else Answer(status)
    hub.server.answer(f"/lfs/{A_SHA256}", bad)

    with pytest.raises(SourceError) as caught:
        download(dataset("data/a.json"), lake, patience=patience)

    chain = [caught.value, caught.value.__cause__]
    assert SIGNATURE not in caplog.text + "".join(map(repr, chain))


def test_a_cut_file_goes_on_where_it_was_cut(
    hub: Hub,
    lake: Lake,
    patience: Patience,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("tasks.download.pace.WORTH_ANOTHER_BYTES", 2_000)
    body = bytes(range(256)) * 40
    commit = Commit(ONE, {"a.json": body}, frozenset({"a.json"}))
    hub.publish(REPO, commit)
    storage = f"/lfs/{hashlib.sha256(body).hexdigest()}"
    cut = File(body, cut_after=2_000)
    hub.server.answer(storage, cut, cut, Answer(503), Answer(429, headers={"Retry-After": "9"}),
                      cut, cut, File(body))  # fmt: skip

    receipt = download(dataset(), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == body
    asked = [request for request in hub.server.requests if request.path.startswith("/lfs")]
    starts = [span_of(request.headers["Range"], len(body))[0] for request in asked]
    assert starts == [0, 2_000, 4_000, 4_000, 4_000, 6_000, 8_000]
    assert 9 in waits


def test_a_body_that_drips_is_cut_and_resumed(hub: Hub, lake: Lake, waits: list[float]):
    body = b"0123456789" * 1_000
    hub.publish(REPO, Commit(ONE, {"a.json": body}))
    part = {"Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"}
    dripping = Answer(206, body, part, drip_s=0.01)
    hub.server.answer(f"{RESOLVE}/a.json", dripping, File(body))
    hurried = Patience(window_s=0.2, sleep=waits.append, hosts=Hosts())

    receipt = download(dataset(), lake, patience=hurried)

    assert lake.read(f"{receipt.uri}/a.json") == body
    assert len(waits) == 1
    assert span_of(hub.server.requests[-1].headers["Range"], len(body))[0] > 0, "it went on"


# fmt: off
PAUSES = {  #                path   status  headers                               asked for
    "a file, 429":          ("FILE", 429,  {"Retry-After": "9"},                  9),
    "a file, 503":          ("FILE", 503,  {"Retry-After": "9"},                  9),
    "the commit":           (INFO,   429,  {"Retry-After": "9"},                  9),
    "the listing":          (TREE,   429,  {"Retry-After": "9"},                  9),
    "the Hub's own header": (TREE,   429,  {"RateLimit": '"api";r=0;t=55'},       55),
    "something is left":    (TREE,   429,  {"RateLimit": '"api";r=7;t=55'},       0),
    "no word of it":        (TREE,   503,  {},                                    0),
}
# fmt: on


@pytest.mark.parametrize(("path", "status", "headers", "quiet_s"), PAUSES.values(), ids=PAUSES)
def test_a_hub_that_asks_to_be_left_alone_is_so_by_everybody(
    hub: Hub,
    lake: Lake,
    path: str,
    status: int,
    headers: dict[str, str],
    quiet_s: float,
):
    hub.publish(REPO, Commit(ONE, FILES))
    where = f"{RESOLVE}/data/a.json" if path == "FILE" else path
    hub.server.answer(where, Answer(status, headers=headers))
    hosts = Hosts()
    patience = Patience(attempts=1, clock=lambda: 0.0, hosts=hosts)

    with pytest.raises(SourceError):
        download(dataset("data/a.json"), lake, patience=patience)

    assert hosts.quiet_s("127.0.0.1", lambda: 0.0) == quiet_s
    hub.asked()
    if quiet_s > 50:
        hurried = Patience(longest_retry_after_s=50, clock=lambda: 0.0, hosts=hosts)
        with pytest.raises(SourceError, match=r"127\.0\.0\.1 is too busy and asks to wait 55 s"):
            download(dataset("data/b.json"), lake, patience=hurried)
        assert hub.asked() == []


def test_every_wait_is_ours_and_none_of_the_librarys(
    hub: Hub, lake: Lake, patience: Patience, waits: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail(f"slept {seconds} s"))
    hub.publish(REPO, Commit(ONE, FILES))
    hub.server.answer(TREE, Answer(503), Answer(429, headers={"Retry-After": "3"}), Answer(503))

    with pytest.raises(SourceUnreachable, match=r"answered 503 \(attempt 4, the last\)"):
        download(dataset(), lake, patience=patience)

    assert len(waits) == 3


def test_a_killed_download_goes_on_in_the_middle_of_a_file(
    hub: Hub, lake: Lake, patience: Patience
):
    body = bytes(range(256)) * 40
    hub.publish(REPO, Commit(ONE, {"a.json": body}))
    where = f"{RESOLVE}/a.json"
    hub.server.answer(where, File(body, cut_after=3_000), Answer(404))
    with pytest.raises(SourceMissing):
        download(dataset(), lake, patience=patience)
    hub.publish(REPO, Commit(ONE, {"a.json": body}))
    hub.server.requests.clear()

    receipt = download(dataset(), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == body
    assert hub.server.requests[-1].headers["Range"] == f"bytes=3000-{len(body) - 1}"


def test_a_server_without_ranges_gives_the_file_from_its_start(
    hub: Hub, lake: Lake, patience: Patience
):
    body = b"0123456789" * 100
    hub.publish(REPO, Commit(ONE, {"a.json": body}))
    hub.server.answer(f"{RESOLVE}/a.json", Answer(body=body, cut_after=300), Answer(body=body))

    receipt = download(dataset(), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == body


def test_bytes_of_another_range_are_refused(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, {"a.json": b"0123456789"}))
    wrong = Answer(206, b"0123456789", {"Content-Range": "bytes 0-9/11"})
    hub.server.answer(f"{RESOLVE}/a.json", wrong)

    with pytest.raises(SourceError, match="gave bytes 0-9/11"):
        download(dataset(), lake, patience=patience)


def test_a_git_file_that_is_not_the_listed_one_is_refused(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, {"a.json": b"0123456789"}))
    hub.server.answer(f"{RESOLVE}/a.json", File(b"012345678X"))

    with pytest.raises(SourceError, match="did not arrive as listed"):
        download(dataset(), lake, patience=patience)


def test_an_empty_file_is_kept(hub: Hub, lake: Lake, patience: Patience):
    hub.publish(REPO, Commit(ONE, {"a.json": b""}))

    receipt = download(dataset(), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/a.json") == b""


def test_a_renamed_repository_is_followed(hub: Hub, lake: Lake, patience: Patience):
    hub.publish("BelleGroup/new", Commit(ONE, FILES, LFS))
    for path in (INFO, TREE, f"{RESOLVE}/data/a.json"):
        hub.moved(path, path.replace(REPO, "BelleGroup/new"))

    receipt = download(dataset("data/a.json"), lake, patience=patience)

    assert lake.read(f"{receipt.uri}/data/a.json") == FILES["data/a.json"]


def test_a_commit_between_listing_and_download_does_not_mix_in(
    hub: Hub, lake: Lake, patience: Patience
):
    hub.publish(REPO, Commit(ONE, {"a.json": b"[1]", "b.json": b"[2]"}))

    def then_commit(request: Request) -> Answer:
        hub.publish(REPO, Commit(TWO, {"a.json": b"[10]", "b.json": b"[20]"}))
        return File(b"[1]")(request)

    hub.server.answer(f"{RESOLVE}/a.json", then_commit)

    receipt = download(dataset(), lake, patience=patience)

    assert receipt.revision == ONE
    assert [lake.read(f"{receipt.uri}/{name}") for name in ("a.json", "b.json")] == [b"[1]", b"[2]"]
    assert download(dataset(), lake, patience=patience).revision == TWO


def test_an_endpoint_is_read_when_it_is_asked(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch
):
    hub.publish(REPO, Commit(ONE, FILES))
    download(dataset(), lake, patience=patience)

    with Server().running() as other:
        mirror = hub_in_use(other, monkeypatch)
        mirror.publish(REPO, Commit(TWO, {"a.json": b"[1]"}))
        receipt = download(dataset(), lake, patience=patience)

    assert receipt.upstream == f"{other.url}/datasets/{REPO}/tree/{TWO}"


def test_nothing_is_written_outside_the_lake(hub: Hub, lake: Lake, tmp_path: Path):
    hub.publish(REPO, Commit(ONE, FILES, LFS))
    code = f"""
from schemas.source import Source
from tasks.download.fetch import download
from tasks.lake import Lake
source = Source.model_validate_json({dataset().model_dump_json()!r})
download(source, Lake({str(lake.folder)!r}))
"""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {**kept, "HOME": str(home), "HF_ENDPOINT": hub.server.url}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=60, check=True
    )

    assert (done.stdout, done.stderr) == (b"", b"")
    assert [path for path in home.rglob("*") if path.is_file()] == []
