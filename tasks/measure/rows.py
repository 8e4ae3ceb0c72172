"""What is measured of each row: language, turns, refusal, characters, tokens."""

import polars as pl

from schemas.metrics import METRICS
from tasks.assistant.refusal import is_refusal
from tasks.language import row_languages
from tasks.measure.tokens import TokenizerFile, token_counts
from tasks.text import prompt, question, response


def measure_rows(
    records: pl.LazyFrame,
    tokenizer: TokenizerFile | None = None,
    languages: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """METRICS of RECORD rows: one row per row, in their order.

    `languages` is what `row_languages` says of the same rows; without it, they are told here. Token
    counts are null without a tokenizer.
    """
    texts = records.select("messages", prompt=prompt(), response=response(), question=question())
    measured = texts.select(
        "prompt",
        "response",
        turns=user_turns().cast(pl.UInt16),
        refusal=is_refusal(pl.coalesce("question", "prompt"), pl.col("response")),
        prompt_chars=pl.col("prompt").str.len_chars(),
        response_chars=pl.col("response").str.len_chars(),
    ).collect()
    if languages is None:
        languages = row_languages(measured["prompt"], measured["response"])
    return measured.select(
        languages["language"],
        "turns",
        "refusal",
        "prompt_chars",
        "response_chars",
        tokens(measured, "prompt", tokenizer),
        tokens(measured, "response", tokenizer),
    ).cast(METRICS)


def user_turns() -> pl.Expr:
    """Messages of the user."""
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    return roles.list.count_matches("user")


def tokens(texts: pl.DataFrame, part: str, tokenizer: TokenizerFile | None) -> pl.Series:
    """Tokens of one part of each row; null where there is no tokenizer."""
    name = f"{part}_tokens"
    if tokenizer is None:
        return pl.Series(name, [None], dtype=pl.UInt32).new_from_index(0, texts.height)
    return token_counts(texts[part], tokenizer).alias(name)
