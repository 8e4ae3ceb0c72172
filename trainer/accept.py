"""The adapter acceptance test: what was saved is whole, was trained, and changes the model."""

import json
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from schemas.adapter import Acceptance
from schemas.digests import sha256_of
from schemas.errors import AdapterRejected
from trainer.files import CONFIG, WEIGHTS

_PROBE = "acceptance"


def accept(model: PeftModel, folder: Path, probe_ids: list[int]) -> Acceptance:
    """Load a saved adapter beside the model's own and hold its logits against the bare base's.

    The model is left as it was, its own adapter active. `probe_ids` is any short text in tokens.

    Raises:
        AdapterRejected: files are missing or unreadable, tensors are missing, left over, of a wrong
            shape or not finite, every lora_B is zero, or the logits do not change.
    """
    saved = _read(folder)
    own = model.active_adapter
    config = PeftConfig.from_pretrained(str(folder))
    model.add_adapter(_PROBE, config)
    try:
        expected = get_peft_model_state_dict(
            model, adapter_name=_PROBE, save_embedding_layers=False
        )
        _compare_tensors(saved, expected, folder)
        nonzero = _count_trained(saved, folder)
        model.load_adapter(str(folder), _PROBE)
        difference = _logit_difference(model, probe_ids)
    finally:
        model.set_adapter(own)
        model.delete_adapter(_PROBE)
    if not difference > 0:
        raise AdapterRejected(
            f"{folder}: with the saved adapter the model gives the same logits as without it. It "
            "learned nothing: raise train.learning_rate or train.max_steps."
        )
    return Acceptance(tensors=len(saved), nonzero_lora_b=nonzero, max_logit_difference=difference)


def accept_copy(original: Path, copy: Path) -> None:
    """Raise AdapterRejected unless the weights and configuration read back are those pushed."""
    for name in (WEIGHTS, CONFIG):
        if not (copy / name).is_file():
            raise AdapterRejected(f"{name} is missing from what the hub gave back. Push again.")
        expected, found = sha256_of(original / name), sha256_of(copy / name)
        if expected != found:
            raise AdapterRejected(
                f"{name} read back from the hub is not what was pushed: expected sha256 "
                f"{expected}, found {found}. Push again."
            )


def _read(folder: Path) -> dict[str, torch.Tensor]:
    path = folder / WEIGHTS
    if not path.is_file() or not (folder / CONFIG).is_file():
        raise AdapterRejected(f"{folder} holds no {WEIGHTS} with its {CONFIG}: it was not saved.")
    try:
        json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise AdapterRejected(f"{path} cannot be read back: {error}. Train again.") from None


def _compare_tensors(
    saved: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], folder: Path
) -> None:
    missing = sorted(expected.keys() - saved.keys())
    surplus = sorted(saved.keys() - expected.keys())
    if missing or surplus:
        example = (missing or surplus)[0]
        raise AdapterRejected(
            f"{folder / WEIGHTS}: expected {len(expected)} tensors, found {len(saved)}: "
            f"{len(missing)} missing, {len(surplus)} that do not belong, e.g. {example}. "
            "The adapter was not saved whole; train again."
        )
    for name, tensor in saved.items():
        if tensor.shape != expected[name].shape:
            raise AdapterRejected(
                f"{folder / WEIGHTS}: {name} has shape {tuple(tensor.shape)}, expected "
                f"{tuple(expected[name].shape)}. It belongs to another model or rank."
            )
        if not torch.isfinite(tensor).all():
            raise AdapterRejected(
                f"{folder / WEIGHTS}: {name} holds values that are not finite. "
                "Lower train.learning_rate and train again."
            )


def _count_trained(saved: dict[str, torch.Tensor], folder: Path) -> int:
    """How many lora_B tensors are not all zero; none means that nothing was trained."""
    trained = [name for name, one in saved.items() if "lora_B" in name and one.any()]
    if not trained:
        raise AdapterRejected(
            f"{folder / WEIGHTS}: every lora_B is zero, so the adapter changes nothing. "
            "Look at the label audit, raise train.learning_rate or train.max_steps."
        )
    return len(trained)


def _logit_difference(model: PeftModel, probe_ids: list[int]) -> float:
    """The largest absolute difference of a logit, saved adapter against bare base model."""
    ids = torch.tensor([probe_ids], device=next(model.parameters()).device)
    model.eval()
    with torch.inference_mode():
        model.set_adapter(_PROBE, inference_mode=True)
        adapted = model(input_ids=ids).logits.float()
        with model.disable_adapter():
            bare = model(input_ids=ids).logits.float()
    return float((adapted - bare).abs().max())
