"""The acceptance test refuses every adapter that is not the trained one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import AdapterRejected
from schemas.train import Lora
from trainer.accept import accept, accept_copy
from trainer.adapters import StartAdapter
from trainer.files import CONFIG, WEIGHTS
from trainer.model import attach_lora, load_model
from trainer.weights import BaseFiles

PROBE = [5, 6, 7, 8]
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def model(tiny_model: Path) -> Any:
    """The tiny model with an adapter whose B is not zero."""
    files = BaseFiles("tests/tiny", tiny_model, "local", None)
    torch.manual_seed(0)
    adapted = attach_lora(load_model(files, bf16=False), Lora(rank=2, alpha=4), files)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    return adapted


@pytest.fixture
def saved(model: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)


def test_a_trained_adapter_is_accepted_and_the_model_left_as_it_was(model, saved):
    before = {name: one.clone() for name, one in model.state_dict().items()}
    seen = accept(model, saved, PROBE)
    assert seen.tensors == 2 * seen.nonzero_lora_b == 28
    assert seen.max_logit_difference > 0
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], one) for name, one in before.items())
    assert model.active_adapter == "default"


def test_it_looks_at_the_saved_file_not_at_the_model_in_memory(model, saved):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.zero_()
    assert accept(model, saved, PROBE).nonzero_lora_b == 14


def zero_b(tensors: Tensors) -> Tensors:
    return {name: one * (0 if "lora_B" in name else 1) for name, one in tensors.items()}


def without_one(tensors: Tensors) -> Tensors:
    return dict(list(tensors.items())[1:])


def with_one_more(tensors: Tensors) -> Tensors:
    return tensors | {"base_model.model.other.lora_A.weight": torch.ones(2, 2)}


def other_rank(tensors: Tensors) -> Tensors:
    return {
        name: (one[:1] if "lora_A" in name else one[:, :1]).contiguous()
        for name, one in tensors.items()
    }


def not_finite(tensors: Tensors) -> Tensors:
    return {name: one.fill_(float("nan")) for name, one in tensors.items()}


def zero_a(tensors: Tensors) -> Tensors:
    return {name: one * (0 if "lora_A" in name else 1) for name, one in tensors.items()}


# fmt: off
FAULTS = {                        # what is wrong   what is said
    "no tensor at all":           (lambda _: {},    "expected 28 tensors, found 0"),
    "one tensor short":           (without_one,     "1 missing"),
    "one tensor too many":        (with_one_more,   "1 that do not belong"),
    "never trained":              (zero_b,          "every lora_B is zero"),
    "another rank":               (other_rank,      "has shape"),
    "diverged":                   (not_finite,      "not finite"),
    "no effect":                  (zero_a,          "the same logits"),
}
# fmt: on


@pytest.mark.parametrize(("change", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_an_adapter_that_is_not_the_trained_one_is_refused(change, said, model, saved):
    rewrite(saved, change)
    with pytest.raises(AdapterRejected, match=said):
        accept(model, saved, PROBE)
    assert list(model.peft_config) == ["default"]


def test_an_empty_file_is_refused(model, saved):
    (saved / WEIGHTS).write_bytes(b"")
    with pytest.raises(AdapterRejected, match="cannot be read back"):
        accept(model, saved, PROBE)


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_missing_file_is_refused(name, model, saved):
    (saved / name).unlink()
    with pytest.raises(AdapterRejected, match="it was not saved"):
        accept(model, saved, PROBE)


def test_what_comes_back_from_the_hub_must_be_what_was_pushed(saved, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    accept_copy(saved, copy)
    settings = json.loads((copy / CONFIG).read_text("utf-8")) | {"r": 99}
    (copy / CONFIG).write_text(json.dumps(settings), "utf-8")
    with pytest.raises(AdapterRejected, match=r"adapter_config.json read back.*expected sha256"):
        accept_copy(saved, copy)
    (copy / WEIGHTS).unlink()
    with pytest.raises(AdapterRejected, match="missing from what the hub gave back"):
        accept_copy(saved, copy)


def test_a_model_that_writes_is_told_by_how_many_tokens(model, saved):
    assert 1 <= accept(model, saved, PROBE).generated_tokens <= 8


def test_a_model_that_cannot_write_is_refused(model, saved, monkeypatch):
    def fail(**_: Any) -> None:
        raise ValueError("no cache of that kind")

    monkeypatch.setattr(model, "generate", fail)
    with pytest.raises(AdapterRejected, match=r"cannot write.*no cache of that kind"):
        accept(model, saved, PROBE)
    assert list(model.peft_config) == ["default"]


def test_memory_that_runs_out_while_it_writes_rejects_nothing(model, saved, monkeypatch):
    monkeypatch.setattr(model, "generate", lambda **_: torch.empty(2**60))
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        accept(model, saved, PROBE)


def test_an_adapter_that_is_still_the_one_it_started_from_is_refused(model, saved, tmp_path):
    start = StartAdapter("before", tmp_path / "before")
    shutil.copytree(saved, start.folder)
    with pytest.raises(AdapterRejected, match="as in before, from which it started"):
        accept(model, saved, PROBE, start)
    rewrite(start.folder, lambda tensors: tensors | {sorted(tensors)[0]: torch.ones(2, 32)})
    assert accept(model, saved, PROBE, start).changed_tensors == 1
