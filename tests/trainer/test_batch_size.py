"""How many rows a forward pass takes, and that a run stays with it."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from schemas.adapter import StepRows
from schemas.errors import ConfigError, StorageError
from schemas.train import AUTO_ROWS
from tests.trainer.building import recipe_of
from trainer import batch_size, memory
from trainer.batch_size import kept_bytes, largest_that_fits, step_rows


def never(sizes: list[int]) -> int:
    raise AssertionError(sizes)


# fmt: off
CHOICES = {                  # batch_size   accumulation   fits    batch and accumulation
    "as it says":            (6,            3,             None,   (6, 3)),
    "all at once":           ("auto",       1,             99,     (AUTO_ROWS, 1)),
    "all but one fit":       ("auto",       1,             7,      (4, 2)),
    "one at a time":         ("auto",       1,             1,      (1, 8)),
    "divides, no power":     ("auto",       3,             13,     (12, 2)),
}
# fmt: on


@pytest.mark.parametrize(("size", "steps", "fits", "expected"), CHOICES.values(), ids=CHOICES)
def test_a_step_has_the_same_rows_whatever_fits(size, steps, fits, expected, tiny_model, tmp_path):
    train = recipe_of(tiny_model, batch_size=size, gradient_accumulation=steps).train
    find = never if fits is None else lambda sizes: next(one for one in sizes if one <= fits)
    found = step_rows(train, tmp_path, find)
    assert (found.batch_size, found.accumulation) == expected
    assert found.rows == (size if isinstance(size, int) else AUTO_ROWS) * steps
    assert step_rows(train, tmp_path, never) == found  # of a run that goes on


def test_a_run_goes_on_with_as_many_processes_as_it_began_with(tiny_model, tmp_path, monkeypatch):
    train = recipe_of(tiny_model).train
    step_rows(train, tmp_path, never)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ConfigError, match=r"begun with 1 processes, and now there are 4"):
        step_rows(train, tmp_path, never)


def test_a_note_that_cannot_be_read_is_not_guessed_at(tiny_model, tmp_path):
    (tmp_path / batch_size.RECORD).write_text('{"batch_size": 8}', "utf-8")
    with pytest.raises(StorageError, match="cannot be read"):
        step_rows(recipe_of(tiny_model).train, tmp_path, never)


def rows_of(lengths: list[int]) -> SimpleNamespace:
    """A feed of vectors whose square is their loss."""
    import datasets

    ids = [list(range(length)) for length in lengths]
    data = datasets.Dataset.from_dict({"input_ids": ids, "length": lengths})

    def collator(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        return {"input_ids": torch.tensor([row["input_ids"] for row in rows], dtype=torch.float32)}

    return SimpleNamespace(data=data, collator=collator)


# fmt: off
ROOM = {                    # bytes there are, in rows of the longest   chosen of 8, 4, 2, 1
    "more than enough":     (100,                                       8),
    "eight to the byte":    (8 / batch_size.CPU_SHARE,                  8),
    "less than eight":      (7.9 / batch_size.CPU_SHARE,                4),
    "not even one":         (0.1,                                       1),
}
# fmt: on


@pytest.mark.parametrize(("rows", "chosen"), ROOM.values(), ids=ROOM)
def test_on_a_cpu_as_many_rows_as_the_longest_leaves_room_for(
    rows, chosen, tiny_model, monkeypatch
):
    model = torch.nn.Linear(1, 1)
    feed = rows_of([3, 1_000, 20])

    def loss(batch):
        given = batch["input_ids"].clone().requires_grad_()
        return (given**2).sum()  # which keeps `given`

    assert kept_bytes(model, loss, feed.collator([feed.data[1]])) == 4_000
    monkeypatch.setattr(batch_size, "available_bytes", lambda: int(rows * 4_000))
    train = recipe_of(tiny_model, batch_size="auto").train
    assert largest_that_fits(model, feed, train, loss, [8, 4, 2, 1]) == chosen


def test_a_model_is_left_as_it_was(tiny_model, monkeypatch):
    model = torch.nn.Linear(4, 1).eval()

    def loss(batch):
        return model(batch["input_ids"]).sum()

    largest_that_fits(model, rows_of([4]), recipe_of(tiny_model).train, loss, [2, 1])
    assert not model.training
    assert model.weight.grad is None


# fmt: off
GROUPS = {             # memory.max    memory.current   inactive file cache   left
    "no limit":       ("max",          "500",           "100",                None),
    "a limit":        ("1000",         "500",           "100",                600),
    "over it":        ("1000",         "1500",          "100",                0),
}
# fmt: on


@pytest.mark.parametrize(("limit", "used", "cache", "left"), GROUPS.values(), ids=GROUPS)
def test_the_limit_of_a_container_is_heeded(limit, used, cache, left, tmp_path):
    (tmp_path / "memory.max").write_text(f"{limit}\n", "utf-8")
    (tmp_path / "memory.current").write_text(f"{used}\n", "utf-8")
    (tmp_path / "memory.stat").write_text(f"anon 7\ninactive_file {cache}\n", "utf-8")
    assert memory._group_bytes(tmp_path) == left
    assert memory._group_bytes(tmp_path / "none") is None


def test_what_is_available_is_some_of_the_machine():
    assert 0 < memory.available_bytes() < 2**50
    assert memory._machine_bytes(Path("/none")) > 0


def test_the_note_of_a_run_can_be_read_by_people(tiny_model, tmp_path):
    step_rows(recipe_of(tiny_model).train, tmp_path, never)
    assert json.loads((tmp_path / batch_size.RECORD).read_text("utf-8")) == {
        "batch_size": 4,
        "accumulation": 1,
        "processes": 1,
    }
    assert StepRows(batch_size=4, accumulation=3, processes=2).rows == 24
