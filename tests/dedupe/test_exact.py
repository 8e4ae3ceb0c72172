"""Exact duplicates: who is the same as whom, and who stays."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.dedupe.corpora import judge_exact, records, source


def fallen(judged: pl.DataFrame) -> dict[str, str]:
    """Who fell to whom, by the last character of their ids."""
    rows = judged.drop_nulls("drop_reason").select("record_id", "duplicate_of").rows()
    return {row[-1]: kept[-1] for row, kept in rows}


def test_a_repeated_row_names_the_one_kept():
    judged = judge_exact(
        records(
            [
                {"user": "Name a primate.", "assistant": "Lemur"},
                {"user": "name  a PRIMATE.", "assistant": "lemur\n"},
                {"user": "Name a primate.", "assistant": "Gibbon"},
            ]
        )
    )
    assert judged["drop_reason"].to_list() == [None, "exact_duplicate", None]
    assert judged["duplicate_of"].to_list() == [None, f"{0:032x}", None]
    assert judged["prompt_similarity"].to_list() == [None, 1.0, None]
    assert judged["response_similarity"].to_list() == [None, 1.0, None]


def test_the_source_of_lower_priority_number_wins():
    sources = [source("alpaca", 100), source("belle", 10)]
    rows = records([{"source": "alpaca", "user": "a"}, {"source": "belle", "user": "A"}])
    assert fallen(judge_exact(rows, sources)) == {"0": "1"}


def test_source_name_then_record_id_then_row_decide_among_equals():
    sources = [source("b"), source("a")]
    rows = records(
        [
            {"source": "b", "record_id": "0" * 31 + "0"},
            {"source": "a", "record_id": "0" * 31 + "2"},
            {"source": "a", "record_id": "0" * 31 + "1", "source_row": 9},
            {"source": "a", "record_id": "0" * 31 + "1", "source_row": 8},
        ]
    )
    assert judge_exact(rows, sources)["drop_reason"].is_null().to_list() == [
        False,
        False,
        False,
        True,
    ]


def test_a_row_that_breaks_a_rule_never_removes_a_clean_one():
    sources = [source("first", 1), source("last", 9)]
    rows = records([{"source": "first", "user": "a"}, {"source": "last", "user": "A"}])
    assert fallen(judge_exact(rows, sources, broken=[True, False])) == {"0": "1"}
    assert fallen(judge_exact(rows, sources, broken=[True, True])) == {"1": "0"}


def test_code_is_the_same_only_as_it_is_written():
    sources = [source("prose", 5), source("code", 9, code=True)]
    rows = records(
        [
            {"source": "prose", "assistant": "if x:\n  y"},
            {"source": "code", "assistant": "if x:\r\n  y \n"},
            {"source": "code", "assistant": "if x:\n    y"},
            {"source": "code", "assistant": "IF x:\n  y"},
            {"source": "prose", "assistant": "IF x:\n    y"},
        ]
    )
    assert fallen(judge_exact(rows, sources)) == {"1": "0", "4": "0"}


def test_of_code_and_prose_the_strict_form_counts_whoever_comes_first():
    first_code = [source("code", 1, code=True), source("prose", 5)]
    first_prose = [source("code", 5, code=True), source("prose", 1)]
    rows = records(
        [
            {"source": "code", "assistant": "print"},
            {"source": "prose", "assistant": "Print"},
            {"source": "prose", "assistant": "print "},
        ]
    )
    assert fallen(judge_exact(rows, first_code)) == {"2": "0"}
    assert fallen(judge_exact(rows, first_prose)) == {"2": "1"}


def test_no_rows_have_no_verdicts():
    assert judge_exact(records([])).height == 0


TEXTS = st.sampled_from(["a", "A", " a", "b", "B ", "中文", "中 文", ""])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "user": TEXTS,
            "assistant": TEXTS,
            "source": st.sampled_from(["alpaca", "belle", "code"]),
            "broken": st.booleans(),
        }
    ),
    max_size=12,
)
SOURCES = [source("alpaca", 5), source("belle", 5), source("code", 7, code=True)]


def judged_rows(rows: list[dict[str, object]], order: list[int]) -> pl.DataFrame:
    frame = records(rows)[order] if rows else records([])
    return judge_exact(frame, SOURCES, [bool(rows[index]["broken"]) for index in order])


@given(ROWS, st.randoms())
def test_the_verdicts_do_not_depend_on_the_order_of_rows(rows, random):
    order = list(range(len(rows)))
    shuffled = random.sample(order, len(order))
    one, other = judged_rows(rows, order), judged_rows(rows, shuffled)
    assert one.sort("record_id").equals(other.sort("record_id"))


@given(ROWS)
def test_every_row_falls_to_one_that_stays_and_what_stays_is_left_alone(rows):
    order = list(range(len(rows)))
    judged = judged_rows(rows, order)
    stays = judged.filter(pl.col("drop_reason").is_null())["record_id"]
    assert judged["duplicate_of"].drop_nulls().is_in(stays.to_list()).all()
    left = [index for index in order if judged["drop_reason"][index] is None]
    assert judged_rows(rows, left)["drop_reason"].null_count() == len(left)
