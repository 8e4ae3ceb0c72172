"""What a run trained, on disk: saved, read back into a model, and gone on from."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from schemas.errors import ConfigError, StorageError
from schemas.train import Lora
from trainer.adapters import StartAdapter
from trainer.files import (
    CONFIG,
    MODEL_CONFIG,
    WEIGHTS,
    storage_errors,
    weights_of,
    write_text,
)
from trainer.templates import Template
from trainer.weights import BaseFiles

Trained = PeftModel | PreTrainedModel
"""A model of which an adapter is trained, or all weights."""

ONE_FILE = "1000TB"
"""As a shard's size: the weights of a small model lie in one file, whose SHA-256 says which."""


def save(model: Trained, folder: Path, template: Template) -> None:
    """Write what was trained, over what a rejected attempt left (raises StorageError).

    An adapter is its weights and its configuration; a model is all of `save_model`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with storage_errors("write", folder):
        if not isinstance(model, PeftModel):
            save_model(model, folder, template, ONE_FILE)
            return
        model.save_pretrained(str(folder), save_embedding_layers=False)
        shutil.copymode(folder / CONFIG, folder / WEIGHTS)  # peft makes it private
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if isinstance(settings["target_modules"], list):
        settings["target_modules"].sort()  # from a set: its order differs between processes
    write_text(folder / CONFIG, json.dumps(settings, indent=1, sort_keys=True) + "\n")


def save_model(model: PreTrainedModel, folder: Path, template: Template, shard_size: str) -> None:
    """Write a model with its tokenizer, its chat template and where it stops.

    Whoever loads it needs nothing of Winnow to ask it what it was trained on: the template is that
    of training, and its stop token is among those that end an answer.
    """
    own = model.generation_config.eos_token_id if model.generation_config else None
    stops = {template.stop_id, *(own if isinstance(own, list) else [own])} - {None}
    model.generation_config.eos_token_id = sorted(stops)
    model.config.use_cache = True
    model.save_pretrained(folder, max_shard_size=shard_size)
    for path in folder.glob("*.safetensors"):
        shutil.copymode(folder / MODEL_CONFIG, path)  # safetensors makes it private
    template.tokenizer_that_speaks().save_pretrained(folder)


@contextlib.contextmanager
def bare(model: Trained) -> Iterator[None]:
    """Within, the model is the base model; one without an adapter is that until it is trained."""
    if isinstance(model, PeftModel):
        with model.disable_adapter():
            yield
    else:
        yield


def restore(model: Trained, folder: Path) -> None:
    """Give a model the weights that `save`, or a checkpoint of it, left in a folder.

    Raises:
        StorageError: they are not those of this model.
    """
    weights = load_file(weights_of(folder))
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, weights)
        return
    surplus = model.load_state_dict(weights, strict=False).unexpected_keys  # tied ones are missing
    if surplus:
        raise StorageError(
            f"{weights_of(folder)} holds {len(surplus)} tensors that the model has not, e.g. "
            f"{surplus[0]}. Delete the run's folder and train again."
        )
    model.tie_weights()


def go_on_from(model: PeftModel, start: StartAdapter, lora: Lora, base: BaseFiles) -> None:
    """Give a new adapter the weights of one that was trained before.

    Raises:
        ConfigError: that one is over other base weights, or of another rank, scale or targets.
    """
    _refuse_other_base(start, base)
    _refuse_other_lora(start, lora)
    weights = load_file(start.folder / WEIGHTS)
    expected = get_peft_model_state_dict(model, save_embedding_layers=False)
    shapes = {name: tuple(one.shape) for name, one in weights.items()}
    wanted = {name: tuple(one.shape) for name, one in expected.items()}
    names = sorted(shapes.keys() | wanted.keys())
    odd = [name for name in names if shapes.get(name) != wanted.get(name)]
    if odd:
        raise ConfigError(
            f"train.start_from: {start.name} does not fit train.lora over {base.name}: of "
            f"{len(wanted)} tensors {len(odd)} differ, e.g. {odd[0]}: expected "
            f"{wanted.get(odd[0], 'none')}, found {shapes.get(odd[0], 'none')}. Set lora.targets "
            f"to those of {start.folder / CONFIG}."
        )
    set_peft_model_state_dict(model, weights)


def _refuse_other_base(start: StartAdapter, base: BaseFiles) -> None:
    made = start.manifest
    if made is not None:
        if made.base_digest != base.digest:
            raise ConfigError(
                f"train.start_from: {start.name} was trained over other weights of "
                f"{made.base_model}: expected sha256 {made.base_digest}, found {base.digest} in "
                f"{base.folder}. Set train.base_model to revision {made.base_revision}."
            )
        return
    named = _settings(start).get("base_model_name_or_path")
    if named != base.name:
        raise ConfigError(
            f"train.start_from: {start.name} is an adapter of {named}, and train.base_model.name "
            f"is {base.name}. Name the same base model in both."
        )


def _refuse_other_lora(start: StartAdapter, lora: Lora) -> None:
    settings = _settings(start)
    if settings.get("peft_type") != "LORA":
        raise ConfigError(
            f"train.start_from: {start.name} is not LoRA but {settings.get('peft_type')}. Name a "
            "LoRA adapter."
        )
    pairs = {
        "rank": (lora.rank, settings.get("r")),
        "alpha": (lora.alpha, settings.get("lora_alpha")),
        "rslora": (lora.rslora, settings.get("use_rslora", False)),
        "dora": (lora.dora, settings.get("use_dora", False)),
    }
    odd = [
        f"lora.{name}: {theirs:g}" if isinstance(theirs, float) else f"lora.{name}: {theirs}"
        for name, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    if odd:
        raise ConfigError(
            f"train.start_from: {start.name} has other LoRA settings than the recipe. An adapter "
            f"keeps those that it began with: set train.{', train.'.join(odd)}."
        )


def _settings(start: StartAdapter) -> dict[str, Any]:
    try:
        found = json.loads((start.folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConfigError(
            f"train.start_from: {start.folder / CONFIG} cannot be read. Name a whole adapter."
        ) from None
    return found if isinstance(found, dict) else {}
