"""Clusters: connected components of prompts that are alike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe.cluster import lead_groups, unite
from tasks.dedupe.group import NO_GROUP

PROMPTS, BANDS = 8, 3


def test_the_first_prompt_of_a_group_leads_it():
    keys = np.array([5, 6, 7, 5, 7, 5], np.uint64)
    lone = int(NO_GROUP)
    assert lead_groups(keys).tolist() == [lone, lone, lone, 0, 2, 0]


@given(st.lists(st.tuples(st.integers(1, PROMPTS - 1), st.integers(0, BANDS - 1), st.integers(0))))
def test_every_prompt_gets_the_first_of_its_component(links: list[tuple[int, int, int]]):
    leaders = np.full((BANDS, PROMPTS), NO_GROUP, np.uint32)
    linked = np.zeros((BANDS, PROMPTS), np.bool_)
    for prompt, band, earlier in links:
        leaders[band, prompt] = earlier % prompt
        linked[band, prompt] = True
    parent = np.arange(PROMPTS)
    unite(leaders, linked, parent)
    assert parent.tolist() == slow_components(leaders, linked)


def slow_components(leaders: np.ndarray, linked: np.ndarray) -> list[int]:
    """Spread the smallest number along the links until nothing changes."""
    first = list(range(PROMPTS))
    for _ in range(PROMPTS):
        for band, prompt in np.argwhere(linked).tolist():
            other = int(leaders[band, prompt])
            first[prompt] = first[other] = min(first[prompt], first[other])
    return first
