"""Loss on held-out conversations, weighted by token."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from schemas.adapter import Evaluation
from trainer.batches import PaddingCollator, token_loss

BATCH_TOKENS = 2_048
"""Padded tokens per forward pass: bounds the logits, which are tokens x vocabulary in float32."""


def sample_rows(rows: int, wanted: int, seed: int) -> list[int]:
    """Up to `wanted` row numbers, ascending; the same ones for the same seed."""
    if rows <= wanted:
        return list(range(rows))
    return sorted(np.random.default_rng(seed).permutation(rows)[:wanted].tolist())


def evaluate(
    model: PreTrainedModel | Any, rows: Dataset, collator: PaddingCollator
) -> Evaluation | None:
    """Mean negative log-likelihood per trainable token over `rows`; None where there are none.

    Leaves the model in evaluation mode.
    """
    model.eval()
    device = next(model.parameters()).device
    loss_sum, trainable = 0.0, 0
    with torch.inference_mode():
        for indices in _by_length(rows):
            batch = collator(rows.__getitems__(indices))
            labels = batch.pop("labels").to(device)
            given = {name: tensor.to(device) for name, tensor in batch.items()}
            loss_sum += float(token_loss(model(**given), labels))
            trainable += int((labels[:, 1:] != -100).sum())
    if trainable == 0:
        return None
    loss = loss_sum / trainable
    return Evaluation(
        loss=loss,
        perplexity=math.exp(min(loss, 700.0)),
        conversations=len(rows),
        trainable_tokens=trainable,
    )


def _by_length(rows: Dataset) -> Iterator[list[int]]:
    """Row numbers in batches of like lengths, each within `BATCH_TOKENS` or of one row."""
    lengths = np.asarray(rows.with_format("numpy")["length"][:]) if len(rows) else np.zeros(0, int)
    batch: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * int(lengths[index]) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
