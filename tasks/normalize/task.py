"""The normalize stage as Prefect sees it."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.manifest import RawReceipt, StageManifest
from schemas.source import Source
from tasks.lake import Lake
from tasks.normalize.normalize import normalize


@task(
    name="normalize",
    task_run_name="normalize-{source.name}",
    cache_policy=NO_CACHE,
    log_prints=False,
)
def normalize_source(
    lake_uri: str, receipt: RawReceipt, source: Source, shard_rows: int
) -> StageManifest:
    """Turn one source's raw files into records."""
    return normalize(receipt, source, Lake(lake_uri), shard_rows)
