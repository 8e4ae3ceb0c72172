"""Base models and what is trained of them: loaded from safetensors or GGUF, never from pickles.

A model's own Python is run only where its files say that the recipe trusts it.
"""

import inspect
import json
import os
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
from schemas.train import Lora, Method, Quantize, Train
from trainer.adapters import StartAdapter
from trainer.attention import choose_attention
from trainer.memory import is_out_of_memory
from trainer.quantization import keep_as_loaded, quantization, refuse_quantized_files
from trainer.saved import go_on_from
from trainer.weights import BaseFiles, first_line

_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")
_FAMILIES = {
    "baichuan": ("W_pack",),
    "glm": ("q_proj", "v_proj"),
    "glm4": ("q_proj", "v_proj"),
    "qwen": ("c_attn",),
}
"""Targets by model type, as peft chooses them for their kin, where its own table has none."""


def load_tokenizer(files: BaseFiles) -> PreTrainedTokenizerBase:
    """The base model's tokenizer (raises ConfigError where there is none to load)."""
    arguments: dict[str, Any] = {"gguf_file": files.gguf_file} if files.gguf_file else {}
    try:
        return AutoTokenizer.from_pretrained(
            files.folder, trust_remote_code=files.trusts_code, **arguments
        )
    except (ValueError, OSError, KeyError, ImportError, AttributeError, TypeError) as error:
        definition = files.folder / "tokenizer.json"
        if definition.is_file():
            return _plain_tokenizer(definition)
        raise ConfigError(
            f"base model {files.name}: no tokenizer in {files.folder} that loads without running "
            f"its own code ({first_line(error)}). Add a tokenizer.json, or choose another model."
        ) from None


def load_model(
    files: BaseFiles,
    bf16: bool,
    quantize: Quantize = Quantize.NONE,
    attention: str = "auto",
    packing: bool = False,
) -> PreTrainedModel:
    """The base model in evaluation mode, on this process's GPU where there is one.

    Its floats are bfloat16 or float32. `attention` and `packing` are as for `choose_attention`.

    Raises:
        ConfigError: its architecture is unknown, needs its own code or its files are wrong; or it
            cannot be quantised or attend as asked for.
        TrainingError: it does not fit into memory.
    """
    refuse_quantized_files(files, quantize)
    model, _ = _loaded(
        files,
        dtype=torch.bfloat16 if bf16 else torch.float32,
        quantization_config=quantization(quantize, bf16),
        attn_implementation=choose_attention(files, attention, bf16, packing),
    )
    return model


def load_whole(files: BaseFiles, dtype: torch.dtype) -> tuple[PreTrainedModel, list[str]]:
    """The model with floats of that type, and the tensors that its files lack, or have too many.

    Otherwise as `load_model`.
    """
    model, found = _loaded(files, dtype=dtype)
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    return model, sorted(str(key) for kind in kinds for key in found.get(kind, ()))


def load_for(files: BaseFiles, train: Train) -> PreTrainedModel:
    """The base model as a recipe's training wants it.

    Where all weights are trained they are float32, for bfloat16 loses small steps; they are then
    computed with in bfloat16 by autocast.
    """
    bf16 = wants_bf16(train) and train.method is Method.LORA
    return load_model(files, bf16, train.quantize, train.attention, train.packing)


def _loaded(files: BaseFiles, **how: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model, and what transformers says of the tensors that it found."""
    how = {name: value for name, value in how.items() if value is not None}
    how |= {"gguf_file": files.gguf_file} if files.gguf_file else {"use_safetensors": True}
    is_quantized = "quantization_config" in how
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            files.folder,
            output_loading_info=True,
            trust_remote_code=files.trusts_code,
            **how,
            **({"device_map": {"": device()}} if is_quantized else {}),
        )
        model, found = loaded
        if is_quantized:
            keep_as_loaded(model)
        else:
            model.to(device())
    except (MemoryError, *_LOADING_ERRORS) as error:
        if is_out_of_memory(error):
            raise TrainingError(
                f"base model {files.name} does not fit into memory: {first_line(error)}. Choose a "
                "smaller one, set train.quantize to nf4, or take a machine with more memory."
            ) from None
        raise ConfigError(
            f"base model {files.name} cannot be loaded from {files.folder}: {first_line(error)}. "
            f"Check train.base_model; {_of_code(files)}."
        ) from None
    if files.gguf_file:
        _forget_gguf(model)
    _name_layers(model.config)
    model.eval()
    return model, found


_LOADING_ERRORS = (
    *(ValueError, OSError, KeyError, ImportError, RuntimeError),
    *(AttributeError, TypeError),  # of a model's own code, written for another transformers
)


def _of_code(files: BaseFiles) -> str:
    if files.trusts_code:
        return "its own code was run, and may want another version of transformers"
    return "a model's own code is run only with trust_remote_code and a pinned revision"


def device() -> torch.device:
    """This process's GPU where there is one, as torchrun numbers them; else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def attach(
    model: PreTrainedModel, train: Train, base: BaseFiles, start: StartAdapter | None = None
) -> PeftModel | PreTrainedModel:
    """The model with what is to be trained of it: a LoRA adapter, or all its weights.

    The adapter is a new one, or has the weights of `start`. The model keeps no cache of keys and
    values, which only generation wants.

    Raises:
        ConfigError: `lora.targets` names no module of this model, or `start` is no adapter of this
            shape over these weights.
    """
    model.config.use_cache = False
    if train.method is Method.FULL:
        if base.trusts_code:
            raise ConfigError(
                f"train.method full: {base.name} is code of its own, which is not saved with "
                "weights. Train a LoRA adapter, which needs no copy of it."
            )
        return model.requires_grad_(True)
    adapted = attach_lora(model, train.lora, base)
    if start is not None:
        go_on_from(adapted, start, train.lora, base)
    return adapted


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
        use_rslora=lora.rslora,
        use_dora=lora.dora,
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


def _name_layers(config: Any) -> None:
    """Let transformers' generation find the number of layers, which ChatGLM has by its own name."""
    if not hasattr(config, "num_hidden_layers") and hasattr(config, "num_layers"):
        config.num_hidden_layers = config.num_layers


def family_targets(model_type: str) -> str | list[str]:
    """What peft trains of a family of models, by `model_type`; unknown ones in every linear layer.

    Its table says `q_proj`, `v_proj` for LLaMA and Qwen2, `query_key_value` for Falcon, BLOOM and
    ChatGLM, `c_attn` for GPT-2; it has no Baichuan, which is `W_pack`.
    """
    peft = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    known: Any = peft.get(model_type) or _FAMILIES.get(model_type, "all-linear")
    return known if isinstance(known, str) else list(known)


def _targets(model: PreTrainedModel, lora: Lora) -> str | list[str]:
    if lora.targets == ("all-linear",):
        return "all-linear"
    if lora.targets == ("family",):
        return family_targets(model.config.model_type)
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
