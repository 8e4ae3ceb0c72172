"""Buckets: what happens where there is no more room."""

import numpy as np

from tasks.dedupe.elect import Buckets, _remember


def test_a_full_bucket_counts_a_row_without_touching_its_neighbour():
    buckets = Buckets(
        first=np.array([0, 1, 2, 3, 3]),
        entries=np.array([0, 0, 1], np.uint32),
        start=np.array([0, 1, 2]),
        kept=np.zeros(2, np.uint32),
        members=np.full(2, 99, np.uint32),
    )
    for place in (0, 2, 1, 3):
        _remember(buckets, place)
    assert buckets.members.tolist() == [0, 2]
    assert buckets.kept.tolist() == [2, 1]
