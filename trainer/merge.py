"""A LoRA adapter merged into its base model: a model that loads on its own, proven to be the same.

What is merged into are the weights that training saw: where the base model was held in 4 or 8 bits,
the floats that those stand for.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from peft import PeftModel
from transformers import AutoConfig, PreTrainedModel

from schemas.adapter import TrainingManifest
from schemas.errors import AdapterRejected, ConfigError
from schemas.train import Quantize
from trainer.adapters import base_of, manifest_of, named_adapter, refuse_altered
from trainer.files import CARD, MANIFEST, WEIGHTS, new_folder, storage_errors, write_text
from trainer.model import load_model, load_tokenizer, load_whole
from trainer.quantization import dequantize
from trainer.quiet import hush_transformers
from trainer.saved import save_model
from trainer.templates import Template, choose_template
from trainer.weights import BaseFiles

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
AUTO = "auto"
SHARD_SIZE = "5GB"
_QUESTIONS = (
    "Name a colour, and say why you like it.",
    "What is 17 + 25?",
    "写一句关于春天的话。",
)
_LEFT = 0.1
"""Of the difference that the adapter makes: what rounding may take or add, on average, at most."""
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Merged:
    """A merged model on disk, and how near its logits are to those of base model and adapter."""

    folder: str
    dtype: str
    files: tuple[str, ...]
    size_bytes: int
    logit_difference: float
    """mean, between the merged model and the base model with its adapter"""
    adapter_difference: float
    """mean, between the base model with its adapter and without"""


def merge(
    adapter: str | None, lake: Path, out: Path, dtype: str = AUTO, *, trusts_code: bool = False
) -> Merged:
    """Merge an adapter into its base model and write the model to a new folder `out`.

    `adapter` is as for `named_adapter`. `dtype` is one of `DTYPES`, or `auto` for the base model's
    own. The folder appears once it was read back and its logits are those of the adapted model.
    `trusts_code` is as for `base_of`.

    Raises:
        ConfigError: the adapter's base model is not the one on this machine, or brings code that
            nobody trusts; all weights were trained so that nothing is to merge; or `out` is not
            empty.
        CorpusDamaged: the adapter's weights are not those of its manifest.
        AdapterRejected: the merged model's logits are not those of base model and adapter.
        StorageError: it cannot be written.
    """
    hush_transformers()
    folder = named_adapter(adapter, lake)
    out = out.expanduser().absolute()
    _refuse_full(folder)
    _refuse_taken(out)
    made = manifest_of(folder, lake)
    refuse_altered(folder / WEIGHTS, made)
    base = base_of(made, folder, lake, trusts_code)
    chosen = DTYPES[_own_dtype(base) if dtype == AUTO else dtype]
    template = choose_template(load_tokenizer(base), made.train.template, base.name)
    probes = _probes(template)
    adapted = PeftModel.from_pretrained(_float_base(base, made, chosen), str(folder))
    adapted.eval()
    expected = _logits(adapted, probes)
    with adapted.disable_adapter():
        effect = _mean_difference(expected, _logits(adapted, probes))
    with new_folder(out) as staging:
        _write(_merged(adapted), staging, template, folder)
        again, odd = load_whole(BaseFiles(base.name, staging, "merged", None), chosen)
        found = _mean_difference(expected, _logits(again, probes))
        _refuse_different(odd, found, effect, chosen)
        write_text(staging / CARD, _card(folder, chosen))
    return _described(out, chosen, found, effect)


def _refuse_full(folder: Path) -> None:
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(
            f"{folder} holds no {WEIGHTS}, so there is nothing to merge: a model all of whose "
            "weights were trained loads on its own."
        )


def _refuse_taken(out: Path) -> None:
    with storage_errors("read", out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"--out {out} is there already. Name a new folder, or empty it.")


def _own_dtype(base: BaseFiles) -> str:
    """The type that the base model's configuration names; float32 for GGUF and where it is none."""
    if base.gguf_file:
        return "float32"
    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=base.trusts_code)
    name = str(config.dtype).rpartition(".")[2]
    return name if name in DTYPES else "float32"


def _float_base(base: BaseFiles, made: TrainingManifest, dtype: torch.dtype) -> PreTrainedModel:
    """The base model with the weights that training saw, as floats."""
    quantize = made.train.quantize
    if quantize is Quantize.NONE:
        return load_whole(base, dtype)[0]
    held = load_model(base, bf16=dtype is torch.bfloat16, quantize=quantize)
    return dequantize(held, dtype)


def _probes(template: Template) -> list[list[int]]:
    tokenizer = template.tokenizer
    prompts = [template.prompt([{"role": "user", "content": one}]) for one in _QUESTIONS]
    return [list(tokenizer(one, add_special_tokens=False)["input_ids"]) for one in prompts]


def _logits(model: Any, probes: Sequence[list[int]]) -> torch.Tensor:
    """All probes' tokens one after another x vocabulary, float32, on the CPU."""
    place = next(model.parameters()).device
    with torch.inference_mode():
        found = [model(input_ids=torch.tensor([ids], device=place)).logits[0] for ids in probes]
    return torch.cat(found).float().cpu()


def _mean_difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().mean())


def _merged(adapted: PeftModel) -> PreTrainedModel:
    try:
        found: Any = adapted.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise AdapterRejected(f"the adapter cannot be merged: {error}. Train it again.") from None
    model: PreTrainedModel = found
    return model


def _write(model: PreTrainedModel, folder: Path, template: Template, adapter: Path) -> None:
    """All that the model is loaded from, and what the adapter was made from."""
    with storage_errors("write", folder):
        save_model(model, folder, template, SHARD_SIZE)
        shutil.copyfile(adapter / MANIFEST, folder / MANIFEST)


def _refuse_different(odd: list[str], difference: float, effect: float, dtype: torch.dtype) -> None:
    """Raise AdapterRejected unless what was read back is whole and is the adapted model."""
    if odd:
        raise AdapterRejected(
            f"the merged model was not saved whole: {len(odd)} tensors are missing or left over, "
            f"e.g. {odd[0]}. Nothing was kept."
        )
    if difference <= max(_LEFT * effect, _ROUNDING):  # false for what is no number
        return
    raise AdapterRejected(
        f"the merged model is not the adapted one: its logits differ by {difference:.2g} on "
        f"average, where the adapter makes {effect:.2g}. In {_name(dtype)} rounding loses what it "
        "learned: merge with --dtype float32. Nothing was kept."
    )


def _card(adapter: Path, dtype: torch.dtype) -> str:
    """The adapter's card, whose front matter and first words say that it was merged."""
    path = adapter / CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, _, rest = text.partition("---\n")
    front, _, body = rest.partition("\n---\n")
    try:
        found = yaml.safe_load(front)
    except yaml.YAMLError:
        found = None
    metadata = found if isinstance(found, dict) else {}
    metadata |= {"library_name": "transformers", "base_model_relation": "merge"}
    return (
        f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n\n"
        f"Merged by Winnow: the adapter that this card is of, added to its base model's weights in "
        f"{_name(dtype)}. Load it with `transformers`; it needs no `peft`. Tokenizer, chat "
        f"template and stop tokens are those of training.\n{body}"
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _described(out: Path, dtype: torch.dtype, difference: float, effect: float) -> Merged:
    files = sorted(path for path in out.iterdir() if path.is_file())
    return Merged(
        folder=str(out),
        dtype=_name(dtype),
        files=tuple(path.name for path in files),
        size_bytes=sum(path.stat().st_size for path in files),
        logit_difference=difference,
        adapter_difference=effect,
    )
