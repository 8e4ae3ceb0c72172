"""Base models held in 4 or 8 bits while an adapter over them is trained (bitsandbytes)."""

from typing import Any

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from schemas.errors import ConfigError
from schemas.train import Quantize
from trainer.weights import BaseFiles


def quantization(quantize: Quantize, bf16: bool) -> BitsAndBytesConfig | None:
    """How transformers is to hold the weights of linear layers; None leaves them as they are.

    Products are computed in bfloat16 or float32, `lm_head`, embeddings and norms stay in that type:
    they are frozen, so raising them to float32, as is often done, would cost memory and change no
    value.
    """
    if quantize is Quantize.NONE:
        return None
    settings: dict[str, Any] = {"load_in_8bit": True}
    if quantize is Quantize.NF4:
        settings = {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": torch.bfloat16 if bf16 else torch.float32,
        }
    return BitsAndBytesConfig(**settings)  # type: ignore[no-untyped-call]


def refuse_quantized_files(files: BaseFiles, quantize: Quantize) -> None:
    """Raise ConfigError where weights that are to be quantised come as GGUF."""
    if quantize is not Quantize.NONE and files.gguf_file:
        raise ConfigError(
            f"train.quantize: {files.name} comes as GGUF, whose tensors are read as whole floats. "
            "Leave quantize out, or name the model's safetensors."
        )


def keep_as_loaded(model: PreTrainedModel) -> None:
    """Stop 4-bit layers from rearranging their weights on a CPU when they are first evaluated.

    bitsandbytes does that where the CPU has AVX512-BF16, in place: it rounds the scales, fails on
    layers narrower than a block of 64, and training goes on with other weights than were loaded.
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def dequantize(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """The same model with each quantised weight as the float that it stands for."""
    if getattr(model, "hf_quantizer", None) is None:
        return model
    floats = model.dequantize(dtype=dtype)  # type: ignore[no-untyped-call]
    found: PreTrainedModel = floats.to(dtype)
    return found
