"""Multiple choice: question, options, answer, and an explanation where there is one."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.errors import SourceError
from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.raw import Piece
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import PROBLEMS, Parsed, paragraphs, turns_of

LETTERS = "ABCDEFGHIJ"
OPTION_COLUMNS = ("opa", "opb", "opc", "opd", "ope")
UNLABELLED = -1

_NUMBER = r"^(-?\d+)(?:\.0+)?$"  # a column of whole numbers with gaps may come as 1.0
_SIGHTINGS = pl.Schema(
    {
        "file": pl.String,
        "row": pl.Int64,
        "number": pl.Int64,
        "options": pl.Int64,
        "nought": pl.Boolean,
        "last": pl.Boolean,
        "rows": pl.Int64,
    }
)


def first_option(source: str, pieces: Iterable[Piece]) -> int:
    """The number of option A in all the answers of a source: 0 if one is 0, 1 if one is the last.

    1 where no answer is a number. An answer that is the text of an option is no number, and one
    beyond the options tells nothing.

    Raises:
        SourceError: some answers count from 0 and some from 1, or none tells.
    """
    seen = pl.concat([_SIGHTINGS.to_frame(), *map(_sightings, pieces)])
    noughts, lasts = seen.filter("nought"), seen.filter("last")
    if noughts.height and lasts.height:
        raise SourceError(
            f"source {source!r} counts options in two ways: from 0 in {_shown(noughts)}, from 1 in "
            f"{_shown(lasts)}. Set first_option: 0 or 1 in the source's file {source}.yaml; the "
            "answers that it does not fit go to the ledger."
        )
    if seen.height and not noughts.height and not lasts.height:
        raise SourceError(
            f"source {source!r} does not tell whether answers count options from 0 or from 1: of "
            f"{seen['rows'].sum()} answers that are numbers none is 0 and none is the number of "
            f"options; the first is {_shown(seen)}. Set first_option: 0 or 1 in the source's file "
            f"{source}.yaml."
        )
    return 0 if noughts.height else 1


def multiple_choice_turns(rows: pl.DataFrame, first_option: int = 1) -> Parsed:
    """The question with its lettered options, then `B. the option` and the explanation.

    One row per row of the batch: `row`, `question`, `options` (an object by letter or a list),
    `OPTION_COLUMNS`, `answer`, `explanation`. The answer is a letter, the text of an option, or a
    number, where `first_option` is the number of option A; null and -1 mean that it is not told.
    """
    options, problems = _options(rows)
    asked = rows.select("row", "question", "explanation", *_answer())
    listing = options.group_by("row", maintain_order=True).agg(
        pl.concat_str("letter", pl.lit(". "), "option").str.join("\n").alias("listing"),
        (pl.col("place").max() + 1).alias("count"),
    )
    told = asked.join(listing, on="row", how="left", maintain_order="left").join(
        _chosen(asked, options, first_option), on="row", how="left", maintain_order="left"
    )
    unlabelled = (pl.col("number") == UNLABELLED).fill_null(False)
    known = pl.col("answer").is_not_null() & ~unlabelled
    number = known & pl.col("answer").str.contains(_NUMBER) & pl.col("chosen").is_null()
    outside = told.filter(number & pl.col("listing").is_not_null()).select(
        "row",
        message=pl.format(
            f"answer {{}} is not one of the {{}} options, which count from {first_option}",
            "answer",
            "count",
        ),
    )
    said = pl.when(known).then(pl.coalesce("chosen", "answer"))
    turns = turns_of(
        told,
        [
            ("user", paragraphs(pl.col("question"), pl.col("listing"))),
            ("assistant", pl.when(known).then(paragraphs(said, pl.col("explanation")))),
        ],
    )
    both = pl.concat([problems, outside.cast(PROBLEMS)])
    return Parsed(turns, both.unique("row", keep="first", maintain_order=True))


def _answer() -> tuple[pl.Expr, pl.Expr]:
    """`answer` without white space around it, and the `number` it is (Int64), if any."""
    answer = pl.col("answer").str.strip_chars()
    return answer, answer.str.extract(_NUMBER).cast(pl.Int64, strict=False).alias("number")


def _options(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per option: `row`, `place`, `letter`, `option`, `numbered`; PROBLEMS of bad options.

    `place` counts from 0 and leaves out none that is null; sorted by row and place. `numbered` is
    true of options in columns of their own: there an answer `2` is never a text.
    """
    wide = rows.select("row", *OPTION_COLUMNS).unpivot(
        index="row", variable_name="place", value_name="option"
    )
    columns = {column: place for place, column in enumerate(OPTION_COLUMNS)}
    separate = wide.with_columns(pl.col("place").replace_strict(columns, return_dtype=pl.Int64))
    given = rows.select("row", "options").filter(pl.col("options").str.strip_chars() != "")
    objects = given.filter(pl.col("options").str.starts_with(f"{NESTED}{{"))
    by_letter, _ = explode_json(objects["options"], tuple(LETTERS))
    lettered = (
        by_letter.with_columns(row=objects["row"].gather(by_letter[PARENT]))
        .drop(PARENT)
        .unpivot(index="row", variable_name="place", value_name="option")
        .with_columns(
            pl.col("place").replace_strict(
                {letter: place for place, letter in enumerate(LETTERS)}, return_dtype=pl.Int64
            )
        )
    )
    lists = given.filter(~pl.col("options").str.starts_with(f"{NESTED}{{"))
    elements, whole = explode_json(lists["options"], (ELEMENT, "value", "text"))
    listed = elements.select(
        row=lists["row"].gather(elements[PARENT]),
        place=pl.int_range(pl.len()).over(PARENT),
        option=pl.coalesce(ELEMENT, "value", "text"),
    )
    problems = lists.filter(~whole).select(
        "row", message=pl.lit("options are neither a list nor an object")
    )
    every = pl.concat(
        part.select("row", "place", "option", numbered=pl.lit(part is separate))
        for part in (separate, lettered, listed)
    ).drop_nulls("option")
    letters = dict(enumerate(LETTERS))
    options = every.with_columns(
        pl.col("option").str.strip_chars(),
        letter=pl.col("place").replace_strict(letters, default="?", return_dtype=pl.String),
    )
    return options.sort("row", "place"), problems.cast(PROBLEMS)


def _beside(asked: pl.DataFrame, options: pl.DataFrame) -> pl.DataFrame:
    """The options with the `answer` and `number` of their row, and whether it is their text."""
    same_text = (pl.col("option") == pl.col("answer")) & ~pl.col("numbered")
    return options.join(
        asked.select("row", "answer", "number"), on="row", how="inner", maintain_order="left"
    ).with_columns(same_text=same_text.fill_null(False))


def _chosen(asked: pl.DataFrame, options: pl.DataFrame, first_option: int) -> pl.DataFrame:
    """One row per row whose answer is one of its options: `row`, `chosen`, letter and text."""
    letter = pl.col("answer").str.extract(r"^\(?([A-Ja-j])\)?\.?$").str.to_uppercase()
    meant = (pl.col("letter") == letter) | (pl.col("place") + first_option == pl.col("number"))
    evidence = pl.when("same_text").then(2).when(meant).then(1)
    return (
        _beside(asked, options)
        .with_columns(evidence=evidence)
        .drop_nulls("evidence")
        .sort("row", "evidence", descending=[False, True], maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
        .select("row", chosen=pl.concat_str("letter", pl.lit(". "), "option"))
    )


def _sightings(piece: Piece) -> pl.DataFrame:
    """The first answer of each kind that may be the number of an option, one row per kind.

    `nought` is an answer 0, `last` one that is the number of options; `rows` are of the kind.
    """
    options, _ = _options(piece.rows)
    number, count = pl.col("number"), pl.col("options")
    numbers = (
        _beside(piece.rows.select("row", *_answer()), options)
        .group_by("row", maintain_order=True)
        .agg(
            number.first(),
            (pl.col("place").max() + 1).alias("options"),
            pl.col("same_text").any(),
        )
        .filter(~pl.col("same_text") & number.is_between(0, count))
    )
    return (
        numbers.group_by(nought=number == 0, last=number == count, maintain_order=True)
        .agg(pl.col("row", "number", "options").first(), rows=pl.len())
        .with_columns(file=pl.lit(piece.file), row=pl.col("row") + piece.first_row)
        .select(_SIGHTINGS.names())
        .cast(_SIGHTINGS)
    )


def _shown(sightings: pl.DataFrame) -> str:
    first: dict[str, Any] = sightings.row(0, named=True)
    return "{file} row {row} (answer {number} of {options} options)".format(**first)
