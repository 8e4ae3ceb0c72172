"""Licences and the Hub in a refresh: refused before any work, pushed once, gone on with later."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from flows.refresh_corpus import refresh_corpus
from flows.train_adapter import train_adapter
from schemas.errors import ConfigError, StorageError
from schemas.outcome import Outcome, Status
from tasks.corpora import read_manifest, versions
from tasks.lake import Lake
from tasks.publish.hub import ATTEMPTS
from tests.flows.conftest import Winnow
from tests.flows.test_refresh import refresh, rows, write_recipe, write_source
from tests.trainer.hub_stand_in import HubStandIn, hub_in_use

REPO = "winnow/small"
KEY = f"datasets/{REPO}"
COMMERCIAL = {"licences": {"commercial": True}}

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    with hub_in_use(monkeypatch) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        monkeypatch.setattr("tasks.publish.hub.FIRST_WAIT_S", 0.0)
        yield hub


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    write_source(tmp_path, "a", rows(0, 9))
    return write_recipe(tmp_path, "a", publish={"hub": REPO})


def licensed(folder: Path, *rows_of: tuple[str, str | None], **licences: object) -> str:
    """A recipe with one source of no licence, whose rows state their own."""
    turns = [
        [{"role": "user", "content": text}, {"role": "assistant", "content": f"Yes: {text}"}]
        for text, _ in rows_of
    ]
    lines = [
        json.dumps({"messages": said, "license": licence})
        for said, (_, licence) in zip(turns, rows_of, strict=True)
    ]
    (folder / "mixed.jsonl").write_text("\n".join(lines), "utf-8")
    source = {
        "name": "mixed",
        "layout": "messages",
        "licence": "unknown",
        "columns": {"licence": "license"},
        "local": {"path": "mixed.jsonl"},
    }
    parts = {"name": "small", "sources": [source], "filter": {"licences": licences}}
    path = folder / "licensed.yaml"
    path.write_text(yaml.safe_dump(parts))
    return str(path)


def untouched(lake: str) -> bool:
    return not any((Path(lake) / made).exists() for made in ("raw", "stages", "corpora"))


def test_a_commercial_recipe_with_a_source_that_forbids_it_starts_nothing(
    tmp_path: Path, lake: str
) -> None:
    write_source(tmp_path, "a", rows(0, 3))
    recipe = write_recipe(tmp_path, "a", filter=COMMERCIAL)
    text = Path(recipe).read_text("utf-8")
    Path(recipe).write_text(text.replace("licence: MIT", "licence: CC-BY-NC-4.0"), "utf-8")
    with pytest.raises(ConfigError, match=r"a: CC-BY-NC-4.0 forbids commercial use"):
        refresh(recipe, lake)
    assert untouched(lake)


def test_rows_that_state_a_licence_are_kept_and_dropped_by_it(tmp_path: Path, lake: str) -> None:
    stated = (
        ("Is a lemur a primate?", "Apache-2.0"),
        ("Is teal a colour?", "cc-by-nc-4.0"),
        ("Is a beech a tree?", None),
    )
    recipe = licensed(tmp_path, *stated, commercial=True, by_row=["mixed"])
    outcome = refresh(recipe, lake)
    assert outcome.dropped == {"filter": {"licence_not_allowed": 2}}
    (source,) = read_manifest(Lake(lake), "small", "v0001").sources
    assert (source.licence, source.licences) == ("unknown", (("Apache-2.0", 1),))


def test_a_commercial_recipe_does_not_train_from_anothers_version(
    tmp_path: Path, lake: str
) -> None:
    refresh(licensed(tmp_path, ("Is teal a colour?", "CC-BY-NC-4.0")), lake)
    write_source(tmp_path, "a", rows(0, 3))
    model = {"name": "none", "path": "none"}
    mine = write_recipe(tmp_path, "a", filter=COMMERCIAL, train={"base_model": model})
    with pytest.raises(ConfigError, match=r"mixed: CC-BY-NC-4.0 forbids commercial use"):
        train_adapter(mine, lake, "small@v0001")
    assert not (Path(lake) / "runs").exists()


def test_without_a_token_a_recipe_that_pushes_starts_nothing(recipe: str, lake: str) -> None:
    with pytest.raises(ConfigError, match="HF_TOKEN is not set"):
        refresh(recipe, lake)
    assert untouched(lake)


def test_a_version_is_pushed_once(
    tmp_path: Path, recipe: str, lake: str, stand_in: HubStandIn
) -> None:
    first = refresh(recipe, lake)
    assert first.dataset == f"{stand_in.url}/datasets/{REPO}/tree/v0001"
    stand_in.asked.clear()
    again = refresh(recipe, lake)
    assert (again.status, again.dataset) == (Status.UNCHANGED, first.dataset)
    assert stand_in.asked == []
    write_source(tmp_path, "a", rows(0, 12))
    refresh(recipe, lake)
    assert list(stand_in.tags[KEY]) == ["v0001", "v0002"]


def test_where_it_is_pushed_makes_no_other_version(
    tmp_path: Path, recipe: str, lake: str, stand_in: HubStandIn
) -> None:
    first = refresh(write_recipe(tmp_path, "a"), lake)
    second = refresh(write_recipe(tmp_path, "a", publish={"hub": REPO}), lake)
    assert (second.status, second.digest) == (Status.UNCHANGED, first.digest)
    assert list(stand_in.tags[KEY]) == ["v0001"]


def test_a_hub_that_is_down_loses_nothing_and_the_next_refresh_pushes(
    recipe: str, lake: str, stand_in: HubStandIn
) -> None:
    stand_in.fail("repos/create", *[503] * ATTEMPTS)
    with pytest.raises(StorageError, match="The version is published in the lake") as caught:
        refresh_corpus(recipe, lake, None, False)
    assert isinstance(caught.value.outcome, Outcome)
    assert caught.value.outcome.status is Status.PUBLISHED
    outcome = refresh(recipe, lake)
    assert (outcome.status, versions(Lake(lake), "small")) == (Status.UNCHANGED, ("v0001",))
    assert list(stand_in.tags[KEY]) == ["v0001"]


def test_a_version_is_pushed_by_hand(
    tmp_path: Path, lake: str, stand_in: HubStandIn, winnow: Winnow
) -> None:
    write_source(tmp_path, "a", rows(0, 9))
    refresh(write_recipe(tmp_path, "a"), lake)
    nowhere = winnow("--lake", lake, "push")
    assert (nowhere.returncode, "say --to ORGANISATION/NAME" in nowhere.stderr) == (2, True)
    done = winnow("--lake", lake, "push", "small@v0001", "--to", REPO, "--json")
    assert done.returncode == 0, done.stderr
    pushed = json.loads(done.stdout)
    assert (pushed["repo"], pushed["version"], pushed["is_new"]) == (REPO, "v0001", True)
    assert stand_in.repos == {KEY: True}
    again = winnow("--lake", lake, "push", "--to", REPO)
    assert again.stdout.startswith("small v0001 there already: ")
    assert len(stand_in.commits[KEY]) == 1
