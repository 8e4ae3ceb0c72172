"""The measure stage as Prefect tasks: rows, shard by shard; then the corpus in numbers."""

import functools

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.manifest import (
    FailedSource,
    GateResult,
    RawReceipt,
    ShardRef,
    StageManifest,
    Statistics,
)
from schemas.recipe import Measure, Recipe
from tasks.corpora import Pages
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.measure.corpus import measure_corpus, report_pages
from tasks.measure.stage import STAGE, measure_stage


@task(name=STAGE, task_run_name="measure-{shard.source}", cache_policy=NO_CACHE)
def measure_shard(lake_uri: str, shard: ShardRef, measure: Measure) -> StageManifest:
    """METRICS of one normalize shard are in the lake, row for row; measured once for its content.

    Raises:
        ConfigError: the recipe's tokenizer is missing or is not one.
    """
    return measure_stage(Lake(lake_uri), shard, measure)


@task(task_run_name="summarise-{recipe.name}", cache_policy=NO_CACHE)
def summarise_corpus(
    lake_uri: str,
    recipe: Recipe,
    judgement: Judgement,
    receipts: tuple[RawReceipt, ...],
    failed: tuple[FailedSource, ...],
) -> tuple[Statistics, tuple[GateResult, ...]]:
    """The statistics of the recipe's next version, and its gates held against the latest one."""
    return measure_corpus(Lake(lake_uri), recipe, judgement, receipts, failed)


def pages_of(lake_uri: str) -> Pages:
    """What a version gets beside its manifest: its report."""
    return functools.partial(report_pages, Lake(lake_uri))
