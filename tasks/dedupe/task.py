"""The dedupe stage as Prefect tasks: exact duplicates first, near ones among what is left."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.manifest import ShardRef, StageManifest
from schemas.recipe import Recipe
from tasks.dedupe.stage import exact_stage, near_stage
from tasks.lake import Lake


@task(
    name="dedupe-exact",
    task_run_name="dedupe-exact-{recipe.name}",
    cache_policy=NO_CACHE,
)
def mark_exact(
    lake_uri: str,
    shards: tuple[ShardRef, ...],
    filtered: tuple[StageManifest, ...],
    recipe: Recipe,
) -> StageManifest:
    """Every row of `shards` has a verdict: an exact duplicate of which record, or none."""
    return exact_stage(Lake(lake_uri), shards, filtered, recipe)


@task(
    name="dedupe-near",
    task_run_name="dedupe-near-{recipe.name}",
    cache_policy=NO_CACHE,
)
def mark_near(
    lake_uri: str,
    shards: tuple[ShardRef, ...],
    filtered: tuple[StageManifest, ...],
    exact: StageManifest,
    recipe: Recipe,
) -> StageManifest:
    """Every row that filter and exact dedupe left has a verdict, and a cluster if it stays."""
    return near_stage(Lake(lake_uri), shards, filtered, exact, recipe)
