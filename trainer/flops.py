"""What a machine could compute, and what training a model takes of it."""

from typing import Any

import torch

PEAKS = {
    "B200": 2250e12,
    "GH200": 989.4e12,
    "H200": 989.4e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989.4e12,
    "H800": 989.4e12,
    "H20": 148e12,
    "A100": 312e12,
    "A800": 312e12,
    "A10G": 70e12,
    "A10": 125e12,
    "A30": 165e12,
    "A40": 149.7e12,
    "L40S": 362e12,
    "L40": 181e12,
    "L4": 121e12,
    "RTX 6000 Ada": 364e12,
    "RTX A6000": 154.8e12,
    "RTX 5090": 209.5e12,
    "RTX 4090": 165.2e12,
    "RTX 3090": 71e12,
}
"""FLOP/s in bfloat16 without sparsity, by a part of the GPU's name; NVIDIA's data sheets. Of two
names that fit, the longer one counts."""

FROZEN = 4
"""FLOP per parameter and token where only an adapter learns: 2 forward, 2 for the gradients of the
activations; the adapter itself is left out."""

LEARNING = 6
"""The same where all parameters learn: 2 more for their own gradients (Kaplan et al. 2020)."""


def peak_flops() -> float | None:
    """FLOP/s that this process's GPU can do; None on a CPU, or where the GPU is not known."""
    if not torch.cuda.is_available():
        return None
    return peak_of(torch.cuda.get_device_name())


def peak_of(name: str) -> float | None:
    """FLOP/s of a GPU by its name, as `NVIDIA H100 80GB HBM3`."""
    known = [part for part in PEAKS if f" {part} " in f" {name.replace('-', ' ')} "]
    return PEAKS[max(known, key=len)] if known else None


def token_flops(model: Any) -> float:
    """FLOP that training takes per token, after the number of parameters alone.

    Attention's own products and a second forward pass (activation checkpointing) are not counted,
    and all tokens count as if the output layer saw them: figures that can be compared with others.
    """
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    inputs, outputs = bare.get_input_embeddings(), bare.get_output_embeddings()
    parameters = bare.num_parameters()
    if outputs is not None and inputs.weight is not outputs.weight:
        parameters -= inputs.weight.numel()  # looked up, not multiplied
    learning = sum(one.numel() for one in model.parameters() if one.requires_grad)
    return float(parameters * (LEARNING if learning > parameters / 2 else FROZEN))
