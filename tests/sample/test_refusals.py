"""Refusals beyond a source's share are not taken; which ones, a hash decides."""

from typing import Any

import polars as pl
import pytest

from tests.sample.rows import chosen, kept, many, of_source


def refusing(refusals: int, answers: int, source: str = "a") -> pl.DataFrame:
    """Rows of one source, the first so many of which turn their user down."""
    rows = many(refusals + answers, source)
    return rows.with_columns(refusal=pl.col("source_row") < refusals)


# fmt: off
CASES = {  #                         refusals  answers  share   kept refusals
    "fewer than allowed":            (1,        99,      0.02,   1),
    "as many as allowed":            (10,       90,      0.1,    10),
    "one more than allowed":         (11,       90,      0.1,    10),
    "many more":                     (500,      90,      0.1,    10),
    "rounded down":                  (9,        95,      0.05,   5),
    "none are allowed":              (3,        7,       0.0,    0),
    "all are allowed":               (7,        3,       1.0,    7),
    "nothing but refusals":          (5,        0,       0.5,    0),
}
# fmt: on


@pytest.mark.parametrize(("refusals", "answers", "share", "left"), CASES.values(), ids=CASES)
def test_a_source_keeps_no_more_refusals_than_its_share(
    refusals: int, answers: int, share: float, left: int
) -> None:
    taken = kept(refusing(refusals, answers), {"max_refusal_share": share})
    assert taken["refusal"].sum() == left
    assert (~taken["refusal"]).sum() == answers
    if share < 1:
        assert taken["refusal"].sum() <= share * taken.height + 1e-9


def test_a_source_can_have_a_share_of_its_own() -> None:
    rows = pl.concat([refusing(50, 50), refusing(50, 50, "b")])
    taken = kept(rows, {"max_refusal_share": 0.5, **of_source(max_refusal_share=0.0)})
    counted = taken.group_by("source").agg(pl.col("refusal").sum()).sort("source")
    assert counted.rows() == [("a", 0), ("b", 50)]


def test_a_smaller_share_keeps_some_of_what_a_larger_one_keeps() -> None:
    rows = refusing(60, 100)

    def ids(share: float) -> set[str]:
        taken = kept(rows, {"max_refusal_share": share}).filter("refusal")
        return set(taken["record_id"])

    assert ids(0.05) < ids(0.2) < ids(0.3)


def test_a_refusal_that_is_not_taken_says_of_how_many() -> None:
    sampling: dict[str, Any] = {"max_refusal_share": 0.1}
    (dropped,) = (
        chosen(refusing(2, 9), sampling).filter(pl.col("drop_reason").is_not_null()).to_dicts()
    )
    assert dropped["found"] == "row 2 of 2 by place"
    assert dropped["expected"] == "at most 1 rows of a that refuse"
