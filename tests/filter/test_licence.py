"""Rows that state their own licences are judged one by one."""

import polars as pl
import pytest

from schemas.filter import Filter
from schemas.licences import Licences
from tasks.filter.judge import judge
from tests.filter.rows import NOTHING, records

# fmt: off
STATED = {  #          licence                                              reason
    "free":          ("MIT",                                                None),
    "the Hub's":     ("cc-by-4.0",                                          None),
    "an address":    ("https://creativecommons.org/licenses/by-sa/4.0/",    None),
    "a choice":      ("MIT OR CC-BY-NC-4.0",                                None),
    "forbidding":    ("CC BY-NC 4.0",                                       "licence_not_allowed"),
    "unknown":       ("unknown",                                            "licence_not_allowed"),
    "prose":         ("see the website; free for research",                 "licence_not_allowed"),
}
# fmt: on


def stated(*licences: str) -> pl.LazyFrame:
    rows = records(*[("Name a primate.", "Lemur")] * len(licences)).collect()
    return rows.with_columns(licence=pl.Series(licences, dtype=pl.String)).lazy()


def only(licences: Licences) -> Filter:
    return NOTHING.model_copy(update={"licences": licences})


def test_each_row_falls_for_the_licence_it_states():
    rows = stated(*(licence for licence, _ in STATED.values()))
    verdicts = judge(rows, only(Licences(commercial=True))).collect()
    assert verdicts["drop_reason"].to_list() == [reason for _, reason in STATED.values()]
    assert verdicts["found"].drop_nulls().to_list() == [
        licence for licence, reason in STATED.values() if reason
    ]
    assert set(verdicts["expected"].drop_nulls()) == {"one that is known to allow commercial use"}


# fmt: off
EXPECTED = {  #  rules                                                   expected
    "allow":    ({"allow": ["MIT", "CC0-1.0"]},                          "one of MIT, CC0-1.0"),
    "deny":     ({"deny": ["*-NC-*", "unknown"]},                        "none of *-NC-*, unknown"),
    "all":      ({"commercial": True, "allow": ["MIT"], "deny": ["X11"]}, "one that is known to allow commercial use; one of MIT; none of X11"),
}
# fmt: on


@pytest.mark.parametrize(("rules", "expected"), EXPECTED.values(), ids=EXPECTED)
def test_the_evidence_says_what_was_wanted(rules, expected):
    licences = Licences.from_mapping(rules, "here")
    verdicts = judge(stated("CC-BY-NC-4.0", "unknown"), only(licences)).collect()
    assert verdicts["expected"].drop_nulls().unique().to_list() == [expected]


def test_a_row_without_a_wish_for_licences_passes_under_any():
    assert judge(stated("prose"), NOTHING).collect()["drop_reason"].to_list() == [None]


def test_no_rows_are_no_verdicts():
    assert judge(stated(), only(Licences(commercial=True))).collect().height == 0


def test_a_licence_that_is_refused_comes_before_what_is_wrong_with_the_text():
    rows = stated("CC-BY-NC-4.0").with_columns(
        messages=pl.lit([{"role": "user", "content": ""}, {"role": "assistant", "content": ""}])
    )
    rules = Filter(licences=Licences(commercial=True))
    assert judge(rows, rules).collect()["drop_reason"].to_list() == ["licence_not_allowed"]
