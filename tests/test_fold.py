"""Fold: the form under which two texts count as the same."""

import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.fold import INVISIBLE, fold, fold_buffers

# fmt: off
FOLDED = {  #               given                        folded
    "nothing":             ("",                          ""),
    "case":                ("Name A PRIMATE",            "name a primate"),
    "case beyond ASCII":   ("ÀÉÎ ΣΔ ЖЯ",                 "àéî σδ жя"),
    "full width":          ("ＡＢＣ１２３，！",            "abc123,!"),
    "half-width kana":     ("ｶﾅ",                        "カナ"),
    "ideographic space":   ("\u3000你好\u3000\u3000世界", "你好 世界"),
    "no-break space":      ("a\u00a0\u202fb",            "a b"),
    "every line end":      ("a\r\nb\u2028c\x85d\x0be",   "a b c d e"),
    "ends":                (" \t\n a \n",                "a"),
    "only white space":    (" \u3000\n",                 ""),
    "zero width":          ("a\u200bb\ufeffc\u2060d",    "abcd"),
    "zero width in space": ("a \u200b b",                "a b"),
    "zero width at ends":  ("\ufeff a \u200d",           "a"),
    "right-to-left marks": ("\u200fשלום\u200e \u202eabc", "שלום abc"),
    "soft hyphen":         ("co\u00adoperate",           "cooperate"),
    "variation selector":  ("❤\ufe0f",                   "❤"),
    "superscript":         ("x² ① ５",                   "x2 1 5"),
    "ligature stays":      ("ﬁne ½",                     "ﬁne ½"),
    "dotted I stays":      ("İ",                         "İ"),
    "longer in UTF-8":     ("ȺȾ",                        "ⱥⱦ"),
    "beyond the BMP":      ("😀 𝐀",                      "😀 a"),
    "compatibility plane": ("\U0002f800",                "丽"),
    "a flag of tags":      ("🏴\U000e0067",              "🏴\U000e0067"),
}
STRICT = {  #               given                          kept
    "nothing":             ("",                            ""),
    "case and width":      ("Ａ = B",                      "Ａ = B"),
    "indentation":         ("\tif x:\n\t\ty  z",           "\tif x:\n\t\ty  z"),
    "line-end space":      ("a  \nb\t \n",                 "a\nb"),
    "CRLF":                ("a\r\nb\r\n",                  "a\nb"),
    "lone CR":             ("a\rb",                        "a\nb"),
    "blank lines inside":  ("a\n  \n\nb",                  "a\n\n\nb"),
    "blank lines at end":  ("a\n \n\t\n",                  "a"),
    "only white space":    (" \n\t\r\n ",                  ""),
    "a no-break space":    ("a\u00a0\n",                   "a\u00a0"),
}
# fmt: on


def folded(text: str, *, strict: bool = False) -> str:
    return str(fold(pl.Series([text]), strict=strict)[0])


@pytest.mark.parametrize(("text", "expected"), FOLDED.values(), ids=FOLDED)
def test_the_folded_form(text: str, expected: str):
    assert folded(text) == expected


@pytest.mark.parametrize(("text", "expected"), STRICT.values(), ids=STRICT)
def test_the_strict_form_keeps_what_code_is_made_of(text: str, expected: str):
    assert folded(text, strict=True) == expected


def test_every_code_point_folds_as_unicodedata_says():
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    texts = pl.Series([f"x{chr(point)}y" for point in points])
    expected = pl.Series([f"x{of_one(chr(point))}y" for point in points])
    differs = texts.filter(fold(texts) != expected)
    assert differs.to_list() == []


def of_one(char: str) -> str:
    """The slow definition for one code point: NFKC, lower case, white space, invisible."""
    composed = unicodedata.normalize("NFKC", char)
    if len(composed) > 1:
        composed = char
    lower = composed.lower() if len(composed.lower()) == 1 else composed
    if char.isspace() or lower == " ":
        return " "
    return "" if INVISIBLE.match(lower) else lower


@given(st.text())
def test_folding_twice_is_folding_once(text: str):
    once = folded(text)
    assert folded(once) == once


@given(st.text(alphabet="aB \t\r\n\u00a0é"))
def test_the_strict_form_is_stable_too(text: str):
    once = folded(text, strict=True)
    assert folded(once, strict=True) == once


@given(st.text(alphabet=st.sampled_from("aÀ中😀 \n\t\u3000\u00a0")))
def test_white_space_folds_as_split_and_join_do(text: str):
    assert folded(text) == " ".join(text.lower().split())


@given(st.lists(st.none() | st.text(), max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_nulls_and_slices_keep_their_places(texts: list[str | None], start: int, length: int):
    whole = pl.Series("text", texts, dtype=pl.String)
    expected = [None if text is None else folded(text) for text in texts]
    assert fold(whole).to_list() == expected
    assert fold(whole.slice(start, length)).to_list() == expected[start : start + length]


def test_a_column_of_nulls_and_an_empty_one_fold():
    assert fold(pl.Series("text", [None, None], dtype=pl.Null)).to_list() == [None, None]
    empty = fold(pl.Series("text", [], dtype=pl.String))
    assert empty.name == "text"
    assert empty.dtype == pl.String
    assert empty.len() == 0


def test_chunks_are_read_in_their_order():
    chunked = pl.concat([pl.Series(["A"]), pl.Series(["B ", "C"])], rechunk=False)
    assert fold(chunked).to_list() == ["a", "b", "c"]


def test_kernels_read_the_same_bytes():
    texts = fold_buffers(pl.Series(["Ａ", None, "b  C"]))
    assert texts.rows == 3
    assert texts.data.tobytes() == b"ab c"
    assert np.array_equal(texts.offsets, [0, 1, 1, 4])
