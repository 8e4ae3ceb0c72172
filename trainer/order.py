"""Which rows an epoch has and how they follow one another: a function of seed and epoch only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from schemas.errors import ConfigError
from trainer.batches import PackingCollator, PaddingCollator
from trainer.pack import Packing, pack

POOL_BATCHES = 50
"""Batches' worth of conversations that are sorted by length together."""

Ints = npt.NDArray[np.int64]


def weighted_rows(sources: Sequence[str], weights: Mapping[str, float], seed: int) -> Ints:
    """The rows of an epoch, ascending: each as often as its source's weight says (1 else).

    Of a weight's fraction that share of the source's rows gets one more place, the same rows in
    every epoch: `round(weight * rows)` places in all.

    Raises:
        ConfigError: a weight is for a source that no row is of, or no row is left.
    """
    names, codes = np.unique(np.asarray(sources, dtype=object).astype(str), return_inverse=True)
    unknown = sorted(set(weights) - set(names.tolist()))
    if unknown:
        raise ConfigError(
            f"train.source_weights names {', '.join(unknown)}, of which the training split has no "
            f"row. Its sources: {', '.join(names.tolist())}."
        )
    random = np.random.default_rng((seed, len(codes)))
    times = np.ones(len(codes), np.int64)
    for code, name in enumerate(names.tolist()):
        rows = np.flatnonzero(codes == code)
        weight = weights.get(name, 1.0)
        times[rows] = int(weight)
        more = round(weight * len(rows)) - int(weight) * len(rows)
        times[random.permutation(rows)[:more]] += 1
    chosen = np.repeat(np.arange(len(codes)), times)
    if len(codes) and not chosen.size:
        raise ConfigError("train.source_weights leaves no row to train on: raise one of them.")
    return chosen


class LengthGroupedOrder(Sampler[int]):
    """Shuffled row numbers, neighbours of like lengths; depends on seed and epoch only."""

    def __init__(
        self, lengths: npt.NDArray[Any], batch_rows: int, seed: int, rows: Ints | None = None
    ) -> None:
        """`batch_rows` is what one optimizer step consumes; `rows` are an epoch's, all else."""
        self._rows = np.arange(len(lengths)) if rows is None else rows
        self._lengths = lengths[self._rows]
        self._batch_rows = batch_rows
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is of."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        rows = len(self._rows)
        order = random.permutation(rows)
        pool = np.arange(rows) // (self._batch_rows * POOL_BATCHES)
        order = order[np.lexsort((self._lengths[order], pool))]
        whole = rows - rows % self._batch_rows
        batches = order[:whole].reshape(-1, self._batch_rows)
        shuffled = batches[random.permutation(len(batches))]
        return iter(self._rows[np.concatenate([shuffled.ravel(), order[whole:]])].tolist())


class PackedOrder(Sampler[list[int]]):
    """Packs in a shuffled order, each the numbers of its rows; others in every epoch."""

    def __init__(self, packing: Packing, lengths: Ints, seed: int, rows: Ints) -> None:
        """`packing` is of the lengths of `rows`; `lengths` are those of all rows."""
        self._packing = packing
        self._lengths = lengths[rows]
        self._rows = rows
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is of."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._packing.packs

    def __iter__(self) -> Iterator[list[int]]:
        for places in self._packing.draw(self._lengths, (self._seed, self._epoch)):
            yield self._rows[places].tolist()


class Packs(TorchDataset[list[dict[str, Any]]]):
    """The rows of tokenized conversations, pack by pack: an index is a list of row numbers."""

    def __init__(self, rows: Dataset, packing: Packing) -> None:
        self._rows = rows
        self._packing = packing

    def __len__(self) -> int:
        return self._packing.packs

    def __getitem__(self, pack: list[int]) -> list[dict[str, Any]]:
        return list(self._rows.__getitems__(pack))


@dataclass(frozen=True)
class Feed:
    """What the training loop takes: rows or packs, how they become batches, and their order."""

    data: Dataset | Packs
    collator: PaddingCollator | PackingCollator
    order: Callable[[int], LengthGroupedOrder | PackedOrder]
    """by the rows of an optimizer step"""
    lengths: Ints
    """tokens of the rows of an epoch"""
    packing: Packing | None = None


def padded_feed(rows: Dataset, chosen: Ints, collator: PaddingCollator, seed: int) -> Feed:
    """The chosen rows, padded to the longest of their batch, which is of like lengths."""
    lengths = lengths_of(rows)
    return Feed(
        rows,
        collator,
        lambda step: LengthGroupedOrder(lengths, step, seed, chosen),
        lengths[chosen],
    )


def packed_feed(
    rows: Dataset, chosen: Ints, collator: PackingCollator, seed: int, max_tokens: int
) -> Feed:
    """The chosen rows in packs of up to `max_tokens`."""
    lengths = lengths_of(rows)
    packing = pack(lengths[chosen], max_tokens)
    order = PackedOrder(packing, lengths, seed, chosen)
    return Feed(Packs(rows, packing), collator, lambda _: order, lengths[chosen], packing)


def lengths_of(rows: Dataset) -> Ints:
    """Tokens of each row."""
    return np.asarray(rows.with_format("numpy")["length"][:], np.int64)
