"""Packing: nothing is lost, nothing is too long, and little room is left over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.pack import pack


@given(
    lengths=st.lists(st.integers(1, 64), max_size=300),
    seed=st.integers(0, 3),
)
def test_every_row_is_in_one_pack_and_no_pack_is_too_long(lengths, seed):
    of_rows = np.array(lengths, np.int64)
    packing = pack(of_rows, 64)
    packs = list(packing.draw(of_rows, (seed, 0)))
    assert len(packs) == packing.packs
    assert sorted(row for one in packs for row in one) == list(range(len(lengths)))
    assert all(of_rows[one].sum() <= 64 for one in packs)
    assert packing.packs >= -(-sum(lengths) // 64)


# fmt: off
FITS = {                 # lengths            capacity  patterns
    "one each":           ([8, 8],             8,        {(8,): 2}),
    "just fits":          ([5, 3],             8,        {(5, 3): 1}),
    "one too many":       ([5, 4],             8,        {(5,): 1, (4,): 1}),
    "best, not first":    ([6, 5, 3, 2],       8,        {(6, 2): 1, (5, 3): 1}),
    "several of one":     ([2, 2, 2, 2, 2],    8,        {(2, 2, 2, 2): 1, (2,): 1}),
    "none":               ([],                 8,        {}),
}
# fmt: on


@pytest.mark.parametrize(("lengths", "capacity", "patterns"), FITS.values(), ids=FITS.keys())
def test_each_row_goes_where_the_least_room_is_left(lengths, capacity, patterns):
    assert dict(pack(np.array(lengths, np.int64), capacity).patterns) == patterns


@pytest.mark.parametrize(("rows", "capacity"), [(3_000, 512), (50_000, 512), (50_000, 4_096)])
def test_packs_of_lengths_like_alpacas_are_full_to_98_percent(rows, capacity):
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(4.5, 0.7, rows), 8, capacity).astype(np.int64)
    packing = pack(lengths, capacity)
    assert packing.efficiency == pytest.approx(lengths.sum() / (packing.packs * capacity))
    assert packing.efficiency >= 0.98


def test_the_same_lengths_in_another_order_are_packed_alike():
    lengths = np.random.default_rng(0).integers(1, 100, 1_000)
    assert pack(lengths, 128) == pack(np.sort(lengths), 128)
