"""Marks out of place: code fences without a partner, symbols where words should stand."""

import polars as pl

from schemas.quality import BrokenFence, Symbols
from schemas.reasons import DropReason
from tasks.assistant.suspects import of_suspects
from tasks.filter.evidence import Rules, matched
from tasks.filter.genre import asks_for_signs

# A line of three backticks or more, with or without the name of a language; `code` on one line
# between two of them is a span.
FENCE = r"(?m)^[ \t>]*(?:(?:[-*]|\d+[.)])[ \t]+)?```+[^`\n]*$"
_NAMED = r"```+[ \t]*[^\s`]"
_PAIR = "[on]n"  # any fence, and one without a name that closes it


def fence_rules(bounds: BrokenFence) -> Rules:
    """More than `max_unmatched` ``` fences are without a partner.

    A fence that names a language opens; one that does not closes what is open, or else opens
    (CommonMark 0.31, 4.5). Indented ones, in lists and quotations, count as well.

    Measured on 150,650 rows of 14 real corpora, few of which have fences: 4 rows, all of them
    broken indeed. Off by default for want of rows.

    False positive, known: an answer about Markdown that shows a single fence.
    """
    if not bounds.enabled:
        return {}
    response = pl.col("response")
    kinds = response.str.extract_all(FENCE).list.eval(
        pl.when(pl.element().str.contains(_NAMED)).then(pl.lit("o")).otherwise(pl.lit("n"))
    )
    unmatched = kinds.list.join("").str.replace_all(_PAIR, "").str.len_chars()
    broken = pl.when(unmatched > bounds.max_unmatched).then(
        pl.format("{} of {} fences without a partner", unmatched, kinds.list.len())
    )
    return {
        DropReason.BROKEN_FENCE: matched(
            of_suspects(
                response.str.contains("```", literal=True),
                lambda rows: rows.select(broken),
                pl.String(),
                response=response,
            ),
            f"at most {bounds.max_unmatched}",
        )
    }


def symbol_rules(bounds: Symbols) -> Rules:
    """There are more than `max_per_letter` symbols to a letter or digit, and `min_symbols` or more.

    Symbols are emoji, boxes, dingbats, private and unassigned code points, and accents piled on one
    letter; ASCII, punctuation and mathematical operators are none, so that code, tables and
    formulas pass. Left alone: rows that ask for emoji, drawings, charts or tables.

    Measured on the same rows: 6, all of them heaps of accents. Off by default for want of rows.

    False positive, known: a level of a game drawn with blocks, asked for by its name alone.
    """
    if not bounds.enabled:
        return {}
    asked = pl.col("asked")
    found = pl.col("response").map_batches(
        lambda texts: _too_many(texts, bounds), return_dtype=pl.String(), is_elementwise=True
    )
    return {
        DropReason.SYMBOLS: matched(
            of_suspects(
                pl.col("found").is_not_null(),
                lambda rows: rows.select(pl.when(~asks_for_signs(asked)).then(pl.col("found"))),
                pl.String(),
                asked=pl.col("question").fill_null(pl.col("prompt")),
                found=found,
            ),
            f"at most {bounds.max_per_letter:g} to a letter",
        )
    }


def _too_many(texts: pl.Series, bounds: Symbols) -> pl.Series:
    from tasks.filter.surface import count_signs

    letters, symbols = pl.col("letters"), pl.col("symbols")
    broken = (symbols >= bounds.min_symbols) & (symbols > bounds.max_per_letter * letters)
    return (
        count_signs(texts)
        .select(pl.when(broken).then(pl.format("{} symbols, {} letters", symbols, letters)))
        .to_series()
    )
