"""Prefect's view of publishing."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.manifest import CorpusManifest, FailedSource, GateResult, RawReceipt, Statistics
from schemas.pushed import PushedVersion
from schemas.recipe import Publish, Recipe
from tasks.corpora import Pages
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.publish.token import hub_token
from tasks.publish.version import publish_version, unchanged_version


@task(task_run_name="find-unchanged", cache_policy=NO_CACHE)
def find_unchanged(
    lake: str, recipe: Recipe, judgement: Judgement, failed: tuple[FailedSource, ...]
) -> CorpusManifest | None:
    """The newest version if nothing it was made from has changed, else None."""
    return unchanged_version(Lake(lake), recipe, judgement, failed)


@task(task_run_name="publish-{recipe.name}", cache_policy=NO_CACHE)
def publish_corpus(
    lake: str,
    recipe: Recipe,
    judgement: Judgement,
    receipts: tuple[RawReceipt, ...],
    failed: tuple[FailedSource, ...],
    statistics: Statistics,
    gates: tuple[GateResult, ...],
    report: Pages,
) -> tuple[CorpusManifest, bool]:
    """Write the next version unless it would equal the newest; returns it and whether it is new."""
    return publish_version(
        Lake(lake), recipe, judgement, receipts, failed, statistics, gates, report
    )


@task(name="push-dataset", task_run_name="push-{manifest.name}", cache_policy=NO_CACHE)
def push_dataset(
    lake: str, manifest: CorpusManifest, publish: Publish
) -> tuple[PushedVersion, bool]:
    """A published version is on the Hub, at `publish.hub`; returns where and whether it is new."""
    from tasks.publish.hub import push_version

    return push_version(Lake(lake), manifest, publish, hub_token(publish))
