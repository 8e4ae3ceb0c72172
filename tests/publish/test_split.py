"""Splits: whole clusters, by hash, whatever the order of the rows."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.recipe import Split
from tasks.split import assign_splits


def kept(clusters: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"cluster": clusters}, schema={"cluster": pl.String}).with_row_index("row")


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(0, 9), st.randoms())
def test_a_row_keeps_its_split_in_any_order(clusters: list[str], seed: int, random: object) -> None:
    rows = kept(clusters)
    split = Split(validation_share=0.5, max_cluster_share=1)
    forward = assign_splits(rows, split, seed)
    backward = assign_splits(rows.reverse(), split, seed).sort("row")
    assert forward.equals(backward)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(0, 9))
def test_a_cluster_is_never_in_two_splits(clusters: list[str], seed: int) -> None:
    split = Split(validation_share=0.5, max_cluster_share=1)
    assigned = assign_splits(kept(clusters), split, seed)
    per_cluster = assigned.group_by("cluster").agg(pl.col("split").n_unique())
    assert per_cluster["split"].max() in (None, 1)


def test_the_share_of_clusters_held_out_is_the_one_asked_for() -> None:
    rows = kept([f"{index:032x}" for index in range(20_000)])
    share = (assign_splits(rows, Split(validation_share=0.1), 17)["split"] == "validation").mean()
    assert abs(share - 0.1) < 0.01


def test_a_share_of_nothing_holds_nothing_out() -> None:
    rows = kept([f"{index}" for index in range(1000)])
    assert assign_splits(rows, Split(validation_share=0), 17)["split"].unique().to_list() == [
        "train"
    ]


def test_a_cluster_above_the_bound_stays_in_train_and_one_at_it_may_not() -> None:
    at_bound, above = ["at"] * 10, ["above"] * 11
    rows = kept(at_bound + above + [f"{index}" for index in range(79)])
    split = Split(validation_share=0.999999, max_cluster_share=0.1)
    assigned = assign_splits(rows, split, 17)
    by_cluster = dict(assigned.select("cluster", "split").unique().rows())
    assert by_cluster["at"] == "validation"
    assert by_cluster["above"] == "train"


def test_another_seed_is_another_split() -> None:
    rows = kept([f"{index}" for index in range(1000)])
    split = Split(validation_share=0.5)
    assert not assign_splits(rows, split, 1).equals(assign_splits(rows, split, 2))
