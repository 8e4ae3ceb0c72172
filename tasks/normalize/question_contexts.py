"""Question and contexts (PubMedQA): passages, a question, a long answer and a verdict."""

import polars as pl

from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import Parsed, paragraphs, turns_of


def question_contexts_turns(rows: pl.DataFrame) -> Parsed:
    """The contexts and the question, then the long answer and the verdict in one word.

    One row per row of the batch: `row`, `question`, `contexts` (a list of texts, or one text),
    `explanation` (the long answer) and `answer` (the verdict: yes, no, maybe).
    """
    told = rows.join(_contexts(rows), on="row", how="left", maintain_order="left")
    verdict = pl.col("answer").str.strip_chars()
    sentence = pl.when(verdict != "").then(pl.format("The answer is {}.", verdict))
    alone = pl.col("explanation").str.strip_chars().fill_null("") == ""
    said = pl.when(alone).then(verdict).otherwise(paragraphs(pl.col("explanation"), sentence))
    turns = turns_of(
        told, [("user", paragraphs(pl.col("passages"), pl.col("question"))), ("assistant", said)]
    )
    return Parsed(turns)


def _contexts(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per row that has contexts: `row`, `passages`, a blank line between them."""
    given = rows.select("row", "contexts").drop_nulls()
    listed = pl.col("contexts").str.starts_with(NESTED)
    lists = given.filter(listed)
    texts, _ = explode_json(lists["contexts"], (ELEMENT, "contexts"))
    passages = pl.coalesce(ELEMENT, pl.col("contexts").str.strip_prefix(NESTED))
    many = (
        texts.select(row=lists["row"].gather(texts[PARENT]), text=passages)
        .drop_nulls()
        .group_by("row", maintain_order=True)
        .agg(passages=pl.col("text").str.strip_chars().str.join("\n\n"))
    )
    return pl.concat([many, given.filter(~listed).rename({"contexts": "passages"})])
