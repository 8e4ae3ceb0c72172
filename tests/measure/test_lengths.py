"""The length table and the histograms, against numbers worked out by hand."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.manifest import LengthStats
from tasks.measure.lengths import EDGES, histograms, length_table
from tests.measure.corpora import judged

CORPUS = """
    source | prompt_chars | response_chars | response_tokens
    alpaca | 10           | 1              | 1
    alpaca | 10           | 2              | 1
    alpaca | 10           | 3              | 2
    alpaca | 10           | 4              | 2
    belle  | 30           | 100            | 60
"""

# fmt: off
# Quantiles of 1 2 3 4: the row at 3q, linearly between neighbours; squares from the mean 2.5 are 5, / 3.
LINES = {  #                                count  mean   std                 min  p25    p50   p75    p90    max
    ("alpaca", "response", "chars"):       (4,     2.5,   math.sqrt(5 / 3),   1,   1.75,  2.5,  3.25,  3.7,   4),
    ("all", "response", "chars"):          (5,     22.0,  math.sqrt(1902.5),  1,   2.0,   3.0,  4.0,   61.6,  100),
    ("belle", "response", "chars"):        (1,     100.0, 0.0,                100, 100.0, 100.0, 100.0, 100.0, 100),
    ("alpaca", "prompt", "chars"):         (4,     10.0,  0.0,                10,  10.0,  10.0, 10.0,  10.0,  10),
    ("all", "prompt", "chars"):            (5,     14.0,  math.sqrt(80),      10,  10.0,  10.0, 10.0,  22.0,  30),
    ("all", "response", "tokens"):         (5,     13.2,  math.sqrt(684.7),   1,   1.0,   2.0,  2.0,   36.8,  60),
}
# fmt: on


def table(drawn: str) -> dict[tuple[str, str, str], LengthStats]:
    return {(line.source, line.part, line.unit): line for line in length_table(judged(drawn))}


@pytest.mark.parametrize(("key", "expected"), LINES.items(), ids=map(" ".join, LINES))
def test_a_line_of_the_length_table_is_what_a_hand_works_out(
    key: tuple[str, str, str], expected: tuple[float, ...]
) -> None:
    line = table(CORPUS)[key]
    found = (line.count, line.mean, line.std, line.min)
    found += (line.p25, line.p50, line.p75, line.p90, line.max)
    assert found == pytest.approx(expected)


def test_all_rows_come_before_the_sources_and_these_are_sorted() -> None:
    lines = [line.source for line in length_table(judged(CORPUS)) if line.unit == "chars"]
    assert lines == ["all", "alpaca", "belle"] * 2


def test_what_was_not_counted_has_no_line() -> None:
    assert ("all", "prompt", "tokens") not in table(CORPUS)
    assert length_table(judged(CORPUS).head(0)) == ()
    assert histograms(judged(CORPUS).head(0)) == ()


def test_a_histogram_bin_holds_its_lower_edge_and_not_its_upper() -> None:
    found = {(one.part, one.unit): one for one in histograms(judged(CORPUS))}
    response = found["response", "chars"]
    assert response.edges[:5] == (1, 2, 3, 4, 6)
    assert response.rows[:5] == (1, 1, 1, 1, 0)
    assert response.edges[-2:] == (91, 128)
    assert response.rows[-1] == 1
    assert ("prompt", "tokens") not in found


def test_the_edges_rise_from_nothing_to_the_longest_text_that_can_be_counted() -> None:
    assert EDGES[:12] == (0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45)
    assert EDGES[-1] == 2**32
    assert list(EDGES) == sorted(set(EDGES))


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2**32 - 1)), min_size=1), st.randoms()
)
def test_the_order_of_rows_moves_no_digit_and_every_row_is_counted_once(rows, random) -> None:
    def measured(lengths):
        drawn = pl.DataFrame(lengths, schema=["source", "response_chars"], orient="row")
        return drawn.lazy().with_columns(
            pl.col("response_chars").cast(pl.UInt32),
            prompt_chars=pl.lit(0, pl.UInt32),
            prompt_tokens=pl.lit(None, pl.UInt32),
            response_tokens=pl.lit(None, pl.UInt32),
        )

    shuffled = random.sample(rows, len(rows))
    lines = length_table(measured(rows))
    assert lines == length_table(measured(shuffled))
    assert histograms(measured(rows)) == histograms(measured(shuffled))
    for histogram in histograms(measured(rows)):
        assert sum(histogram.rows) == len(rows)
        assert len(histogram.edges) == len(histogram.rows) + 1
    counts = [line.count for line in lines if line.part == "response"]
    assert counts[0] == sum(counts[1:]) == len(rows)
