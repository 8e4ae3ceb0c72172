"""Clusters of kept rows whose prompts are alike, so that a split can hold out whole clusters."""

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from tasks.dedupe.group import NO_GROUP, Indices, first_equal, group_equal
from tasks.dedupe.minhash import PROMPT, Hashes, Sketches, band_keys
from tasks.dedupe.verify import (
    PairRules,
    Rows,
    ShingleSets,
    could_reach,
    jaccard,
    pair_threshold,
)
from tasks.kernel import Index, kernel, kernel_part

LINK_ROWS = 5  # bins per band: 12 bands of the usual 64 bins find 99 % of the pairs at 0.8


def cluster_rows(
    rows: Rows,
    kept: Indices,
    prompt_digests: Hashes,
    rules: PairRules | None,
    threads: ThreadPoolExecutor,
    thread_count: int,
) -> Indices:
    """The cluster of each row in `kept` (row indices in election order): numbers from 0.

    Rows of one folded prompt share a cluster; so do rows whose prompts reach the threshold,
    whatever their responses and numbers, as far as MinHash finds them: each prompt is held against
    the first one of its bands, so that a templated source stays linear. No rules, none of that.
    """
    same_prompt, prompt_of = _distinct_prompts(prompt_digests[kept])
    parent = np.arange(len(same_prompt), dtype=np.int64)
    if rules is not None and len(same_prompt) > 1:
        firsts = kept[same_prompt]
        leaders = _band_leaders(rows.sketches[PROMPT][firsts], threads)
        linked = np.zeros(leaders.shape, np.bool_)
        longest = rows.texts.longest()
        cuts = np.linspace(0, len(firsts), thread_count + 1).astype(int).tolist()
        looks = [
            threads.submit(
                link_texts,
                rows,
                PROMPT,
                firsts,
                leaders,
                begin,
                end,
                rules,
                ShingleSets.holding(longest),
                linked,
            )
            for begin, end in itertools.pairwise(cuts)
        ]
        for look in looks:
            look.result()
        unite(leaders, linked, parent)
    return parent[prompt_of]


def _distinct_prompts(digests: Hashes) -> tuple[Indices, Indices]:
    """The first row of each distinct digest, in order; and for each row which of them it has."""
    first = first_equal(digests[:, None])
    leads = first == np.arange(len(digests))
    return np.flatnonzero(leads), (np.cumsum(leads) - 1)[first]


def _band_leaders(sketches: Sketches, threads: ThreadPoolExecutor) -> npt.NDArray[np.uint32]:
    """Bands x prompts: the first prompt with the same key, `NO_GROUP` for that one itself."""
    bands = sketches.shape[1] // LINK_ROWS
    leaders = np.empty((bands, len(sketches)), np.uint32)
    list(threads.map(functools.partial(_lead_band, sketches, leaders), range(bands)))
    return leaders


def _lead_band(sketches: Sketches, leaders: npt.NDArray[np.uint32], band: int) -> None:
    keys = np.empty(len(sketches), np.uint64)
    nothing = np.zeros(len(sketches), np.uint64)
    band_keys(sketches, sketches, nothing, band, LINK_ROWS, 0, keys)
    leaders[band] = lead_groups(keys)


def lead_groups(keys: Hashes) -> npt.NDArray[np.uint32]:
    """For each row the first one with its key; `NO_GROUP` for that one itself."""
    met, group, _ = group_equal(keys)
    first = met[np.unique(group, return_index=True)[1]]
    leader = np.full(len(keys), NO_GROUP, np.uint32)
    leader[met] = first[group]
    leader[first] = NO_GROUP
    return leader


@kernel
def link_texts(
    rows: Rows,
    side: int,
    firsts: Indices,
    leaders: npt.NDArray[np.uint32],
    begin: int,
    end: int,
    rules: PairRules,
    sets: ShingleSets,
    linked: npt.NDArray[np.bool_],
) -> None:
    """Mark the leaders of each prompt whose similarity to it, on that side, is high enough."""
    bands = len(leaders)
    for prompt in range(begin, end):
        row = firsts[prompt]
        for band in range(bands):
            leader = leaders[band, prompt]
            if leader == NO_GROUP or _is_known(leaders, prompt, band):
                continue
            other = firsts[leader]
            threshold = pair_threshold(rules, rows.source[row], rows.source[other])
            if could_reach(rows, side, row, other, threshold) < 0:
                continue
            linked[band, prompt] = (
                jaccard(rows.texts, side, row, other, rules.ngram, sets) >= threshold
            )


@kernel_part
def _is_known(leaders: npt.NDArray[np.uint32], prompt: int, band: int) -> bool:
    for earlier in range(band):  # noqa: SIM110 (kernels know no generators)
        if leaders[earlier, prompt] == leaders[band, prompt]:
            return True
    return False


@kernel
def unite(leaders: npt.NDArray[np.uint32], linked: npt.NDArray[np.bool_], parent: Indices) -> None:
    """Give every prompt the first prompt of its connected component as `parent`."""
    for prompt in range(len(parent)):
        for band in range(len(leaders)):
            if linked[band, prompt]:
                one = _root(parent, prompt)
                other = _root(parent, np.int64(leaders[band, prompt]))
                parent[max(one, other)] = min(one, other)
    for prompt in range(len(parent)):
        parent[prompt] = _root(parent, prompt)


@kernel_part
def _root(parent: Indices, prompt: Index) -> Index:
    while parent[prompt] != prompt:
        parent[prompt] = parent[parent[prompt]]
        prompt = parent[prompt]
    return prompt
