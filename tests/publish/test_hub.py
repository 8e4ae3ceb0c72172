"""A version on the Hub: one commit, one tag, nothing that is there sent again."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from schemas.contamination import EvaluationHits, ItemHit
from schemas.errors import ConfigError, CorpusDamaged, StorageError
from schemas.manifest import Conflict, CorpusManifest
from schemas.pushed import PushedVersion
from schemas.recipe import Publish
from schemas.seal import is_intact
from tasks.lake import Lake
from tasks.publish.hub import ATTEMPTS, DatasetHub, push_version
from tasks.publish.token import hub_token
from tests.publish.published import BOTH_SPLITS, FAILED, TABLE, folder_of, publish
from tests.trainer.hub_stand_in import DROPPED, HubStandIn, hub_in_use

REPO = "winnow/tiny"
KEY = f"datasets/{REPO}"
ONE_ROW_EACH = {"publish": {"shard_rows": 1}, "split": {"validation_share": 0}}
MORE = f"{TABLE}    belle  | unknown      | Name a tree.     | Beech     |\n"

# huggingface_hub's own way of sending a large file
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

Push = Callable[[CorpusManifest], PushedVersion]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    with hub_in_use(monkeypatch) as hub:
        yield hub


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def push(lake: Lake, stand_in: HubStandIn, waits: list[float]) -> Push:
    hub = DatasetHub(stand_in.token, stand_in.url, waits.append)
    return lambda manifest: hub.push(lake, manifest, REPO, private=True)[0]


def shards(manifest: CorpusManifest) -> list[str]:
    return [shard.uri for split in manifest.splits for shard in split.shards]


def there(stand_in: HubStandIn, revision: str = "main") -> dict[str, bytes]:
    return stand_in.files(KEY, revision) or {}


def test_a_push_is_one_private_commit_tagged_with_the_version(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    manifest = publish(lake)
    pushed = push(manifest)
    assert stand_in.repos == {KEY: True}
    assert [(oid, text) for oid, text, _ in stand_in.commits[KEY]] == [
        (pushed.commit, "tiny v0001")
    ]
    assert stand_in.tags == {KEY: {"v0001": pushed.commit}}
    assert pushed.uri == f"{stand_in.url}/datasets/{REPO}/tree/v0001"


def test_shards_card_manifest_and_croissant_are_pushed_and_nothing_that_was_dropped(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    manifest = publish(lake)
    push(manifest)
    files = there(stand_in)
    pages = ["README.md", "croissant.json", "manifest.json"]
    assert sorted(files) == sorted([*shards(manifest), *pages])
    for name in [*shards(manifest), "README.md", "croissant.json"]:
        assert files[name] == (folder_of(lake, manifest) / name).read_bytes()


def test_a_version_in_an_object_store_is_pushed_as_from_a_folder(
    lake: Lake, push: Push, stand_in: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_CACHE", str(tmp_path / "cache"))
    store = Lake("memory://")
    hub = DatasetHub(stand_in.token, stand_in.url, lambda _: None)
    manifest = publish(store)
    hub.push(store, manifest, "winnow/stored", private=True)
    push(publish(lake))
    stored = stand_in.files("datasets/winnow/stored", "main") or {}
    here = there(stand_in)
    assert {name: stored[name] for name in shards(manifest)} == {
        name: here[name] for name in shards(manifest)
    }
    assert sorted(stored) == sorted(here)


def test_the_pushed_manifest_is_the_versions_without_the_machine_that_made_it(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    manifest = publish(lake)
    push(manifest)
    data = there(stand_in)["manifest.json"]
    found = CorpusManifest.model_validate_json(data)
    assert is_intact(data, found.seal)
    assert (found.digest, found.splits, found.drops) == (
        manifest.digest,
        manifest.splits,
        manifest.drops,
    )
    assert manifest.host
    assert found.host == ""
    assert "/none" in json.dumps(manifest.recipe)
    assert '"/' not in json.dumps(found.recipe)
    assert str(lake.folder) not in data.decode()


def test_shards_that_are_there_are_not_sent_again(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    first = publish(lake, **ONE_ROW_EACH)
    push(first)
    assert len(stand_in.uploads) == 4
    second = publish(lake, MORE, **ONE_ROW_EACH)
    push(second)
    assert not set(shards(first)) & set(shards(second))  # of-00004, of-00005
    new = [s.sha256 for s in second.splits[0].shards if s.sha256 not in stand_in.uploads[:4]]
    assert stand_in.uploads[4:] == stand_in.offered[4:] == new
    assert len(new) == 1
    files = there(stand_in)
    assert sorted(name for name in files if name.startswith("data/")) == shards(second)
    for name in shards(second):
        assert files[name] == (folder_of(lake, second) / name).read_bytes()
    assert sorted(there(stand_in, "v0001")) != sorted(files)


def test_a_shard_that_keeps_its_place_and_its_bytes_is_not_spoken_of(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    push(publish(lake, split={"validation_share": 0}))
    again = publish(lake, seed=18, split={"validation_share": 0})
    stand_in.asked.clear()
    push(again)
    assert again.version == "v0002"
    assert len(stand_in.uploads) == 1
    assert not any("lfs" in line or "paths-info" in line for line in stand_in.asked)
    assert len(stand_in.commits[KEY]) == 2


def test_a_version_that_was_pushed_is_not_pushed_again(
    lake: Lake, stand_in: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
    manifest, publishing = publish(lake), Publish(hub=REPO)
    first, is_new = push_version(lake, manifest, publishing, stand_in.token)
    assert is_new
    stand_in.asked.clear()
    assert push_version(lake, manifest, publishing, stand_in.token) == (first, False)
    assert stand_in.asked == []
    assert push_version(lake, manifest, publishing, stand_in.token, again=True) == (first, False)
    assert stand_in.asked != []
    assert len(stand_in.commits[KEY]) == 1


def test_another_lake_finds_the_version_that_is_there(
    lake: Lake, push: Push, stand_in: HubStandIn, tmp_path: Path
) -> None:
    first = push(publish(lake))
    other = Lake(str(tmp_path / "other"))
    hub = DatasetHub(stand_in.token, stand_in.url, lambda _: None)
    assert hub.push(other, publish(other), REPO, private=True) == (first, False)
    assert len(stand_in.commits[KEY]) == 1


# fmt: off
FAULTS = {                     # request            answers      our waits
    "rate limit at create":    ("repos/create",     (429,),      [7.0]),
    "rate limit at commit":    ("/commit/main",     (429,),      [7.0]),
    "rate limit at the tag":   ("/tag/",            (429, 429),  [7.0, 7.0]),
    "outage at the look":      ("/refs",            (503,),      [1.0]),
    "outages at commit":       ("/commit/main",     (500, 502),  [1.0, 2.0]),
    "outage at the manifest":  ("GET .*/resolve/",  (503,),      []),
    "line dropped at create":  ("repos/create",     (DROPPED,),  [1.0]),
    "line dropped at commit":  ("/commit/main",     (DROPPED,),  [1.0]),
    "another commit between":  ("/commit/main",     (412,),      [1.0]),
    "a shard refused once":    ("PUT /lfs",         (503,),      []),
}
# fmt: on


@pytest.mark.parametrize(("line", "statuses", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_passes_is_waited_out(
    line: str,
    statuses: tuple[int, ...],
    expected: list[float],
    lake: Lake,
    push: Push,
    stand_in: HubStandIn,
    waits: list[float],
) -> None:
    manifest = publish(lake)
    stand_in.fail(line, *statuses, headers={"Retry-After": "7"} if 429 in statuses else {})
    pushed = push(manifest)
    assert len(stand_in.commits[KEY]) == 1
    assert stand_in.tags[KEY] == {"v0001": pushed.commit}
    assert waits == expected


def test_a_commit_of_somebody_else_in_between_is_kept(
    lake: Lake, push: Push, stand_in: HubStandIn, waits: list[float]
) -> None:
    def somebody_else() -> None:
        stand_in.commits[KEY] = [("c" * 40, "theirs", {"LICENSE": b"terms"})]

    manifest = publish(lake)
    stand_in.meanwhile["/preupload/main"] = somebody_else
    push(manifest)
    assert waits == [1.0]
    assert there(stand_in)["LICENSE"] == b"terms"
    assert [text for _, text, _ in stand_in.commits[KEY]] == ["theirs", "tiny v0001"]


def test_the_rate_limit_of_the_hubs_own_header_is_waited_for(
    lake: Lake, push: Push, stand_in: HubStandIn, waits: list[float]
) -> None:
    stand_in.fail("repos/create", 429, headers={"RateLimit": '"api";r=0;t=55'})
    push(publish(lake))
    assert waits == [55.0]


def test_a_push_that_broke_off_before_its_tag_makes_no_second_commit(
    lake: Lake, push: Push, stand_in: HubStandIn, waits: list[float]
) -> None:
    manifest = publish(lake)
    stand_in.fail("/tag/", *[503] * ATTEMPTS)
    with pytest.raises(StorageError, match=r"status 503, after 6 attempts.*goes on from there"):
        push(manifest)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    pushed = push(manifest)
    assert [oid for oid, *_ in stand_in.commits[KEY]] == [pushed.commit]
    assert stand_in.tags[KEY] == {"v0001": pushed.commit}


def test_what_winnow_did_not_write_stays(lake: Lake, push: Push, stand_in: HubStandIn) -> None:
    theirs = {".gitattributes": b"*.parquet lfs", "LICENSE": b"terms", "README.md": b"hello"}
    stand_in.repos[KEY] = True
    stand_in.commits[KEY] = [("c" * 40, "initial commit", theirs)]
    push(publish(lake))
    push(publish(lake, MORE))
    files = there(stand_in)
    assert (files["LICENSE"], files[".gitattributes"]) == (b"terms", b"*.parquet lfs")
    assert b"tiny v0002" in files["README.md"]


# fmt: off
STRANGERS = {                    # token         there already   status
    "unknown":                  ("hf_stranger",  True,           "401"),
    "reads, new repository":    ("hf_reader",    False,          "403"),
    "reads, one that is there": ("hf_reader",    True,           "403"),
}
# fmt: on


@pytest.mark.parametrize(("token", "exists", "status"), STRANGERS.values(), ids=STRANGERS)
def test_a_token_that_may_not_write_is_a_matter_of_configuration(
    token: str, exists: bool, status: str, lake: Lake, stand_in: HubStandIn
) -> None:
    if exists:
        stand_in.repos[KEY] = True
    manifest = publish(lake)
    with pytest.raises(ConfigError) as caught:
        DatasetHub(token, stand_in.url, lambda _: None).push(lake, manifest, REPO, private=True)
    assert token not in str(caught.value)
    for part in (REPO, status, "HF_TOKEN", "https://huggingface.co/settings/tokens"):
        assert part in str(caught.value)
    assert stand_in.commits == {}


def test_a_public_repository_gets_nothing_that_should_be_private(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    stand_in.repos[KEY] = False
    with pytest.raises(ConfigError, match="is public, and the recipe says"):
        push(publish(lake))
    assert stand_in.commits == {}


def test_a_public_repository_is_used_and_made_where_the_recipe_says_so(
    lake: Lake, stand_in: HubStandIn
) -> None:
    hub = DatasetHub(stand_in.token, stand_in.url, lambda _: None)
    hub.push(lake, publish(lake), REPO, private=False)
    assert stand_in.repos == {KEY: False}
    hub.push(lake, publish(lake, MORE), REPO, private=False)
    assert len(stand_in.commits[KEY]) == 2


def test_a_repository_with_another_corpus_is_left_alone(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    push(publish(lake, name="other"))
    publish(lake)
    with pytest.raises(ConfigError, match="holds the corpus 'other'"):
        push(publish(lake, MORE))
    assert len(stand_in.commits[KEY]) == 1


def test_a_repository_with_data_of_others_is_left_alone(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    manifest = publish(lake)
    stand_in.repos[KEY] = True
    stand_in.commits[KEY] = [("c" * 40, "theirs", {shards(manifest)[0]: b"theirs"})]
    with pytest.raises(ConfigError, match=r"data/train-00000.*which Winnow did not write"):
        push(manifest)
    assert len(stand_in.commits[KEY]) == 1


def test_main_does_not_go_back_to_an_older_version(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    first, second = publish(lake), publish(lake, MORE)
    push(second)
    with pytest.raises(ConfigError, match="holds v0002 of it already"):
        push(first)
    assert len(stand_in.commits[KEY]) == 1


def test_another_corpus_under_the_same_number_is_not_taken_for_it(
    lake: Lake, push: Push, stand_in: HubStandIn, tmp_path: Path
) -> None:
    push(publish(lake))
    other = Lake(str(tmp_path / "other"))
    hub = DatasetHub(stand_in.token, stand_in.url, lambda _: None)
    with pytest.raises(ConfigError, match="holds another corpus as its tag v0001"):
        hub.push(other, publish(other, MORE), REPO, private=True)


def test_a_version_that_failed_a_gate_is_not_pushed(lake: Lake) -> None:
    manifest = publish(lake, gates=FAILED)
    with pytest.raises(ConfigError, match="was rejected by its gates"):
        push_version(lake, manifest, Publish(hub=REPO), "hf_x")


@pytest.mark.parametrize("name", ["data/train-00000-of-00001.parquet", "README.md"])
def test_a_damaged_file_is_not_pushed(
    name: str, lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    manifest = publish(lake, split={"validation_share": 0})
    path = folder_of(lake, manifest) / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorpusDamaged, match=f"{name}: expected sha256"):
        push(manifest)
    assert KEY not in stand_in.commits


# fmt: off
TOKENS = {                      # publish              token     what comes of it
    "a token":                 (Publish(hub=REPO),     "hf_x",   "hf_x"),
    "none, and none needed":   (Publish(),             None,     ""),
    "none":                    (Publish(hub=REPO),     None,     ConfigError),
    "an empty one":            (Publish(hub=REPO),     "  ",     ConfigError),
}
# fmt: on


@pytest.mark.parametrize(("publishing", "token", "expected"), TOKENS.values(), ids=TOKENS)
def test_the_token_comes_from_the_environment(
    publishing: Publish,
    token: str | None,
    expected: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    if expected is ConfigError:
        with pytest.raises(ConfigError, match="HF_TOKEN is not set"):
            hub_token(publishing)
    else:
        assert hub_token(publishing) == expected


LOADS = """
import json, sys
from datasets import load_dataset
splits = load_dataset(sys.argv[1], revision=sys.argv[2] or None)
print(json.dumps({name: [row["record_id"] for row in split] for name, split in splits.items()}))
"""


def loaded(stand_in: HubStandIn, home: Path, revision: str) -> dict[str, list[str]]:
    """What `load_dataset` gives in a process of its own, which knows the Hub by its address only."""
    environment = os.environ | {
        "HF_ENDPOINT": stand_in.url,
        "HF_TOKEN": stand_in.token,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADS, REPO, revision],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_load_dataset_takes_the_newest_version_and_any_by_its_tag(
    lake: Lake, push: Push, stand_in: HubStandIn, tmp_path: Path
) -> None:
    first = publish(lake, **BOTH_SPLITS)
    push(first)
    second = publish(lake, MORE, **BOTH_SPLITS)
    push(second)
    for manifest, revision in ((first, "v0001"), (second, "")):
        folder = folder_of(lake, manifest)
        assert loaded(stand_in, tmp_path / "home", revision) == {
            split.name: pl.concat(pl.read_parquet(folder / shard.uri) for shard in split.shards)[
                "record_id"
            ].to_list()
            for split in manifest.splits
            if split.rows
        }


def test_the_pushed_manifest_quotes_no_evaluation_item_and_no_dropped_row(
    lake: Lake, push: Push, stand_in: HubStandIn
) -> None:
    secret = "what only an evaluation item and a dropped row say"
    hit = ItemHit(row=1, excerpt=secret, source="alpaca", source_row=1, part="prompt", how="ngram")
    counts = dict.fromkeys((name for name in EvaluationHits.model_fields if "item" in name), 1)
    held = EvaluationHits(name="set", rows_compared=4, rows_hit=1, hits=(hit,), **counts)
    conflict = Conflict(record_id="0" * 32, prompt=secret, answers=2, published=0, sources=("a",))
    manifest = publish(lake)
    told = manifest.statistics.model_copy(
        update={"contamination": (held,), "conflicts": (conflict,)}
    )
    push(manifest.model_copy(update={"statistics": told}))
    data = there(stand_in)["manifest.json"]
    found = CorpusManifest.model_validate_json(data).statistics
    assert secret not in data.decode()
    assert (found.contamination[0].rows_hit, found.conflicts[0].answers) == (1, 2)
    assert found.contamination[0].hits[0].source_row == 1


@pytest.mark.parametrize("receipt", [b"", b"{", b"[]", b'{"corpus": "tiny"}'])
def test_a_damaged_receipt_of_a_push_asks_the_hub_again(
    lake: Lake, push: Push, stand_in: HubStandIn, receipt: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    manifest = publish(lake)
    monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
    wanted = Publish(hub=REPO, private=True)
    first, is_new = push_version(lake, manifest, wanted, stand_in.token)
    assert is_new
    (key,) = lake.keys("pushes")
    lake.put(key, receipt)
    assert push_version(lake, manifest, wanted, stand_in.token) == (first, False)
    assert PushedVersion.model_validate_json(lake.read(key)) == first
