"""Responses that say the same over and over: runs of words, lines, one character.

Degenerate sampling ends in such loops (Holtzman et al. 2020). Refrains, tables, code, quizzes and
plans repeat themselves too, with reason: what asks for them or looks like them is left alone.
"""

from collections.abc import Callable

import polars as pl

from schemas.quality import CharacterRun, RepeatedLines, RepeatedNgrams
from schemas.reasons import DropReason
from tasks.assistant.suspects import of_suspects
from tasks.filter.evidence import Rules, matched
from tasks.filter.genre import (
    asks_for_repeats,
    asks_for_signs,
    asks_for_verse,
    holds_code,
    holds_table,
)

# White space, dashes, dots and box characters draw lines and lead to page numbers.
UNIT = r"[\p{L}\p{N}\p{M}\p{S}。！？，、；：--[\x{2500}-\x{259f}\x00-\x20=+~^|`<>$]]"


def ngram_rules(bounds: RepeatedNgrams) -> Rules:
    """More than `max_share` of the response's words stand in runs of words that it said before.

    Left alone: songs and poems, code, tables, and what was asked to be alike in its parts.

    Measured on 150,650 rows of 14 real corpora: 1 row at the default, a list that runs on. At a
    share of 0.5 it drops 30 without these exceptions, none of them a loop (songs, HTML tables, a
    sorting algorithm's steps), and web text's bound of 0.15 would drop 565 rows of Alpaca. Off by
    default for want of rows.

    False positive, known: the lyrics of an existing song asked for by its name alone.
    """
    if not bounds.enabled:
        return {}
    found = _measured(lambda texts: _ngrams(texts, bounds))
    expected = f"at most {bounds.max_share:.0%} in runs of words that stood before"
    return {DropReason.REPEATED_NGRAMS: matched(_unmeant(found), expected)}


def line_rules(bounds: RepeatedLines) -> Rules:
    """More than `max_share` of the response's lines stood in it before.

    Measured on the same rows: 0 rows at the default, with the exceptions of `ngram_rules`. Off by
    default.

    False positive, known: a shopping list for each day of a week, asked for without a word that
    says so.
    """
    if not bounds.enabled:
        return {}
    found = _measured(lambda texts: _lines(texts, bounds))
    expected = f"at most {bounds.max_share:.0%} that stood before"
    return {DropReason.REPEATED_LINES: matched(_unmeant(found), expected)}


def run_rules(bounds: CharacterRun) -> Rules:
    """One unit of at most 24 bytes stands more than `max_repeats` times in a row.

    White space, rules, leader dots and boxes are no units.

    Measured on the same rows: 7, six heaps of accents and 5,588 zeros; none is wrong, and at 12
    repeats there would be none more but spaces and binary numbers. Off by default for want of rows.

    False positive, known: one third written out with a hundred digits.
    """
    if not bounds.enabled:
        return {}
    found = _measured(lambda texts: _runs(texts, bounds))
    expected = f"at most {bounds.max_repeats} times in a row"
    return {DropReason.CHARACTER_RUN: matched(found, expected)}


def _measured(measure: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """What a measure finds in the response, in words; null where it is within its bounds."""
    return pl.col("response").map_batches(measure, return_dtype=pl.String(), is_elementwise=True)


def _unmeant(found: pl.Expr) -> pl.Expr:
    """What was found, but where repetition was asked for or comes with the kind of text."""
    asked, response = pl.col("asked"), pl.col("response")
    meant = (
        asks_for_verse(asked)
        | asks_for_repeats(asked)
        | asks_for_signs(asked)
        | holds_code(response)
        | holds_table(response)
    )
    return of_suspects(
        pl.col("found").is_not_null(),
        lambda rows: rows.select(pl.when(~meant).then(pl.col("found"))),
        pl.String(),
        found=found,
        asked=pl.col("question").fill_null(pl.col("prompt")),
        response=response,
    )


def _ngrams(texts: pl.Series, bounds: RepeatedNgrams) -> pl.Series:
    from tasks.filter.surface import repeated_shares

    words, share = pl.col("words"), pl.col("share")
    broken = (words >= bounds.min_words) & (share > bounds.max_share)
    measured = repeated_shares(texts, bounds.words, bounds.characters)
    return measured.select(
        pl.when(broken).then(pl.format("{} % of {} words", _percent(share), words))
    ).to_series()


def _lines(texts: pl.Series, bounds: RepeatedLines) -> pl.Series:
    from tasks.filter.surface import repeated_lines

    lines, share = pl.col("lines"), pl.col("share")
    broken = (lines >= bounds.min_lines) & (share > bounds.max_share)
    return (
        repeated_lines(texts, bounds.min_lines)
        .select(pl.when(broken).then(pl.format("{} % of {} lines", _percent(share), lines)))
        .to_series()
    )


def _percent(share: pl.Expr) -> pl.Expr:
    return (share * 100).round().cast(pl.Int64)


def _runs(texts: pl.Series, bounds: CharacterRun) -> pl.Series:
    from tasks.filter.surface import longest_runs

    runs = longest_runs(texts).with_columns(text=texts).with_row_index("row")
    unit = pl.col("text").cast(pl.Binary).bin.slice("start", "unit_bytes").cast(pl.String)
    found = (
        runs.filter(pl.col("repeats") > bounds.max_repeats)
        .with_columns(unit=unit)
        .filter(pl.col("unit").str.contains(UNIT))
        .select("row", found=pl.format("{} times {}", "repeats", "unit"))
    )
    return runs.select("row").join(found, on="row", how="left", maintain_order="left")["found"]
