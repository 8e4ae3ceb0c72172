"""The acceptance test: what was saved is whole, was trained, changes the model, and it writes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import GenerationConfig

from schemas.adapter import Acceptance
from schemas.digests import sha256_of
from schemas.errors import AdapterRejected, ConfigError
from trainer.adapters import StartAdapter
from trainer.files import CONFIG, MODEL_CONFIG, MODEL_WEIGHTS, WEIGHTS, weights_of
from trainer.memory import is_out_of_memory
from trainer.model import load_whole
from trainer.weights import BaseFiles, first_line

_PROBE = "acceptance"
_WRITTEN = 8
"""Tokens, at most, that a model writes to show that it can."""


def accept(
    model: PeftModel, folder: Path, probe_ids: list[int], start: StartAdapter | None = None
) -> Acceptance:
    """Load a saved adapter beside the model's own and hold its logits against the bare base's.

    The model is left as it was, its own adapter active. `probe_ids` is any short text in tokens,
    `start` the adapter that training went on from.

    Raises:
        AdapterRejected: files are missing or unreadable, tensors are missing, left over, of a wrong
            shape or not finite, every lora_B is zero, all are as in `start`, the logits do not
            change, or it cannot write.
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
        changed = _changed_since(start, saved, folder) if start else None
        model.load_adapter(str(folder), _PROBE)
        model.eval()
        model.set_adapter(_PROBE, inference_mode=True)
        adapted = _logits(model, probe_ids)
        written = _written(model, probe_ids, folder)
        with model.disable_adapter():
            difference = _difference(adapted, _logits(model, probe_ids), folder)
    finally:
        model.set_adapter(own)
        model.delete_adapter(_PROBE)
    return Acceptance(
        tensors=len(saved),
        nonzero_lora_b=nonzero,
        changed_tensors=changed,
        max_logit_difference=difference,
        generated_tokens=written,
    )


def accept_model(
    base: BaseFiles, folder: Path, probe_ids: list[int], dtype: torch.dtype
) -> Acceptance:
    """Load a saved model all of whose weights were trained and hold it against its base model.

    Raises:
        AdapterRejected: files are missing or unreadable, tensors are missing, left over, of a wrong
            shape or not finite, none has changed, the logits do not change, or it cannot write.
    """
    if not (folder / MODEL_WEIGHTS).is_file():
        raise AdapterRejected(f"{folder} holds no {MODEL_WEIGHTS}: it was not saved.")
    before, _ = load_whole(base, dtype)
    expected = _logits(before, probe_ids)
    try:
        after, odd = load_whole(BaseFiles(base.name, folder, "trained", None), dtype)
    except ConfigError as error:
        raise AdapterRejected(f"{folder} cannot be read back: {error}") from None
    if odd:
        raise AdapterRejected(
            f"{folder / MODEL_WEIGHTS}: {len(odd)} tensors are missing, left over or of a wrong "
            f"shape, e.g. {odd[0]}. The model was not saved whole; train again."
        )
    trained = dict(after.named_parameters())
    _refuse_infinite(trained, folder / MODEL_WEIGHTS)
    changed = _count_changed(dict(before.named_parameters()), trained)
    if not changed:
        raise AdapterRejected(
            f"{folder / MODEL_WEIGHTS}: every weight is the base model's. It learned nothing: "
            "raise train.learning_rate or train.max_steps."
        )
    return Acceptance(
        tensors=len(trained),
        changed_tensors=changed,
        max_logit_difference=_difference(_logits(after, probe_ids), expected, folder),
        generated_tokens=_written(after, probe_ids, folder),
    )


def accept_copy(original: Path, copy: Path) -> None:
    """Raise AdapterRejected unless the weights and configuration read back are those pushed."""
    weights = weights_of(original).name
    for name in (weights, CONFIG if weights == WEIGHTS else MODEL_CONFIG):
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
    _refuse_infinite(saved, folder / WEIGHTS)


def _refuse_infinite(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise AdapterRejected(
                f"{path}: {name} holds values that are not finite. "
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


def _changed_since(start: StartAdapter, saved: dict[str, torch.Tensor], folder: Path) -> int:
    """How many tensors are not as they were in the adapter that training went on from."""
    changed = _count_changed(load_file(start.folder / WEIGHTS), saved)
    if not changed:
        raise AdapterRejected(
            f"{folder / WEIGHTS}: every tensor is as in {start.name}, from which it started. It "
            "learned nothing more: raise train.learning_rate or train.max_steps."
        )
    return changed


def _count_changed(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> int:
    return sum(not torch.equal(before[name], one) for name, one in after.items())


def _difference(adapted: torch.Tensor, bare: torch.Tensor, folder: Path) -> float:
    """The largest absolute difference of a logit."""
    difference = float((adapted - bare).abs().max())
    if not difference > 0:
        raise AdapterRejected(
            f"{folder}: with the saved weights the model gives the same logits as without them. It "
            "learned nothing: raise train.learning_rate or train.max_steps."
        )
    return difference


def _logits(model: Any, probe_ids: list[int]) -> torch.Tensor:
    """Tokens x vocabulary, float32."""
    ids = torch.tensor([probe_ids], device=next(model.parameters()).device)
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=ids).logits[0].float()
    return found


def _written(model: Any, probe_ids: list[int], folder: Path) -> int:
    """How many tokens the model writes greedily after the probe, its stop token included."""
    ids = torch.tensor([probe_ids], device=next(model.parameters()).device)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=_WRITTEN,
        do_sample=False,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    try:
        with torch.inference_mode():
            found = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config
            )
    except (ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise AdapterRejected(
            f"{folder}: the model cannot write with the saved weights: {first_line(error)}. Let "
            "the base model write alone first: winnow chat --base RECIPE."
        ) from None
    if not all(bool(torch.isfinite(step).all()) for step in found.logits):
        raise AdapterRejected(
            f"{folder}: while the model writes, its logits are not finite. "
            "Lower train.learning_rate and train again."
        )
    return int(found.sequences.shape[1]) - len(probe_ids)
