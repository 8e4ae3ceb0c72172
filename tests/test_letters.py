"""The letters of a text, and the counts that its language is told by."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.language import ENGLISH_WORDS
from tasks.letters import CLASSED, COLUMNS, class_table, letters

# fmt: off
TEXTS = {  #              text                          letters                    chars signs han kana hangul other words common lower
    "words":            ("The cat sat.",                "The cat sat",             (11,  0,    0,  0,   0,     3,    3,    1,      8)),
    "figures between":  ("a 12 -- b",                   "a b",                     (3,   0,    0,  0,   0,     2,    2,    0,      2)),
    "at the ends":      ("\n  a!  ",                    "a",                       (1,   0,    0,  0,   0,     1,    1,    0,      1)),
    "signs of code":    ("f(x) = {y};",                 "f x y",                   (5,   6,    0,  0,   0,     3,    3,    0,      3)),
    "an apostrophe":    ("don't, that's it's",          "don't that's it's",       (17,  0,    0,  0,   0,     6,    3,    3,      12)),
    "quoted":           ("'the' 'end'",                 "'the' 'end'",             (11,  0,    0,  0,   0,     2,    2,    1,      6)),
    "capitals":         ("THE END",                     "THE END",                 (7,   0,    0,  0,   0,     2,    2,    1,      0)),
    "in a longer word": ("other others theatre",        "other others theatre",    (20,  0,    0,  0,   0,     3,    3,    1,      18)),
    "Chinese":          ("我家，1号。",                  "我家 号",                  (4,   0,    3,  0,   0,     0,    2,    0,      0)),
    "Japanese":         ("猿のサル",                     "猿のサル",                 (4,   0,    1,  3,   0,     0,    1,    0,      0)),
    "Korean":           ("한글 漢字",                    "한글 漢字",                (5,   0,    2,  0,   2,     0,    2,    0,      0)),
    "side by side":     ("用pandas库",                   "用pandas库",              (8,   0,    2,  0,   0,     1,    1,    0,      6)),
    "an accent apart":  ("e\u0301t\u00e9",              "e\u0301t\u00e9",          (4,   0,    0,  0,   0,     2,    1,    0,      2)),
    "a rare character": ("\U00020000",                  "\U00020000",              (1,   0,    1,  0,   0,     0,    1,    0,      0)),
    "a selector":       ("a\U000e0100b",               "a\U000e0100b",            (3,   0,    0,  0,   0,     2,    1,    0,      2)),
    "the last point":   ("a\U0010ffff",                 "a",                       (1,   0,    0,  0,   0,     1,    1,    0,      1)),
    "nothing":          ("",                            "",                        (0,   0,    0,  0,   0,     0,    0,    0,      0)),
    "null":             (None,                          "",                        (0,   0,    0,  0,   0,     0,    0,    0,      0)),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected", "counts"), TEXTS.values(), ids=TEXTS)
def test_letters_are_kept_and_counted(text, expected, counts):
    told = letters(pl.Series([text], dtype=pl.String), 300, ENGLISH_WORDS)
    assert told.row(0) == (expected, *counts)


# fmt: off
CUTS = {  #             most   letters
    "in a word":       (2,     "ab"),
    "after it":        (3,     "abc"),
    "at the space":    (4,     "abc"),
    "after the space": (5,     "abc d"),
}
# fmt: on


@pytest.mark.parametrize(("most", "expected"), CUTS.values(), ids=CUTS)
def test_a_text_is_cut_at_a_number_of_code_points(most, expected):
    assert letters(pl.Series(["abc d"]), most)["text"].item() == expected
    assert letters(pl.Series(["abc d"]), most)["chars"].item() == len(expected)


def test_every_common_word_is_found_and_none_that_only_starts_like_it():
    told = letters(pl.Series(ENGLISH_WORDS), 300, ENGLISH_WORDS)
    assert told["common"].to_list() == [1] * len(ENGLISH_WORDS)
    longer = pl.Series([f"{word}zzz" for word in ENGLISH_WORDS if "'" not in word])
    assert letters(longer, 300, ENGLISH_WORDS)["common"].sum() == 0


def test_each_text_is_counted_in_its_own_place():
    texts = pl.Series([text for text, *_ in TEXTS.values()], dtype=pl.String)
    together = letters(texts, 300)
    alone = pl.concat([letters(texts.slice(at, 1), 300) for at in range(len(texts))])
    assert together.equals(alone)
    assert letters(texts.head(0), 300).columns == ["text", *COLUMNS]


@given(st.text())
def test_letters_are_what_the_pattern_of_letters_keeps(text):
    pattern = pl.lit(text).str.replace_all(r"[^\p{L}\p{M}']+", " ").str.strip_chars(" ")
    assert letters(pl.Series([text]), 10_000)["text"].item() == pl.select(pattern).item()


def test_no_code_point_outside_the_table_has_a_class():
    others = set(range(0x110000)) - set(CLASSED) - set(range(0xD800, 0xE000))
    chars = pl.Series([chr(point) for point in sorted(others)])
    assert not chars.str.contains(r"[\p{L}\p{M}]").any()
    assert len(class_table()) == CLASSED[-1] + 1
