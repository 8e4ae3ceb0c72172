r"""How personal data is found in a text: proposed by a pattern, then judged where it stands.

A `Finder` marks what its pattern proposes, cuts the text there, and judges the pieces as columns:
their digits, their checksums, the words before and after. What passes can be named or replaced,
place for place, and nothing else of the text is touched.
"""

import functools
import operator
from dataclasses import dataclass

import numpy as np
import polars as pl

MARK = "\0"  # no text has it: it goes at the door
CONTEXT_CHARS = 60
PARAGRAPH = r"(?s)^.*\n\n"  # where a message may have ended
EARLIER_LINES = r"(?s)^.*\n"
REST_OF_PARAGRAPHS = r"(?s)\n\n.*$"
# A character written out in JSON or code, whose letter is not the beginning of a word.
ESCAPED = r"\\(?:u[0-9a-fA-F]{4}|[bfnrtv])"
# Rust's \b counts Chinese characters as word characters; between ASCII ones only, this does not.
EDGE = r"(?-u:\b)"

PIECE, BEFORE, AFTER = pl.col("piece"), pl.col("before"), pl.col("after")
DIGITS = pl.col("digits")


@dataclass(frozen=True)
class Finder:
    """One kind of personal data.

    Every text with one matches one of `hints`, regular expressions that need only be fast: those
    that begin with a digit or a few letters are, by far, and two are faster than one of both. Each
    of `patterns` is what stands before a proposal, which is left alone, and the proposal; neither
    has groups of its own. `holds` says whether a proposal is one, over `piece`, its `digits`,
    `before` and `after`: at most `CONTEXT_CHARS` characters of the same paragraph on either side.
    """

    hints: tuple[str, ...]
    patterns: tuple[tuple[str, str], ...]
    holds: pl.Expr

    def suspects(self, texts: pl.Series) -> pl.Series:
        """Which texts may hold one: a boolean per text, false for null."""
        matching = (texts.str.contains(hint) for hint in self.hints)
        return functools.reduce(operator.or_, matching).fill_null(False)

    def found(self, texts: pl.Series) -> pl.DataFrame:
        """One row per find, in order: `text` (UInt32, the place in `texts`) and `found`."""
        pieces = self._pieces(texts)
        return pieces.filter("holds").select("text", found="piece")

    def replaced(self, texts: pl.Series, placeholder: str) -> pl.Series:
        """The texts with every find replaced; a bare value of JSON becomes a string."""
        return self._written(texts, _in_json(placeholder))

    def masked(self, texts: pl.Series, mask: pl.Expr) -> pl.Series:
        """The texts with every find masked; `mask` is over `piece`."""
        return self._written(texts, mask)

    def _written(self, texts: pl.Series, instead: pl.Expr) -> pl.Series:
        places = self.suspects(texts).arg_true()
        if places.is_empty():
            return texts
        pieces = self._pieces(texts.gather(places))
        if not pieces["holds"].any():
            return texts
        struck = pieces.filter(pl.col("holds").any().over("text"))
        whole = (
            struck.with_columns(piece=pl.when("holds").then(instead).otherwise("piece"))
            .group_by("text", maintain_order=True)
            .agg(pl.col("piece").str.join(""))
        )
        return exchanged(texts, places.gather(whole["text"]), whole["piece"])

    @property
    def _marks(self) -> str:
        """Whichever pattern matched, between two marks: the groups of the others are empty."""
        groups = [f"${{{number}}}" for number in range(1, 2 * len(self.patterns) + 1)]
        before, proposal = "".join(groups[::2]), "".join(groups[1::2])
        return f"{before}{MARK}{proposal}{MARK}"

    def _pieces(self, texts: pl.Series) -> pl.DataFrame:
        """One row per piece, in order: `text`, `piece`, `before`, `after`, `holds`."""
        marked = texts.str.replace_all(MARK, "", literal=True).str.replace_all(
            "|".join(f"({before})({proposal})" for before, proposal in self.patterns), self._marks
        )
        pieces = (
            pl.DataFrame({"piece": marked.str.split(MARK)})
            .with_row_index("text")
            .filter(pl.col("piece").list.len() > 1)
            .explode("piece")
            .with_columns(proposed=pl.int_range(pl.len()).over("text") % 2 == 1)
            .with_columns(before=_context_before(), after=_context_after())
        )
        proposed = pieces.filter("proposed").with_columns(
            digits=PIECE.str.replace_all("[^0-9]", "")
        )
        judged = proposed.select(holds=self.holds.fill_null(False))
        holds = np.zeros(pieces.height, dtype=bool)
        holds[pieces["proposed"].to_numpy()] = judged["holds"].to_numpy()
        return pieces.with_columns(holds=pl.Series(holds))


def exchanged(texts: pl.Series, places: pl.Series, others: pl.Series) -> pl.Series:
    """The same texts with others at those places."""
    order = np.arange(texts.len())
    order[places.to_numpy()] = np.arange(texts.len(), texts.len() + places.len())
    return pl.concat([texts, others.alias(texts.name)]).gather(order)


def _context_before() -> pl.Expr:
    pieces = [PIECE.shift(steps).over("text").fill_null("") for steps in (3, 2, 1)]
    near = pl.concat_str(piece.str.tail(CONTEXT_CHARS) for piece in pieces)
    return near.str.tail(CONTEXT_CHARS).str.replace(PARAGRAPH, "")


def _context_after() -> pl.Expr:
    follows = PIECE.shift(-1).over("text").fill_null("")
    return follows.str.head(CONTEXT_CHARS).str.replace(REST_OF_PARAGRAPHS, "")


def _in_json(placeholder: str) -> pl.Expr:
    """The placeholder, in quotation marks where a bare number of JSON stood.

    That is after the colon of a quoted name or in the list that follows it; and, where the whole
    text is an object or a list, after any colon, comma or bracket outside its strings.
    """
    held = PIECE.shift(1).over("text")
    whole = PIECE.first().over("text").str.contains(r"^\s*[\[{]") & (
        PIECE.last().over("text").str.contains(r"[\]}]\s*$")
    )
    outside = _quotation_marks().cum_sum().shift(1).over("text") % 2 == 0
    bare = (
        PIECE.str.contains(r"^[0-9]+$")
        & (
            (whole & outside & held.str.contains(r"[:,\[]\s*$"))
            | (~whole & BEFORE.str.contains(r'"\s*:\s*(?:\[[^\]"]*)?$'))
        )
        & AFTER.str.contains(r"^\s*[,\]}]")
    )
    return pl.when(bare).then(pl.lit(f'"{placeholder}"')).otherwise(pl.lit(placeholder))


def _quotation_marks() -> pl.Expr:
    escaped = r"(?s)\\."
    return PIECE.str.count_matches(f'{escaped}|"').cast(pl.Int64) - PIECE.str.count_matches(escaped)


def says(pattern: str) -> pl.Expr:
    """Whether the words before a proposal, in the same line, match."""
    return BEFORE.str.replace(EARLIER_LINES, "").str.contains(pattern)


def luhn(number: pl.Expr) -> pl.Expr:
    """Whether the digits of a number end with their check digit (ISO/IEC 7812-1, annex B).

    From the right, every second digit is doubled, and 9 taken off where that gives two digits; the
    sum is a multiple of 10. At most 19 digits.
    """
    padded = number.str.zfill(20)
    return padded.map_batches(_luhn, return_dtype=pl.Boolean(), is_elementwise=True)


def _luhn(numbers: pl.Series) -> pl.Series:
    halves = [numbers.str.slice(start, 10).cast(pl.Int64, strict=False) for start in (10, 0)]
    digit = [half // 10**place % 10 for half in halves for place in range(10)]  # from the right
    total = sum(digit[::2], start=digit[0] * 0)
    for one in digit[1::2]:
        total += 2 * one - 9 * (one > 4).cast(pl.Int64)
    holds: pl.Series = total % 10 == 0
    return holds
