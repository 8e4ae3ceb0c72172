"""What the walk over JSON reads of a value: its text, at every length and in every spelling."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.readers import read_file
from tasks.normalize.scan import ELEMENT, NESTED

# fmt: off
VALUES = {  #                   in the file                  what is read
    "empty":                   ('""',                        ""),
    "null":                    ("null",                      None),
    "as long as a view":       ('"twelve bytes"',            "twelve bytes"),
    "one longer than a view":  ('"thirteen byte"',           "thirteen byte"),
    "bytes not points":        ('"日本語日本"',               "日本語日本"),
    "number as it is spelt":   ("-1.50E+3",                  "-1.50E+3"),
    "escapes":                 (r'"\"\\\/\b\f\n\r\t"',       '"\\/\b\f\n\r\t'),
    "two bytes":               (r'"\u00e9"',                 "é"),
    "three bytes":             (r'"\u65E5"',                 "日"),
    "a pair":                  (r'"\ud83d\ude00"',           "😀"),
    "half a pair":             (r'"\ud83dx"',                "\N{REPLACEMENT CHARACTER}x"),
    "two first halves":        (r'"\ud83d\ud83d\ude00"',     "\N{REPLACEMENT CHARACTER}😀"),
    "raw tab":                 ('"a\tb"',                    "a\tb"),
    "raw control character":   ('"a\x01b"',                  "ab"),
    "list":                    ('[1, "a\tb", null]',         NESTED + r'[1,"a\tb",null]'),
    "escapes inside a list":   (r'["\u00e9\n\"", "\ud83d"]', NESTED + r'["\u00e9\n\"","\ufffd"]'),
    "object":                  ('{"a": {"b": [ ]}}',         NESTED + '{"a":{"b":[]}}'),
}
# fmt: on


@pytest.mark.parametrize(("spelt", "read"), VALUES.values(), ids=VALUES)
def test_a_value_is_read_as_its_text(tmp_path: Path, spelt: str, read: str | None) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"other": {spelt}, "text": {spelt}}}\n{{"text": "next"}}\n')

    (batch,) = read_file(path, ("text", "absent"), ("text",))

    assert batch.rows["text"].to_list() == [read, "next"]
    assert batch.rows["absent"].to_list() == [None, None]


@pytest.mark.parametrize("first", ['"a"', "null", "[1]"])
def test_of_a_key_that_is_there_twice_the_first_counts(tmp_path: Path, first: str) -> None:
    twice, once = tmp_path / "twice.jsonl", tmp_path / "once.jsonl"
    twice.write_text(f'{{"text": {first}, "text": "late"}}\n')
    once.write_text(f'{{"text": {first}}}\n')

    (found,), (expected,) = (read_file(path, ("text",), ("text",)) for path in (twice, once))

    assert found.rows["text"].equals(expected.rows["text"])


def test_a_key_is_known_however_it_is_spelt(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"t\\u0065xt": "a", "k\\u00fc\\"y": "b"}\n{"kü\\"y": "c"}\n')

    (batch,) = read_file(path, ("text", 'kü"y'), ("text",))

    assert batch.rows.select("text", 'kü"y').rows() == [("a", "b"), (None, "c")]
    assert batch.keys == ("text", 'kü"y')


@given(st.lists(st.lists(st.one_of(st.none(), st.text()), max_size=4), min_size=1, max_size=4))
def test_elements_of_lists_are_read_in_their_order(lists: list[list[str | None]]) -> None:
    texts = pl.Series([json.dumps(each) for each in lists])

    frame, whole = explode_json(texts, (ELEMENT,))

    assert whole.all()
    assert frame.rows() == [(place, one) for place, each in enumerate(lists) for one in each]
    assert frame.columns == [PARENT, ELEMENT]
