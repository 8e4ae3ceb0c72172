"""What disposes of a candidate: exact Jaccard similarity of shingle sets, each side by itself."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.minhash import Hashes, Sketches, shingle_hashes
from tasks.fold import Bytes
from tasks.kernel import Index, kernel

SCRATCH = 2  # the set of the other row; 0 and 1 are the row's own prompt and response
DEVIATIONS = 4.0  # how far below the threshold an estimate may lie: 3 in 100,000 lie further


class Rows(NamedTuple):
    """The rows that take part, as kernels read them. Side 0 is the prompt, 1 the response."""

    data: Bytes
    """Folded text, UTF-8; row i's side s is data[begin[s, i]:end[s, i]]."""
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    sketches: Sketches
    """2 x rows x bins."""
    filled: npt.NDArray[np.uint8]
    """2 x rows: bins that a shingle fell into before densification."""
    kind: Hashes
    """Duplicates are of one kind: a digest of the tools and of whether the text is code."""
    numbers: Hashes
    """The multisets of numbers of both sides."""
    answers: Hashes
    """The answers that the responses come to."""
    source: npt.NDArray[np.uint32]
    """Index into the arrays of `PairRules`."""


class PairRules(NamedTuple):
    """When two rows count as near duplicates; of two sources the stricter rule holds."""

    ngram: int
    candidates: int
    threshold: npt.NDArray[np.float64]
    compare_numbers: npt.NDArray[np.bool_]
    compare_answers: npt.NDArray[np.bool_]


class ShingleSets(NamedTuple):
    """One thread's room for three sets: open addressing, emptied by taking a new stamp."""

    hashes: Hashes
    values: Hashes
    stamps: npt.NDArray[np.uint32]
    stamp: npt.NDArray[np.uint32]
    masks: Hashes
    sizes: npt.NDArray[np.int64]

    @classmethod
    def holding(cls, longest: int) -> "ShingleSets":
        """Room for texts of up to `longest` bytes; memory is taken as it is used."""
        slots = 1 << (2 * longest + 64).bit_length()
        return cls(
            np.empty(longest + 1, np.uint64),
            np.empty((3, slots), np.uint64),
            np.zeros((3, slots), np.uint32),
            np.zeros(3, np.uint32),
            np.zeros(3, np.uint64),
            np.zeros(3, np.int64),
        )


@kernel
def pair_threshold(rules: PairRules, source: Index, other_source: Index) -> np.float64:
    """The stricter of two sources' thresholds."""
    if rules.threshold[source] < rules.threshold[other_source]:
        source = other_source
    return np.float64(rules.threshold[source])


@kernel
def could_reach(rows: Rows, side: Index, row: Index, other: Index, threshold: np.float64) -> int:
    """The bins in which two sketches agree, or -1 where that is too few for the threshold."""
    bins = rows.sketches.shape[2]
    agreeing = 0
    for place in range(bins):
        agreeing += rows.sketches[side, row, place] == rows.sketches[side, other, place]
    samples = max(rows.filled[side, row], rows.filled[side, other])
    spread = np.sqrt(threshold * (1.0 - threshold) / samples)
    return agreeing if agreeing >= bins * (threshold - DEVIATIONS * spread) else -1


@kernel
def load_set(rows: Rows, side: Index, row: Index, ngram: int, sets: ShingleSets) -> None:
    """Put one side of a row into set `side`."""
    _fill(rows, side, row, ngram, sets, side)


@kernel
def jaccard(rows: Rows, side: Index, other: Index, ngram: int, sets: ShingleSets) -> np.float64:
    """|A and B| / |A or B|: A is what `load_set` put into set `side`, B that side of `other`."""
    _fill(rows, side, other, ngram, sets, np.int64(SCRATCH))
    shared = 0
    for shingle in range(sets.sizes[SCRATCH]):
        shared += _holds(sets, side, sets.hashes[shingle])
    return np.float64(shared / (sets.sizes[side] + sets.sizes[SCRATCH] - shared))


@kernel
def _fill(rows: Rows, side: Index, row: Index, ngram: int, sets: ShingleSets, which: Index) -> None:
    """Make a set of one side of a row; its distinct hashes are left at the front of `hashes`."""
    hashes = sets.hashes
    values = sets.values[which]
    stamps = sets.stamps[which]
    count = shingle_hashes(rows.data, rows.begin[side, row], rows.end[side, row], ngram, hashes)
    slots = np.uint64(64)
    while slots < np.uint64(2 * count):
        slots <<= np.uint64(1)
    mask = slots - np.uint64(1)
    sets.stamp[which] += np.uint32(1)
    stamp = sets.stamp[which]
    distinct = 0
    for shingle in range(count):
        value = hashes[shingle]
        slot = value & mask
        while stamps[slot] == stamp and values[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        if stamps[slot] != stamp:
            stamps[slot] = stamp
            values[slot] = value
            hashes[distinct] = value
            distinct += 1
    sets.masks[which] = mask
    sets.sizes[which] = distinct


@kernel
def _holds(sets: ShingleSets, which: Index, value: np.uint64) -> bool:
    values = sets.values[which]
    stamps = sets.stamps[which]
    mask = sets.masks[which]
    slot = value & mask
    while stamps[slot] == sets.stamp[which]:
        if values[slot] == value:
            return True
        slot = (slot + np.uint64(1)) & mask
    return False
