"""What disposes of a candidate: exact Jaccard similarity of shingle sets, each side by itself."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.minhash import Hashes, Sketches, shingle_hashes
from tasks.fold import Bytes
from tasks.kernel import Index, kernel_part

SCRATCH = 2  # the set of the other row; 0 and 1 are the row's own prompt and response
DEVIATIONS = 4.0  # how far below the threshold an estimate may lie: 3 in 100,000 lie further


class Texts(NamedTuple):
    """Folded prompts and responses: side s of row i is data[begin[s, i]:end[s, i]], in UTF-8.

    Side 0 is the prompt, 1 the response.
    """

    data: Bytes
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]

    def longest(self) -> int:
        """The bytes of the longest of them."""
        return int((self.end - self.begin).max(initial=0))


class Rows(NamedTuple):
    """The rows that take part, as kernels read them."""

    texts: Texts
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

    points: Hashes
    hashes: Hashes
    values: Hashes
    stamps: npt.NDArray[np.uint32]
    stamp: npt.NDArray[np.uint32]
    masks: Hashes
    sizes: npt.NDArray[np.int64]
    held: npt.NDArray[np.int64]
    """Of which row sets 0 and 1 are, -1 before there is one."""

    @classmethod
    def holding(cls, longest: int) -> "ShingleSets":
        """Room for texts of up to `longest` bytes; memory is taken as it is used."""
        slots = 1 << (2 * longest + 64).bit_length()
        points, hashes = np.empty((2, longest + 1), np.uint64)
        return cls(
            points,
            hashes,
            np.empty((3, slots), np.uint64),
            np.zeros((3, slots), np.uint32),
            np.zeros(3, np.uint32),
            np.zeros(3, np.uint64),
            np.zeros(3, np.int64),
            np.full(SCRATCH, -1, np.int64),
        )


@kernel_part
def pair_threshold(rules: PairRules, source: Index, other_source: Index) -> np.float64:
    """The stricter of two sources' thresholds."""
    if rules.threshold[source] < rules.threshold[other_source]:
        source = other_source
    return np.float64(rules.threshold[source])


@kernel_part
def could_reach(rows: Rows, side: Index, row: Index, other: Index, threshold: np.float64) -> int:
    """The bins in which two sketches agree, or -1 where that is too few for the threshold."""
    bins = rows.sketches.shape[2]
    agreeing = 0
    for place in range(bins):
        agreeing += rows.sketches[side, row, place] == rows.sketches[side, other, place]
    samples = max(rows.filled[side, row], rows.filled[side, other])
    spread = np.sqrt(threshold * (1.0 - threshold) / samples)
    return agreeing if agreeing >= bins * (threshold - DEVIATIONS * spread) else -1


@kernel_part
def same_text(texts: Texts, side: Index, row: Index, other: Index) -> bool:
    """Whether one side of two rows is the same, byte for byte."""
    begin, other_begin = texts.begin[side, row], texts.begin[side, other]
    size = texts.end[side, row] - begin
    if size != texts.end[side, other] - other_begin:
        return False
    for place in range(size):
        if texts.data[begin + place] != texts.data[other_begin + place]:
            return False
    return True


@kernel_part
def jaccard(
    texts: Texts, side: Index, row: Index, other: Index, ngram: int, sets: ShingleSets
) -> np.float64:
    """|A and B| / |A or B| of the shingle sets of one side of two rows; the row's is kept."""
    if same_text(texts, side, row, other):
        return np.float64(1.0)
    if sets.held[side] != row:
        _fill(texts, side, row, ngram, sets, side)
        sets.held[side] = row
    mine, others = side, np.int64(SCRATCH)
    _fill(texts, side, other, ngram, sets, others)
    shared = 0
    for shingle in range(sets.sizes[others]):
        shared += _holds(sets, mine, sets.hashes[shingle])
    return np.float64(shared / (sets.sizes[mine] + sets.sizes[others] - shared))


@kernel_part
def _fill(
    texts: Texts, side: Index, row: Index, ngram: int, sets: ShingleSets, which: Index
) -> None:
    """Make a set of one side of a row; its distinct hashes are left at the front of `hashes`."""
    begin, end = texts.begin[side, row], texts.end[side, row]
    hashes = sets.hashes
    values = sets.values[which]
    stamps = sets.stamps[which]
    count = shingle_hashes(texts.data, begin, end, ngram, sets.points, hashes)
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


@kernel_part
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
