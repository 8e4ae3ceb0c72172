"""Base models and LoRA: loaded from safetensors or GGUF, never from code or pickles."""

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.pytorch_utils import Conv1D

from schemas.errors import ConfigError, TrainingError
from schemas.train import Lora, Train
from trainer.weights import BaseFiles, first_line

_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


def load_tokenizer(files: BaseFiles) -> PreTrainedTokenizerBase:
    """The base model's tokenizer (raises ConfigError where there is none to load)."""
    arguments: dict[str, Any] = {"gguf_file": files.gguf_file} if files.gguf_file else {}
    try:
        return AutoTokenizer.from_pretrained(files.folder, trust_remote_code=False, **arguments)
    except (ValueError, OSError, KeyError, ImportError) as error:
        definition = files.folder / "tokenizer.json"
        if definition.is_file():
            return _plain_tokenizer(definition)
        raise ConfigError(
            f"base model {files.name}: no tokenizer in {files.folder} that loads without running "
            f"its own code ({first_line(error)}). Add a tokenizer.json, or choose another model."
        ) from None


def load_model(files: BaseFiles, bf16: bool) -> PreTrainedModel:
    """The base model in evaluation mode, on the GPU where there is one.

    Raises:
        ConfigError: its architecture is unknown, needs its own code or its files are wrong.
        TrainingError: it does not fit into memory.
    """
    arguments: dict[str, Any] = (
        {"gguf_file": files.gguf_file} if files.gguf_file else {"use_safetensors": True}
    )
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            files.folder,
            dtype=torch.bfloat16 if bf16 else torch.float32,
            trust_remote_code=False,
            **arguments,
        )
        model.to("cuda" if torch.cuda.is_available() else "cpu")
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        raise TrainingError(
            f"base model {files.name} does not fit into memory: {first_line(error)}. Choose a "
            "smaller one, or a machine with more memory."
        ) from None
    except (ValueError, OSError, KeyError, ImportError, RuntimeError) as error:
        raise ConfigError(
            f"base model {files.name} cannot be loaded from {files.folder}: {first_line(error)}. "
            "Check train.base_model; models that bring their own code are not run."
        ) from None
    if files.gguf_file:
        _forget_gguf(model)
    model.eval()
    loaded: PreTrainedModel = model
    return loaded


def attach_lora(model: PreTrainedModel, lora: Lora, base: BaseFiles) -> PeftModel:
    """The model with a new LoRA adapter: A random by torch's seed, B zero, so nothing changes yet.

    Raises:
        ConfigError: `lora.targets` names no module of this model.
    """
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # peft only divides it by the rank
        lora_dropout=lora.dropout,
        target_modules=_targets(model, lora),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        revision=base.revision,
    )
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        names = sorted({name.rpartition(".")[2] for name, _ in _linears(model)} - {"lm_head"})
        raise ConfigError(
            f"train.lora.targets: {', '.join(lora.targets)} names no module of {base.name} "
            f"({first_line(error)}). Choose among: {', '.join(names)}, all-linear, family."
        ) from None
    adapted.peft_config["default"].base_model_name_or_path = base.name
    return adapted


def wants_bf16(train: Train) -> bool:
    """Whether to compute in bfloat16: as the recipe says, or on a GPU that has it."""
    if train.bf16 == "auto":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return train.bf16 == "on"


def context_tokens(model: PreTrainedModel) -> int | None:
    """How many tokens the model can attend to, where its configuration says."""
    config = model.config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "seq_length", "model_max_length"):
        found = getattr(config, name, None)
        if isinstance(found, int) and found > 0:
            return found
    return None


def accepts(model: PreTrainedModel, argument: str) -> bool:
    """Whether the model's forward pass takes an argument of that name."""
    return argument in inspect.signature(model.forward).parameters


def _forget_gguf(model: Any) -> None:
    """Take away the mark of a quantizer: GGUF tensors are whole floats once they are read.

    With it, transformers refuses to train the model.
    """
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _targets(model: PreTrainedModel, lora: Lora) -> str | list[str]:
    if lora.targets == ("all-linear",):
        return "all-linear"
    if lora.targets == ("family",):
        family = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model.config.model_type)
        return family if isinstance(family, str) else list(family) if family else "all-linear"
    return list(lora.targets)


def _linears(model: PreTrainedModel) -> list[tuple[str, torch.nn.Module]]:
    kinds = (torch.nn.Linear, Conv1D)
    return [(name, module) for name, module in model.named_modules() if isinstance(module, kinds)]


def _plain_tokenizer(definition: Path) -> PreTrainedTokenizerBase:
    """A tokenizer from its definition alone, for models whose tokenizer class is code of theirs."""
    beside = definition.with_name("tokenizer_config.json")
    config = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    named = {
        key: value["content"] if isinstance(value, dict) else value
        for key, value in config.items()
        if key in _NAMED_TOKENS and value
    }
    template = config.get("chat_template")
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(definition), chat_template=template, **named
    )
    return tokenizer
