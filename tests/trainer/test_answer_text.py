"""What of an answer can be shown before it is whole: nothing that is taken away again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.answer_text import AnswerText

PLAIN = AnswerText("", "", ())
STOPS = AnswerText("", "", ("\nUser:", "##"))
FRAMED = AnswerText(" ", "\n", ())
# fmt: off
CASES = {  #                   how     text            settled      whole
    "nothing yet":            (PLAIN,  "",             "",          ""),
    "words":                  (PLAIN,  "a b",          "a b",       "a b"),
    "half a character":       (PLAIN,  "a\ufffd",      "a",         "a\ufffd"),
    "its lead":               (FRAMED, " ",            "",          ""),
    "lead and word":          (FRAMED, " a",           "a",         "a"),
    "the tail may go on":     (FRAMED, " a\n",         "a",         "a"),
    "a tail inside":          (FRAMED, " a\nb",        "a\nb",      "a\nb"),
    "begins a stop string":   (STOPS,  "a\nUs",        "a",         "a\nUs"),
    "begins another":         (STOPS,  "a#",           "a",         "a#"),
    "does not after all":     (STOPS,  "a\nUse",       "a",         "a\nUse"),
    "goes elsewhere":         (STOPS,  "a\nUsa",       "a\nUsa",    "a\nUsa"),
    "holds a stop string":    (STOPS,  "a\nUser: b",   "a",         "a"),
    "holds two, the first":   (STOPS,  "a## b\nUser:", "a",         "a"),
    "is a stop string":       (STOPS,  "##",           "",          ""),
}
# fmt: on


@pytest.mark.parametrize(("how", "text", "settled", "whole"), CASES.values(), ids=CASES.keys())
def test_text_is_settled_when_no_token_can_take_it_back(how, text, settled, whole):
    assert how.settled(text) == settled
    assert how.whole(text) == whole


WORDS = st.text("ab#\nUs:e \ufffd", max_size=12)


@given(WORDS, st.lists(st.text("ab#\nUs:e ", min_size=1, max_size=3), max_size=3), st.data())
def test_what_was_settled_stays_and_ends_as_the_whole(text, stops, data):
    """The text grows in pieces, complete characters only; it ends where it holds a stop string."""
    text = text.replace("\ufffd", "")
    how = AnswerText("", data.draw(st.sampled_from(["", "\n", " a"])), tuple(stops))
    shown = ""
    for end in range(len(text) + 1):
        settled = how.settled(text[:end])
        assert settled.startswith(shown)
        shown = settled
        if how.has_stop(text[:end]):
            break
    assert how.whole(text).startswith(shown)
    assert not any(stop in how.whole(text) for stop in stops)
