"""What a corpus was held against, and which pieces of evaluation sets were found in it."""

import dataframely as dy
import polars as pl
from pydantic import Field

from schemas.frozen import Frozen

HOW = ("ngram", "sentence", "whole", "near")


class EvaluationCounts(Frozen):
    """One evaluation set as it was indexed; the five kinds of items add up to `items`.

    An item counts for the best of its texts.
    """

    name: str
    items: int = Field(ge=0, description="with any text")
    items_by_ngram: int = Field(ge=0, description="compared by runs of n tokens")
    items_by_sentence: int = Field(
        ge=0, description="shorter: compared as whole sentences or lines"
    )
    items_by_prompt: int = Field(ge=0, description="shorter yet: as sentences of the prompt alone")
    items_by_whole: int = Field(ge=0, description="a word or two: compared with whole prompts")
    items_without_words: int = Field(ge=0, description="no letter and no digit: not compared")
    items_as_questions: int = Field(ge=0, description="compared with prompts by shared characters")


class ItemHit(Frozen):
    """One row that holds one item, or nearly asks it."""

    row: int = Field(ge=0, description="the item's position in its file, from 0")
    excerpt: str = Field(description="the item's first characters")
    source: str
    source_row: int = Field(ge=0)
    part: str = Field(pattern=r"^(prompt|response)$")
    how: str = Field(pattern=r"^(ngram|sentence|whole|near)$")
    similarity: float | None = Field(None, description="of near matches, exact Jaccard")


class EvaluationHits(EvaluationCounts):
    """What was found of one evaluation set in all rows that were judged, dropped ones included."""

    rows_compared: int = Field(ge=0)
    rows_hit: int = Field(ge=0, description="rows that hold any item of this set")
    items_hit: int = Field(ge=0, description="items that any row holds")
    hits: tuple[ItemHit, ...] = Field((), description="some of them, by source and row")


class Hit(dy.Schema):
    """One row per corpus row, part of it and evaluation item found there.

    `row` is the item's position in its file, `excerpt` its first characters; `how` is one of `HOW`.
    `runs` counts the item's n-grams or sentences in the part; `similarity` is the exact Jaccard
    similarity of a near match, null for the others.
    """

    record_id = dy.String(nullable=False)
    source_row = dy.UInt32(nullable=False)
    part = dy.String(nullable=False)
    how = dy.String(nullable=False)
    set = dy.String(nullable=False)
    row = dy.UInt32(nullable=False)
    excerpt = dy.String(nullable=False)
    runs = dy.UInt32(nullable=False)
    similarity = dy.Float32(nullable=True)


HIT: pl.Schema = Hit.create_empty().schema
