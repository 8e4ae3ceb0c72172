"""How often published responses turn their user down, and the gate on it."""

import polars as pl

from schemas.manifest import RefusalRate
from tasks.measure.refusals import refusal_rates
from tasks.measure.rows import measure_rows
from tests.measure.corpora import judged

ROWS = """
    source | refusal
    belle  | no
    alpaca | yes
    alpaca | no
    alpaca | yes
"""


def test_refusals_are_counted_for_all_rows_and_for_each_source() -> None:
    assert refusal_rates(judged(ROWS)) == (
        RefusalRate(source="all", rows=4, refusals=2),
        RefusalRate(source="alpaca", rows=3, refusals=2),
        RefusalRate(source="belle", rows=1, refusals=0),
    )


def test_nothing_published_has_no_rate() -> None:
    assert refusal_rates(judged(ROWS).head(0)) == ()


def test_a_refusal_is_measured_row_by_row() -> None:
    said = [
        ("What is the weather now?", "As an AI language model, I cannot see the weather."),
        ("Name a primate.", "Lemur."),
    ]
    rows = pl.LazyFrame(
        {
            "messages": [
                [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
                for asked, answered in said
            ]
        }
    )
    assert measure_rows(rows)["refusal"].to_list() == [True, False]
