"""Which attention a base model computes with: the one asked for, or the best there is for it."""

from typing import Any

import torch
from torch.utils._triton import has_triton
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig
from transformers.utils.import_utils import is_flash_attn_2_available

from schemas.errors import ConfigError
from trainer.weights import BaseFiles

_MARKS = {
    "sdpa": "_supports_sdpa",
    "flash_attention_2": "_supports_flash_attn",
    "flex_attention": "_supports_flex_attn",
}
"""By attention: the attribute in which a transformers model class says that it has it."""


def choose_attention(files: BaseFiles, wanted: str, bf16: bool, packing: bool) -> str | None:
    """The name that transformers knows it by; None leaves the choice to transformers.

    `auto` is flash attention on a GPU where the package is installed, else flex attention for
    packed rows, whose mask it never writes out, else what transformers takes: sdpa, or eager where
    the model has no other.

    Raises:
        ConfigError: the model, this machine or float32 cannot do with what was asked for.
    """
    if wanted == "auto":
        return _best(files, bf16, packing) if torch.cuda.is_available() else None
    offered = _offered(files)
    if offered is not None and wanted not in offered:
        raise ConfigError(
            f"train.attention: {files.name} has no {wanted}; it has {', '.join(offered)}. Choose "
            "one of these, or auto."
        )
    lacking = _lacking(wanted, bf16)
    if lacking:
        raise ConfigError(
            f"train.attention: {wanted} needs {lacking}. Set train.attention to auto or sdpa."
        )
    return wanted


def wants_flat_packs(model: Any) -> bool:
    """Whether packs must lie in one row: flash attention tells sequences apart only there."""
    return "flash" in str(getattr(model.config, "_attn_implementation", ""))


def _best(files: BaseFiles, bf16: bool, packing: bool) -> str | None:
    offered = _offered(files) or ()
    preferred = ("flash_attention_2", "flex_attention") if packing else ("flash_attention_2",)
    for name in preferred:
        if name in offered and _lacking(name, bf16) is None:
            return name
    return None


def _offered(files: BaseFiles) -> tuple[str, ...] | None:
    """The attentions that the model's class has; None where that class is code of its own."""
    if files.trusts_code:
        return None
    arguments: dict[str, Any] = {"gguf_file": files.gguf_file} if files.gguf_file else {}
    try:
        config = AutoConfig.from_pretrained(files.folder, trust_remote_code=False, **arguments)
        model_class: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    except (ValueError, OSError, KeyError, ImportError):
        return None  # loading it fails in a moment, and says why
    return ("eager", *(name for name, mark in _MARKS.items() if getattr(model_class, mark, False)))


def _lacking(attention: str, bf16: bool) -> str | None:
    """What there is not that an attention needs; None where it can be used here."""
    if attention not in ("flash_attention_2", "flex_attention"):
        return None
    if not torch.cuda.is_available():
        return "an NVIDIA GPU"  # on a CPU flex attention has no backward pass
    if attention == "flex_attention":
        return None if has_triton() else "Triton, which compiles it"
    if not is_flash_attn_2_available():
        return "the package flash-attn"
    return None if bf16 else "bfloat16: train.bf16"
