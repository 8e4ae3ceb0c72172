"""A checkpoint that is not whole does not count."""

import json
from pathlib import Path

import pytest
from safetensors import SafetensorError

from trainer.checkpoint import COMPLETE, clear_torn, newest, prune, seal, write_fault


def checkpoint(folder: Path, step: int, sealed: bool = True) -> Path:
    place = folder / f"checkpoint-{step}"
    place.mkdir(parents=True)
    logged = [{"step": done, "loss": 1 / done} for done in range(1, step + 1)]
    summary = {"step": step, "train_loss": 0.5}
    state = json.dumps({"global_step": step, "max_steps": 100, "log_history": [*logged, summary]})
    (place / "trainer_state.json").write_text(state, "utf-8")
    (place / "adapter_model.safetensors").write_bytes(b"weights" * step)
    if sealed:
        seal(place)
    return place


def cut(place: Path) -> None:
    weights = place / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def lose(place: Path) -> None:
    (place / "adapter_model.safetensors").unlink()


def unseal(place: Path) -> None:
    (place / COMPLETE).unlink()


def half_seal(place: Path) -> None:
    (place / COMPLETE).write_text('{"trainer_state.json": "ab', "utf-8")


@pytest.mark.parametrize("tear", [cut, lose, unseal, half_seal])
def test_a_torn_checkpoint_is_passed_over_for_the_one_before(tear, tmp_path):
    checkpoint(tmp_path, 9)
    tear(checkpoint(tmp_path, 10))
    found = newest(tmp_path)
    assert found
    assert found.step == 9


def test_the_newest_is_by_steps_not_by_name(tmp_path):
    for step in (9, 10, 100):
        checkpoint(tmp_path, step)
    found = newest(tmp_path)
    assert found
    assert (found.step, found.last_step, found.is_last) == (100, 100, True)
    assert found.losses == {step: 1 / step for step in range(1, 101)}


def test_there_is_none_where_nothing_was_saved(tmp_path):
    assert newest(tmp_path / "none") is None
    checkpoint(tmp_path, 5, sealed=False)
    assert newest(tmp_path) is None


def test_the_oldest_and_the_torn_go(tmp_path):
    for step in (5, 10, 15):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 12, sealed=False)
    prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-15"]


def test_what_was_never_sealed_gives_its_room_back(tmp_path):
    for step in (5, 10):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 12, sealed=False)
    clear_torn(tmp_path)
    clear_torn(tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-5"]


# fmt: off
FAULTS = {                     # error                                                     is of writing
    "the system's":            (OSError(28, "No space left on device"),                    "No space left on device"),
    "safetensors'":            (SafetensorError("I/O error: File too large"),              "I/O error: File too large"),
    "torch's":                 (RuntimeError("[enforce fail at inline_container.cc:672]"), "a file of a checkpoint could not be written to its end"),
    "a damaged file":          (SafetensorError("header too large"),                       None),
    "something else":          (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
}
# fmt: on


@pytest.mark.parametrize(("error", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_writing_is_told_from_others(error, told):
    assert write_fault(error) == told


def test_what_was_altered_does_not_outlive_what_is_whole(tmp_path):
    """Two later ones were damaged: what is trained anew from before them must stay."""
    for step in (8, 12):
        cut(checkpoint(tmp_path, step))
    clear_torn(tmp_path)
    checkpoint(tmp_path, 4)
    prune(tmp_path, keep=2)
    found = newest(tmp_path)
    assert found
    assert found.step == 4
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-4"]
