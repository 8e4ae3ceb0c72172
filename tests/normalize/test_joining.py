"""What kernels do with texts is what the expressions beside them do."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.normalize.clean import clean
from tasks.normalize.joining import joined
from tasks.normalize.turns import paragraphs

PIECES = (
    "a",
    "é",
    "日",
    "。",
    " ",
    "\n",
    "\t",
    "\x1c",
    "\x85",
    "\xa0",
    "\u1680",
    "\u200a",
    "\u3000",
)
TEXTS = st.one_of(st.none(), st.lists(st.sampled_from(PIECES), max_size=4).map("".join))
WHITE = [
    chr(point) for point in range(0xD800) if pl.Series([chr(point)]).str.strip_chars()[0] == ""
]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8), st.integers(0, 2))
def test_two_columns_are_joined_as_paragraphs_are(
    rows: list[tuple[str | None, str | None]], first: int
) -> None:
    given_rows = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")[first:]

    expected = given_rows.select(paragraphs(pl.col("a"), pl.col("b"))).to_series()

    assert joined(given_rows["a"], given_rows["b"]).to_list() == expected.to_list()


@pytest.mark.parametrize("place", ["{}a", "a{}"])
def test_white_space_of_every_kind_goes_from_the_ends(place: str) -> None:
    texts = [place.format(white) for white in WHITE]
    turns = pl.DataFrame({"row": range(len(texts)), "content": texts}).cast({"row": pl.UInt32})

    cleaned, counts = clean(turns, code=False)

    assert len(WHITE) == 25
    assert cleaned["content"].to_list() == ["a"] * len(texts)
    assert counts["outer_white_space"] >= len(texts) - 2  # a carriage return is counted as such


# fmt: off
BETWEEN = {  #                             text          cleaned
    "NUL in a line break written out":   ("one\\\0nTwo", "one\nTwo"),
    "a mark in a line break":            ("one\\\ufeffnTwo", "one\nTwo"),
    "NUL in mojibake":                   ("caf\u00c3\0\u00a9", "café"),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), BETWEEN.values(), ids=BETWEEN)
def test_what_a_repair_brings_together_is_repaired_too(text: str, expected: str) -> None:
    turns = pl.DataFrame({"row": [0], "content": [text]}).cast({"row": pl.UInt32})

    assert clean(turns, code=False)[0]["content"].to_list() == [expected]
