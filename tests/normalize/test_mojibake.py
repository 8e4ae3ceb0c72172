"""Mojibake and line breaks written out: what is undone, and what only looks like it."""

import json
from pathlib import Path

import ftfy  # noqa: F401 (registers the sloppy encodings)
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.normalize.clean import clean
from tests.normalize.lakes import normalized, source

# fmt: off
BROKEN = {  #              as it came                     as it was written
    "one letter":          ("cafÃ©",                       "café"),
    "quotation marks":     ("â€œhiâ€\x9d, itâ€™s me",      "“hi”, it’s me"),
    "an ellipsis":         ("wellâ€¦",                      "well…"),
    "a pound":             ("5 Â£",                        "5 £"),
    "degrees":             ("10Â°C",                       "10°C"),
    "mathematics":         ("âˆš3 Ã— 2 â€“ 1",              "√3 × 2 – 1"),
    "Russian":             ("ÐŸÑ€Ð¸Ð²ÐµÑ‚",               "Привет"),
    "Chinese":             ("ä¸\xadæ–‡",                   "中文"),
    "an emoji":            ("ðŸ˜€!",                       "😀!"),
    "twice over":          ("cafÃƒÂ©",                     "café"),
    "C1 quotation marks":  ("\x93quoted\x94",              "“quoted”"),
}
WORDS = ("café", "über", "niño", "señor", "Größe", "“quoted”", "it’s", "中文", "Привет", "plain", "100%")
WRONG = ("latin-1", "sloppy-windows-1252")
SOUND = {
    "French":              "À CÔTÉ, ÂME, ÎLE, L’ÂGE D’OR, « Œuvre », voilà – là…",
    "quoted letters":      "«é»«è»",
    "German":              "„Spaß“ GROẞ „Äpfel“, Maß… Straße – Fußball",
    "Portuguese":          "SÃO PAULO, NÃO É, PÃO: “BOM”",
    "a letter by itself":  "Ã is a letter, so is Ê",
    "Spanish":             "MAÑANA… ¿QUÉ? ¡SÍ!",
    "Vietnamese":          "Đà Nẵng, Việt Nam, ĐÃ",
    "Chinese":             "中文。“引号”……《书》",
    "Russian":             "Привет… «мир»",
    "units":               "50 °C ± 2 µm × 3 ÷ 4 ≠ √2",
    "trade marks":         "CAFÉ® ©2020 ARMANI™",
    "joined emoji":        "👩‍👩‍👧 می‌خواهم",
    "ligatures, widths":   "ﬁn “curly” ‘quotes’ ＡＢＣ １２３",
    "about encodings":     "Why does UTF-8 text show Ã© for é?",
    "in Chinese":          "为什么会出现乱码 Ã©？",
    "inside a fence":      "Look:\n```\ns.replace('Ã©', 'é')\n```\nDone.",
}
WRITTEN_OUT = {  #         as it came                                     as it was meant
    "two lines":           (r"First.\nSecond.",                           "First.\nSecond."),
    "options":             (r"Which?\nOptions:\n- yes\n- no",             "Which?\nOptions:\n- yes\n- no"),
    "lettered options":    (r"Mode of {1, 2}?\n(A) 1\n(B) 2",             "Mode of {1, 2}?\n(A) 1\n(B) 2"),
    "CRLF":                (r"First.\r\nSecond.",                         "First.\nSecond."),
    "Chinese":             (r"第一行。\n第二行。",                           "第一行。\n第二行。"),
    "at the end":          (r"Write a poem.\n",                           "Write a poem."),
    "beside real ones":    ("One.\\nTwo.\nThree.",                        "One.\nTwo.\nThree."),
}
MEANT = {
    "printf":              r'printf("%d\n", i);',
    "a statement":         'cout << "Hello" << endl;\nputs("Bye\\n");',
    "in quotation marks":  r"将“\n”替换为实际的换行符",
    "spoken of":           r"A newline is \n here.",
    "inline code":         r"Use `\n` and go on.",
    "a fence":             "```\na\\nB\n```",
    "LaTeX":               r"the gradient $\nabla f$ of f",
    "other LaTeX":         r"$\alpha$\n$\beta$",
    "a path":              r"It is in C:\new and D:\Next.",
    "a network path":      r"\\server\news",
    "a regex":             r"the regex A\nB matches",
    "escaped twice":       r"A\\nB",
    "a tab as well":       r"A\tB\nC",
    "a file's content":    r"file.txt (content: Line1\nLine2)",
    "lower case":          r"one line\nanother line",
    "a drive":             r"Save it to D:\n1.",
    "a format":            r"It writes %d\nThen it stops",
    "in brackets":         r"What is (\n)?",
    "a quoted end":        r"Say ('Hi\n') now",
    "spoken of, Chinese":  r"反斜杠加 n 是\n吗",
    "braces":              r"{A\nB}",
    "a semicolon":         r"A;\nB",
    "a keyword":           r"print A\nB",
    "a tab written out":   r"A\tB",
}
# fmt: on


def cleaned(text: str, code: bool = False) -> tuple[str, dict[str, int]]:
    turns = pl.DataFrame({"row": [0], "content": [text]}, schema_overrides={"row": pl.UInt32})
    after, counts = clean(turns, code)
    return after["content"].item(), dict(counts)


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN)
def test_text_read_in_the_wrong_encoding_is_read_anew(text: str, expected: str) -> None:
    assert cleaned(text) == (expected, {"mojibake": 1})
    assert cleaned(text, code=True) == (text, {})


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_sound_text_in_any_language_stays(text: str) -> None:
    assert cleaned(text) == (text, {})


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), st.sampled_from(WRONG))
def test_words_come_back_from_a_wrong_reading_and_stay_without_one(
    words: list[str], wrong: str
) -> None:
    text = " ".join(words)
    assert cleaned(text) == (text, {})
    assert cleaned(text.encode().decode(wrong))[0] == text


@pytest.mark.parametrize(("text", "expected"), WRITTEN_OUT.values(), ids=WRITTEN_OUT)
def test_line_breaks_written_out_become_line_breaks(text: str, expected: str) -> None:
    after, counts = cleaned(text)
    assert after == expected
    assert counts["literal_newlines"] == 1
    assert cleaned(text, code=True)[0] == text


@pytest.mark.parametrize("text", MEANT.values(), ids=MEANT)
def test_backslash_and_n_stay_where_they_may_be_meant(text: str) -> None:
    assert cleaned(text) == (text, {})


def test_a_fence_keeps_its_entities_and_its_white_space_and_what_is_around_it_is_cleaned() -> None:
    fence = "```html\n  &lt;b&gt;\t \n```"
    assert cleaned(f"  a &lt; b:\r\n{fence}\nR&amp;D\n```\n&amp; open") == (
        f"a < b:\n{fence}\nR&D\n```\n&amp; open",
        {"carriage_returns": 1, "html_entities": 1, "outer_white_space": 1},
    )


def test_a_block_of_indented_lines_keeps_the_indentation_of_its_first() -> None:
    assert cleaned("\n    if x:\n        y()\n")[0] == "    if x:\n        y()"
    assert cleaned("\n    One sentence.\nAnother.\n")[0] == "One sentence.\nAnother."


def test_a_lost_character_is_counted_and_kept(tmp_path: Path) -> None:
    raw = b'[{"instruction": "Hi \\ud83d there", "output": " Hello"}]'

    done = normalized(tmp_path, raw, source("alpaca"))

    assert done.conversations == [[("user", "Hi \ufffd there"), ("assistant", "Hello")]]
    assert dict(done.manifest.notes) == {"outer_white_space": "1", "replacement_characters": "1"}


def test_one_row_counts_once_for_each_kind_however_many_turns_have_it(tmp_path: Path) -> None:
    rows = [{"instruction": "cafÃ©", "output": "cafÃ©"}, {"instruction": "a", "output": r"B\nC"}]

    done = normalized(tmp_path, json.dumps(rows).encode(), source("alpaca"))

    assert dict(done.manifest.notes) == {"literal_newlines": "1", "mojibake": "1"}
