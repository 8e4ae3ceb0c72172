"""Who stays: rows in election order, each held against the kept rows of its buckets."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.conflict import NO_ROW, Prompts, same_text
from tasks.dedupe.exact import NONE, Indices
from tasks.dedupe.minhash import PROMPT, RESPONSE, SIDES, Banding, Hashes, band_keys
from tasks.dedupe.verify import (
    PairRules,
    Rows,
    ShingleSets,
    could_reach,
    jaccard,
    load_set,
    pair_threshold,
)
from tasks.kernel import Index, kernel

BLOCK_ROWS = 8192  # part of the result where a row has more candidates than it may try
NO_BUCKET = np.uint32(0xFFFFFFFF)
CANDIDATES, VERIFIED = 0, 1


class Buckets(NamedTuple):
    """The kept rows of every band key that more than one row has, as they come to be known."""

    of_row: npt.NDArray[np.uint32]
    """Bands x rows: index into `start`, `NO_BUCKET` where the row has the key for itself."""
    start: Indices
    """Bucket b's room is members[start[b]:start[b + 1]]."""
    kept: npt.NDArray[np.uint32]
    """Rows kept so far, those included for which there was no room."""
    members: npt.NDArray[np.uint32]


class Walk(NamedTuple):
    """One thread's notes while it looks for a row's survivor."""

    sets: ShingleSets
    seen: npt.NDArray[np.uint32]
    """Rows: the last row that met this one in a bucket, plus one."""
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
    buckets = bucket_rows(rows, must_agree, banding, bucket, threads)
    rank = np.empty(total, np.uint32)
    rank[order] = np.arange(total, dtype=np.uint32)
    walks = [_walk(rows, buckets, bucket) for _ in range(thread_count)]
    survivor = np.full(total, NONE, np.int64)
    similarity = np.zeros((2, total), np.float32)

    def look(first: int, last: int, floor: int, keep: bool, walk: Walk) -> None:
        given = (rows, order, rank, first, last, floor, keep, buckets, prompts, rules, walk)
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
    rows: Rows, must_agree: Hashes, banding: Banding, bucket: int, threads: ThreadPoolExecutor
) -> Buckets:
    """Empty buckets for every band key that at least two rows have; none without a band."""
    of_row = np.empty((banding.bands, len(must_agree)), np.uint32)
    sizes = list(
        threads.map(
            functools.partial(_bucket_band, rows, must_agree, banding, of_row),
            range(banding.bands),
        )
    )
    before = np.concatenate([[0], np.cumsum([len(size) for size in sizes])])
    for band in range(banding.bands):
        of_row[band][of_row[band] != NO_BUCKET] += np.uint32(before[band])
    room = np.minimum(np.concatenate([np.empty(0, np.uint32), *sizes]), bucket)
    start = np.concatenate([[0], np.cumsum(room, dtype=np.int64)])
    return Buckets(
        of_row, start, np.zeros(len(room), np.uint32), np.zeros(int(start[-1]), np.uint32)
    )


def _bucket_band(
    rows: Rows, must_agree: Hashes, banding: Banding, of_row: npt.NDArray[np.uint32], band: int
) -> npt.NDArray[np.uint32]:
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
    sizes = np.empty(len(keys) // 2, np.uint32)
    return sizes[: group_equal(keys, of_row[band], sizes)]


def _walk(rows: Rows, buckets: Buckets, bucket: int) -> Walk:
    room = len(buckets.of_row) * bucket
    longest = int((rows.end - rows.begin).max(initial=0))
    return Walk(
        ShingleSets.holding(longest),
        np.zeros(len(rows.kind), np.uint32),
        np.empty(room, np.uint32),
        np.empty(room, np.int32),
        np.zeros(2, np.int64),
    )


@kernel
def group_equal(keys: Hashes, group: npt.NDArray[np.uint32], sizes: npt.NDArray[np.uint32]) -> int:
    """Number the keys that occur twice or more, `NO_BUCKET` for the others; returns how many.

    `sizes` gets the rows of each.
    """
    slots = 64
    while slots < 2 * len(keys):
        slots *= 2
    mask = np.uint64(slots - 1)
    first = np.full(slots, NO_BUCKET, np.uint32)
    groups = 0
    for row in range(len(keys)):
        slot = keys[row] & mask
        while first[slot] != NO_BUCKET and keys[first[slot]] != keys[row]:
            slot = (slot + np.uint64(1)) & mask
        group[row] = NO_BUCKET
        if first[slot] == NO_BUCKET:
            first[slot] = row
            continue
        leader = first[slot]
        if group[leader] == NO_BUCKET:
            group[leader] = groups
            sizes[groups] = 1
            groups += 1
        group[row] = group[leader]
        sizes[group[leader]] += np.uint32(1)
    return groups


@kernel
def walk_rows(
    rows: Rows,
    order: Indices,
    rank: npt.NDArray[np.uint32],
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
        row = order[place]
        if survivor[row] == NONE:
            survivor[row] = _find_survivor(rows, rank, row, floor, buckets, rules, walk, similarity)
        if keep and survivor[row] == NONE:
            survivor[row] = _find_answer(rows, row, prompts)
            if survivor[row] == NONE:
                _remember(buckets, row)


@kernel
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
    if not prompts.one_answer or same_text(rows, RESPONSE, row, other):
        return NONE
    prompts.fell[row] = True
    return other


@kernel
def _remember(buckets: Buckets, row: Index) -> None:
    for band in range(len(buckets.of_row)):
        bucket = buckets.of_row[band, row]
        if bucket != NO_BUCKET:
            slot = buckets.start[bucket] + buckets.kept[bucket]
            buckets.kept[bucket] += np.uint32(1)
            if slot < buckets.start[bucket + 1]:
                buckets.members[slot] = row


@kernel
def _find_survivor(
    rows: Rows,
    rank: npt.NDArray[np.uint32],
    row: Index,
    floor: int,
    buckets: Buckets,
    rules: PairRules,
    walk: Walk,
    similarity: npt.NDArray[np.float32],
) -> Index:
    """The first candidate that verifies, best estimate first, `NONE` if none of those tried."""
    found = _gather(rows, rank, row, floor, buckets, rules, walk)
    if found == 0:
        return NONE
    for side in range(SIDES):
        load_set(rows, side, row, rules.ngram, walk.sets)
    for _ in range(min(found, rules.candidates)):
        best = 0
        for place in range(1, found):
            if walk.agreeing[place] > walk.agreeing[best]:
                best = place
        other = np.int64(walk.candidates[best])
        walk.agreeing[best] = -1
        walk.counters[VERIFIED] += 1
        threshold = pair_threshold(rules, rows.source[row], rows.source[other])
        reached = 0
        for side in range(RESPONSE, PROMPT - 1, -1):
            value = jaccard(rows, side, other, rules.ngram, walk.sets)
            if value < threshold:
                break
            similarity[side, row] = value
            reached += 1
        if reached == SIDES:
            return other
    return NONE


@kernel
def _gather(
    rows: Rows,
    rank: npt.NDArray[np.uint32],
    row: Index,
    floor: int,
    buckets: Buckets,
    rules: PairRules,
    walk: Walk,
) -> int:
    """Note the kept rows of rank `floor` or more that could be the row's survivor."""
    found = 0
    for band in range(len(buckets.of_row)):
        bucket = buckets.of_row[band, row]
        if bucket == NO_BUCKET:
            continue
        first = buckets.start[bucket]
        place = min(first + buckets.kept[bucket], buckets.start[bucket + 1])
        while place > first:
            place -= 1
            other = np.int64(buckets.members[place])
            if rank[other] < floor:
                break
            if walk.seen[other] == row + 1:
                continue
            walk.seen[other] = row + 1
            walk.counters[CANDIDATES] += 1
            agreeing = _agreement(rows, row, other, rules)
            if agreeing >= 0:
                walk.candidates[found] = other
                walk.agreeing[found] = agreeing
                found += 1
    return found


@kernel
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
