"""What is measured of each row: language, turns, refusal, characters, tokens."""

import polars as pl

from schemas.metrics import METRICS
from tasks.assistant.refusal import is_refusal
from tasks.language import languages, sample
from tasks.measure.tokens import TokenizerFile, token_counts
from tasks.text import prompt, question, response


def measure_rows(records: pl.LazyFrame, tokenizer: TokenizerFile | None = None) -> pl.DataFrame:
    """METRICS of RECORD rows: one row per row, in their order.

    The text is read once. Token counts are null without a tokenizer.
    """
    texts = records.select("messages", prompt=prompt(), response=response(), question=question())
    keep = [] if tokenizer is None else ["prompt", "response"]
    measured = texts.select(
        *keep,
        turns=user_turns().cast(pl.UInt16),
        refusal=is_refusal(pl.coalesce("question", "prompt"), pl.col("response")),
        prompt_chars=pl.col("prompt").str.len_chars(),
        response_chars=pl.col("response").str.len_chars(),
        sample=sample(pl.col("prompt"), pl.col("response")),
    ).collect()
    return measured.select(
        languages(measured["sample"]).alias("language"),
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
