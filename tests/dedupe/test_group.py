"""Groups: which rows have a key in common."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe.group import first_equal, group_equal

# Few enough to meet, and some that differ in their high bits or in their low ones only.
KEYS = st.lists(st.sampled_from([0, 1, 7, 64 + 7, 1 << 59, 1 << 63, 7 | 1 << 59, 2**64 - 1]))


def test_only_keys_that_occur_twice_make_a_group():
    keys = np.array([7, 8, 7, 64 + 7, 9, 9, 7], np.uint64)
    met, group, sizes = group_equal(keys)
    assert met.tolist() == [0, 2, 4, 5, 6]
    assert group.tolist() == [0, 0, 1, 1, 0]
    assert sizes.tolist() == [3, 2]


@given(KEYS)
def test_a_group_is_the_rows_of_one_key(keys: list[int]):
    met, group, sizes = group_equal(np.array(keys, np.uint64))
    often = {key: count for key, count in Counter(keys).items() if count > 1}
    assert met.tolist() == [row for row, key in enumerate(keys) if key in often]
    key_of = {int(number): keys[row] for row, number in zip(met, group, strict=True)}
    assert [key_of[int(number)] for number in group] == [keys[row] for row in met]
    assert {key_of[number]: int(size) for number, size in enumerate(sizes)} == often


@given(KEYS, st.integers(1, 2))
def test_the_first_row_is_that_with_all_the_same_keys(keys: list[int], columns: int):
    rows = list(zip(*[keys, keys[::-1]][:columns], strict=True))
    first = first_equal(np.array(rows, np.uint64).reshape(len(keys), columns))
    assert first.tolist() == [rows.index(row) for row in rows]
