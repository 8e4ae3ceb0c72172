"""What the published rows are made of: counts that add up, in an order of their own."""

import polars as pl

from schemas.manifest import Composition
from tasks.measure.composition import LARGEST, composition
from tests.measure.corpora import judged

CORPUS = """
    source | language | category | licence    | turns
    belle  | zh       | math     | GPL-3.0    | 1
    alpaca | en       | math     | CC-BY-NC-4.0 | 1
    alpaca | en       |          | CC-BY-NC-4.0 | 2
    alpaca |          | poems    | CC-BY-NC-4.0 | 10
"""


def by_key(lines: tuple[Composition, ...], key: str) -> list[tuple[str, int]]:
    return [(line.value, line.rows) for line in lines if line.key == key]


def test_rows_are_counted_by_every_key_with_most_rows_first_and_equal_ones_by_name() -> None:
    lines = composition(judged(CORPUS))
    assert by_key(lines, "source") == [("alpaca", 3), ("belle", 1)]
    assert by_key(lines, "language") == [("en", 2), ("unknown", 1), ("zh", 1)]
    assert by_key(lines, "category") == [("math", 2), ("(none)", 1), ("poems", 1)]
    assert by_key(lines, "licence") == [("CC-BY-NC-4.0", 3), ("GPL-3.0", 1)]
    assert by_key(lines, "turns") == [("1", 2), ("10", 1), ("2", 1)]


def test_the_order_of_rows_does_not_matter() -> None:
    assert composition(judged(CORPUS)) == composition(judged(CORPUS).reverse())


def categories(count: int) -> pl.LazyFrame:
    lines = "\n".join(f"c{number:03d}" for number in range(count))
    return judged(f"category\n{lines}\nc000")


def test_as_many_categories_as_are_named_leave_no_others() -> None:
    lines = by_key(composition(categories(LARGEST)), "category")
    assert len(lines) == LARGEST
    assert lines[-1] == ("c029", 1)


def test_the_categories_beyond_the_largest_are_added_up_last() -> None:
    lines = by_key(composition(categories(LARGEST + 2)), "category")
    assert lines[0] == ("c000", 2)
    assert lines[-1] == ("(other)", 2)
    assert sum(rows for _, rows in lines) == LARGEST + 3


def test_nothing_published_is_made_of_nothing() -> None:
    assert composition(judged(CORPUS).head(0)) == ()
