"""Cleaning at the door: what changes, what does not, and what is counted."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.normalize.clean import clean
from tests.normalize.lakes import normalized, source

# fmt: off
CASES = {  #                  text                      prose                   code
    "plain":                 ("a b",                    "a b",                  "a b"),
    "spaces at the ends":    ("  a \n",                 "a",                    "  a"),
    "blank lines before":    ("\n \t\n  a\n    b\n\n",  "a\n    b",             "  a\n    b"),
    "only white space":      (" \n\t ",                 "",                     ""),
    "white space within":    ("a\n\n\tb  c",            "a\n\n\tb  c",          "a\n\n\tb  c"),
    "CRLF":                  ("a\r\nb\rc",              "a\nb\nc",              "a\nb\nc"),
    "NUL":                   ("a\0b",                   "ab",                   "ab"),
    "byte order mark":       ("\ufeffa",                "a",                    "a"),
    "named entities":        ("&lt;b&gt; &amp; &quot;", '<b> & "',              "&lt;b&gt; &amp; &quot;"),
    "numbered entities":     ("&#39;&#x27;&#8217;",     "''’",                  "&#39;&#x27;&#8217;"),
    "an entity twice over":  ("&amp;lt;",               "&lt;",                 "&amp;lt;"),
    "no such entity":        ("&nosuch; &notit;",       "&nosuch; &notit;",     "&nosuch; &notit;"),
    "an ampersand":          ("R&D; a&b",               "R&D; a&b",             "R&D; a&b"),
    "without semicolon":     ("?a=1&lt=2 &amp",         "?a=1&lt=2 &amp",       "?a=1&lt=2 &amp"),
    "line ends by number":   ("a&#13;&#10;b&#xD;c",      "a\nb\nc",              "a&#13;&#10;b&#xD;c"),
    "half a line end":       ("a&#13;\nb\r&#10;c",       "a\nb\n\nc",            "a&#13;\nb\n&#10;c"),
    "a mark by number":      ("a&#xFEFF;&#65279;b",     "ab",                   "a&#xFEFF;&#65279;b"),
    "NUL by number":         ("a&#0;b&#x0;&lt;",        "a&#0;b&#x0;<",         "a&#0;b&#x0;&lt;"),
    "surrogates by number":  ("&#xD800;&#57343;&gt;",   "&#xD800;&#57343;>",    "&#xD800;&#57343;&gt;"),
    "beyond Unicode":        ("&#x110000;&gt;",         "&#x110000;>",          "&#x110000;&gt;"),
    "the last of Unicode":   ("&#x10FFFD;&#xFFFD;",     "\U0010fffd\ufffd",     "&#x10FFFD;&#xFFFD;"),
    "inside a fence":        ("&#13;\n```\n&#13;\n```", "```\n&#13;\n```",      "&#13;\n```\n&#13;\n```"),
    "wide space":            ("\u3000中文\u3000",        "中文",                  "\u3000中文"),
}
# fmt: on


@pytest.mark.parametrize(("text", "prose", "code"), CASES.values(), ids=CASES)
def test_text_is_cleaned_and_code_keeps_its_entities_and_indentation(
    text: str, prose: str, code: str
) -> None:
    turns = pl.DataFrame({"row": [0], "content": [text]}, schema_overrides={"row": pl.UInt32})

    assert clean(turns, code=False)[0]["content"].to_list() == [prose]
    assert clean(turns, code=True)[0]["content"].to_list() == [code]


def test_rows_that_changed_are_counted_once_for_each_kind(tmp_path: Path) -> None:
    rows = [
        {"instruction": "&lt;a&gt;\r\n&lt;b&gt;", "input": "No input.", "output": "&amp;"},
        {"instruction": "a\0", "input": "N/A", "output": "\ufeffb"},
        {"instruction": "plain", "input": "", "output": "text"},
    ]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("alpaca"))

    assert done.conversations[0] == [("user", "<a>\n<b>"), ("assistant", "&")]
    assert dict(done.manifest.notes) == {
        "byte_order_marks": "1",
        "carriage_returns": "1",
        "html_entities": "1",
        "no_input_spellings": "1",
        "nul_characters": "1",
    }


def test_what_an_entity_names_is_no_dirt_of_the_source(tmp_path: Path) -> None:
    rows = [{"instruction": "a&#13;&#10;b &#xFEFF;", "output": "&#0;"}]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("alpaca"))

    assert done.conversations == [[("user", "a\nb"), ("assistant", "&#0;")]]
    assert dict(done.manifest.notes) == {"html_entities": "1", "outer_white_space": "1"}


def test_the_source_says_whether_its_rows_are_code(tmp_path: Path) -> None:
    raw = json.dumps([{"instruction": "Indent.", "output": "\n    x = '&lt;'\n    y\n"}]).encode()

    done = normalized(tmp_path, raw, source("alpaca", code=True))

    assert done.conversations[0][-1][1] == "    x = '&lt;'\n    y"


@given(st.lists(st.text(), min_size=1, max_size=5), st.booleans())
def test_text_without_entities_is_clean_after_one_cleaning(texts: list[str], code: bool) -> None:
    texts = [text.replace("&", "") for text in texts]
    turns = pl.DataFrame(
        {"row": range(len(texts)), "content": texts}, schema_overrides={"row": pl.UInt32}
    )

    once, _ = clean(turns, code)
    twice, counts = clean(once, code)

    assert twice.equals(once)
    assert not counts


@given(
    st.lists(st.sampled_from(["&#13;", "\r", "\n", "&#xFEFF;", "\ufeff", "&#0;", "\0", "a", " "]))
)
def test_no_text_has_dirt_after_one_cleaning_whatever_its_entities_name(pieces: list[str]) -> None:
    turns = pl.DataFrame({"row": [0], "content": ["".join(pieces)]})

    once, counts = clean(turns, code=False)

    assert not set("\r\0\ufeff\ufffd").intersection(once["content"].item())
    assert "replacement_characters" not in counts
