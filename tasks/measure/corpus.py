"""A corpus version in numbers: its statistics, its gates, and the page that shows both."""

from collections.abc import Mapping, Sequence

import polars as pl

from schemas.manifest import CorpusManifest, FailedSource, GateResult, RawReceipt, Statistics
from schemas.metrics import JUDGED
from schemas.recipe import Recipe
from tasks.accounts import corpus_drops, repeated_rows, source_entries
from tasks.corpora import latest_manifest
from tasks.judged import Judgement, each_copy, judged_index
from tasks.lake import Lake
from tasks.measure.conflicts import ROWS, largest_conflicts
from tasks.measure.contamination import contamination
from tasks.measure.gates import check_gates
from tasks.measure.report.page import render_report
from tasks.measure.report.samples import ledger_samples
from tasks.measure.summary import summarise
from tasks.measure.tokens import find_tokenizer
from tasks.shards import scan_shard


def measure_corpus(
    lake: Lake,
    recipe: Recipe,
    judgement: Judgement,
    receipts: Sequence[RawReceipt],
    failed: tuple[FailedSource, ...],
) -> tuple[Statistics, tuple[GateResult, ...]]:
    """The statistics of what would be published, and each gate of the recipe held against it."""
    index = judged_index(lake, judgement)
    tokenizer = find_tokenizer(recipe.measure.tokenizer)
    records = pl.concat([scan_shard(lake, shard) for shard in judgement.shards])
    listed = recipe.measure.largest_clusters
    statistics = summarise(
        each_copy(index).lazy().select(JUDGED.names()),
        records,
        listed,
        tokenizer.sha256 if tokenizer else None,
        largest_conflicts(_in_conflict(lake, judgement, index), records, listed),
    )
    found = contamination(lake, judgement.filtered)
    statistics = statistics.model_copy(update={"contamination": found})
    drops, repeated = corpus_drops(index, judgement.normalized), repeated_rows(index)
    gates = check_gates(
        recipe.gates,
        sources=source_entries(recipe, judgement.normalized, receipts, drops, repeated),
        failed_sources=failed,
        drops=drops,
        statistics=statistics,
        parent=latest_manifest(lake, recipe.name),
    )
    return statistics, gates


def _in_conflict(lake: Lake, judgement: Judgement, index: pl.DataFrame) -> pl.LazyFrame:
    """The rows of the index with the conflict that near dedupe found each to be part of."""
    near = [scan_shard(lake, shard).select("conflict") for shard in judgement.near.shards]
    return index.hstack(pl.concat(near).collect()).lazy().select(ROWS)


def report_pages(lake: Lake, manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    """`report.html` of a version whose files lie under the key `folder`."""
    parent = latest_manifest(lake, manifest.name)
    samples = ledger_samples(lake, manifest, folder)
    return {"report.html": render_report(manifest, parent, samples)}
