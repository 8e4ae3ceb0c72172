"""Who stays: rows in election order, each held against the kept rows of its buckets."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.conflict import NO_ROW, Prompts
from tasks.dedupe.exact import NONE
from tasks.dedupe.group import Indices, group_equal
from tasks.dedupe.minhash import PROMPT, RESPONSE, SIDES, Banding, Hashes, band_keys
from tasks.dedupe.verify import (
    PairRules,
    Rows,
    ShingleSets,
    could_reach,
    jaccard,
    pair_threshold,
    same_text,
)
from tasks.kernel import Index, kernel, kernel_part

BLOCK_ROWS = 8192  # part of the result where a row has more candidates than it may try
CANDIDATES, VERIFIED = 0, 1


class Buckets(NamedTuple):
    """The kept rows of every band key that more than one row has, as they come to be known."""

    first: Indices
    """The row at place p of the order is in the buckets entries[first[p]:first[p + 1]]."""
    entries: npt.NDArray[np.uint32]
    """Indices into `start`, those of a row in the order of its bands."""
    start: Indices
    """Bucket b's room is members[start[b]:start[b + 1]]."""
    kept: npt.NDArray[np.uint32]
    """Rows kept so far, those included for which there was no room."""
    members: npt.NDArray[np.uint32]
    """Places."""


class Walk(NamedTuple):
    """One thread's notes while it looks for a row's survivor."""

    sets: ShingleSets
    seen: npt.NDArray[np.uint32]
    """By place: the last one that met this one in a bucket, plus one."""
    candidates: npt.NDArray[np.uint32]
    agreeing: npt.NDArray[np.int32]
    counters: npt.NDArray[np.int64]


class Election(NamedTuple):
    """Which row each row fell to (`NONE` for the kept), how similar they are, and what it took.

    `Prompts.fell` says which of them fell for what they answer.
    """

    survivor: Indices
    similarity: npt.NDArray[np.float32]
    """2 x rows; says nothing of the kept, nor of rows that fell for what they answer."""
    candidates: int
    verified: int
    capped_buckets: int


def elect(
    rows: Rows,
    order: Indices,
    prompts: Prompts,
    must_agree: Hashes,
    banding: Banding,
    rules: PairRules,
    bucket: int,
    threads: ThreadPoolExecutor,
    thread_count: int,
) -> Election:
    """Walk the rows in `order`; each falls to a kept row that it was verified against, or is kept.

    Where a prompt may have one answer only, a row that is nobody's near duplicate falls to the row
    kept of its prompt.

    A bucket remembers `bucket` kept rows. Blocks of rows are compared with the blocks before them
    in parallel and then among themselves in order: the result does not depend on threads.
    """
    total = len(order)
    buckets = bucket_rows(rows, order, must_agree, banding, bucket, threads)
    walks = [_walk(rows, banding.bands * bucket) for _ in range(thread_count)]
    survivor = np.full(total, NONE, np.int64)
    similarity = np.zeros((2, total), np.float32)

    def look(first: int, last: int, floor: int, keep: bool, walk: Walk) -> None:
        given = (rows, order, first, last, floor, keep, buckets, prompts, rules, walk)
        walk_rows(*given, survivor, similarity)

    for first in range(0, total, BLOCK_ROWS):
        last = min(total, first + BLOCK_ROWS)
        cuts = np.linspace(first, last, thread_count + 1).astype(int).tolist()
        parts = [
            threads.submit(look, begin, end, 0, False, walk)
            for begin, end, walk in zip(cuts[:-1], cuts[1:], walks, strict=True)
        ]
        for part in parts:
            part.result()
        look(first, last, first, True, walks[0])
    counters = np.sum([walk.counters for walk in walks], axis=0)
    room = np.diff(buckets.start)
    return Election(
        survivor,
        similarity,
        candidates=int(counters[CANDIDATES]),
        verified=int(counters[VERIFIED]),
        capped_buckets=int(np.count_nonzero(buckets.kept > room)),
    )


def bucket_rows(
    rows: Rows,
    order: Indices,
    must_agree: Hashes,
    banding: Banding,
    bucket: int,
    threads: ThreadPoolExecutor,
) -> Buckets:
    """Empty buckets for every band key that at least two rows have; none without a band."""
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    in_bands = list(
        threads.map(
            functools.partial(_bucket_band, rows, place, must_agree, banding),
            range(banding.bands),
        )
    )
    sizes = np.concatenate([np.empty(0, np.uint32), *(band.sizes for band in in_bands)])
    room = np.minimum(sizes, bucket)
    start = np.concatenate([[0], np.cumsum(room, dtype=np.int64)])
    first, entries = _entries(in_bands, len(order))
    members = np.zeros(int(start[-1]), np.uint32)
    return Buckets(first, entries, start, np.zeros(len(room), np.uint32), members)


class _Band(NamedTuple):
    """Those who share a key of one band with another."""

    places: npt.NDArray[np.uint32]
    buckets: npt.NDArray[np.uint32]
    """Of each place, counted from 0 in each band."""
    sizes: npt.NDArray[np.uint32]
    """Of each bucket."""


def _bucket_band(
    rows: Rows, place: npt.NDArray[np.uint32], must_agree: Hashes, banding: Banding, band: int
) -> _Band:
    keys = np.empty_like(must_agree)
    band_keys(
        rows.sketches[PROMPT],
        rows.sketches[RESPONSE],
        must_agree,
        band,
        banding.prompt_rows,
        banding.response_rows,
        keys,
    )
    met, group, sizes = group_equal(keys)
    return _Band(place[met], group, sizes)


def _entries(bands: list[_Band], total: int) -> tuple[Indices, npt.NDArray[np.uint32]]:
    """The buckets of every place, one band's after the other's: `Buckets.first` and `.entries`."""
    first = np.zeros(total + 1, np.int64)
    for band in bands:
        first[1:] += np.bincount(band.places, minlength=total)
    np.cumsum(first, out=first)
    entries = np.empty(int(first[-1]), np.uint32)
    free = first[:-1].copy()
    before = 0
    for band in bands:
        _enter(band.places, band.buckets, before, free, entries)
        before += len(band.sizes)
    return first, entries


def _walk(rows: Rows, room: int) -> Walk:
    return Walk(
        ShingleSets.holding(rows.texts.longest()),
        np.zeros(len(rows.kind), np.uint32),
        np.empty(room, np.uint32),
        np.empty(room, np.int32),
        np.zeros(2, np.int64),
    )


@kernel
def _enter(
    places: npt.NDArray[np.uint32],
    buckets: npt.NDArray[np.uint32],
    before: int,
    free: Indices,
    entries: npt.NDArray[np.uint32],
) -> None:
    for index in range(len(places)):
        place = places[index]
        entries[free[place]] = buckets[index] + np.uint32(before)
        free[place] += 1


@kernel
def walk_rows(
    rows: Rows,
    order: Indices,
    first: int,
    last: int,
    floor: int,
    keep: bool,
    buckets: Buckets,
    prompts: Prompts,
    rules: PairRules,
    walk: Walk,
    survivor: Indices,
    similarity: npt.NDArray[np.float32],
) -> None:
    """Hold the rows at order[first:last] that have not fallen yet against those kept since `floor`.

    `keep` holds those that do not fall now against their prompt's answer, and lets those that do
    not fall then into their buckets.
    """
    for place in range(first, last):
        lone = buckets.first[place] == buckets.first[place + 1]
        if lone and not prompts.one_answer:
            continue
        row = order[place]
        if survivor[row] == NONE and not lone:
            survivor[row] = _find_survivor(
                rows, order, place, floor, buckets, rules, walk, similarity
            )
        if keep and survivor[row] == NONE:
            survivor[row] = _find_answer(rows, row, prompts)
            if survivor[row] == NONE:
                _remember(buckets, place)


@kernel_part
def _find_answer(rows: Rows, row: Index, prompts: Prompts) -> Index:
    """The row kept of this row's prompt, where it answers otherwise and may not; else `NONE`.

    The first row kept of a prompt is noted.
    """
    prompt = prompts.first[row]
    kept = prompts.kept[prompt]
    if kept == NO_ROW:
        prompts.kept[prompt] = row
        return NONE
    other = np.int64(kept)
    if not prompts.one_answer or same_text(rows.texts, np.int64(RESPONSE), row, other):
        return NONE
    prompts.fell[row] = True
    return other


@kernel_part
def _remember(buckets: Buckets, place: Index) -> None:
    for entry in range(buckets.first[place], buckets.first[place + 1]):
        bucket = buckets.entries[entry]
        slot = buckets.start[bucket] + buckets.kept[bucket]
        buckets.kept[bucket] += np.uint32(1)
        if slot < buckets.start[bucket + 1]:
            buckets.members[slot] = place


@kernel_part
def _find_survivor(
    rows: Rows,
    order: Indices,
    place: Index,
    floor: int,
    buckets: Buckets,
    rules: PairRules,
    walk: Walk,
    similarity: npt.NDArray[np.float32],
) -> Index:
    """The first candidate that verifies, best estimate first, `NONE` if none of those tried."""
    found = _gather(rows, order, place, floor, buckets, rules, walk)
    row = order[place]
    for _ in range(min(found, rules.candidates)):
        best = 0
        for index in range(1, found):
            if walk.agreeing[index] > walk.agreeing[best]:
                best = index
        other = np.int64(walk.candidates[best])
        walk.agreeing[best] = -1
        walk.counters[VERIFIED] += 1
        threshold = pair_threshold(rules, rows.source[row], rows.source[other])
        reached = 0
        for side in range(RESPONSE, PROMPT - 1, -1):
            value = jaccard(rows.texts, side, row, other, rules.ngram, walk.sets)
            if value < threshold:
                break
            similarity[side, row] = value
            reached += 1
        if reached == SIDES:
            return other
    return NONE


@kernel_part
def _gather(
    rows: Rows,
    order: Indices,
    place: Index,
    floor: int,
    buckets: Buckets,
    rules: PairRules,
    walk: Walk,
) -> int:
    """Note the kept rows from place `floor` on that could be the survivor of the one at `place`."""
    found = 0
    for entry in range(buckets.first[place], buckets.first[place + 1]):
        bucket = buckets.entries[entry]
        first = buckets.start[bucket]
        member = min(first + buckets.kept[bucket], buckets.start[bucket + 1])
        while member > first:
            member -= 1
            other_place = np.int64(buckets.members[member])
            if other_place < floor:
                break
            if walk.seen[other_place] == place + 1:
                continue
            walk.seen[other_place] = place + 1
            walk.counters[CANDIDATES] += 1
            other = order[other_place]
            agreeing = _agreement(rows, order[place], other, rules)
            if agreeing >= 0:
                walk.candidates[found] = other
                walk.agreeing[found] = agreeing
                found += 1
    return found


@kernel_part
def _agreement(rows: Rows, row: Index, other: Index, rules: PairRules) -> int:
    """The sketch bins in which two rows agree, or -1 where they cannot be duplicates."""
    if rows.kind[row] != rows.kind[other]:
        return -1
    source, other_source = rows.source[row], rows.source[other]
    compare_numbers = rules.compare_numbers[source] or rules.compare_numbers[other_source]
    if compare_numbers and rows.numbers[row] != rows.numbers[other]:
        return -1
    compare_answers = rules.compare_answers[source] or rules.compare_answers[other_source]
    if compare_answers and rows.answers[row] != rows.answers[other]:
        return -1
    threshold = pair_threshold(rules, source, other_source)
    agreeing = 0
    for side in range(RESPONSE, PROMPT - 1, -1):
        on_side = could_reach(rows, side, row, other, threshold)
        if on_side < 0:
            return -1
        agreeing += on_side
    return agreeing
