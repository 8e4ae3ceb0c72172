"""Answers: when two responses come to the same one."""

import polars as pl
import pytest

from tasks.dedupe.answers import ANSWER_BYTES, answer_digests
from tasks.fold import fold_buffers

WHY = "Penguins are birds, and birds lay eggs, so that penguins lay eggs as well"
WHYS = "企鹅是鸟，鸟会下蛋，所以企鹅也会下蛋"

# fmt: off
PAIRS = {  #              one response                      another                            same answer?
    "none":              (WHY,                              WHYS,                              True),
    "nothing at all":    ("",                               " .!",                             True),
    "yes, no at end":    (f"{WHY}: yes.",                   f"{WHY}: no.",                     False),
    "yes, no at start":  (f"Yes, {WHY}.",                   f"No, {WHY}.",                     False),
    "a verdict, none":   (f"Yes, {WHY}.",                   f"{WHY}.",                         False),
    "start or end":      (f"Yes. {WHY}",                    f"{WHY}. Yes",                     False),
    "the same meaning":  (f"{WHY}. True!",                  f"{WHY}: yes",                     True),
    "only the verdict":  ("Yes.",                           "yes",                             True),
    "in a word":         ("Nobody knows",                   "Yesterday",                       True),
    "in the middle":     (f"{WHY}, yes, it is so",          f"{WHY}, no, it is so",            True),
    "after the words":   ("The answer is yes.",             "The answer is no.",               False),
    "another answer":    (f"{WHY}. The answer is Paris.",   f"{WHY}. The answer is London.",   False),
    "no full stop":      (f"{WHY}. The answer is Paris.",   f"{WHY}. the answer is: Paris",    True),
    "several words":     ("The answer is Great Britain.",   "The answer is New Britain.",      False),
    "words, verdict":    ("The answer is not so, no.",      "The answer is no.",               False),
    "with a colon":      (f"{WHY}. Answer: yes",            f"{WHY}. Answer: no",              False),
    "GSM8K's mark":      (f"{WHY} #### five",               f"{WHY} #### six",                 False),
    "at the bound":      (f"{WHY} #### {'a' * (ANSWER_BYTES - 2)}",  f"{WHY} #### {'b' * (ANSWER_BYTES - 2)}",   False),
    "beyond the bound":  (f"{WHY} #### {'a' * (ANSWER_BYTES - 1)}",  f"{WHY} #### {'b' * (ANSWER_BYTES - 1)}",   True),
    "option":            (f"{WHY}. The answer is (A).",     f"{WHY}. The answer is (C).",      False),
    "option's brackets": (f"{WHY}. The answer is (A).",     f"{WHY}. The answer is A)",        True),
    "option at the end": (f"{WHY}, hence (B)",              f"{WHY}, hence (D)",               False),
    "option at start":   (f"B. {WHY}",                      f"C. {WHY}",                       False),
    "an article":        ("A penguin is a bird",            "The penguin is a bird",           True),
    "Chinese verdicts":  (f"是的，{WHYS}。",                  f"不是，{WHYS}。",                   False),
    "Chinese sentence":  (f"是鸟，{WHYS}。",                  f"不是鱼，{WHYS}。",                 True),
    "Chinese end":       (f"{WHYS}，正确。",                  f"{WHYS}，错误。",                   False),
    "Chinese, answer":   (f"{WHYS}。答案是巴黎。",             f"{WHYS}。答案是伦敦。",              False),
    "Chinese, English":  (f"{WHYS}。答案是：否",               f"{WHYS}. The answer is no.",      True),
    "entailment":        (f"{WHY}. Entailment.",            f"{WHY}. Neutral.",                False),
    "emoji":             ("😀 yes 😀",                       "yes",                             True),
    "U+FFFD":            ("\ufffd\ufffd",                   "\ufffd yes",                      False),
}
# fmt: on


@pytest.mark.parametrize(("one", "other", "same"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("strict", [False, True], ids=["prose", "code"])
def test_what_a_response_begins_and_ends_with_is_compared(
    one: str, other: str, same: bool, strict: bool
):
    texts = fold_buffers(pl.Series(["before", one, other])[1:], strict=strict)
    first, second = answer_digests(texts.offsets, texts.data).tolist()
    assert (first == second) is same
