"""What a rule says of a row: the evidence against it, or nothing."""

from typing import NamedTuple

import polars as pl

from schemas.reasons import DropReason

EVIDENCE_CHARS = 200


class Evidence(NamedTuple):
    """Two String expressions over the columns that `judge` prepares.

    `found` is what broke the rule (a count with its unit, or the matched text) and is null where
    the row passes; `expected` is the bound or the item it was held against.
    """

    found: pl.Expr
    expected: pl.Expr


Rules = dict[DropReason, Evidence]


def matched(found: pl.Expr, expected: pl.Expr | str) -> Evidence:
    """Evidence that quotes the matched text, at most `EVIDENCE_CHARS` of it."""
    held_against = pl.lit(expected) if isinstance(expected, str) else expected
    return Evidence(found.str.head(EVIDENCE_CHARS), held_against)
