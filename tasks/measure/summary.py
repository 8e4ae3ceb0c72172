"""The statistics of a corpus, from what was measured and judged of its rows."""

import polars as pl

from schemas.manifest import Conflict, Statistics
from tasks.measure.clusters import largest_clusters
from tasks.measure.composition import composition
from tasks.measure.lengths import histograms, length_table
from tasks.measure.refusals import refusal_rates


def summarise(
    judged: pl.LazyFrame,
    records: pl.LazyFrame,
    clusters: int,
    tokenizer_digest: str | None = None,
    conflicts: tuple[Conflict, ...] = (),
) -> Statistics:
    """Statistics of JUDGED rows, the same for every order of them.

    Lengths, histograms, composition and refusals are those of the published rows, where
    `drop_reason` is null. `records` are RECORD rows that hold them; only the prompts of the
    `clusters` largest clusters are read.
    """
    published = judged.filter(pl.col("drop_reason").is_null()).collect().lazy()
    return Statistics(
        lengths=length_table(published),
        histograms=histograms(published),
        composition=composition(published),
        clusters=largest_clusters(judged, records, clusters),
        conflicts=conflicts,
        refusals=refusal_rates(published),
        tokenizer_digest=tokenizer_digest,
    )
