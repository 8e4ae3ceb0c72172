"""Which rows are taken and how often: by hash, exactly, and whatever the order of the rows."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.reasons import DropReason
from tasks.sample.choose import choose
from tasks.sample.evidence import SAMPLE_VERDICT
from tests.judgements import recipe_of
from tests.sample.rows import chosen, kept, left, many, of_source

NO_SPLIT = {"split": {"validation_share": 0}}
ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([None, "x", "y"]),
        st.sampled_from([None, "en", "zh", "fr"]),
        st.sampled_from("klmnop"),
    ),
    max_size=40,
).map(left)
ONE_SOURCE = st.fixed_dictionaries(
    {},
    optional={
        "fraction": st.floats(0, 1),
        "max_rows": st.integers(1, 20),
        "max_rows_per_category": st.integers(1, 10),
        "repeat": st.floats(1, 4),
    },
)
BALANCES = st.sampled_from(
    [
        {"by": "language", "shares": {"en": 0.5, "zh": 0.5}},
        {"by": "language", "shares": {"en": 0.3, "unknown": 0.1, "(other)": 0.6}},
        {"by": "category", "shares": {"x": 0.25, "(none)": 0.75}, "min_kept_share": 0},
    ]
)
SAMPLINGS = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.fixed_dictionaries({}, optional={"a": ONE_SOURCE, "b": ONE_SOURCE}),
        "max_rows_per_category": st.integers(1, 10),
        "balance": BALANCES,
    },
)


@settings(max_examples=30)
@given(ROWS, SAMPLINGS, st.integers(0, 5), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_count(
    rows: pl.DataFrame, sampling: dict[str, Any], seed: int, same_ids: bool, random: Any
) -> None:
    if same_ids:  # as without exact dedupe
        rows = rows.with_columns(record_id=(pl.col("source_row") % 3).cast(pl.String))
    order = list(range(rows.height))
    random.shuffle(order)
    forward = chosen(rows, sampling, seed=seed).sort("source_row")
    assert forward.equals(chosen(rows[order], sampling, seed=seed).sort("source_row"))


@settings(max_examples=30)
@given(ROWS, SAMPLINGS)
def test_every_row_is_taken_once_or_more_or_has_its_reason_and_evidence(
    rows: pl.DataFrame, sampling: dict[str, Any]
) -> None:
    verdicts, _ = choose(rows, recipe_of("a", "b", sampling=sampling))
    assert verdicts.height == rows.height
    assert verdicts.schema == SAMPLE_VERDICT
    taken = verdicts.filter(pl.col("copies") >= 1)
    dropped = verdicts.filter(pl.col("copies").is_null())
    assert taken.height + dropped.height == rows.height
    assert taken["drop_reason"].null_count() == taken.height
    assert dropped["drop_reason"].to_list() == [DropReason.NOT_SAMPLED] * dropped.height
    assert dropped["found"].null_count() == dropped["expected"].null_count() == 0


@settings(max_examples=30)
@given(ROWS, st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_larger_fraction_holds_the_rows_of_a_smaller_one(
    rows: pl.DataFrame, one: float, other: float, seed: int
) -> None:
    small, large = sorted((one, other))
    fewer = kept(rows, of_source(fraction=small), seed=seed)
    more = kept(rows, of_source(fraction=large), seed=seed)
    assert set(fewer["source_row"]) <= set(more["source_row"])


@settings(max_examples=30)
@given(ROWS, st.integers(1, 45), st.integers(1, 45))
def test_a_cap_is_exact_and_a_larger_one_holds_the_rows_of_a_smaller_one(
    rows: pl.DataFrame, one: int, other: int
) -> None:
    small, large = sorted((one, other))
    fewer = kept(rows, of_source(max_rows=small))
    more = kept(rows, of_source(max_rows=large))
    of_a = rows.filter(source="a").height
    assert fewer.filter(source="a").height == min(small, of_a)
    assert fewer.filter(source="b").height == rows.height - of_a
    assert set(fewer["source_row"]) <= set(more["source_row"])


@settings(max_examples=30)
@given(ROWS, st.integers(1, 8), st.integers(1, 8))
def test_caps_per_category_are_exact_within_a_source_and_over_all(
    rows: pl.DataFrame, of_a: int, of_all: int
) -> None:
    sampling = of_source(max_rows_per_category=of_a)
    both = kept(rows, sampling | {"max_rows_per_category": of_all})
    for category in "xy":
        mine = rows.filter(category=category)
        left_of_a = min(of_a, mine.filter(source="a").height)
        expected = min(of_all, left_of_a + mine.filter(source="b").height)
        assert both.filter(category=category).height == expected
    assert both["category"].null_count() == rows["category"].null_count()


def test_of_rows_with_one_id_the_first_of_the_first_source_is_taken() -> None:
    rows = left([(source, None, "en", "k") for source in "ba" for _ in range(4)])
    rows = rows.with_columns(record_id=pl.lit("0" * 32), category=pl.lit("x"))
    for order in (rows, rows.reverse(), rows[[3, 5, 1, 7, 0, 6, 2, 4]]):
        taken = kept(order, {"max_rows_per_category": 5}).sort("source_row")
        assert taken.select("source", "source_row").rows() == [
            ("b", 0), *(("a", row) for row in range(4, 8))
        ]  # fmt: skip


def test_rows_without_a_category_are_in_no_cap_per_category() -> None:
    rows = left([("a", category, "en", "k") for category in ("x", None) for _ in range(9)])
    for sampling in (of_source(max_rows_per_category=2), {"max_rows_per_category": 2}):
        counted = kept(rows, sampling).group_by("category").len()
        assert dict(counted.rows()) == {"x": 2, None: 9}


def test_the_choice_among_old_rows_stays_when_new_ones_come() -> None:
    before, after = many(500), many(1000)
    kept_before = kept(before, of_source(fraction=0.3))["source_row"]
    kept_after = kept(after, of_source(fraction=0.3))["source_row"]
    assert kept_before.to_list() == [row for row in kept_after.to_list() if row < 500]


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_a_fraction_is_about_the_share_asked_for(fraction: float) -> None:
    rows = kept(many(20_000), of_source(fraction=fraction)).height
    assert abs(rows / 20_000 - fraction) < 0.01
    assert rows == 20_000 * fraction or 0 < fraction < 1


@pytest.mark.parametrize("repeat", [1.0, 1.25, 2.0, 2.5])
def test_a_repeat_gives_whole_copies_to_all_and_one_more_to_a_share(repeat: float) -> None:
    copies = kept(many(20_000), of_source(repeat=repeat), **NO_SPLIT)["copies"]
    assert set(copies) == (
        {int(repeat)} if repeat == int(repeat) else {int(repeat), int(repeat) + 1}
    )
    assert abs(copies.mean() - repeat) < 0.01  # type: ignore[operator]


def test_a_larger_repeat_gives_no_row_fewer_copies() -> None:
    copies = [
        kept(many(500), of_source(repeat=repeat), **NO_SPLIT)["copies"] for repeat in (1.2, 1.7, 3)
    ]
    assert (copies[0] <= copies[1]).all()
    assert (copies[1] <= copies[2]).all()


def test_what_is_taken_says_nothing_of_what_is_repeated() -> None:
    copies = kept(many(20_000), of_source(fraction=0.5, repeat=1.5), **NO_SPLIT)["copies"]
    assert abs(copies.mean() - 1.5) < 0.02  # type: ignore[operator]


def shares_of_sources(rows: pl.DataFrame) -> dict[str, float]:
    return dict(rows.group_by("source").agg(pl.len() / rows.height).rows())


def test_what_one_step_left_is_not_favoured_by_the_next() -> None:
    rows = pl.concat(
        [many(16_000), many(4000, "b").with_columns(record_id=pl.col("record_id").str.reverse())]
    )
    quarter = of_source(fraction=0.25)
    both = quarter | {"balance": {"by": "language", "shares": {"en": 0.5, "zh": 0.5}}}
    scarce = rows.vstack(
        many(500, "b", "zh").with_columns(
            record_id=pl.lit("f").add(pl.col("record_id").str.tail(31))
        )
    )
    assert shares_of_sources(kept(rows, quarter))["a"] == pytest.approx(0.5, abs=0.02)
    english = kept(scarce, both).filter(language="en")
    assert english.height == 500
    assert shares_of_sources(english)["a"] == pytest.approx(0.5, abs=0.07)


def test_a_cap_on_a_source_does_not_favour_its_capped_categories() -> None:
    rows = left(
        [
            ("a", category, "en", "k")
            for category, count in (("x", 9000), ("y", 1000))
            for _ in range(count)
        ]
    )
    taken = kept(rows, of_source(max_rows_per_category=1000, max_rows=1000))
    assert taken.filter(category="x").height == pytest.approx(500, abs=60)


def test_a_row_that_is_held_out_is_there_once() -> None:
    split = {"split": {"validation_share": 0.5, "max_cluster_share": 1}}
    rows = kept(many(2000), of_source(repeat=3), **split)
    assert set(rows["copies"]) == {1, 3}
    assert abs((rows["copies"] == 1).mean() - 0.5) < 0.05  # type: ignore[operator]


def test_another_seed_takes_other_rows() -> None:
    one, other = (
        set(kept(many(100), of_source(max_rows=50), seed=seed)["source_row"]) for seed in (1, 2)
    )
    assert one != other
    assert set(kept(many(100), of_source(max_rows=50), seed=1)["source_row"]) == one


def test_the_same_record_in_two_sources_has_one_place() -> None:
    twice = pl.concat([many(50), many(50).with_columns(source=pl.lit("b"))])
    sampling = {"sources": {name: {"fraction": 0.5} for name in "ab"}}
    taken = kept(twice, sampling).group_by("record_id").len()
    assert set(taken["len"]) == {2}


# fmt: off
EVIDENCE = {  #                    sampling                                      found                     expected
    "a fraction":                  ({"sources": {"a": {"fraction": 0}}},         r"place 0\.\d+ of 0 to 1", "a place below 0.0, the fraction of a"),
    "a cap":                       ({"sources": {"a": {"max_rows": 1}}},         "row 3 of 3 by place",    "at most 1 rows of a"),
    "of a category":               ({"sources": {"a": {"max_rows_per_category": 1}}}, "row 3 of 3 by place", "at most 1 rows of category x of a"),
    "of a category, all sources":  ({"max_rows_per_category": 2},                "row 3 of 3 by place",    "at most 2 rows of category x"),
    "a balance":                   ({"balance": {"by": "language", "shares": {"zh": 0, "fr": 1}}}, "row 3 of 3 by place", "at most 0 rows of language zh"),
}
# fmt: on


@pytest.mark.parametrize(("sampling", "found", "expected"), EVIDENCE.values(), ids=EVIDENCE)
def test_a_row_not_taken_says_where_it_stands_and_what_the_bound_is(
    sampling: dict[str, Any], found: str, expected: str
) -> None:
    rows = left([("a", "x", "zh", "k")] * 3)
    dropped = chosen(rows, sampling).filter(pl.col("copies").is_null())
    told = dropped.filter(pl.col("found").str.contains(f"^{found}$"))
    assert told.height >= 1
    assert set(dropped["expected"]) == {expected}


def languages(**rows: int) -> pl.DataFrame:
    return left([("a", None, code, "k") for code, count in rows.items() for _ in range(count)])


# fmt: off
BALANCES_MET = {  #          rows                              shares                              taken
    "over and under":       ({"en": 100, "zh": 20},            {"en": 0.5, "zh": 0.5},             {"en": 20, "zh": 20}),
    "already right":        ({"en": 30, "zh": 10},             {"en": 0.75, "zh": 0.25},           {"en": 30, "zh": 10}),
    "of three":             ({"en": 50, "zh": 50, "fr": 10},   {"en": 0.5, "zh": 0.3, "fr": 0.2},  {"en": 25, "zh": 15, "fr": 10}),
    "others do not count":  ({"en": 30, "zh": 10, "fr": 5},    {"en": 0.5, "zh": 0.5},             {"en": 10, "zh": 10, "fr": 5}),
    "others have a share":  ({"en": 30, "zh": 10, "fr": 5},    {"en": 0.5, "(other)": 0.5},        {"en": 15, "zh": 10, "fr": 5}),
    "one is not there":     ({"en": 30, "zh": 10},             {"en": 0.4, "zh": 0.4, "fr": 0.2},  {"en": 10, "zh": 10}),
    "one is too scarce":    ({"en": 500, "zh": 499, "fr": 1},  {"en": 0.4, "zh": 0.4, "fr": 0.2},  {"en": 49, "zh": 49, "fr": 1}),
    "a share of nothing":   ({"en": 30, "zh": 10},             {"en": 1, "zh": 0},                 {"en": 30}),
    "nothing is there":     ({"de": 5},                        {"en": 0.5, "zh": 0.5},             {"de": 5}),
}
# fmt: on


@pytest.mark.parametrize(("rows", "shares", "taken"), BALANCES_MET.values(), ids=BALANCES_MET)
def test_what_is_over_its_share_is_cut_down_and_nothing_is_made_up(
    rows: dict[str, int], shares: dict[str, float], taken: dict[str, int]
) -> None:
    sampling = {"balance": {"by": "language", "shares": shares}}
    counted = kept(languages(**rows), sampling).group_by("language").len()
    assert dict(counted.rows()) == taken


def test_copies_count_towards_a_balance() -> None:
    rows = pl.concat([many(40), many(100, "b", "zh").with_columns(pl.col("source_row") + 40)])
    sampling = of_source(repeat=2) | {
        "balance": {"by": "language", "shares": {"en": 0.5, "zh": 0.5}}
    }
    taken = kept(rows, sampling, **NO_SPLIT)
    published = taken.group_by("language").agg(pl.col("copies").sum())
    assert dict(published.rows()) == {"en": 80, "zh": 80}
    fewer = kept(rows.filter((pl.col("language") == "en") | (pl.col("source_row") < 60)), sampling)
    assert dict(fewer.group_by("language").len().rows()) == {"en": 10, "zh": 20}


def test_notes_say_what_share_each_value_has_and_which_could_not_be_met() -> None:
    sampling = {"balance": {"by": "language", "shares": {"en": 0.4, "zh": 0.4, "fr": 0.2}}}
    _, notes = choose(languages(en=30, zh=10), recipe_of("a", sampling=sampling))
    assert notes == (
        ("balance: language en", "10 of 20 rows, a share of 0.5000; wanted 0.4"),
        (
            "balance: language fr",
            "0 of 20 rows, a share of 0.0000; wanted 0.2; not met, for there are no more",
        ),
        ("balance: language zh", "10 of 20 rows, a share of 0.5000; wanted 0.4"),
    )


def test_no_row_at_all_is_sampled_too() -> None:
    sampling = of_source(fraction=0.5, repeat=2) | {"max_rows_per_category": 1}
    assert kept(many(0), sampling | {"balance": {"by": "category", "shares": {"x": 1}}}).is_empty()
