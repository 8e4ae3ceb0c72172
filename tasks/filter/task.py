"""The filter stage as Prefect tasks: evaluation sets once, then shard by shard."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.filter import Contamination, Filter
from schemas.manifest import ShardRef, StageManifest
from tasks.filter.stage import index_sets, judge_rows
from tasks.lake import Lake


@task(
    name="index-evaluations",
    task_run_name="index-evaluations",
    cache_policy=NO_CACHE,
)
def index_evaluations(lake_uri: str, contamination: Contamination) -> StageManifest:
    """What no row may hold a piece of is in the lake; read once for the same files."""
    return index_sets(Lake(lake_uri), contamination)


@task(name="filter", task_run_name="filter-{shard.source}", cache_policy=NO_CACHE)
def judge_shard(
    lake_uri: str, shard: ShardRef, rules: Filter, evaluations: StageManifest | None
) -> StageManifest:
    """Every row of one shard has a verdict; judged once for its content and rules."""
    return judge_rows(Lake(lake_uri), shard, rules, evaluations)
