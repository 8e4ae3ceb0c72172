"""Which rows an epoch has, and how they follow one another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigError
from trainer.order import LengthGroupedOrder, PackedOrder, weighted_rows
from trainer.pack import pack


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=300),
    batch_rows=st.integers(1, 9),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_every_row_comes_once_an_epoch_in_an_order_of_seed_and_epoch(
    lengths, batch_rows, seed, epoch
):
    def order() -> list[int]:
        one = LengthGroupedOrder(np.array(lengths), batch_rows, seed)
        one.set_epoch(epoch)
        return list(one)

    assert sorted(order()) == list(range(len(lengths)))
    assert order() == order()


def test_epochs_differ_and_batches_hold_like_lengths():
    lengths = np.random.default_rng(0).integers(1, 500, 2_000)
    one = LengthGroupedOrder(lengths, 8, seed=1)
    first = list(one)
    one.set_epoch(1)
    assert list(one) != first
    grouped = lengths[np.array(first)].reshape(-1, 8)
    padded = grouped.max(axis=1).sum() * 8
    assert lengths.sum() / padded > 0.95


# fmt: off
WEIGHTS = {            # weights                     how often rows of a, of b stand there
    "none":            ({},                          [1, 1, 1, 1], [1, 1]),
    "none of one":     ({"a": 0},                    [0, 0, 0, 0], [1, 1]),
    "twice":           ({"b": 2},                    [1, 1, 1, 1], [2, 2]),
    "half":            ({"a": 0.5},                  [0, 0, 1, 1], [1, 1]),
    "one and a half":  ({"a": 1.5, "b": 0.5},        [1, 1, 2, 2], [0, 1]),
    "a tiny fraction": ({"a": 0.1},                  [0, 0, 0, 0], [1, 1]),
}
# fmt: on


@pytest.mark.parametrize(("weights", "of_a", "of_b"), WEIGHTS.values(), ids=WEIGHTS.keys())
def test_a_sources_rows_stand_in_an_epoch_as_often_as_its_weight_says(weights, of_a, of_b):
    sources = ["a", "b", "a", "a", "b", "a"]
    rows = weighted_rows(sources, weights, seed=0)
    times = np.bincount(rows, minlength=6)
    assert rows.tolist() == sorted(rows.tolist())
    assert sorted(times[[0, 2, 3, 5]].tolist()) == of_a
    assert sorted(times[[1, 4]].tolist()) == of_b
    assert weighted_rows(sources, weights, seed=0).tolist() == rows.tolist()


def test_another_seed_draws_other_rows():
    sources = ["a"] * 1_000
    one, other = (weighted_rows(sources, {"a": 0.5}, seed) for seed in (0, 1))
    assert len(one) == len(other) == 500
    assert one.tolist() != other.tolist()


def test_a_weight_for_a_source_that_is_not_there_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"names aplaca, of which .* Its sources: alpaca, b"):
        weighted_rows(["alpaca", "b"], {"aplaca": 2.0}, seed=0)


def test_weights_that_leave_nothing_are_refused():
    with pytest.raises(ConfigError, match="leaves no row"):
        weighted_rows(["a", "a"], {"a": 0.0}, seed=0)


def test_rows_that_stand_twice_come_twice_and_rows_left_out_never():
    rows = np.array([0, 0, 2, 3])
    order = LengthGroupedOrder(np.array([5, 6, 7, 8]), 2, seed=0, rows=rows)
    assert len(order) == 4
    assert sorted(order) == [0, 0, 2, 3]


def test_packs_of_an_epoch_hold_every_row_and_other_epochs_put_others_together():
    lengths = np.random.default_rng(0).integers(2, 100, 500)
    rows = np.repeat(np.arange(500), np.where(np.arange(500) % 7 == 0, 2, 1))
    order = PackedOrder(pack(lengths[rows], 128), lengths, seed=3, rows=rows)
    first = list(order)
    assert len(first) == len(order)
    assert sorted(row for one in first for row in one) == rows.tolist()
    assert all(lengths[one].sum() <= 128 for one in first)
    assert list(order) == first
    order.set_epoch(1)
    second = list(order)
    assert sorted(row for one in second for row in one) == rows.tolist()
    assert {tuple(sorted(one)) for one in first} != {tuple(sorted(one)) for one in second}
