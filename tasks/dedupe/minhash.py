"""Near-duplicate candidates: shingles, one-permutation MinHash with densification, band keys.

Li, Owen and Zhang 2012 (one permutation), Shrivastava 2017 (optimal densification), Li and König
2010 (a few bits of each minimum are enough).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.digest import mix
from tasks.fold import Bytes, Offsets, code_point
from tasks.kernel import Index, kernel

Hashes = npt.NDArray[np.uint64]
Sketches = npt.NDArray[np.uint8]

PROMPT, RESPONSE = 0, 1
SIDES = 2
EMPTY_BIN = np.uint32(0xFFFFFFFF)
LOW_BITS = np.uint64(0x7FFFFFFF)  # never EMPTY_BIN
ROLLING_BASE = np.uint64(0x2545F4914F6CDD1D)  # odd, so that the rolling hash loses no bit
POINT_SPREAD = np.uint64(0xC2B2AE3D27D4EB4F)
SHORT_TEXT = np.uint64(0x9E3779B97F4A7C15)
PROBE_SPREAD = np.uint64(0xD6E8FEB86659FD93)


class Banding(NamedTuple):
    """How sketches of prompt and response make band keys.

    A band takes `prompt_rows` bins of the prompt's sketch and `response_rows` of the response's.
    Where both similarities are s or more, a band of both agrees with chance s^(both) or more, as
    Broder's does; but a long prompt in common proposes no pair whose responses differ.
    """

    bands: int
    prompt_rows: int
    response_rows: int
    bins: int

    @classmethod
    def of(cls, bands: int, rows: int) -> "Banding":
        """Share the `rows` hashes of each band out; the response gets the odd one."""
        response_rows = (rows + 1) // 2
        return cls(bands, rows // 2, response_rows, 64 if bands * response_rows <= 64 else 128)


def sketch_texts(
    offsets: Offsets, data: Bytes, ngram: int, bins: int
) -> tuple[Sketches, npt.NDArray[np.uint8]]:
    """The MinHash sketch of each text, and how many bins its shingles filled.

    uint8, texts x bins: the low bits of each bin's minimum; and uint8, texts: 1 to `bins`.
    """
    texts = len(offsets) - 1
    sketches = np.empty((texts, bins), np.uint8)
    filled = np.empty(texts, np.uint8)
    longest = int(np.diff(offsets).max(initial=0))
    _sketch_texts(offsets, data, ngram, np.empty(longest + 1, np.uint64), sketches, filled)
    return sketches, filled


@kernel
def shingle_hashes(data: Bytes, begin: int, end: int, ngram: int, hashes: Hashes) -> int:
    """Hash every run of `ngram` code points into `hashes`, repeats included; returns how many.

    A text of fewer code points is one shingle, the whole text; so is the empty one. `hashes` has
    room for one more than the text has bytes.
    """
    highest = np.uint64(1)
    for _ in range(ngram):
        highest *= ROLLING_BASE
    rolling = np.uint64(0)
    points = count = 0
    head: Index = begin
    tail: Index = begin
    while head < end:
        point, head = code_point(data, head)
        rolling = rolling * ROLLING_BASE + np.uint64(point + 1) * POINT_SPREAD
        points += 1
        if points > ngram:
            point, tail = code_point(data, tail)
            rolling -= np.uint64(point + 1) * POINT_SPREAD * highest
        if points >= ngram:
            hashes[count] = mix(rolling)
            count += 1
    if count == 0:
        hashes[0] = mix(rolling + np.uint64(points + 1) * SHORT_TEXT)
        count = 1
    return count


@kernel
def _sketch_texts(
    offsets: Offsets,
    data: Bytes,
    ngram: int,
    hashes: Hashes,
    sketches: Sketches,
    filled: npt.NDArray[np.uint8],
) -> None:
    bins = sketches.shape[1]
    shift = np.uint64(64)
    while np.uint64(bins) >> (np.uint64(64) - shift) > np.uint64(1):
        shift -= np.uint64(1)
    minima = np.empty(bins, np.uint32)
    for text in range(len(offsets) - 1):
        count = shingle_hashes(data, offsets[text], offsets[text + 1], ngram, hashes)
        minima[:] = EMPTY_BIN
        for shingle in range(count):
            place = hashes[shingle] >> shift
            value = np.uint32(hashes[shingle] & LOW_BITS)
            minima[place] = min(minima[place], value)
        filled[text] = 0
        for place in range(bins):
            source: Index = place
            attempt = np.uint64(0)
            while minima[source] == EMPTY_BIN:
                attempt += np.uint64(1)
                probe = np.uint64(place + 1) * SHORT_TEXT + attempt * PROBE_SPREAD
                source = np.int64(mix(probe) >> shift)
            filled[text] += source == place
            sketches[text, place] = mix(np.uint64(minima[source])) & np.uint64(0xFF)


@kernel
def band_keys(
    prompts: Sketches,
    responses: Sketches,
    must_agree: Hashes,
    band: int,
    prompt_rows: int,
    response_rows: int,
    keys: Hashes,
) -> None:
    """The key of every row in one band: rows of one key are each other's candidates.

    `must_agree` is a number in which duplicates are equal (tools, numbers ...).
    """
    for row in range(len(keys)):
        key = must_agree[row]
        for place in range(band * prompt_rows, (band + 1) * prompt_rows):
            key = mix(key * ROLLING_BASE + np.uint64(prompts[row, place]))
        for place in range(band * response_rows, (band + 1) * response_rows):
            key = mix(key * ROLLING_BASE + np.uint64(responses[row, place]))
        keys[row] = key
