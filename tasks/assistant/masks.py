"""Tokens in the place of names: a pattern that holds two hundred names is slow to compile.

A text is masked, and patterns that hold names become patterns that hold tokens. They find all that
the patterns find, and little more: what they find is read again with the names, most often nothing.
"""

from collections.abc import Iterable

import polars as pl

from tasks.assistant.english import FIRMS, HOUSE_NAMES, LABS, MODELS, SHARED_NAMES
from tasks.assistant.patterns import any_of, in_groups

# In this order: "OpenAI's GPT-4" is one name of a model, and no maker's.
TOKENS = {MODELS: "zqm", SHARED_NAMES: "zqs", LABS: "zql", FIRMS: "zqf"}
# A token that a longer name may have left: DeepSeek is a model and a lab.
MEANT = {
    MODELS: "zqm",
    HOUSE_NAMES: "zq[sm]",
    SHARED_NAMES: "zq[sm]",
    LABS: "zq[lm]",
    FIRMS: "zq[flm]",
}


def masked(text: pl.Expr) -> pl.Expr:
    """The text with a token for each name of a model or maker."""
    for names, token in TOKENS.items():
        text = text.str.replace_all(any_of([rf"\b{names}\b"]), token)
    return text


def may_hold(text: pl.Expr, patterns: Iterable[str]) -> pl.Expr:
    """Whether a masked text may hold one of the patterns."""
    return pl.any_horizontal(
        text.str.contains(any_of(group)) for group in in_groups(map(_of_tokens, patterns))
    )


def _of_tokens(pattern: str) -> str:
    for names, token in MEANT.items():
        pattern = pattern.replace(names, token)
    return pattern
