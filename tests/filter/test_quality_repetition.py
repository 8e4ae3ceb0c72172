import pytest

from schemas.quality import CharacterRun, RepeatedLines, RepeatedNgrams
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only_quality, records

LOOP = "I like to walk in the park. "
ZH_LOOP = "他喜欢在公园里散步。"
NGRAMS = RepeatedNgrams(enabled=True, words=5, characters=5, min_words=20, max_share=0.5)

# fmt: off
LOOPS = {  #                     prompt                         response                                       falls
    "a sentence over and over": ("What do you do?",             LOOP * 8,                                      True),
    "the same in Chinese":      ("他做什么？",                    ZH_LOOP * 8,                                   True),
    "one word":                 ("What do you do?",             "very " * 60,                                  True),
    "case and marks aside":     ("What do you do?",             "I like to WALK in the park! " * 4 + LOOP * 4, True),
    "said twice":               ("What do you do?",             LOOP * 2 + "Then I come home, cook dinner and read until I fall asleep on my sofa.", False),
    "too short to measure":     ("What do you do?",             LOOP * 2,                                      False),
    "a song":                   ("Write a song about a park",   LOOP * 8,                                      False),
    "a song, in Chinese":       ("写一首关于公园的歌",             ZH_LOOP * 8,                                   False),
    "asked to repeat":          ("Repeat after me ten times",   LOOP * 10,                                     False),
    "code":                     ("Show me",                     "print(add(1, 2, 3, 4))\n" * 12,                False),
    "a table":                  ("Show me",                     "| a | b | c | d | e |\n" * 12,                 False),
    "nothing":                  ("What do you do?",             "",                                            False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "falls"), LOOPS.values(), ids=LOOPS)
def test_words_said_before_are_repeated(prompt, response, falls):
    rules = only_quality(repeated_ngrams=NGRAMS)
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.REPEATED_NGRAMS if falls else None]


@pytest.mark.parametrize(("max_share", "falls"), [(0.49, True), (0.5, False)])
def test_the_share_of_repeated_words_may_reach_its_bound(max_share, falls):
    said = " ".join(f"word{number}" for number in range(10))
    rules = only_quality(
        repeated_ngrams=RepeatedNgrams(enabled=True, min_words=20, max_share=max_share)
    )
    verdict = judge(records(("Say it", f"{said} {said}")), rules).collect()
    assert verdict["found"].to_list() == ["50 % of 20 words" if falls else None]


def lines(*shares: str) -> str:
    return "\n".join(shares)


# fmt: off
LINES = {  #                       response                                                falls
    "four of six stood before":    (lines("one", "two", "one", "two", "one", "two"),         True),
    "three of six":                (lines("one", "two", "xyz", "two", "one", "one"),         False),
    "marks and case aside":        (lines("- One", "one!", "* ONE", "one", "1one", "one."),  True),
    "fewer lines than measured":   (lines("one", "one", "one", "one", "one"),                False),
    "lines without letters":       (lines("one", "", "", "~", "~", "two", "~", "~"),         False),
    "in Chinese":                  (lines(*["我们走吧。"] * 6),                                True),
}
# fmt: on


@pytest.mark.parametrize(("response", "falls"), LINES.values(), ids=LINES)
def test_lines_that_stood_before_are_repeated(response, falls):
    rules = only_quality(repeated_lines=RepeatedLines(enabled=True, min_lines=6, max_share=0.5))
    verdict = judge(records(("Go on", response)), rules).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.REPEATED_LINES if falls else None]


# fmt: off
RUNS = {  #                         response                              found
    "one letter":                   ("well " + "a" * 51,                  "51 times a"),
    "one letter at its bound":      ("well " + "a" * 50,                  None),
    "a unit of two":                ("ha" * 51,                           "51 times ha"),
    "a unit of two at its bound":   ("ha" * 50,                           None),
    "a unit with white space":      ("1. " * 60,                          "60 times 1. "),
    "Chinese full stops":           ("好" + "。" * 60,                     "60 times 。"),
    "Chinese laughter":             ("哈" * 60,                           "60 times 哈"),
    "a heap of accents":            ("founded 1976 " + "\u0326" * 60,     "60 times \u0326"),
    "eight Chinese characters":     ("一二三四五六七八" * 51,               "51 times 一二三四五六七八"),
    "a rule":                       ("Title\n" + "-" * 80,                None),
    "a rule of boxes":              ("Title\n" + "═" * 80,                None),
    "leader dots":                  ("Chapter 1 " + "." * 80 + " 12",     None),
    "Chinese leader dots":          ("第一章" + "…" * 80 + "12",           None),
    "a table's empty row":          ("| |" * 60,                          None),
    "spaces":                       ("a" + " " * 90 + "b",                None),
    "no-break spaces":              ("a" + "\u00a0" * 90 + "b",           None),
    "a unit beyond the longest":    ("abcdefghijklmnopqrstuvwxyz" * 60,   None),
    "nothing":                      ("",                                  None),
}
# fmt: on


@pytest.mark.parametrize(("response", "found"), RUNS.values(), ids=RUNS)
def test_a_unit_over_and_over_is_a_run(response, found):
    rules = only_quality(character_run=CharacterRun(enabled=True, max_repeats=50))
    verdict = judge(records(("Go on", response)), rules).collect()
    assert verdict["found"].to_list() == [found]


@pytest.mark.parametrize("before", range(0, 48, 5))
def test_a_run_is_found_wherever_it_stands(before):
    text = "".join(chr(ord("A") + number % 26) for number in range(before)) + "é" * 51 + " end"
    rules = only_quality(character_run=CharacterRun(enabled=True, max_repeats=50))
    verdict = judge(records(("Go on", text)), rules).collect()
    assert verdict["found"].to_list() == ["51 times é"]
