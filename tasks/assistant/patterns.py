"""Regular expressions from readable parts."""

import re
from collections.abc import Iterable
from typing import NamedTuple

CHARACTER_CLASS = re.compile(r"\[[^\]]*\]")
WORD = r"\w"


class RefusalWords(NamedTuple):
    """How one language refuses: regular expressions, and what tells a hedge from a refusal.

    `flat` and `unanswerable` stand in the first `opening_chars`, `opening` starts the response. It
    is a hedge where, without the sentences of `advice`, at least `answer_chars` characters follow
    a `turn` ("However, ..."), or `max_chars` follow the refusal at all.
    """

    flat: str
    unanswerable: str
    opening: str
    turn: str
    advice: str
    opening_chars: int
    answer_chars: int
    max_chars: int


def either(lines: str) -> str:
    """A group of alternatives, one or more (with | between them) on each line of `lines`."""
    return f"(?:{'|'.join(line.strip() for line in lines.strip().splitlines())})"


def any_of(patterns: Iterable[str]) -> str:
    """One expression, without regard to case, that matches where any of the patterns does.

    Letters, word boundaries and white space are those of ASCII, except in negated classes and in
    classes that hold other characters: with Unicode's, the engine leaves its fast automaton at the
    first Chinese character or curly quotation mark, and is fifty times slower.
    """
    joined = "|".join(patterns).replace("['’]", "(?:'|’)").replace(r"\W", r"[^\w]")
    return f"(?i-u:{CHARACTER_CLASS.sub(_with_its_alphabet, joined)})"


def _with_its_alphabet(match: re.Match[str]) -> str:
    characters = match.group()
    if characters.startswith("[^"):
        return f"(?u:{characters.replace(WORD, 'a-zA-Z0-9_')})"
    return characters if characters.isascii() else f"(?u:{characters})"
