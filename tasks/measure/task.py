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
from tasks.measure.rows import measure_rows
from tasks.measure.tokens import find_tokenizer, library_versions
from tasks.shards import scan_shard, write_shard
from tasks.stages import finish, finished, stage_digest, stage_key

STAGE = "measure"


@task(name=STAGE, task_run_name="measure-{shard.source}", cache_policy=NO_CACHE)
def measure_shard(lake_uri: str, shard: ShardRef, measure: Measure) -> StageManifest:
    """METRICS of one normalize shard are in the lake, row for row; measured once for its content.

    Raises:
        ConfigError: the recipe's tokenizer is missing or is not one.
    """
    lake = Lake(lake_uri)
    tokenizer = find_tokenizer(measure.tokenizer)
    digest = stage_digest(
        STAGE,
        parent=shard.sha256,
        tokenizer=tokenizer.sha256 if tokenizer else None,
        libraries=library_versions(),
    )
    done = finished(lake, STAGE, digest)
    if done is not None:
        return done
    metrics = measure_rows(scan_shard(lake, shard), tokenizer)
    folder = stage_key(STAGE, digest)
    written = write_shard(metrics, lake, f"{folder}/part-00000.parquet", source=shard.source)
    return finish(
        lake,
        StageManifest(
            stage=STAGE,
            digest=digest,
            uri=folder,
            source=shard.source,
            parents=(shard,),
            rows_in=shard.rows,
            rows_out=shard.rows,
            shards=(written,),
        ),
    )


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
