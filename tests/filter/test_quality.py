"""What holds of all quality rules together."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.filter import Filter
from schemas.quality import Quality
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tasks.filter.quality import quality_rules
from tests.filter.rows import only, records

EVERYTHING = Quality(**{name: type(rule)(enabled=True) for name, rule in Quality()})
ON_BY_DEFAULT = {
    DropReason.NO_CONTENT,
    DropReason.TRUNCATED,
    DropReason.UNOPENED_URL,
    DropReason.MISSING_ATTACHMENT,
}

# fmt: off
UNUSUAL = {
    "empty":                  "",
    "one character":          "a",
    "white space":            " \n\t\u3000",
    "right-to-left marks":    "\u202eabc\u202c",
    "zero width":             "a\u200bb" * 20,
    "what a lone surrogate became": "\ufffd" * 60,
    "the last code point":    "\U0010ffff" * 60,
    "NUL":                    "\x00" * 60,
    "one word":               "word " * 2000,
    "no line ends":           "x" * 5000,
    "only line ends":         "\n" * 5000,
    "only fences":            "```\n" * 501,
    "only brackets":          "[" * 5000 + "<" * 5000,
    "regional flags":         "🏳️‍🌈🇫🇷" * 60,
}
# fmt: on


def test_each_rule_has_a_reason_of_its_own():
    assert len(quality_rules(EVERYTHING)) == len(Quality.model_fields)


def test_rules_are_on_by_default_where_real_rows_bore_them_out():
    assert set(quality_rules(Quality())) == ON_BY_DEFAULT


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_text_is_judged_without_a_crash(text):
    rows = records((text, text), ("What is it?", text), (text, "It is a text."))
    assert judge(rows, only(quality=EVERYTHING)).collect().height == 3


def test_five_megabytes_are_judged_in_passing():
    text = "All work and no play makes Jack a dull boy. " * 120_000
    verdict = judge(records(("Write a novel.", text)), only(quality=EVERYTHING)).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.REPEATED_NGRAMS]


def test_no_rows_give_no_verdicts():
    assert judge(records(), only(quality=EVERYTHING)).collect().is_empty()


def test_rows_that_are_all_equal_have_one_verdict():
    verdicts = judge(records(*[("Draw a fox", "<nooutput>")] * 50), Filter()).collect()
    assert verdicts["drop_reason"].to_list() == [DropReason.NO_CONTENT] * 50


TEXTS = st.lists(
    st.sampled_from(
        ["ha", "。", "```", "\n", " the", "，", "[Your Name]", "<image>", "http://a.b/c", "说明"]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=30)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8), st.data())
def test_a_verdict_does_not_depend_on_the_rows_beside_it(rows, data):
    rules = only(quality=EVERYTHING)
    together = judge(records(*rows), rules).collect()
    cut = data.draw(st.integers(0, len(rows)))
    parts = [judge(records(*part), rules).collect() for part in (rows[:cut], rows[cut:])]
    assert pl.concat(parts).equals(together)
