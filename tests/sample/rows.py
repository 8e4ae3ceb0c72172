"""Rows that are left for sampling, and what is chosen of them."""

import hashlib
from typing import Any

import polars as pl

from tasks.sample.choose import LEFT, choose
from tests.judgements import recipe_of

SOURCES = ("a", "b")


def left(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """LEFT of (source, category, language, cluster) each; a record id and a place in the source."""
    named = [
        (hashlib.sha256(str(number).encode()).hexdigest()[:32], source, number, *rest)
        for number, (source, *rest) in enumerate(rows)
    ]
    columns = [
        (name, pl.UInt32 if name == "source_row" else pl.String)
        for name in LEFT
        if name != "refusal"
    ]
    rows_left = pl.DataFrame(named, schema=columns, orient="row")
    return rows_left.with_columns(refusal=pl.lit(value=False)).select(LEFT)


def many(count: int, source: str = "a", language: str | None = "en") -> pl.DataFrame:
    """So many rows of one source and language, each a cluster of its own."""
    return left([(source, None, language, f"{source}{number}") for number in range(count)])


def chosen(rows: pl.DataFrame, sampling: dict[str, Any], **recipe: Any) -> pl.DataFrame:
    """The rows with their verdicts."""
    verdicts, _ = choose(rows, recipe_of(*SOURCES, sampling=sampling, **recipe))
    return rows.hstack(verdicts)


def kept(rows: pl.DataFrame, sampling: dict[str, Any], **recipe: Any) -> pl.DataFrame:
    """Those of the rows that stay."""
    return chosen(rows, sampling, **recipe).filter(pl.col("drop_reason").is_null())


def of_source(**sampling: Any) -> dict[str, Any]:
    """Sampling of source `a` alone."""
    return {"sources": {"a": sampling}}
