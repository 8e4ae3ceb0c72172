"""Checkpoints that go to the Hub while training goes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load

from schemas.adapter import TrainingManifest, TrainingRun
from schemas.errors import StorageError
from schemas.recipe import Recipe
from schemas.train import Method, Push
from tests.trainer.building import recipe_of
from tests.trainer.hub_stand_in import HubStandIn, hub_in_use
from trainer.checkpoint_pushes import BRANCH, RECORD, pushed_checkpoints, steps_to_push
from trainer.files import MANIFEST, WEIGHTS
from trainer.hub import ATTEMPTS, FolderHub, HuggingFaceHub
from trainer.progress import Progress
from trainer.run import run

REPO = "winnow/tiny"

# fmt: off
SPREAD = {                   # every   last   budget   pushed after
    "none is asked for":     (5,       100,   0,       ()),
    "one, in the middle":    (10,      50,    1,       (30,)),
    "as many as there are":  (10,      40,    3,       (10, 20, 30)),
    "more than there are":   (10,      40,    9,       (10, 20, 30)),
    "one fewer than all":    (10,      50,    3,       (10, 30, 40)),
    "spread":                (1,       101,   4,       (13, 38, 63, 88)),
    "the last is not one":   (10,      10,    4,       ()),
    "a run that ends early": (10,      25,    4,       (10, 20)),
}
# fmt: on


@pytest.mark.parametrize(("every", "last", "budget", "steps"), SPREAD.values(), ids=SPREAD.keys())
def test_a_budget_is_spread_evenly_over_the_checkpoints(every, last, budget, steps):
    assert steps_to_push(every, last, budget) == steps


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A Hub that a run's pushes go to."""
    with hub_in_use(monkeypatch) as hub:

        def chosen(push: Push, lake: Path, attempts: int = ATTEMPTS) -> HuggingFaceHub:
            return HuggingFaceHub(
                hub.token, endpoint=hub.url, sleep=lambda _: None, attempts=attempts
            )

        monkeypatch.setattr("trainer.job.choose_hub", chosen)
        yield hub


def pushing(model: Path, checkpoints: int, target: str = "hub", **settings: Any) -> Recipe:
    push = Push(repo=REPO, target=target, checkpoints=checkpoints)
    return recipe_of(model, **{"max_steps": 10, "save_steps": 2, "push": push} | settings)


def train(manifest: Path, recipe: Recipe, folder: Path) -> TrainingRun:
    return run(manifest, recipe, manifest.parents[3], folder, Progress())


def test_checkpoints_are_commits_of_a_branch_and_main_has_the_adapter_alone(
    stand_in, manifest, tiny_model, tmp_path
):
    made = train(manifest, pushing(tiny_model, checkpoints=2), tmp_path / "run").manifest
    assert made.pushed
    assert [one for one, _, _ in stand_in.commits[REPO]] == [made.pushed.commit]
    branch = stand_in.branches[REPO][BRANCH]
    assert [title for _, title, _ in branch] == [
        f"Checkpoint of {made.run} after step {step} of 10" for step in (4, 8)
    ]
    assert [(one.step, one.pushed and one.pushed.commit) for one in made.checkpoints] == [
        (step, oid) for step, (oid, _, _) in zip((4, 8), branch, strict=True)
    ]
    weights = [files[WEIGHTS] for _, _, files in (*branch, *stand_in.commits[REPO])]
    assert len(set(weights)) == 3
    for step, (_, _, files) in zip((4, 8), branch, strict=True):
        told = TrainingManifest.model_validate_json(files[MANIFEST])
        assert (told.steps, told.checkpoint_of, told.after) == (step, 10, None)
        assert told.acceptance.nonzero_lora_b == told.acceptance.tensors // 2
        assert set(load(files[WEIGHTS])) == set(load(weights[-1]))
        card = files["README.md"].decode()
        assert f"After step {step} of 10" in card
        assert "has not been held against its base model" in card
    assert "checkpoint" not in stand_in.files(REPO, "main")["README.md"].decode().lower()


@pytest.mark.parametrize("settings", [{}, {"method": Method.FULL}], ids=["LoRA", "all weights"])
def test_what_is_trained_is_bitwise_what_it_is_without_pushes(
    settings, manifest, tiny_model, tmp_path
):
    """With dropout where there is LoRA, so that random numbers are drawn after each push."""
    settings = settings | {"learning_rate": 1e-3}
    plain = pushing(tiny_model, checkpoints=0, target="folder", **settings)
    asked = pushing(tiny_model, checkpoints=4, target="folder", **settings)
    without = train(manifest, plain, tmp_path / "without").manifest
    made = train(manifest, asked, tmp_path / "with").manifest
    assert [one.step for one in made.checkpoints if one.pushed] == [2, 4, 6, 8]
    assert made.adapter_sha256 == without.adapter_sha256
    assert made.train_loss == without.train_loss


# fmt: off
FAULTS = {                     # request that fails     how               what is said
    "the Hub is busy":         ("/commit/checkpoints",  (429,) * 8,       "status 429"),
    "the Hub is out":          ("/commit/checkpoints",  (503,) * 8,       "status 503"),
    "no leave to branch":      ("/branch/checkpoints",  (403,),           "refuses winnow/tiny with 403"),
    "it does not come back":   ("/resolve/",            (403,),           "refuses winnow/tiny with 403"),
}
# fmt: on


@pytest.mark.parametrize(("request_line", "statuses", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_push_that_fails_is_told_and_stops_nothing(
    request_line, statuses, said, stand_in, manifest, tiny_model, tmp_path, capsys
):
    stand_in.fail(request_line, *statuses)
    made = train(manifest, pushing(tiny_model, checkpoints=1), tmp_path / "run")
    assert made.status == "trained"
    (one,) = made.manifest.checkpoints
    assert one.step == 6
    assert one.pushed is None
    assert said in one.fault
    told = " ".join(capsys.readouterr().err.split())
    assert "the checkpoint after step 6 was not pushed, training goes on" in told
    assert said in told
    if "/commit/" in request_line:
        tries = [line for line in stand_in.asked if line.endswith(request_line)]
        assert len(tries) < ATTEMPTS  # nobody waits for the Hub while a GPU stands idle


def test_a_fault_of_one_push_leaves_the_next_its_turn(stand_in, manifest, tiny_model, tmp_path):
    stand_in.fail("/branch/checkpoints", 403)
    made = train(manifest, pushing(tiny_model, checkpoints=4), tmp_path / "run").manifest
    assert [one.pushed is not None for one in made.checkpoints] == [False, True, True, True]


def test_a_run_that_goes_on_pushes_no_checkpoint_twice_nor_beyond_its_budget(
    manifest, tiny_model, tmp_path
):
    asked = pushing(tiny_model, checkpoints=2, target="folder", keep_checkpoints=9)
    folder = tmp_path / "run"
    first = train(manifest, asked, folder).manifest
    for path in (folder / MANIFEST, folder / "adapter" / MANIFEST):
        path.unlink()
    for step in (4, 6, 8, 10):  # altered on disk, so that these steps are made again
        (folder / "checkpoints" / f"checkpoint-{step}" / "complete.json").unlink()
    again = train(manifest, asked, folder).manifest
    assert again.checkpoints == first.checkpoints
    assert again.adapter_sha256 == first.adapter_sha256
    hub = manifest.parents[3] / "hub" / REPO
    commits = [json.loads(path.read_text("utf-8")) for path in (hub / "commits").glob("*.json")]
    assert sum(one["message"].startswith("Checkpoint") for one in commits) == 2


def test_in_a_folder_a_branch_goes_on_from_main(manifest, tiny_model, tmp_path):
    asked = pushing(tiny_model, checkpoints=2, target="folder")
    made = train(manifest, asked, tmp_path / "run").manifest
    hub = FolderHub(manifest.parents[3] / "hub")
    assert hub.head(REPO) == made.pushed.commit
    assert hub.head(REPO, BRANCH) == made.checkpoints[-1].pushed.commit
    second = json.loads(Path(f"{made.checkpoints[-1].pushed.uri}.json").read_text("utf-8"))
    assert second["parent"] == made.checkpoints[0].pushed.commit


def test_a_note_that_cannot_be_read_says_what_it_is(tmp_path):
    (tmp_path / RECORD).write_text("[", "utf-8")
    with pytest.raises(StorageError, match="which checkpoints were pushed"):
        pushed_checkpoints(tmp_path)
