"""Multiple choice: question, options, answer, and an explanation where there is one."""

import polars as pl

from tasks.normalize.json_rows import explode_json
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import PROBLEMS, Parsed, paragraphs, turns_of

LETTERS = "ABCDEFGHIJ"
OPTION_COLUMNS = ("opa", "opb", "opc", "opd", "ope")
UNLABELLED = "-1"


def first_option(rows: pl.DataFrame) -> int:
    """The number of option A: 0 if an answer is 0, else 1."""
    return 0 if rows["answer"].str.strip_chars().eq("0").any() else 1


def multiple_choice_turns(rows: pl.DataFrame, first_option: int = 1) -> Parsed:
    """The question with its lettered options, then `B. the option` and the explanation.

    One row per row of the batch: `row`, `question`, `options` (an object by letter or a list),
    `OPTION_COLUMNS`, `answer`, `explanation`. The answer is a letter, the text of an option, or a
    number, where `first_option` is the number of option A; null and -1 mean that it is not told.
    """
    options, problems = _options(rows)
    answer = pl.col("answer").str.strip_chars()
    asked = rows.select("row", "question", "explanation", answer=answer)
    listing = options.group_by("row", maintain_order=True).agg(
        pl.concat_str("letter", pl.lit(". "), "option").str.join("\n").alias("listing")
    )
    told = asked.join(listing, on="row", how="left", maintain_order="left").join(
        _chosen(asked, options, first_option), on="row", how="left", maintain_order="left"
    )
    known = pl.col("answer").is_not_null() & (pl.col("answer") != UNLABELLED)
    number = known & pl.col("answer").str.contains(r"^-?\d+$") & pl.col("chosen").is_null()
    outside = told.filter(number & pl.col("listing").is_not_null()).select(
        "row", message=pl.format("answer {} is not one of the options", "answer")
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


def _options(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per option: `row`, `letter`, `option`, `numbered`; and PROBLEMS of bad options.

    `numbered` is true of options in columns of their own: there an answer `2` is never a text.
    """
    wide = rows.select("row", *OPTION_COLUMNS).unpivot(
        index="row", variable_name="letter", value_name="option"
    )
    letters = dict(zip(OPTION_COLUMNS, LETTERS, strict=False))
    separate = wide.drop_nulls().with_columns(pl.col("letter").replace_strict(letters))
    given = rows.select("row", "options").filter(pl.col("options").str.strip_chars() != "")
    objects = given.filter(pl.col("options").str.starts_with(f"{NESTED}{{"))
    by_letter, _ = explode_json(objects["options"], tuple(LETTERS))
    lettered = (
        by_letter.with_columns(row=objects["row"].gather(by_letter["parent"]))
        .drop("parent")
        .unpivot(index="row", variable_name="letter", value_name="option")
        .drop_nulls()
    )
    lists = given.filter(~pl.col("options").str.starts_with(f"{NESTED}{{"))
    elements, whole = explode_json(lists["options"], (ELEMENT, "value", "text"))
    place = pl.int_range(pl.len()).over("parent")
    listed = elements.select(
        row=lists["row"].gather(elements["parent"]),
        letter=place.cast(pl.String).replace_strict(
            {str(i): c for i, c in enumerate(LETTERS)}, default="?"
        ),
        option=pl.coalesce(ELEMENT, "value", "text"),
    ).drop_nulls()
    problems = lists.filter(~whole).select(
        "row", message=pl.lit("options are neither a list nor an object")
    )
    every = pl.concat(
        part.select("row", "letter", "option", numbered=pl.lit(part is separate))
        for part in (separate, lettered, listed)
    )
    option = pl.col("option").str.strip_chars()
    return every.with_columns(option).sort("row", "letter"), problems.cast(PROBLEMS)


def _chosen(asked: pl.DataFrame, options: pl.DataFrame, first_option: int) -> pl.DataFrame:
    """One row per row whose answer is one of its options: `row`, `chosen`, letter and text."""
    place = pl.int_range(pl.len()).over("row") + first_option
    letter = pl.col("answer").str.extract(r"^\(?([A-Ja-j])\)?\.?$").str.to_uppercase()
    beside = options.join(
        asked.select("row", "answer"), on="row", how="inner", maintain_order="left"
    )
    same_text = (pl.col("option") == pl.col("answer")) & ~pl.col("numbered")
    evidence = (
        pl.when(same_text)
        .then(2)
        .when((pl.col("letter") == letter) | (place.cast(pl.String) == pl.col("answer")))
        .then(1)
    )
    return (
        beside.with_columns(evidence=evidence)
        .drop_nulls("evidence")
        .sort("row", "evidence", descending=[False, True], maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
        .select("row", chosen=pl.concat_str("letter", pl.lit(". "), "option"))
    )
