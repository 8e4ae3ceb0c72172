"""Digests: what makes two conversations the same."""

import polars as pl
import pytest

from tasks.dedupe.digest import conversation_digests, text_digests
from tasks.fold import text_buffers
from tests.dedupe.corpora import records

# fmt: off
KNOWN = {  #     text                                           MurmurHash3 x64 128, seed 0
    "empty":    ("",                                            "00000000000000000000000000000000"),
    "5 bytes":  ("hello",                                       "cbd8a7b341bd9b025b1e906a48ae1d19"),
    "12 bytes": ("hello, world",                                "342fac623a5ebc8e4cdcbc079642414d"),
    "43 bytes": ("The quick brown fox jumps over the lazy dog", "e34bbc7bbc071b6c7a433ca9c49a9347"),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), KNOWN.values(), ids=KNOWN)
def test_text_digests_are_murmur3s(text: str, expected: str):
    # A slice, so that the text begins in the middle of its buffer.
    texts = text_buffers(pl.Series(["before", text])[1:])
    low, high = text_digests(texts.offsets, texts.data)[0]
    assert f"{low:016x}{high:016x}" == expected


def turns(*contents: str, roles: str = "uuuuuuu") -> dict[str, object]:
    names = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    before = [
        {"role": names[role], "content": content}
        for role, content in zip(roles, contents[:-1], strict=False)
    ]
    return {"messages": [*before, {"role": "assistant", "content": contents[-1]}]}


# fmt: off
PAIRS = {  #               one row                               another                                    the same?
    "case and space":     (turns("Hi  there", "Yes"),            turns("hi there ", "YES"),                 True),
    "another answer":     (turns("Hi", "Yes"),                   turns("Hi", "No"),                         False),
    "sides swapped":      (turns("Hi", "Yes"),                   turns("Yes", "Hi"),                        False),
    "turn ends moved":    (turns("a", "b c", "d"),               turns("a b", "c", "d"),                    False),
    "turns joined":       (turns("a", "b", "d"),                 turns("a\n\nb", "d"),                      False),
    "another role":       (turns("a", "b", "d", roles="su"),     turns("a", "b", "d", roles="uu"),          False),
    "a turn of nothing":  (turns("", "a", "b"),                  turns("a", "b"),                           False),
    "tools, none":        ({**turns("a", "b"), "tools": "[1]"},  turns("a", "b"),                           False),
    "other tools":        ({**turns("a", "b"), "tools": "[1]"},  {**turns("a", "b"), "tools": "[2]"},       False),
    "tools' case":        ({**turns("a", "b"), "tools": "[A]"},  {**turns("a", "b"), "tools": "[a]"},       False),
    "the same tools":     ({**turns("a", "b"), "tools": "[1]"},  {**turns("A", "B"), "tools": "[1]"},       True),
}
# fmt: on


@pytest.mark.parametrize(("one", "other", "same"), PAIRS.values(), ids=PAIRS)
def test_roles_contents_their_order_and_tools_count(
    one: dict[str, object], other: dict[str, object], same: bool
):
    first, second = conversation_digests(records([one, other]), strict=False).tolist()
    assert (first == second) is same


def test_the_strict_form_tells_case_and_indentation_apart():
    rows = records([turns("a", "if x:\n  y"), turns("a", "if x:\n    y"), turns("A", "if x:\n  y")])
    assert len({tuple(row) for row in conversation_digests(rows, strict=True).tolist()}) == 3


def test_no_rows_have_no_digests():
    assert conversation_digests(records([]), strict=False).shape == (0, 2)
