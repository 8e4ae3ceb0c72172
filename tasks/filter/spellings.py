"""The texts that stand for an evaluation item in a corpus: more than its file holds.

An item may ask in several columns, which a corpus has as one prompt; a short question is nobody's
until its answer follows; and both may be written as JSON writes them.
"""

import json
from enum import StrEnum

import polars as pl

# Longer ones are found by themselves; a Chinese sentence is one word here.
MAX_QUESTION_WORDS, MAX_QUESTION_CHARS, MAX_ANSWER_CHARS = 4, 40, 80
WORD = r"[\p{L}\p{N}\p{M}]+"
ANSWER_LABELS = ("", "A: ", "Answer: ", "Response: ", "答：", "答案：")
SPELLED = ("set", "item", "text", "whole", "spelling")


class Spelling(StrEnum):
    """Where a text comes from: the file, or from which of its texts it was put together."""

    GIVEN = "given"
    WHOLE = "whole"
    ANSWERED = "answered"
    JSON = "json"


def spellings(texts: pl.DataFrame) -> pl.DataFrame:
    """One row per text that stands for an item, the given ones first and in their order.

    Columns: those of `SPELLED`; `whole` is whether the text is all that its item asks. `texts` has
    `set`, `item`, `text` and `asked`.
    """
    alone = pl.col("asked") & (pl.col("asked").sum().over("item") == 1)
    given = texts.with_columns(whole=alone, spelling=pl.lit(Spelling.GIVEN.value)).select(SPELLED)
    questions = (
        texts.filter("asked")
        .group_by("set", "item", maintain_order=True)
        .agg(pl.col("text").str.join("\n"), several=pl.len() > 1)
        .with_columns(whole=True)
    )
    joined = questions.filter("several").with_columns(spelling=pl.lit(Spelling.WHOLE.value))
    answered = _answered(questions, texts.filter(~pl.col("asked")))
    spelled = pl.concat([given, joined.select(SPELLED), answered])
    return pl.concat([spelled, _in_json(spelled)])


def _answered(questions: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Each short question with each short answer of its item after it, as people write the two."""
    labels = pl.DataFrame({"label": ANSWER_LABELS})
    return (
        questions.filter(
            pl.col("text").str.len_chars() <= MAX_QUESTION_CHARS,
            pl.col("text").str.count_matches(WORD).is_between(1, MAX_QUESTION_WORDS),
        )
        .join(answers.select("item", answer="text"), on="item", maintain_order="left_right")
        .filter(
            pl.col("answer").str.len_chars() <= MAX_ANSWER_CHARS,
            pl.col("answer").str.contains(WORD),
        )
        .join(labels, how="cross", maintain_order="left_right")
        .with_columns(
            text=pl.concat_str("text", pl.lit("\n"), "label", "answer"),
            spelling=pl.lit(Spelling.ANSWERED.value),
        )
        .select(SPELLED)
    )


def _in_json(spelled: pl.DataFrame) -> pl.DataFrame:
    """The same texts where JSON writes them otherwise: with escapes, and with nothing but ASCII."""
    texts = spelled["text"].to_list()
    written = [
        spelled.with_columns(
            text=pl.Series(_escaped(texts, ascii_only=ascii_only), dtype=pl.String),
            spelling=pl.lit(Spelling.JSON.value),
        ).filter(pl.col("text") != spelled["text"])
        for ascii_only in (False, True)
    ]
    return pl.concat(written).unique(maintain_order=True)


def _escaped(texts: list[str], *, ascii_only: bool) -> list[str]:
    """Each text as it stands between the quotation marks of a JSON string; one call for all."""
    if not texts:
        return []
    return json.dumps(texts, ensure_ascii=ascii_only)[2:-2].split('", "')  # no string holds that
