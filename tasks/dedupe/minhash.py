"""Near-duplicate candidates: shingles, one-permutation MinHash with densification, band keys.

Li, Owen and Zhang 2012 (one permutation), Shrivastava 2017 (optimal densification), Li and König
2010 (a few bits of each minimum are enough).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.digest import mix
from tasks.fold import Bytes, Offsets, code_point
from tasks.kernel import Index, kernel, kernel_part

Hashes = npt.NDArray[np.uint64]
Sketches = npt.NDArray[np.uint8]

PROMPT, RESPONSE = 0, 1
SIDES = 2
EMPTY_BIN = np.uint32(0xFFFFFFFF)
LOW_BITS = np.uint64(0x7FFFFFFF)  # never EMPTY_BIN
ROLLING_BASE = np.uint64(0x2545F4914F6CDD1D)  # odd, so that the rolling hash loses no bit
POINT_SPREAD = np.uint64(0xC2B2AE3D27D4EB4F)
SHORT_TEXT = np.uint64(0x9E3779B97F4A7C15)
KNOWN_PROBES = 64  # kept in a table; with b of n bins filled, n/b are needed
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


class SketchRoom(NamedTuple):
    """One thread's room to sketch texts in."""

    points: Hashes
    hashes: Hashes
    """Both: one more than the longest text has bytes."""
    minima: npt.NDArray[np.uint32]
    """Per bin: the smallest hash that fell into it, `EMPTY_BIN` where none did."""
    empty: npt.NDArray[np.uint8]
    """The empty bins of a text, one entry more than bins."""
    probes: Sketches
    """The bins that each bin asks for theirs if it is empty: the first ones, the next ones ..."""


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
    points, hashes = np.empty((2, longest + 1), np.uint64)
    room = SketchRoom(
        points,
        hashes,
        np.empty(bins, np.uint32),
        np.empty(bins + 1, np.uint8),
        np.empty((KNOWN_PROBES, bins), np.uint8),
    )
    _sketch_texts(offsets, data, ngram, room, sketches, filled)
    return sketches, filled


@kernel_part
def shingle_hashes(
    data: Bytes, begin: int, end: int, ngram: int, points: Hashes, hashes: Hashes
) -> int:
    """Hash every run of `ngram` code points into `hashes`, repeats included; returns how many.

    A text of fewer code points is one shingle, the whole text; so is the empty one. `points` and
    `hashes` have room for one more than the text has bytes.

    The hash of a run is the polynomial of its code points in `ROLLING_BASE`, mixed: a loop over
    the powers and one over the places, which the compiler makes vectors of.
    """
    count = 0
    at: Index = begin
    while at < end:
        byte = data[at]
        if byte < 0x80:
            at += 1
            points[count] = np.uint64(byte + 1) * POINT_SPREAD
        else:
            point, at = code_point(data, at)
            points[count] = np.uint64(point + 1) * POINT_SPREAD
        count += 1
    if count < ngram:
        whole = np.uint64(count + 1) * SHORT_TEXT
        power = np.uint64(1)
        for place in range(count - 1, -1, -1):
            whole += points[place] * power
            power *= ROLLING_BASE
        hashes[0] = mix(whole)
        return 1
    shingles = count - ngram + 1
    for place in range(shingles):
        hashes[place] = points[place]
    for step in range(1, ngram):
        for place in range(shingles):
            hashes[place] = hashes[place] * ROLLING_BASE + points[place + step]
    for place in range(shingles):
        hashes[place] = mix(hashes[place])
    return shingles


@kernel
def _sketch_texts(
    offsets: Offsets,
    data: Bytes,
    ngram: int,
    room: SketchRoom,
    sketches: Sketches,
    filled: npt.NDArray[np.uint8],
) -> None:
    hashes, minima = room.hashes, room.minima
    bins = len(minima)
    shift = np.uint64(64)
    while np.uint64(bins) >> (np.uint64(64) - shift) > np.uint64(1):
        shift -= np.uint64(1)
    for place in range(bins):
        for attempt in range(KNOWN_PROBES):
            room.probes[attempt, place] = _probe(np.int64(place), np.int64(attempt), shift)
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        count = shingle_hashes(data, begin, end, ngram, room.points, hashes)
        for place in range(bins):
            minima[place] = EMPTY_BIN
        for shingle in range(count):
            into = hashes[shingle] >> shift
            value = np.uint32(hashes[shingle] & LOW_BITS)
            minima[into] = min(minima[into], value)
        empty = np.int64(0)  # typed, so that `_densify` is compiled once
        for place in range(bins):
            room.empty[empty] = place
            empty += minima[place] == EMPTY_BIN
            sketches[text, place] = mix(np.uint64(minima[place])) & np.uint64(0xFF)
        filled[text] = bins - empty
        _densify(room, empty, shift, sketches[text])


@kernel_part
def _densify(room: SketchRoom, empty: Index, shift: np.uint64, sketch: Sketches) -> None:
    """Give every empty bin what the first bin that is not empty has, in an order of its own.

    All of them ask at once, and those that asked in vain stay in the list: the processor foresees
    such loops, where it would be wrong about the end of a search for each.
    """
    attempt = np.int64(0)
    while empty > 0:
        still = 0
        for waiting in range(empty):
            place = np.int64(room.empty[waiting])
            if attempt < KNOWN_PROBES:
                source = np.int64(room.probes[attempt, place])
            else:
                source = np.int64(_probe(place, attempt, shift))
            sketch[place] = sketch[source]
            room.empty[still] = place
            still += room.minima[source] == EMPTY_BIN
        empty = still
        attempt += 1


@kernel_part
def _probe(place: Index, attempt: Index, shift: np.uint64) -> np.uint64:
    """The bin that an empty one at `place` asks, `attempt` others before it (from 0)."""
    spread = np.uint64(place + 1) * SHORT_TEXT + np.uint64(attempt + 1) * PROBE_SPREAD
    return mix(spread) >> shift


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
