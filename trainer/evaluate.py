"""Loss on held-out conversations, weighted by token: of all, by source, category and language."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from schemas.adapter import Evaluation, GroupLoss
from schemas.errors import AdapterRejected
from schemas.train import Train
from trainer.batches import PaddingCollator
from trainer.labels import ABOUT, IGNORED

BATCH_TOKENS = 2_048
"""Padded tokens per forward pass: bounds the logits, which are tokens x vocabulary in float32."""
GATED_CONVERSATIONS = 30
"""Of a group, so that `train.max_group_loss_increase` holds for it: of fewer, one odd conversation
decides."""

# What stands for a null in a group's name: the words of the corpus report.
UNTOLD = {"source": "unknown", "category": "(none)", "language": "unknown"}


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
    return evaluation_of(row_losses(model, rows, collator))


def row_losses(
    model: PreTrainedModel | Any, rows: Dataset, collator: PaddingCollator
) -> pl.DataFrame:
    """One row per row of `rows`, in its order: ABOUT, `loss` (a sum, in nats) and `tokens`.

    `tokens` counts those inside the loss. Leaves the model in evaluation mode.
    """
    model.eval()
    device = next(model.parameters()).device
    loss, tokens = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    with torch.inference_mode():
        for indices in like_lengths(_lengths(rows), BATCH_TOKENS):
            batch = collator(rows.__getitems__(indices))
            labels = batch.pop("labels").to(device)
            given = {name: tensor.to(device) for name, tensor in batch.items()}
            loss[indices], tokens[indices] = loss_sums(model(**given)["logits"], labels)
    told = rows.with_format(None)  # numpy makes objects of texts and nulls together
    about = [pl.Series(name, told[name][:], pl.String) for name in ABOUT]
    return pl.DataFrame([*about, pl.Series("loss", loss), pl.Series("tokens", tokens)])


def loss_sums(
    logits: torch.Tensor, labels: torch.Tensor
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Each row's sum of negative log-likelihoods, in nats, and its labelled tokens.

    Position t predicts token t + 1. Only the labelled positions are raised to float32, and what
    they come to is added up in float64.
    """
    targets = labels[:, 1:]
    inside = targets != IGNORED
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1][inside].float(), targets[inside], reduction="none"
    )
    rows = inside.nonzero()[:, 0].cpu().numpy()
    weights = losses.cpu().double().numpy()
    sums = np.bincount(rows, weights=weights, minlength=len(labels)).astype(np.float64)
    return sums, np.bincount(rows, minlength=len(labels)).astype(np.int64)


def evaluation_of(losses: pl.DataFrame) -> Evaluation | None:
    """The evaluation that row losses come to; None where no token is inside the loss."""
    loss, tokens = float(losses["loss"].sum()), int(losses["tokens"].sum())
    if tokens == 0:
        return None
    groups = tuple(group for key in ABOUT for group in _groups(losses, key))
    return Evaluation(
        loss=loss / tokens,
        perplexity=_perplexity(loss / tokens),
        conversations=losses.height,
        trainable_tokens=tokens,
        groups=groups,
    )


def refuse_worse(before: Evaluation | None, after: Evaluation | None, train: Train) -> None:
    """Raise AdapterRejected if validation loss rose more than allowed, or is no number."""
    faults = faults_of(before, after, train)
    if faults:
        raise AdapterRejected(
            f"the adapter is worse than the bare base model: {'; '.join(faults)}. It was not "
            "pushed; report.html in the run's folder has the losses by source. Lower "
            "train.learning_rate, train on more rows, or raise the bound."
        )


def faults_of(before: Evaluation | None, after: Evaluation | None, train: Train) -> tuple[str, ...]:
    """What an adapter must not be pushed for: the bounds that its losses exceed, in words."""
    if before is None or after is None:
        return ()
    faults = []
    if not after.loss <= before.loss + train.max_loss_increase:
        faults.append(
            f"validation loss {before.loss:.4f} before, {after.loss:.4f} after; "
            f"train.max_loss_increase allows {train.max_loss_increase:g}"
        )
    bound = train.max_group_loss_increase
    for key in ABOUT if bound is not None else ():
        known = before.of(key)
        faults += [
            f"{key} {one.value!r}: loss {known[one.value].loss:.4f} before, {one.loss:.4f} after; "
            f"train.max_group_loss_increase allows {bound:g}"
            for one in after.of(key).values()
            if one.conversations >= GATED_CONVERSATIONS
            and not one.loss <= known[one.value].loss + (bound or 0.0)
        ]
    return tuple(faults)


def _groups(losses: pl.DataFrame, key: str) -> tuple[GroupLoss, ...]:
    """The groups of one key, most tokens first, equal ones by name; those without are left out."""
    summed = (
        losses.group_by(pl.col(key).fill_null(UNTOLD[key]).alias("value"))
        .agg(pl.col("loss", "tokens").sum(), pl.len().alias("conversations"))
        .filter(pl.col("tokens") > 0)
        .sort(["tokens", "value"], descending=[True, False])
        .with_columns(loss=pl.col("loss") / pl.col("tokens"))
    )
    return tuple(
        GroupLoss(
            key=key,
            value=row["value"],
            loss=row["loss"],
            perplexity=_perplexity(row["loss"]),
            conversations=row["conversations"],
            trainable_tokens=row["tokens"],
        )
        for row in summed.to_dicts()
    )


def _perplexity(loss: float) -> float:
    """The exponential of a loss; that of 700 nats, near the largest number, where it is more."""
    return math.exp(min(loss, 700.0))


def like_lengths(lengths: Sequence[int], at_most: int) -> Iterator[list[int]]:
    """Places of rows of like lengths, shortest first: one, or `at_most` tokens with padding."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[place] > at_most:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _lengths(rows: Dataset) -> list[int]:
    """Tokens of each row."""
    return rows.with_format("numpy")["length"][:].tolist() if len(rows) else []
