"""Conflicts in the report: the prompts with most different answers."""

import polars as pl

from schemas.manifest import Conflict, Statistics
from tasks.measure.clusters import PROMPT_CHARS
from tasks.measure.conflicts import ROWS, largest_conflicts
from tasks.measure.report.page import render_report
from tests.judgements import draw
from tests.measure.corpora import manifest, records, source

# Of b's prompt one answer was dropped; f fell to a rule of the sample; e has a prompt for itself.
CORPUS = """
    record_id | source | drop_reason          | conflict
    a         | alpaca |                      | a
    c         | belle  |                      | a
    f         | belle  | over_cap             | a
    b         | cot    |                      | b
    d         | cot    | conflicting_response | b
    e         | alpaca |                      |
"""


def corpus() -> pl.LazyFrame:
    rows = [{name: cell or None for name, cell in row.items()} for row in draw(CORPUS)]
    return pl.DataFrame(rows, schema=dict.fromkeys(ROWS, pl.String)).lazy()


def test_the_prompts_with_most_answers_come_first() -> None:
    texts = records(corpus(), {"a": " Name\n a primate" + "!" * 300})
    first, second = largest_conflicts(corpus(), texts, 10)
    assert (first.record_id, first.answers, first.published) == ("a", 3, 2)
    assert first.sources == ("alpaca", "belle")
    assert first.prompt == ("Name a primate" + "!" * 300)[:PROMPT_CHARS]
    assert (second.record_id, second.answers, second.published) == ("b", 2, 1)
    assert second.sources == ("cot",)


def test_only_as_many_are_named_as_were_asked_for() -> None:
    texts = records(corpus(), {})
    assert [one.record_id for one in largest_conflicts(corpus(), texts, 1)] == ["a"]
    assert largest_conflicts(corpus(), texts, 0) == ()


def test_a_corpus_without_conflicts_has_none() -> None:
    alone = corpus().filter(record_id="e")
    assert largest_conflicts(alone, records(alone, {}), 10) == ()


def test_the_report_lists_them_and_escapes_their_text() -> None:
    attack = "<script>alert(1)</script>"
    listed = Conflict(
        record_id="a" * 32, prompt=attack, answers=3, published=2, sources=("alpaca",)
    )
    entry = source("alpaca", 3, 3)
    page = render_report(
        manifest((entry,), statistics=Statistics(conflicts=(listed,))), None, pl.DataFrame()
    )
    assert "The 1 prompts with most different answers" in page
    assert "keep_all" in page
    assert attack not in page
    assert "&lt;script&gt;alert(1)" in page
    none = render_report(manifest((entry,)), None, pl.DataFrame())
    assert "No prompt has different answers." in none
