"""A corpus version in numbers: its statistics, its gates, and the page that shows both."""

from collections.abc import Mapping, Sequence

import polars as pl

from schemas.manifest import CorpusManifest, FailedSource, GateResult, RawReceipt, Statistics
from schemas.metrics import JUDGED
from schemas.recipe import Recipe
from tasks.accounts import corpus_drops, source_entries
from tasks.corpora import latest_manifest
from tasks.judged import Judgement, judged_index
from tasks.lake import Lake
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
    statistics = summarise(
        index.lazy().select(JUDGED.names()),
        pl.concat([scan_shard(lake, shard) for shard in judgement.shards]),
        recipe.measure.largest_clusters,
        tokenizer.sha256 if tokenizer else None,
    )
    drops = corpus_drops(index, judgement.normalized)
    gates = check_gates(
        recipe.gates,
        sources=source_entries(recipe, judgement.normalized, receipts, drops),
        failed_sources=failed,
        drops=drops,
        statistics=statistics,
        parent=latest_manifest(lake, recipe.name),
    )
    return statistics, gates


def report_pages(lake: Lake, manifest: CorpusManifest, folder: str) -> Mapping[str, str]:
    """`report.html` of a version whose files lie under the key `folder`."""
    parent = latest_manifest(lake, manifest.name)
    samples = ledger_samples(lake, manifest, folder)
    return {"report.html": render_report(manifest, parent, samples)}
