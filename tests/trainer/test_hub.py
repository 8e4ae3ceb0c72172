"""Both hubs: one push is one commit, all of it or none."""

import errno
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.utils._http
import pytest

from schemas.errors import ConfigError, StorageError
from schemas.train import Push
from tests.trainer.hub_stand_in import DROPPED, HubStandIn
from trainer.hub import FolderHub, HuggingFaceHub, choose_hub

REPO = "winnow/tiny"


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: other\n---\n\n# Card\n", "utf-8")
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 40)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_pushed_folder_comes_back_the_same(tmp_path, adapter):
    hub = FolderHub(tmp_path / "hub")
    pushed = hub.push(adapter, REPO, "first", private=True)
    hub.fetch(REPO, pushed.commit, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(adapter)
    assert hub.head(REPO) == pushed.commit
    assert pushed.target == "folder"


def test_the_same_files_are_the_same_commit(tmp_path, adapter):
    hub = FolderHub(tmp_path / "hub")
    one, two = (hub.push(adapter, REPO, text, private=True) for text in ("first", "again"))
    assert one == two
    assert len(list((tmp_path / "hub" / REPO / "commits").glob("*.json"))) == 1


def test_a_new_push_moves_main_and_leaves_the_old_commit(tmp_path, adapter):
    hub = FolderHub(tmp_path / "hub")
    first = hub.push(adapter, REPO, "first", private=True)
    (adapter / "adapter_config.json").write_text('{"r": 4}', "utf-8")
    second = hub.push(adapter, REPO, "second", private=True)
    assert hub.head(REPO) == second.commit != first.commit
    hub.fetch(REPO, first.commit, tmp_path / "back")
    assert contents(tmp_path / "back")["adapter_config.json"] == b"{}"
    about = json.loads(Path(f"{second.uri}.json").read_text("utf-8"))
    assert about == {"commit": second.commit, "parent": first.commit, "message": "second"}


def test_a_push_that_fails_half_way_leaves_main_and_no_commit(tmp_path, adapter, monkeypatch):
    hub = FolderHub(tmp_path / "hub")
    first = hub.push(adapter, REPO, "first", private=True)
    (adapter / "adapter_config.json").write_text('{"r": 4}', "utf-8")
    copy = shutil.copyfile

    def full_disk(source: Path, target: Path) -> None:
        if source.suffix == ".safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", full_disk)
    with pytest.raises(StorageError, match="Free some space"):
        hub.push(adapter, REPO, "second", private=True)
    assert hub.head(REPO) == first.commit
    kept = [path.name for path in (tmp_path / "hub" / REPO / "commits").iterdir()]
    assert sorted(kept) == sorted([first.commit, f"{first.commit}.json"])


def test_an_altered_commit_is_not_given_out(tmp_path, adapter):
    hub = FolderHub(tmp_path / "hub")
    pushed = hub.push(adapter, REPO, "first", private=True)
    (Path(pushed.uri) / "adapter_config.json").write_text("changed", "utf-8")
    with pytest.raises(StorageError, match="was altered"):
        hub.fetch(REPO, pushed.commit, tmp_path / "back")


def test_an_altered_commit_is_mended_by_pushing_again(tmp_path, adapter):
    hub = FolderHub(tmp_path / "hub")
    pushed = hub.push(adapter, REPO, "first", private=True)
    (Path(pushed.uri) / "adapter_config.json").write_text("changed", "utf-8")
    assert hub.push(adapter, REPO, "first", private=True) == pushed
    hub.fetch(REPO, pushed.commit, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(adapter)


def test_two_pushes_at_once_leave_one_whole_commit(tmp_path, adapter):
    hub = FolderHub(tmp_path / "hub")
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(hub.push(adapter, REPO, "m", True).commit))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    hub.fetch(REPO, seen[0], tmp_path / "back")
    assert contents(tmp_path / "back") == contents(adapter)


# fmt: off
TARGETS = {                 # target    token   what is chosen
    "auto without token":   ("auto",    None,   FolderHub),
    "auto with token":      ("auto",    "hf_x", HuggingFaceHub),
    "folder with token":    ("folder",  "hf_x", FolderHub),
    "hub with token":       ("hub",     "hf_x", HuggingFaceHub),
    "none":                 ("none",    "hf_x", type(None)),
}
# fmt: on


@pytest.mark.parametrize(("target", "token", "kind"), TARGETS.values(), ids=TARGETS.keys())
def test_the_recipe_and_the_token_choose_the_hub(target, token, kind, tmp_path, monkeypatch):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert isinstance(choose_hub(Push(repo=REPO, target=target), tmp_path), kind)


# fmt: off
NAMES = {                       # repo              allowed
    "an owner and a name":      ("winnow/tiny",     True),
    "dots within":              ("w.n/.tiny..x",    True),
    "up and out":               ("../..",           False),
    "a name of dots":           ("winnow/..",       False),
    "an owner of a dot":        ("./tiny",          False),
    "no owner":                 ("tiny",            False),
    "a place":                  ("/winnow/tiny",    False),
}
# fmt: on


@pytest.mark.parametrize(("repo", "allowed"), NAMES.values(), ids=NAMES)
def test_no_repository_leads_out_of_the_lake(repo, allowed):
    if allowed:
        assert Push(repo=repo).repo == repo
        return
    with pytest.raises(ValueError, match="repo"):
        Push(repo=repo)


def test_the_hub_without_a_token_says_which_variable_to_set(tmp_path):
    with pytest.raises(ConfigError, match="HF_TOKEN is not set"):
        choose_hub(Push(repo=REPO, target="hub"), tmp_path)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda _: None)
    with HubStandIn().running() as hub:
        yield hub
    huggingface_hub.close_session()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def hub(stand_in: HubStandIn, waits: list[float]) -> HuggingFaceHub:
    return HuggingFaceHub(stand_in.token, endpoint=stand_in.url, sleep=waits.append)


def test_a_push_to_the_hub_is_one_commit_with_all_files(hub, stand_in, adapter, tmp_path):
    pushed = hub.push(adapter, REPO, "Adapter of tiny v0001", private=True)
    assert [(oid, text) for oid, text, _ in stand_in.commits[REPO]] == [
        (pushed.commit, "Adapter of tiny v0001")
    ]
    assert stand_in.commits[REPO][0][2] == contents(adapter)
    assert stand_in.repos == {REPO: True}
    hub.fetch(REPO, pushed.commit, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(adapter)


def test_a_second_push_takes_away_what_the_folder_no_longer_has(hub, stand_in, adapter):
    hub.push(adapter, REPO, "first", private=True)
    (adapter / "adapter_config.json").unlink()
    hub.push(adapter, REPO, "second", private=True)
    assert len(stand_in.commits[REPO]) == 2
    assert stand_in.files(REPO, "main") == contents(adapter)


def test_what_winnow_did_not_write_stays_in_the_repository(hub, stand_in, adapter, tmp_path):
    others = {"LICENSE": b"terms", "sub/README.md": b"notes", "model.gguf": b"weights"}
    stand_in.repos[REPO] = True
    stand_in.commits[REPO] = [("c" * 40, "theirs", others | {"training_manifest.json": b"old"})]
    pushed = hub.push(adapter, REPO, "m", private=True)
    assert stand_in.files(REPO, "main") == others | contents(adapter)
    hub.fetch(REPO, pushed.commit, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(adapter)


def test_leave_to_write_is_asked_for_before_anything_is_pushed(hub, stand_in, waits):
    stand_in.fail("auth-check/write", 503)
    hub.prepare(REPO, private=True)
    hub.prepare(REPO, private=True)
    assert stand_in.repos == {REPO: True}
    assert REPO not in stand_in.commits
    assert waits == [1.0]


# fmt: off
STRANGERS = {                 # token         there already   status
    "unknown":               ("hf_stranger",  True,           "401"),
    "reads, new repo":       ("hf_reader",    False,          "403"),
    "reads, existing repo":  ("hf_reader",    True,           "403"),
}
# fmt: on


@pytest.mark.parametrize(("token", "exists", "status"), STRANGERS.values(), ids=STRANGERS)
def test_a_token_without_leave_to_write_is_found_out_first(token, exists, status, stand_in):
    if exists:
        stand_in.repos[REPO] = True
    hub = HuggingFaceHub(token, endpoint=stand_in.url, sleep=lambda _: None)
    with pytest.raises(ConfigError) as caught:
        hub.prepare(REPO, private=True)
    said = str(caught.value)
    assert token not in said
    for part in (REPO, status, "https://huggingface.co/settings/tokens", "target to folder"):
        assert part in said


# fmt: off
FAULTS = {                     # request           how it fails        waits of ours
    "rate limit at create":    ("repos/create",    (429,),             [7.0]),
    "rate limit at commit":    ("/commit/main",    (429,),             [7.0]),
    "outage at commit":        ("/commit/main",    (503,),             [1.0]),
    "two outages at create":   ("repos/create",    (500, 502),         [1.0, 2.0]),
    "line dropped at create":  ("repos/create",    (DROPPED,),         [1.0]),
    "large file refused once": ("PUT /lfs",        (503,),             []),
}
# fmt: on


@pytest.mark.parametrize(("line", "statuses", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_a_passing_fault_is_waited_out(line, statuses, expected, hub, stand_in, adapter, waits):
    headers = {"Retry-After": "7"} if 429 in statuses else {}
    stand_in.fail(line, *statuses, headers=headers)
    hub.push(adapter, REPO, "m", private=True)
    assert len(stand_in.commits[REPO]) == 1
    assert stand_in.files(REPO, "main") == contents(adapter)
    assert waits == expected


def test_a_token_that_may_not_write_is_a_matter_of_configuration(stand_in, adapter):
    stranger = HuggingFaceHub("hf_stranger", endpoint=stand_in.url, sleep=lambda _: None)
    with pytest.raises(ConfigError, match="401") as caught:
        stranger.push(adapter, REPO, "m", private=True)
    assert "hf_stranger" not in str(caught.value)


def test_a_hub_that_stays_down_is_a_storage_error_with_a_way_on(hub, stand_in, adapter, waits):
    stand_in.fail("repos/create", *[503] * 100)
    with pytest.raises(StorageError, match="run the same command again to go on"):
        hub.push(adapter, REPO, "m", private=True)
    assert waits == [1.0, 2.0, 4.0, 8.0]


# fmt: off
REFUSALS = {           # status   how often it was asked
    "an outage":       (503,      "status 503, after 5 attempts"),
    "a bad request":   (400,      "status 400: "),
    "a conflict":      (409,      "status 409: "),
    "too large":       (413,      "status 413: "),
}
# fmt: on


@pytest.mark.parametrize(("status", "said"), REFUSALS.values(), ids=REFUSALS)
def test_an_error_tells_how_often_it_was_tried(status, said, hub, stand_in, adapter):
    stand_in.fail("/commit/main", *[status] * 100)
    with pytest.raises(StorageError, match=said):
        hub.push(adapter, REPO, "m", private=True)
    asked = sum("/commit/main" in line for line in stand_in.asked)
    assert asked == (5 if status == 503 else 1)
