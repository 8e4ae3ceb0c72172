"""Numbers: when two texts hold the same ones."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.dedupe.numbers import number_digests
from tasks.fold import fold_buffers

# fmt: off
PAIRS = {  #             one text                another                 same numbers?
    "none":             ("no number",            "nor here",             True),
    "none, one":        ("none",                 "0",                    False),
    "same":             ("3 apples, 4 pears",    "3 plums and 4 figs",   True),
    "another order":    ("3 + 4",                "4 + 3",                True),
    "one differs":      ("3 + 4",                "3 + 5",                False),
    "one twice":        ("3 + 3",                "3 + 4",                False),
    "twice, once":      ("3 and 3",              "3",                    False),
    "digits together":  ("34",                   "3 4",                  False),
    "point moved":      ("3.5 of 10",            "35 of 10",             False),
    "points swapped":   ("1.2 and 3.4",          "1.4 and 3.2",          False),
    "end of sentence":  ("It is 5.",             "It is 5",              True),
    "comma inside":     ("1,000",                "1 000",                False),
    "comma after":      ("5, then",              "5 then",               True),
    "two points":       ("1..2",                 "1 2",                  True),
    "sign":             ("x = -5",               "x = 5",                False),
    "sign in brackets": ("(-5)",                 "(5)",                  False),
    "minus sign":       ("x = −5",               "x = -5",               True),
    "sign after CJK":   ("等于-5",                "等于5",                 False),
    "hyphen in a word": ("covid-19",             "covid 19",             True),
    "hyphen in a date": ("2020-05",              "2020/05",              True),
    "full width":       ("１２",                  "12",                   True),
    "Arabic digits":    ("٣٤",                   "34",                   True),
    "Devanagari":       ("४",                    "५",                    False),
    "leading zero":     ("05",                   "5",                    False),
    "English word":     ("three plus four",      "three plus five",      False),
    "word or digits":   ("Three apples",         "3 apples",             True),
    "each by itself":   ("twenty-one",           "20 and 1",             False),
    "tens":             ("twenty-one",           "20-one",               True),
    "hundreds":         ("two hundred",          "2, 100",               True),
    "part of a word":   ("often weighty",        "of weight",            True),
    "accented word":    ("teñ dixième",          "dix",                  True),
    "word, Cyrillic":   ("tenя",                 "",                     True),
    "at a hyphen":      ("a ten-year plan",      "a 10-year plan",       True),
    "one is a pronoun": ("one of them",          "some of them",         True),
    "Chinese":          ("三个苹果",               "3个苹果",                True),
    "Chinese, another": ("有三个苹果",             "有四个苹果",              False),
    "Chinese tens":     ("十二月",                "12月",                 True),
    "Chinese hundreds": ("三百二十一元",            "321元",                True),
    "Chinese with 零":   ("一千零五年",             "1005年",               True),
    "Chinese 万":        ("三万五千人",             "35000人",              True),
    "Chinese year":     ("二〇二六年",             "2026年",               True),
    "Chinese sum":      ("三加四等于七",            "3加4等于7",             True),
    "Chinese sum of 一": ("一加二等于三",            "1加2等于3",             True),
    "Chinese ordinal":  ("第一",                  "第二",                  False),
    "a 一":              ("一个苹果",               "这个苹果",               True),
    "一 or 三":           ("一个苹果",               "三个苹果",               False),
    "no numeral":       ("四处走动，十分好，零食",       "到处走动，非常好，点心",       True),
    "ten of them":      ("十个人",                "二十个人",               False),
    "by no means":      ("千万个",                "个",                   True),
}
# fmt: on


@pytest.mark.parametrize(("one", "other", "same"), PAIRS.values(), ids=PAIRS)
def test_numbers_are_compared_as_a_multiset(one: str, other: str, same: bool):
    texts = fold_buffers(pl.Series([one, other]))
    first, second = number_digests(texts.offsets, texts.data).tolist()
    assert (first == second) is same


@given(st.lists(st.integers(-(10**6), 10**6)), st.randoms())
def test_their_order_does_not_count(numbers: list[int], random):
    shuffled = random.sample(numbers, len(numbers))
    texts = fold_buffers(pl.Series([" ; ".join(map(str, row)) for row in (numbers, shuffled)]))
    first, second = number_digests(texts.offsets, texts.data).tolist()
    assert first == second
