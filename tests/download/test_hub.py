import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from schemas.errors import SourceError, SourceMissing, SourceUnreachable
from schemas.source import Source
from tasks.download.fetch import download
from tasks.download.patience import Patience
from tasks.lake import Lake
from tests.download.hub_server import Commit, Hub
from tests.download.server import Answer, Server

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
    template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return Hub(server)


def dataset(*files: str, revision: str = "main") -> Source:
    return Source.model_validate(
        {
            "name": "belle",
            "layout": "belle",
            "licence": "GPL-3.0",
            "hub": {"repo": REPO, "revision": revision, "files": files or ("*.json",)},
        }
    )


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
        f"HEAD /datasets/{REPO}/resolve/{TWO}/data/b.json",
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
        {"type": "file", "oid": str(number) * 40, "size": len(body), "path": path}
        for number, (path, body) in enumerate(files.items(), 1)
    ]
    hub.answer(TREE + "/2", entries[1:])
    link = f'<{hub.server.url}{TREE}/2>; rel="next"'
    hub.server.answer(TREE, Answer(body=json.dumps(entries[:1]).encode(), headers={"Link": link}))

    receipt = download(dataset(), lake, patience=patience)

    assert [file.name for file in receipt.files] == ["data/a.json", "data/b.json"]


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
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")

    with pytest.raises(SourceUnreachable, match="cannot be read: ConnectError"):
        download(dataset(), lake, patience=patience)
    assert len(waits) == patience.attempts - 1


def test_a_network_that_is_switched_off_is_no_reason_to_wait(
    hub: Hub, lake: Lake, patience: Patience, monkeypatch: pytest.MonkeyPatch, waits: list[float]
):
    close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(SourceError, match="HF_HUB_OFFLINE switches the network off"):
        download(dataset(), lake, patience=patience)
    assert waits == []
    close_session()


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
    wrong = Answer(body=FILES["data/b.json"], headers={"ETag": '"wrong"', "X-Repo-Commit": ONE})
    hub.server.answer(f"{RESOLVE}/data/a.json", wrong)

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
    assert set(hub.server.asked("authorization") + hub.server.asked("Authorization")) == {
        f"Bearer {TOKEN}",
        None,
    }

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
