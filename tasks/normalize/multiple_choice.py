"""Multiple choice: question, options, answer, and an explanation where there is one."""

import string
from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.errors import SourceError
from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.raw import Piece
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import PROBLEMS, Parsed, paragraphs, turns_of

LETTERS = string.ascii_uppercase
OPTION_COLUMNS = ("opa", "opb", "opc", "opd", "ope")
UNLABELLED = -1

_NUMBER = r"^(-?\d+)(?:\.0+)?$"  # a column of whole numbers with gaps may come as 1.0
_LETTER = r"^\(?([A-Za-z])\)?\.?$"
_LETTERED = {letter: place for place, letter in enumerate(LETTERS)}
_LETTERED |= {letter.lower(): place for letter, place in _LETTERED.items()}
_COUNTED = {str(number): number for number in range(len(LETTERS) + 1)}
_TEXTS = ("text", "value", "option", "content", "choice")
_LABELS = ("label", "key", "letter", "id")
_EMPTY = r'^(?:\[\s*\]|\{\s*\})$|"text"\s*:\s*\[\s*\]'
_OPTIONS = pl.Schema({"row": pl.UInt32, "place": pl.Int64, "label": pl.String, "option": pl.String})
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

    One row per row of the batch: `row`, `question`, `options`, `OPTION_COLUMNS`, `answer`,
    `explanation`. Options are an object by letter or number, a list of texts or of objects with a
    text and perhaps a label, or an object of two lists, `text` and `label`. The answer is a label,
    a letter, the text of an option, or a number, where `first_option` is the number of option A;
    null and -1 mean that it is not told.
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
    letter = known & pl.col("answer").str.contains(_LETTER) & pl.col("chosen").is_null()
    counted = pl.when(number).then(pl.lit(f", which count from {first_option}"))
    outside = told.filter((number | letter) & pl.col("listing").is_not_null()).select(
        "row",
        message=pl.format(
            "answer {} is not one of the {} options{}", "answer", "count", counted.fill_null("")
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
    """One row per option: `row`, `place`, `letter`, `label`, `option`, `numbered`; and PROBLEMS.

    `place` counts from 0 and leaves out none that is null; sorted by row and place. `label` is what
    the source calls an option where that is no letter of an object's key. `numbered` is true of
    options in columns of their own: there an answer `2` is never a text.
    """
    separate = _in_columns(rows)
    told = pl.col("options").str.strip_prefix(NESTED).str.strip_chars()
    given = rows.select("row", options=told).filter(told != "")
    is_object = pl.col("options").str.starts_with("{")
    nested, problems = _in_objects(given.filter(is_object))
    listed, others = _in_lists(given.filter(~is_object))
    both = pl.concat([nested, listed]).drop_nulls("option")
    options = pl.concat(
        [separate.with_columns(numbered=True), both.with_columns(numbered=False)]
    ).with_columns(pl.col("option").str.strip_chars(), letter=_letter())
    found = pl.concat([problems, others, _unnamed(given, both), _too_many(options)])
    return options.sort("row", "place"), found.unique("row", keep="first", maintain_order=True)


def _letter() -> pl.Expr:
    """The letter before an option: its label, if that is one, or that of its place."""
    own = pl.col("label").str.extract(_LETTER).str.to_uppercase()
    of_place = pl.col("place").replace_strict(
        dict(enumerate(LETTERS)), default="?", return_dtype=pl.String
    )
    return pl.coalesce(own, of_place)


def _in_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """_OPTIONS of the options that have columns of their own."""
    columns = {column: place for place, column in enumerate(OPTION_COLUMNS)}
    wide = rows.select("row", *OPTION_COLUMNS).unpivot(
        index="row", variable_name="place", value_name="option"
    )
    place = pl.col("place").replace_strict(columns, return_dtype=pl.Int64)
    return _as_options(wide.with_columns(place)).drop_nulls("option")


def _in_objects(given: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """_OPTIONS of objects by letter or number, or of two lists; PROBLEMS of what is no JSON."""
    keys = (*_LETTERED, *_COUNTED)
    values, whole = explode_json(given["options"], (*keys, "text", "label"))
    values = values.with_columns(row=given["row"].gather(values[PARENT]))
    there = [key for key in keys if values[key].null_count() < values.height]
    by_key = (
        values.select("row", *there)
        .unpivot(index="row", variable_name="label", value_name="option")
        .drop_nulls("option")
    )
    number = pl.col("label").replace_strict(_COUNTED, default=None, return_dtype=pl.Int64)
    first = pl.min_horizontal(number.min().over("row"), 1)
    place = pl.col("label").replace_strict(_LETTERED, default=None, return_dtype=pl.Int64)
    keyed = by_key.with_columns(
        place=pl.coalesce(place, number - first), label=pl.when(place.is_null()).then("label")
    )
    return pl.concat([_as_options(keyed), _in_two_lists(values)]), _no_json(given, whole)


def _in_two_lists(values: pl.DataFrame) -> pl.DataFrame:
    """_OPTIONS of rows with a list of texts, `text`, and one of labels, `label`, beside it."""
    columns = {}
    for name in ("text", "label"):
        lists = values.select("row", name).filter(pl.col(name).str.starts_with(f"{NESTED}["))
        elements, _ = explode_json(lists[name], (ELEMENT,))
        columns[name] = elements.select(
            row=lists["row"].gather(elements[PARENT]),
            place=pl.int_range(pl.len()).over(PARENT),
            value=ELEMENT,
        )
    both = columns["text"].join(
        columns["label"], on=["row", "place"], how="left", maintain_order="left", suffix="_label"
    )
    return _as_options(both.rename({"value": "option", "value_label": "label"}))


def _in_lists(given: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """_OPTIONS of lists of texts or of objects; PROBLEMS of what is no list."""
    elements, whole = explode_json(given["options"], (ELEMENT, *_TEXTS, *_LABELS))
    listed = elements.select(
        row=given["row"].gather(elements[PARENT]),
        place=pl.int_range(pl.len()).over(PARENT),
        label=pl.coalesce(_LABELS),
        option=pl.coalesce(ELEMENT, *_TEXTS),
    )
    return _as_options(listed), _no_json(given, whole)


def _as_options(options: pl.DataFrame) -> pl.DataFrame:
    """_OPTIONS, without labels where none are told."""
    if "label" not in options.columns:
        options = options.with_columns(label=pl.lit(None, pl.String))
    return options.select(_OPTIONS.names()).cast(_OPTIONS)


def _no_json(given: pl.DataFrame, whole: pl.Series) -> pl.DataFrame:
    message = pl.lit("options are neither a list nor an object")
    return given.filter(~whole).select("row", message=message).cast(PROBLEMS)


def _unnamed(given: pl.DataFrame, options: pl.DataFrame) -> pl.DataFrame:
    """PROBLEMS: the rows that are given options, none of which is found."""
    silent = given.filter(
        ~pl.col("row").is_in(options["row"].implode()), ~pl.col("options").str.contains(_EMPTY)
    )
    message = pl.lit(
        "options are known by no name that tells them: expected a list of texts, or of objects "
        f"with {', '.join(_TEXTS)}; or an object by letter or number, or of text and label"
    )
    return silent.select("row", message=message).cast(PROBLEMS)


def _too_many(options: pl.DataFrame) -> pl.DataFrame:
    """PROBLEMS: the rows whose options are more than the letters."""
    last = options.group_by("row", maintain_order=True).agg(count=pl.col("place").max() + 1)
    message = pl.format("there are {} options, and letters for no more than 26", "count")
    return last.filter(pl.col("count") > len(LETTERS)).select("row", message=message).cast(PROBLEMS)


def _beside(asked: pl.DataFrame, options: pl.DataFrame) -> pl.DataFrame:
    """The options with the `answer` and `number` of their row, and what the answer is to them.

    `same_text` and `same_label` say that it is theirs; where labels are numbers, those are what an
    answer that is a number means, and `number` is null.
    """
    same_text = (pl.col("option") == pl.col("answer")) & ~pl.col("numbered")
    same_label = pl.col("label").str.to_lowercase() == pl.col("answer").str.to_lowercase()
    as_number = pl.col("label").str.extract(_NUMBER).cast(pl.Int64, strict=False)
    return options.join(
        asked.select("row", "answer", "number"), on="row", how="inner", maintain_order="left"
    ).with_columns(
        pl.when(as_number.is_null()).then("number"),
        same_text=same_text.fill_null(False),
        same_label=(same_label | (as_number == pl.col("number"))).fill_null(False),
    )


def _chosen(asked: pl.DataFrame, options: pl.DataFrame, first_option: int) -> pl.DataFrame:
    """One row per row whose answer is one of its options: `row`, `chosen`, letter and text."""
    letter = pl.col("answer").str.extract(_LETTER).str.to_uppercase()
    meant = (pl.col("letter") == letter) | (pl.col("place") + first_option == pl.col("number"))
    evidence = pl.when("same_label").then(3).when("same_text").then(2).when(meant).then(1)
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
