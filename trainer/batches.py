"""Batches, padded or packed, and the loss over their labelled tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trainer.labels import IGNORED


@dataclass(frozen=True)
class PaddingCollator:
    """Pads on the right and masks by length, so a real token that equals `pad_id` stays seen."""

    pad_id: int
    multiple_of: int = 1

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors `input_ids`, `attention_mask` and `labels`, int64, conversations x tokens."""
        lengths = np.array([len(row["input_ids"]) for row in rows])
        width = -(-int(lengths.max()) // self.multiple_of) * self.multiple_of
        seen = np.arange(width) < lengths[:, None]
        ids = np.full(seen.shape, self.pad_id, np.int64)
        labels = np.full(seen.shape, IGNORED, np.int64)
        ids[seen] = np.concatenate([row["input_ids"] for row in rows])
        labels[seen] = np.concatenate([row["labels"] for row in rows])
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(seen.astype(np.int64)),
            "labels": torch.from_numpy(labels),
        }


@dataclass(frozen=True)
class PackingCollator:
    """Conversations one after another, each with positions from 0 and blind to the others.

    The mask is mostly left to transformers, which lets tokens see what is before them up to where
    the positions begin anew. Padding after a pack is at position 0 throughout: every such token is
    a conversation of its own.
    """

    pad_id: int
    multiple_of: int = 1
    flat: bool = False
    """all packs in one row without padding, as the kernels for sequences of any length take them"""
    mask: torch.dtype | None = None
    """where a model does not heed positions: a mask of this type, 0 or its smallest number, with
    a place for every pair of tokens"""

    def __call__(self, packs: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, torch.Tensor]:
        """Tensors `input_ids`, `position_ids` and `labels`, int64, packs x tokens."""
        packs = [[row for pack in packs for row in pack]] if self.flat else packs
        lengths = [np.array([len(row["input_ids"]) for row in pack]) for pack in packs]
        sizes = np.array([one.sum() for one in lengths])
        width = -(-int(sizes.max()) // self.multiple_of) * self.multiple_of
        seen = np.arange(width) < sizes[:, None]
        ids = np.full(seen.shape, self.pad_id, np.int64)
        labels = np.full(seen.shape, IGNORED, np.int64)
        positions = np.zeros(seen.shape, np.int64)
        ids[seen] = np.concatenate([row["input_ids"] for pack in packs for row in pack])
        labels[seen] = np.concatenate([row["labels"] for pack in packs for row in pack])
        positions[seen] = np.concatenate([np.arange(one) for pack in lengths for one in pack])
        batch = {
            "input_ids": torch.from_numpy(ids),
            "position_ids": torch.from_numpy(positions),
            "labels": torch.from_numpy(labels),
        }
        if self.mask is not None:
            batch["attention_mask"] = _pairs_mask(batch["position_ids"], self.mask)
        return batch


def _pairs_mask(positions: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Packs x 1 x tokens x tokens: what a token sees of what is before it in its conversation."""
    conversation = (positions == 0).cumsum(-1)
    same = conversation[:, :, None] == conversation[:, None, :]
    hidden = ~torch.tril(same)[:, None]
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)


def seen_tokens(batch: Mapping[str, torch.Tensor]) -> int:
    """Tokens of a batch that are no padding, as either collator makes it.

    A conversation has two tokens or more, so a position 0 that no 1 follows is padding.
    """
    if "position_ids" not in batch:
        return int(batch["attention_mask"].sum())
    positions = batch["position_ids"]
    following = torch.nn.functional.pad(positions[:, 1:], (0, 1))
    return int(((positions > 0) | (following > 0)).sum())


def token_loss(outputs: Any, labels: torch.Tensor) -> torch.Tensor:
    """Sum of the negative log-likelihoods of all labelled tokens, in nats, float32.

    Position t predicts token t + 1. Only the labelled positions are raised to float32.
    """
    targets = labels[:, 1:]
    inside = targets != IGNORED
    logits = outputs["logits"][:, :-1][inside].float()
    return torch.nn.functional.cross_entropy(logits, targets[inside], reduction="sum")
