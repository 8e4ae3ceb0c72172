"""Buckets: which rows meet, and what happens where there is no more room."""

import numpy as np

from tasks.dedupe.elect import NO_BUCKET, Buckets, _remember, group_equal


def test_a_full_bucket_counts_a_row_without_touching_its_neighbour():
    buckets = Buckets(
        of_row=np.array([[0, 0, 1, NO_BUCKET]], np.uint32),
        start=np.array([0, 1, 2]),
        kept=np.zeros(2, np.uint32),
        members=np.full(2, 99, np.uint32),
    )
    for row in (0, 2, 1, 3):
        _remember(buckets, row)
    assert buckets.members.tolist() == [0, 2]
    assert buckets.kept.tolist() == [2, 1]


def test_only_keys_that_occur_twice_make_a_bucket():
    keys = np.array([7, 8, 7, 64 + 7, 9, 9, 7], np.uint64)
    group, sizes = np.empty(7, np.uint32), np.empty(3, np.uint32)
    assert group_equal(keys, group, sizes) == 2
    lone = int(NO_BUCKET)
    assert group.tolist() == [0, lone, 0, lone, 1, 1, 0]
    assert sizes[:2].tolist() == [3, 2]
