"""Where two texts differ, word by word."""

import pytest

from flows.worddiff import MAX_WORDS, word_diff

# fmt: off
CASES = {  #             kept                       dropped                    shown
    "equal":            ("A red fox.",              "A red fox.",              ""),
    "both empty":       ("",                        "",                        ""),
    "one word":         ("A red fox.",              "A grey fox.",             "A [-red-]{+grey+} fox."),
    "added at the end": ("A fox",                   "A fox runs",              "A fox{+ runs+}"),
    "taken from start": ("Yes, a fox",              "a fox",                   "[-Yes, -]a fox"),
    "one character":    ("请比较高铁",                "请比较一下高铁",            "请比较{+一下+}高铁"),
    "all of it":        ("fox",                     "",                        "[-fox-]"),
    "cut to its words": ("a b c d e f g h i j k l", "a b c d e f g h i j k m", " … h i j k [-l-]{+m+}"),
    "cut between":      ("1 " + "x " * 20 + "2",    "3 " + "x " * 20 + "4",    "[-1-]{+3+} x x x x … x x x x [-2-]{+4+}"),
}
# fmt: on


@pytest.mark.parametrize(("kept", "dropped", "shown"), CASES.values(), ids=CASES)
def test_differences_stand_in_their_context(kept: str, dropped: str, shown: str) -> None:
    assert word_diff(kept, dropped) == shown


def test_texts_too_long_to_compare_are_said_to_be_so() -> None:
    assert "too long to compare" in word_diff("x " * MAX_WORDS, "y")
