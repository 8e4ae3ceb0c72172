import pytest

from schemas.filter import Echo, Lengths
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only, records, talks

BOUNDS = Lengths(min_prompt_chars=3, max_prompt_chars=6, min_response_chars=2, max_response_chars=5)

# fmt: off
LENGTHS = {  #                       prompt       response       reason
    "within all bounds":           ("What",      "four",        None),
    "prompt of nothing":           ("",          "four",        DropReason.EMPTY_PROMPT),
    "prompt of white space":       (" \n\t",     "four",        DropReason.EMPTY_PROMPT),
    "prompt one below":            ("Hi",        "four",        DropReason.SHORT_PROMPT),
    "prompt at its minimum":       ("Why",       "four",        None),
    "prompt at its maximum":       ("Why so",    "four",        None),
    "prompt one above":            ("Why so?",   "four",        DropReason.LONG_PROMPT),
    "ends do not count":           ("\n Why so ", "four",       None),
    "white space inside counts":   ("Why  so",   "four",        DropReason.LONG_PROMPT),
    "response of nothing":         ("What",      "",            DropReason.EMPTY_RESPONSE),
    "response of white space":     ("What",      "\u3000\r\n",  DropReason.EMPTY_RESPONSE),
    "response of zero width":      ("What",      "\u200b\ufeff", DropReason.EMPTY_RESPONSE),
    "response of direction marks": ("What",      "\u200f\u202e", DropReason.EMPTY_RESPONSE),
    "response one below":          ("What",      "a",           DropReason.SHORT_RESPONSE),
    "response at its minimum":     ("What",      "ab",          None),
    "points, not bytes":           ("What",      "éé€中文",      None),
    "response at its maximum":     ("What",      "abcde",       None),
    "response one above":          ("What",      "abcdef",      DropReason.LONG_RESPONSE),
    "the prompt is asked first":   ("",          "",            DropReason.EMPTY_PROMPT),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "reason"), LENGTHS.values(), ids=LENGTHS)
def test_bounds_are_inclusive_and_in_code_points(prompt, response, reason):
    verdict = judge(records((prompt, response)), only(lengths=BOUNDS)).collect()
    assert verdict["drop_reason"].to_list() == [reason]


def test_a_length_is_found_and_expected_with_its_unit():
    rows = records(("What", "a"), ("What", "abcdef"), ("What", ""), ("What", "abc"))
    verdict = judge(rows, only(lengths=BOUNDS)).collect()
    assert verdict.select("found", "expected").rows() == [
        ("1 character", "at least 2 characters"),
        ("6 characters", "at most 5 characters"),
        ("0 characters", "at least 1 character"),
        (None, None),
    ]


def test_a_minimum_of_zero_allows_an_empty_text():
    bounds = Lengths(min_prompt_chars=0, min_response_chars=0)
    verdict = judge(records(("", "")), only(lengths=bounds)).collect()
    assert verdict["drop_reason"].to_list() == [None]


def test_a_conversation_that_starts_with_its_response_has_an_empty_prompt():
    verdict = judge(talks([("assistant", "Hello")]), only(lengths=Lengths())).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.EMPTY_PROMPT]


# fmt: off
ECHOES = {  #                        turns                                              echo
    "word for word":               (("Name a primate.", "Name a primate."),              True),
    "after folding":               (("Name a  PRIMATE.", "name a primate.\n"),           True),
    "full width":                  (("ＮＡＭＥ one now", "name one now"),                  True),
    "Chinese":                     (("制定用户界面的设计计划。", "制定用户界面的设计计划。"),   True),
    "the last user message":       (("Hi.", "Hello.", "Tell me more", "tell me more"),   True),
    "an earlier user message":     (("Tell me more", "No.", "Please!", "Tell me more"),  False),
    "at the minimum":              (("12345678", "12345678"),                            True),
    "one below the minimum":       (("1234567", "1234567"),                              False),
    "repeat after me":             (("Repeat after me: good morning", "good morning"),   False),
    "nothing to mend":             (("Correct this.\n\nIt is fine.", "It is fine."),     False),
    "the prompt and an answer":    (("Name a primate.", "Name a primate. Lemur"),        False),
    "translating a name":          (("Translate: Alexander", "Alexander"),               False),
}
# fmt: on


@pytest.mark.parametrize(("turns", "echo"), ECHOES.values(), ids=ECHOES)
def test_an_echo_is_the_whole_prompt_or_question_again(turns, echo):
    verdict = judge(records(turns), only(echo=Echo(min_chars=8))).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.ECHO if echo else None]


def test_the_output_of_a_tool_may_be_the_answer():
    turns = [
        ("user", "Weather?"),
        ("tool", "Sunny, 20 degrees"),
        ("assistant", "Sunny, 20 degrees"),
    ]
    verdict = judge(talks(turns), only(echo=Echo())).collect()
    assert verdict["drop_reason"].to_list() == [None]
