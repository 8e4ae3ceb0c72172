"""The sample stage as a Prefect task."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.recipe import Recipe
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.sample.stage import sample_stage


@task(name="sample", task_run_name="sample-{recipe.name}", cache_policy=NO_CACHE)
def sample_rows(lake_uri: str, judgement: Judgement, recipe: Recipe) -> Judgement:
    """Every row that is left is taken, as often as the recipe says, or has a verdict."""
    return sample_stage(Lake(lake_uri), judgement, recipe)
