"""Garbage goes; what is tagged, latest, trained from, or needed by a version that stays, does not."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.adapter import Acceptance, TrainingManifest, run_name
from schemas.errors import CorpusDamaged, StorageError, WinnowError
from schemas.manifest import CorpusManifest
from schemas.train import BaseModel, Train
from tasks.corpora import latest, read_manifest, versions
from tasks.history import gc
from tasks.history.gc import Plan, collect, give_up, lost, plan
from tasks.history.leases import using
from tasks.history.log import events
from tasks.history.rollback import roll_back
from tasks.history.tags import set_tag, tags
from tasks.lake import Lake
from tasks.publish.verify import problems
from tests.history.corpora import FAILED, HEAD, OTHERS, publish
from tests.judgements import recipe_of

SHA = "0" * 64
TRAIN = Train(base_model=BaseModel(name="none", path="/none"))


@pytest.fixture
def six(lake: Lake) -> Lake:
    for number in range(6):
        publish(lake, f"{OTHERS}cot | Prompt {number}. | Answer {number}. |\n")
    return lake


def left(lake: Lake) -> str:
    return " ".join(version[-1] for version in versions(lake, "tiny"))


def version(lake: Lake, number: int) -> CorpusManifest:
    return read_manifest(lake, "tiny", f"v{number:04d}")


@pytest.mark.parametrize(
    ("keep", "stays"), [(1, "6"), (2, "5 6"), (6, "1 2 3 4 5 6"), (9, "1 2 3 4 5 6")]
)
def test_the_newest_stay(six: Lake, keep: int, stays: str) -> None:
    collect(six, keep)
    assert left(six) == stays


def test_nothing_goes_by_looking(six: Lake) -> None:
    found = plan(six, keep=1, fresh_s=0)
    assert [folder.key for folder in found.removed[:5]] == [
        f"corpora/tiny/v000{number}" for number in range(1, 6)
    ]
    assert found.size_bytes == sum(folder.size_bytes for folder in found.removed) > 0
    assert left(six) == "1 2 3 4 5 6"
    assert six.keys("leases") == []


def test_tagged_and_latest_versions_stay(six: Lake) -> None:
    set_tag(six, version(six, 2), "prod")
    roll_back(six, version(six, 3))
    done = collect(six, keep=1)
    assert left(six) == "2 3 6"
    assert {folder.key[-1]: folder.why for folder in done.kept} == {
        "2": "tag prod",
        "3": "latest",
        "6": "of the newest 1",
    }
    assert latest(six, "tiny") == "v0003"
    assert [event.version for event in events(six, "tiny") if event.action == "gc"] == [
        "v0001",
        "v0004",
        "v0005",
    ]


def training_manifest(corpus_digest: str) -> TrainingManifest:
    return TrainingManifest(
        run="tiny-0", corpus="tiny", corpus_version="v0002", corpus_digest=corpus_digest,
        corpus_uri="corpora/tiny/v0002", train=TRAIN, seed=17, base_model="m", base_revision="r",
        base_digest=SHA, tokenizer_digest=SHA, template_digest=SHA, steps=1, train_loss=1.0,
        elapsed_s=1.0, tokens_per_s=1.0, audit=(), before=None, after=None, adapter_sha256=SHA,
        acceptance=Acceptance(tensors=1, nonzero_lora_b=1, max_logit_difference=0.1),
    )  # fmt: skip


def test_a_version_that_an_adapter_was_trained_from_stays(six: Lake) -> None:
    made = training_manifest(version(six, 2).digest)
    six.put("runs/tiny-0/training_manifest.json", made.model_dump_json().encode())
    done = collect(six, keep=1)
    assert left(six) == "2 6"
    assert done.kept[0].why == "run tiny-0"


def test_a_version_that_is_being_trained_from_stays(six: Lake) -> None:
    recipe = recipe_of("alpaca", train=TRAIN.model_dump(mode="json"))
    assert recipe.train is not None
    name = run_name("tiny", version(six, 4).digest, recipe.train, recipe.seed)
    six.put(f"runs/{name}/recipe.yaml", yaml.safe_dump(recipe.shown()).encode())
    collect(six, keep=1)
    assert left(six) == "4 6"


def test_a_run_that_says_nothing_of_itself_keeps_every_version_of_its_corpus(six: Lake) -> None:
    six.put("runs/tiny-0123456789ab/metrics.jsonl", b"")
    collect(six, keep=1)
    assert left(six) == "1 2 3 4 5 6"


def test_versions_of_other_corpora_stay_where_one_is_named(six: Lake) -> None:
    publish(six, name="other")
    publish(six, OTHERS, name="other")
    collect(six, keep=1, name="other")
    assert left(six) == "1 2 3 4 5 6"
    assert versions(six, "other") == ("v0002",)


def fill(lake: Lake, folder: str, receipt: str, **said: object) -> None:
    lake.put(f"{folder}/{receipt}", json.dumps(said).encode())
    lake.put(f"{folder}/data", b"12345")


def digest(number: int) -> str:
    return f"{number:064x}"


def test_stages_and_downloads_that_no_version_needs_go(six: Lake) -> None:
    needed = {f"stages/{ref.stage}/{ref.digest}" for ref in version(six, 6).stages}
    lost = {f"stages/{ref.stage}/{ref.digest}" for ref in version(six, 1).stages} - needed
    assert lost
    raw = {f"raw/{one.name}/{one.raw_digest}" for one in version(six, 6).sources}
    spare = {"raw/alpaca/" + digest(1), "stages/filter/" + digest(2)}
    last = "raw/alpaca/" + digest(3)
    for folder in (*needed, *lost, *raw, *spare, last):
        six.put(f"{folder}/data", b"12345")
    memory = {"downloads": [{"digest": digest(1)}, {"digest": digest(3)}]}
    six.put("raw/alpaca/upstream.json", json.dumps(memory).encode())
    six.put("raw/alpaca/partial/half", b"1")

    assert not [one for one in plan(six, 1).removed if one.kind != "version"]  # all is fresh
    done = collect(six, 1, fresh_s=0)
    assert {folder.key for folder in done.removed if folder.kind != "version"} == lost | spare
    for folder in (*needed, *raw, last):
        assert six.exists(f"{folder}/data"), folder
    for folder in (*lost, *spare):
        assert six.keys(folder) == [], folder
    assert six.exists("raw/alpaca/upstream.json")
    assert six.exists("raw/alpaca/partial/half")
    assert problems(six, version(six, 6)) == []


def test_after_a_collection_the_same_rows_are_unchanged_and_others_a_new_version(six: Lake) -> None:
    collect(six, 1, fresh_s=0)
    assert publish(six, f"{OTHERS}cot | Prompt 5. | Answer 5. |\n").version == "v0006"
    assert publish(six, OTHERS).version == "v0007"


def test_nothing_goes_while_a_refresh_works_with_the_lake(six: Lake) -> None:
    with using(six), pytest.raises(StorageError, match="is in use by process"):
        collect(six, 1)
    assert left(six) == "1 2 3 4 5 6"


# fmt: off
MOVES: dict[str, tuple[Callable[[Lake, CorpusManifest], object], str]] = {
    "a tag":        (lambda lake, one: set_tag(lake, one, "prod"),   "was removed meanwhile"),
    "a rollback":   (roll_back,                                      "is not whole"),
}
# fmt: on


@pytest.mark.parametrize(("move", "says"), MOVES.values(), ids=MOVES)
def test_a_version_that_goes_is_not_tagged_or_rolled_back_to_meanwhile(
    six: Lake,
    move: Callable[[Lake, CorpusManifest], object],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    first = version(six, 1)

    def person() -> None:
        try:
            move(six, first)
        except WinnowError as error:
            said.append(str(error))

    moving = threading.Thread(target=person)

    def planned(*arguments: Any) -> Plan:
        found = plan(*arguments)
        moving.start()
        while moving.is_alive() and not six.keys("leases/uses"):
            moving.join(0.01)
        return found

    monkeypatch.setattr(gc, "plan", planned)
    collect(six, keep=1)
    moving.join(10)
    assert (left(six), latest(six, "tiny"), tags(six, "tiny")) == ("6", "v0006", {})
    assert says in " ".join(said)


def test_a_tag_that_no_listing_shows_keeps_its_version(
    six: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_tag(six, version(six, 2), "prod")
    entries = six.entries
    behind = lambda prefix: [] if prefix.endswith("/tags") else entries(prefix)  # noqa: E731
    monkeypatch.setattr(six, "entries", behind)
    collect(six, keep=1)
    assert left(six) == "2 6"


def test_nothing_goes_where_a_manifest_cannot_be_read(six: Lake) -> None:
    six.put("corpora/tiny/v0003/manifest.json", b"{}")
    with pytest.raises(CorpusDamaged, match="is not a manifest"):
        collect(six, 1)
    assert left(six) == "1 2 3 4 5 6"


def test_a_rejected_version_counts_as_one_of_the_newest(lake: Lake) -> None:
    publish(lake)
    publish(lake, OTHERS, FAILED)
    publish(lake, f"{HEAD}alpaca | Why? | Because. |\n", FAILED)
    collect(lake, 1)
    assert left(lake) == "1 3"


def test_what_killed_processes_left_goes_as_well(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    publish(lake)
    dead = tmp_path / "lake/tmp/winnow-dead"
    dead.mkdir(parents=True)
    (dead / "shard.parquet").write_bytes(b"1")
    collect(lake, 1)
    assert not dead.exists()


def test_a_version_that_lost_its_manifest_is_given_up_on_demand_and_nothing_else(six: Lake) -> None:
    publish(six, name="other")
    key = "corpora/tiny/v0002"
    six.delete([f"{key}/manifest.json"])
    before = six.keys("corpora")
    for refused in (plan, collect):
        with pytest.raises(CorpusDamaged, match="winnow gc tiny --lost --apply"):
            refused(six, 1)
    for name, found in ((None, [key]), ("tiny", [key]), ("other", [])):
        assert [one.key for one in lost(six, name).removed] == found
    assert give_up(six, "other").removed == ()
    assert six.keys("corpora") == before

    (gone,) = give_up(six).removed
    assert (gone.key, gone.why) == (key, "its manifest is lost")
    assert gone.size_bytes > 0
    assert left(six) == "1 3 4 5 6"
    assert six.keys(key) == []
    assert [event.version for event in events(six, "tiny")] == ["v0002"]
    assert publish(six).version == "v0007"
    collect(six, 1)
    assert left(six) == "7"


def test_nothing_is_given_up_while_a_refresh_works_with_the_lake(six: Lake) -> None:
    six.delete(["corpora/tiny/v0002/manifest.json"])
    with using(six), pytest.raises(StorageError, match="is in use by process"):
        give_up(six)
    assert six.keys("corpora/tiny/v0002")
