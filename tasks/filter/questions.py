"""Prompts that ask nearly what an evaluation item asks: exact Jaccard on character shingles.

A text is its letters and digits, folded as n-grams are, tokens a space apart (every word, every
Chinese character); a shingle is three neighbouring characters of it. So case, width, accents,
punctuation and the order of options hardly count. A prompt matches a question when the shingles
they share are at least `threshold` of all their shingles, and, unless the recipe says otherwise,
when their numbers are the same: "What is 3 + 4?" is another question than "What is 3 + 5?", and
templated questions differ in nothing else.

Nothing is approximate. Where two sets reach a similarity t, the rarest |A| - ceil(t |A|) + 1
shingles of one meet those of the other (prefix filtering, Chaudhuri et al. 2006; Bayardo et al.
2007), rare meaning: in few questions. A shingle that no question has is the rarest, so that a
prompt with more than a fifth of such shingles is settled without a look at any question. Of the
questions met, most are settled by bits: sets that differ in d bits differ in d shingles or more.
Where numbers count, they are compared first: most prompts have those of no question.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.filter.ngrams import ALONE, IGNORED, Table, token_table
from tasks.fold import Bytes, Offsets, code_point, text_buffers
from tasks.kernel import Index, announce_compilation, kernel, kernel_part

Hashes = npt.NDArray[np.uint64]
Ranks = npt.NDArray[np.int64]
Sizes = npt.NDArray[np.int64]

SHINGLE_CHARS = 3
CHARACTER_BITS = 21  # a code point; three of them fill a shingle of 63 bits, so none collide
# A shorter question is compared whole by the n-grams' rules; here one letter would be much of it.
MIN_SHINGLES = 12
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio
MIX = np.uint64(0xBF58476D1CE4E5B9)  # SplitMix64
ZERO = np.uint64(0)
SKETCH_WORDS = 4  # of 64 bits
PAIRS, QUADS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
NIBBLES, BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
COMMA, POINT = 0x2C, 0x2E


@dataclass(frozen=True, eq=False)
class Questions:
    """Shingle sets of questions, as ranks: 0 is the shingle that the fewest questions have.

    Question q has ranks[offsets[q]:offsets[q + 1]], ascending. `holders` of a rank are the
    questions that have it among their rarest. `keys` and `places` are an open table from shingle to
    rank. `numbers` are digests of their numbers, `sketches` have a bit for every 256th shingle.
    `digests` are those of `numbers` once each, ascending, and `sizes` how many shingles the
    smallest and the largest question of each has.
    """

    threshold: float
    keys: Hashes
    places: Ranks
    offsets: Offsets
    ranks: Ranks
    holder_offsets: Offsets
    holders: Ranks
    numbers: Hashes
    sketches: npt.NDArray[np.uint64]
    digests: Hashes
    sizes: Sizes


def shingle_sets(texts: pl.Series) -> pl.DataFrame:
    """One row per text: `shingles` (List of UInt64, each once, ascending), `numbers` (a digest)."""
    buffers = text_buffers(texts)
    room = int(buffers.offsets[-1] - buffers.offsets[0])
    shingles, ends = np.empty(room, np.uint64), np.zeros(buffers.rows, np.int64)
    numbers = np.zeros(buffers.rows, np.uint64)
    announce_compilation(_shingle_texts)
    _shingle_texts(buffers.offsets, buffers.data, token_table(), shingles, ends, numbers)
    size = np.diff(ends, prepend=0)
    flat = pl.DataFrame(
        {"text": np.repeat(np.arange(buffers.rows), size), "shingle": shingles[: size.sum()]}
    )
    sets = flat.unique().sort("text", "shingle").group_by("text", maintain_order=True)
    found = sets.agg(shingles="shingle")
    every = pl.DataFrame({"text": np.arange(buffers.rows), "numbers": numbers})
    whole = every.join(found, on="text", how="left", maintain_order="left")
    none = pl.lit([], pl.List(pl.UInt64))
    return whole.select(pl.col("shingles").fill_null(none), "numbers")


def as_questions(sets: pl.DataFrame, threshold: float) -> Questions:
    """What prompts are held against, of `shingle_sets` of questions."""
    size = sets["shingles"].list.len().cast(pl.Int64)
    flat = pl.DataFrame(
        {
            "question": np.repeat(np.arange(sets.height), size.to_numpy()),
            "shingle": sets["shingles"].explode(empty_as_null=False),
        }
    )
    known = (
        flat.group_by("shingle")
        .len()
        .sort("len", "shingle")
        .select("shingle")
        .with_row_index("rank")
    )
    ranked = (
        flat.join(known, on="shingle", how="left", maintain_order="left")
        .select("question", pl.col("rank").cast(pl.Int64))
        .sort("question", "rank")
    )
    rarest = size - (size * threshold - 1e-9).ceil().cast(pl.Int64) + 1
    place = pl.int_range(pl.len()).over("question")
    sized = ranked.with_columns(size.gather(ranked["question"]).alias("size"))
    holders = sized.filter(place < rarest.gather(ranked["question"]))
    holders = holders.sort("rank", "size", "question")
    keys, places = _open_table(known["shingle"].to_numpy())
    sketches = np.zeros((sets.height, SKETCH_WORDS), np.uint64)
    _sketch_questions(flat["question"].to_numpy(), flat["shingle"].to_numpy(), sketches)
    of_digest = (
        pl.DataFrame({"digest": sets["numbers"], "size": size})
        .group_by("digest")
        .agg(smallest=pl.col("size").min(), largest=pl.col("size").max())
        .sort("digest")
    )
    held = np.searchsorted(holders["rank"].to_numpy(), np.arange(known.height + 1))
    return Questions(
        threshold,
        keys,
        places,
        np.concatenate([np.zeros(1, np.int64), np.cumsum(size.to_numpy())]),
        ranked["rank"].to_numpy(),
        held.astype(np.int64),
        holders["question"].to_numpy(),
        sets["numbers"].to_numpy(),
        sketches,
        of_digest["digest"].to_numpy(),
        of_digest.select("smallest", "largest").to_numpy(order="c"),
    )


def nearest(texts: pl.Series, questions: Questions, *, compare_numbers: bool) -> pl.DataFrame:
    """For each text `question`, the most similar one that reaches the threshold, and `similarity`.

    One row per text, in their order; both null where there is none. Of equals the first question.
    """
    buffers = text_buffers(texts)
    found = np.full(buffers.rows, -1, np.int64)
    similarity = np.zeros(buffers.rows, np.float64)
    if len(questions.numbers):
        announce_compilation(_find_nearest)
        _find_nearest(
            buffers.offsets, buffers.data, token_table(), questions.threshold, questions.keys,
            questions.places, questions.offsets, questions.ranks, questions.holder_offsets,
            questions.holders, questions.numbers, questions.sketches, questions.digests,
            questions.sizes, compare_numbers, found, similarity,
        )  # fmt: skip
    none = pl.col("question") < 0
    return pl.DataFrame({"question": found, "similarity": similarity}).select(
        pl.when(~none).then("question"), pl.when(~none).then("similarity").cast(pl.Float32)
    )


def _open_table(shingles: Hashes) -> tuple[Hashes, Ranks]:
    room = 1 << max(4, (2 * len(shingles)).bit_length())
    keys, places = np.zeros(room, np.uint64), np.full(room, -1, np.int64)
    announce_compilation(_fill_table)
    _fill_table(shingles, keys, places)
    return keys, places


@kernel_part
def _slot(value: np.uint64, room: int) -> np.int64:
    """Where to look for a value first in an open table of `room` places, a power of two."""
    mixed = value * SPREAD
    return np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(room - 1))


@kernel
def _fill_table(shingles: Hashes, keys: Hashes, places: Ranks) -> None:
    for rank in range(len(shingles)):
        at = _slot(shingles[rank], len(keys))
        while places[at] >= 0:
            at = (at + 1) & (len(keys) - 1)
        keys[at], places[at] = shingles[rank], rank


@kernel_part
def _rank_of(value: np.uint64, keys: Hashes, places: Ranks) -> int:
    at = _slot(value, len(keys))
    while places[at] >= 0:
        if keys[at] == value:
            return int(places[at])
        at = (at + 1) & (len(keys) - 1)
    return -1


@kernel_part
def _shingles(data: Bytes, start: int, end: int, table: Table, shingles: Hashes) -> int:
    """Write the shingles of one text, repeats included; returns their number.

    A text of fewer than three characters has none, and none has more than bytes.
    """
    mask = (np.uint64(1) << np.uint64(SHINGLE_CHARS * CHARACTER_BITS)) - np.uint64(1)
    bits = np.uint64(CHARACTER_BITS)
    shingle = ZERO
    chars = found = 0
    gap = after_alone = False
    at: Index = start
    while at < end:
        point, at = code_point(data, at)
        symbol = np.uint32(IGNORED)
        if point < len(table):
            symbol = table[point]
        if symbol <= IGNORED:
            gap = gap or bool(symbol != IGNORED)
            continue
        alone = symbol >= ALONE
        if chars > 0 and (gap or alone or after_alone):
            shingle = (shingle << bits | np.uint64(0x20)) & mask
            chars += 1
            if chars >= SHINGLE_CHARS:
                shingles[found] = shingle
                found += 1
        gap, after_alone = False, bool(alone)
        shingle = (shingle << bits | np.uint64(symbol & np.uint32(ALONE - 1))) & mask
        chars += 1
        if chars >= SHINGLE_CHARS:
            shingles[found] = shingle
            found += 1
    return found


@kernel_part
def _numbers(data: Bytes, start: int, end: int, table: Table) -> np.uint64:
    """A digest of a text's numbers, as a sum: their order does not count.

    Numbers are runs of digits; 1,000 is 1000, and 3.5 is not 35. Numbers in words are text.
    """
    digest = number = mark = ZERO
    at: Index = start
    while at < end:
        point, at = code_point(data, at)
        symbol = np.uint32(IGNORED)
        if point < len(table):
            symbol = table[point]
        if 0x30 <= symbol <= 0x39:
            if mark == POINT:
                number = (number ^ mark) * MIX
            number = (number ^ np.uint64(symbol + 1)) * SPREAD + np.uint64(1)
            mark = ZERO
        elif number != ZERO and mark == ZERO and point in (COMMA, POINT):
            mark = np.uint64(point)
        elif number != ZERO and symbol != IGNORED:
            digest += number * (number ^ MIX)
            number = mark = ZERO
    return digest + number * (number ^ MIX)


@kernel
def _shingle_texts(
    offsets: Offsets, data: Bytes, table: Table, shingles: Hashes, ends: Offsets, numbers: Hashes
) -> None:
    end = 0
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        end += _shingles(data, start, stop, table, shingles[end:])
        ends[text] = end
        numbers[text] = _numbers(data, start, stop, table)


@kernel_part
def _is_new(value: np.uint64, keys: Hashes, stamps: Ranks, stamp: int) -> bool:
    """Whether a value is seen for the first time under this stamp; it is remembered."""
    at = _slot(value, len(keys))
    while stamps[at] == stamp:
        if keys[at] == value:
            return False
        at = (at + 1) & (len(keys) - 1)
    keys[at], stamps[at] = value, stamp
    return True


@kernel
def _find_nearest(
    offsets: Offsets, data: Bytes, table: Table, threshold: float, keys: Hashes, places: Ranks,
    question_offsets: Offsets, ranks: Ranks, holder_offsets: Offsets, holders: Ranks,
    numbers: Hashes, sketches: npt.NDArray[np.uint64], digests: Hashes, sizes: Sizes,
    compare_numbers: bool, found: Offsets, similarity: npt.NDArray[np.float64],
) -> None:  # fmt: skip
    largest = np.max(question_offsets[1:] - question_offsets[:-1])
    most = int(largest / threshold) + 1  # shingles of a prompt that any question can still reach
    longest = np.max(offsets[1:] - offsets[:-1]) if len(offsets) > 1 else 0
    room = 16
    while room < 2 * (most + 2):
        room *= 2
    strange, strange_stamps = np.zeros(room, np.uint64), np.full(room, -1, np.int64)
    shingles, known = np.empty(longest + 1, np.uint64), np.empty(most + 2, np.int64)
    rank_stamps = np.full(len(holder_offsets) - 1, -1, np.int64)
    question_stamps = np.full(len(numbers), -1, np.int64)
    sketch = np.empty(SKETCH_WORDS, np.uint64)
    for text in range(len(offsets) - 1):
        start, stop = offsets[text], offsets[text + 1]
        digest = _numbers(data, start, stop, table) if compare_numbers else ZERO
        reached = most
        if compare_numbers:
            reached = _reached(stop - start, digest, threshold, digests, sizes)
        count = _shingles(data, start, stop, table, shingles) if reached > 0 else 0
        most_strange = _strange_at_most(count, threshold)
        in_known, in_strange = _distinct(
            shingles[:count], text, reached, most_strange, keys, places, known, rank_stamps,
            strange, strange_stamps,
        )  # fmt: skip
        size = in_known + in_strange
        probes = _strange_at_most(size, threshold) + 1 - in_strange
        if probes <= 0 or size == 0 or size > reached:
            continue
        sketch[:] = ZERO
        for shingle in shingles[:count]:
            _sketch(shingle, sketch)
        for rank in np.sort(known[:in_known])[:probes]:
            for question in holders[holder_offsets[rank] : holder_offsets[rank + 1]]:
                its_size = question_offsets[question + 1] - question_offsets[question]
                if its_size * threshold > size:
                    break
                if its_size < threshold * size or question_stamps[question] == text:
                    continue
                question_stamps[question] = text
                if compare_numbers and numbers[question] != digest:
                    continue
                both = size + its_size
                apart = both - 2 * int(np.ceil(threshold * both / (1 + threshold) - 1e-9))
                if _differing_bits(sketch, sketches[question]) > apart:
                    continue
                its = ranks[question_offsets[question] : question_offsets[question + 1]]
                jaccard = _jaccard(its, size, text, rank_stamps)
                first = jaccard == similarity[text] and question < found[text]
                if jaccard >= threshold and (jaccard > similarity[text] or first):
                    similarity[text], found[text] = jaccard, question


@kernel_part
def _sketch(shingle: np.uint64, sketch: Hashes) -> None:
    """Set the bit of a shingle."""
    bit = (shingle * SPREAD) >> np.uint64(56)
    sketch[np.int64(bit >> np.uint64(6))] |= np.uint64(1) << (bit & np.uint64(63))


@kernel
def _sketch_questions(question: Ranks, shingles: Hashes, sketches: npt.NDArray[np.uint64]) -> None:
    for at in range(len(shingles)):
        _sketch(shingles[at], sketches[question[at]])


@kernel_part
def _differing_bits(one: Hashes, other: Hashes) -> int:
    """At most as many as shingles that only one of two sets has (bit counts: Warren 2012, 5-1)."""
    bits = 0
    for word in range(SKETCH_WORDS):
        value = one[word] ^ other[word]
        value -= (value >> np.uint64(1)) & PAIRS
        value = (value & QUADS) + ((value >> np.uint64(2)) & QUADS)
        value = (value + (value >> np.uint64(4))) & NIBBLES
        bits += int((value * BYTES) >> np.uint64(56))
    return bits


@kernel_part
def _reached(
    size_bytes: int, digest: np.uint64, threshold: float, digests: Hashes, sizes: Sizes
) -> int:
    """How many shingles a text may have to be near a question with its numbers; -1 if none is."""
    same = np.searchsorted(digests, digest)
    if same == len(digests) or digests[same] != digest:
        return -1
    if size_bytes < threshold * sizes[same, 0]:  # a byte has one shingle at the most
        return -1
    return int(sizes[same, 1] / threshold)


@kernel_part
def _strange_at_most(size: int, threshold: float) -> int:
    """Shingles that no question has, of a text with so many that is still near one."""
    return size - int(np.ceil(threshold * size - 1e-9))


@kernel_part
def _distinct(
    shingles: Hashes, text: int, most: int, most_strange: int, keys: Hashes, places: Ranks,
    known: Ranks, rank_stamps: Ranks, strange: Hashes, strange_stamps: Ranks,
) -> tuple[int, int]:  # fmt: skip
    """How many different shingles questions have, and how many none has; stops above the most.

    The ranks of the former are in `known`, and stamped with the text.
    """
    in_known = in_strange = 0
    for shingle in shingles:
        rank = _rank_of(shingle, keys, places)
        if rank < 0:
            in_strange += _is_new(shingle, strange, strange_stamps, text)
        elif rank_stamps[rank] != text:
            rank_stamps[rank] = text
            known[in_known] = rank
            in_known += 1
        if in_known + in_strange > most or in_strange > most_strange:
            break
    return in_known, in_strange


@kernel_part
def _jaccard(its: Ranks, size: int, text: int, rank_stamps: Ranks) -> float:
    """The similarity of a question and the stamped text of `size` shingles."""
    shared = 0
    for rank in its:
        shared += rank_stamps[rank] == text
    return shared / (size + len(its) - shared)
