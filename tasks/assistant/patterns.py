"""Regular expressions from readable parts."""

import re
from collections.abc import Iterable

import polars as pl

CHARACTER_CLASS = re.compile(r"\[[^\]]*\]")
WORD = r"\w"
# Alternatives in one automaton: fewer compile for longer, more outgrow its cache and crawl.
AT_ONCE = 6


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


def first_of(text: pl.Expr, patterns: Iterable[str]) -> pl.Expr:
    """The words of the first pattern that is in the text, case aside; null where none is."""
    return pl.coalesce(text.str.extract(f"({any_of(group)})", 1) for group in in_groups(patterns))


def in_groups(patterns: Iterable[str]) -> list[list[str]]:
    """The patterns, in order, by `AT_ONCE`."""
    listed = list(patterns)
    return [listed[start : start + AT_ONCE] for start in range(0, len(listed), AT_ONCE)]


def _with_its_alphabet(match: re.Match[str]) -> str:
    characters = match.group()
    if characters.startswith("[^"):
        return f"(?u:{characters.replace(WORD, 'a-zA-Z0-9_')})"
    return characters if characters.isascii() else f"(?u:{characters})"
