"""Exact match, ROUGE-L and chrF. Expected values are those of rouge-score 0.1.2 and sacrebleu 2.6."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainer.overlap import chrf, common_subsequence, folded, rouge_l

# fmt: off
ROUGE = {  #                    reference                       answer                       F1
    "the same":                ("the cat sat",                  "the cat sat",               1.0),
    "case and punctuation":    ("The cat sat.",                 "the CAT, sat",              1.0),
    "in another order":        ("police killed the gunman",     "the gunman killed police",  0.5),
    "a part of it":            ("the cat sat on the mat",       "the cat",                   0.5),
    "nothing of it":           ("yes",                          "no",                        0.0),
    "no answer":               ("yes",                          "",                          0.0),
    "two empty texts":         ("",                             " ",                         1.0),
    "signs that are the same": ("?!",                           "?!",                        1.0),
    "signs that differ":       ("?!",                           "!!",                        0.0),
    "chinese by characters":   ("今天天气很好",                  "今天很好",                   0.8),
    "chinese and words":       ("用 Python 写",                  "Python 写",                 0.8),
    "full-width is the same":  ("ＡＢＣ １２",                   "abc 12",                    1.0),
    "thai by characters":      ("สวด",                          "สวย",                       2 / 3),
    "hindi vowel signs":       ("की",                            "का",                         0.0),
    "hindi words":             ("दिल की बात",                     "दिल का मेला",                 1 / 3),
    "tamil":                   ("நீ வா",                          "நி வா",                      0.5),
    "bengali":                 ("কি",                            "কী",                         0.0),
    "composed or not":         ("e\u0301t\u00e9",                "\u00e9te\u0301",             1.0),
    "a sign's variation":      ("yes \u2764\ufe0f",              "yes",                       1.0),
    "a name with underscores": ("is_it so",                     "is it so",                  1.0),
}
CHRF = {  #                     reference                       answer                       chrF2
    "the same":                ("the cat sat",                  "the cat sat",               1.0),
    "a part of it":            ("the cat sat on the mat",       "the cat",                   0.27253),
    "spaces do not count":     ("a b c d e f",                  "abcdef",                    1.0),
    "case counts":             ("ABC",                          "abc",                       0.0),
    "no answer":               ("yes",                          "",                          0.0),
    "two empty texts":         ("",                             "",                          1.0),
    "chinese":                 ("今天天气很好",                  "今天很好",                   0.28736),
}
# fmt: on


@pytest.mark.parametrize(("reference", "answer", "expected"), ROUGE.values(), ids=ROUGE)
def test_rouge_l_counts_what_is_in_both_in_one_order(
    reference: str, answer: str, expected: float
) -> None:
    assert rouge_l(reference, answer) == pytest.approx(expected)


@pytest.mark.parametrize(("reference", "answer", "expected"), CHRF.values(), ids=CHRF)
def test_chrf_counts_character_ngrams(reference: str, answer: str, expected: float) -> None:
    assert chrf(reference, answer) == pytest.approx(expected, abs=1e-5)


def by_table(first: list[str], second: list[str]) -> int:
    """The longest common subsequence as every textbook has it."""
    row = [0] * (len(second) + 1)
    for one in first:
        before = row
        row = [0]
        for place, other in enumerate(second):
            longest = before[place] + 1 if one == other else max(before[place + 1], row[place])
            row.append(longest)
    return row[-1]


UNITS = st.lists(st.sampled_from("abcd"), max_size=70)


@example(list("abcd" * 40), list("dbca" * 35))
@given(UNITS, UNITS)
def test_the_bits_count_what_the_table_counts(first: list[str], second: list[str]) -> None:
    assert common_subsequence(first, second) == by_table(first, second)


@given(st.text(max_size=40), st.text(max_size=40))
def test_scores_are_shares_and_a_text_is_wholly_in_itself(one: str, other: str) -> None:
    for score in (rouge_l, chrf):
        assert 0 <= score(one, other) <= 1 + 1e-12
        assert score(one, one) == pytest.approx(1.0)


def test_folded_texts_differ_in_case_space_and_form_alone() -> None:
    assert folded(" Straße\n１２ ") == folded("STRASSE 12")
    assert folded("1 2") != folded("12")
