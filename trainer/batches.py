"""Batches: padding by length, an order that a resumed run repeats, and the loss."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Sampler

from trainer.labels import IGNORED

POOL_BATCHES = 50
"""Batches' worth of conversations that are sorted by length together."""


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


class LengthGroupedOrder(Sampler[int]):
    """Shuffled row numbers, neighbours of like lengths; depends on seed and epoch only."""

    def __init__(self, lengths: npt.NDArray[Any], batch_rows: int, seed: int) -> None:
        """`batch_rows` is what one optimizer step consumes."""
        self._lengths = lengths
        self._batch_rows = batch_rows
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is of."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        rows = len(self._lengths)
        order = random.permutation(rows)
        pool = np.arange(rows) // (self._batch_rows * POOL_BATCHES)
        order = order[np.lexsort((self._lengths[order], pool))]
        whole = rows - rows % self._batch_rows
        batches = order[:whole].reshape(-1, self._batch_rows)
        shuffled = batches[random.permutation(len(batches))]
        return iter(np.concatenate([shuffled.ravel(), order[whole:]]).tolist())


def token_loss(outputs: Any, labels: torch.Tensor) -> torch.Tensor:
    """Sum of the negative log-likelihoods of all labelled tokens, in nats, float32.

    Position t predicts token t + 1. Only the labelled positions are raised to float32.
    """
    targets = labels[:, 1:]
    inside = targets != IGNORED
    logits = outputs["logits"][:, :-1][inside].float()
    return torch.nn.functional.cross_entropy(logits, targets[inside], reduction="sum")
