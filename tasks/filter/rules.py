"""Is there something to learn from: lengths, empty texts, echoes, unfilled placeholders."""

import polars as pl

from schemas.filter import Echo, Lengths, Placeholders
from schemas.reasons import DropReason
from tasks.filter.evidence import Evidence, Rules, matched
from tasks.placeholders import about_templates, placeholder_in_prose

VISIBLE = r"[^\s\p{Cc}\p{Cf}]"


def length_rules(bounds: Lengths) -> Rules:
    """Lengths in Unicode code points, bounds inclusive; white space at the ends does not count.

    A text of nothing but white space, control and format characters (zero-width space, byte-order
    mark, direction marks) has no length. Where a minimum is 0, the recipe allows the empty text.

    False positive, known: a one-letter answer to a multiple-choice question under
    `min_response_chars: 2`.
    """
    if not bounds.enabled:
        return {}
    prompt, response = visible_chars(pl.col("prompt")), visible_chars(pl.col("response"))
    return {
        DropReason.EMPTY_PROMPT: at_least(prompt, min(bounds.min_prompt_chars, 1)),
        DropReason.EMPTY_RESPONSE: at_least(response, min(bounds.min_response_chars, 1)),
        DropReason.SHORT_PROMPT: at_least(prompt, bounds.min_prompt_chars),
        DropReason.LONG_PROMPT: at_most(prompt, bounds.max_prompt_chars),
        DropReason.SHORT_RESPONSE: at_least(response, bounds.min_response_chars),
        DropReason.LONG_RESPONSE: at_most(response, bounds.max_response_chars),
    }


def echo_rules(echo: Echo) -> Rules:
    """The response is the prompt, or the last user message, and nothing else, after folding.

    The whole message counts, so "Repeat after me: ..." and an edit that finds nothing to mend stay:
    their response equals a part of it only. Prompts of fewer than `min_chars` characters may be
    answered by themselves ("Hello!").

    False positive, known: a longer greeting that is returned word for word.
    """
    if not echo.enabled:
        return {}
    repeats = pl.any_horizontal(
        (pl.col("folded_response") == asked) & (asked.str.len_chars() >= echo.min_chars)
        for asked in (pl.col("folded_prompt"), pl.col("folded_question"))
    )
    said = pl.when(repeats).then(pl.col("response").str.strip_chars())
    return {DropReason.ECHO: matched(said, "a response that is not the prompt")}


def placeholder_rules(placeholders: Placeholders) -> Rules:
    """An unfilled {{placeholder}} stands in prose, in prompt or response, as a name would.

    Code, ``` fences and rows about templates pass, and so does a row whose question holds the same
    placeholder: there the user works on a text with gaps.

    False positive, known: an answer that leaves {{name}} for the reader to fill in, in a row that
    calls it neither template nor placeholder.
    """
    if not placeholders.enabled:
        return {}
    found = pl.coalesce(placeholder_in_prose(pl.col(part)) for part in ("response", "prompt"))
    left_open = found.is_not_null()
    meant = pl.any_horizontal(
        about_templates(pl.col(part), left_open) for part in ("prompt", "response")
    )
    asked = pl.col("question").fill_null("").str.contains(found, literal=True)
    unmeant = pl.when(~meant & ~asked.fill_null(False)).then(found)
    return {DropReason.PLACEHOLDER: matched(unmeant, "a name in its place")}


def visible_chars(text: pl.Expr) -> pl.Expr:
    """Code points between the white space at the ends; 0 where none of them can be seen."""
    return (
        pl.when(text.str.contains(VISIBLE))
        .then(text.str.strip_chars().str.len_chars())
        .otherwise(0)
    )


def at_least(chars: pl.Expr, bound: int) -> Evidence:
    """Evidence against fewer characters than `bound`, which is inclusive."""
    return _bounded(chars, chars < bound, f"at least {_with_unit(bound)}")


def at_most(chars: pl.Expr, bound: int) -> Evidence:
    """Evidence against more characters than `bound`, which is inclusive."""
    return _bounded(chars, chars > bound, f"at most {_with_unit(bound)}")


def _bounded(chars: pl.Expr, broken: pl.Expr, expected: str) -> Evidence:
    unit = pl.when(chars == 1).then(pl.lit(" character")).otherwise(pl.lit(" characters"))
    found = pl.when(broken).then(chars.cast(pl.String) + unit)
    return Evidence(found, pl.lit(expected))


def _with_unit(chars: int) -> str:
    return f"{chars} character" if chars == 1 else f"{chars} characters"
