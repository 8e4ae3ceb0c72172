"""Chain of thought (FLAN): question, answer and rationale, rendered through templates."""

import polars as pl
import polars_hash as plh

from tasks.normalize.turns import Parsed, turns_of

ASKED = (
    "{}",
    "{}\n\nThink step by step before you answer.",
    "{}\n\nExplain your reasoning first, then give the answer.",
    "Work through this step by step and end with the answer.\n\n{}",
)
ANSWERED = (
    "{}\n\nThe answer is {}.",
    "{}\n\nSo the answer is {}.",
    "{}\n\nTherefore, the answer is {}.",
    "{}\n\nAnswer: {}",
)


def cot_turns(rows: pl.DataFrame) -> Parsed:
    r"""The question, then the rationale followed by the answer.

    One row per row of the batch: `row`, `question`, `answer`, `explanation`. A `\n` written out
    becomes a newline. Which template a row is given depends on its text alone.
    """
    text = rows.select("row", *(_newlines(name) for name in ("question", "answer", "explanation")))
    number = _stable_hash("question", "answer", "explanation") % len(ASKED)
    short = pl.col("answer").str.strip_suffix(".")
    reasoned = pl.col("explanation") != ""
    told = text.with_columns(number=number).with_columns(
        asked=_by_number(ASKED, pl.col("question")),
        answered=pl.when(reasoned)
        .then(_by_number(ANSWERED, pl.col("explanation"), short))
        .otherwise("answer"),
    )
    known = pl.col("answer") != ""
    return Parsed(
        turns_of(told, [("user", pl.col("asked")), ("assistant", pl.when(known).then("answered"))])
    )


def _newlines(name: str) -> pl.Expr:
    text = pl.col(name).str.replace_all(r"\n", "\n", literal=True)
    return text.str.strip_chars().fill_null("").alias(name)


def _stable_hash(*names: str) -> pl.Expr:
    joined = plh.concat_str(*names, separator="\x1f")
    digest: pl.Expr = joined.nchash.wyhash()
    return digest


def _by_number(templates: tuple[str, ...], *texts: pl.Expr) -> pl.Expr:
    shown = pl.format(templates[0], *texts)
    for number, template in enumerate(templates[1:], start=1):
        shown = (
            pl.when(pl.col("number") == number).then(pl.format(template, *texts)).otherwise(shown)
        )
    return shown
