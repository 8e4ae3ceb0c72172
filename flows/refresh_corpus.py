"""Refresh a corpus: sources in, a version out, and an adapter trained from it."""

from pathlib import Path

from prefect import flow, unmapped
from prefect.task_runners import ThreadPoolTaskRunner

from flows import artifacts, events
from flows.arrivals import arrivals, with_sets_at_hand
from flows.outcome import carries, outcome_of, rejection
from flows.progress import finish, gather, step
from flows.streams import columns_of
from flows.train_adapter import train_adapter
from schemas.manifest import CorpusManifest
from schemas.outcome import Outcome, Status
from schemas.recipe import Recipe, load_recipe
from tasks.corpora import tidy
from tasks.dedupe.task import mark_exact, mark_near
from tasks.download.task import download_source
from tasks.filter.task import index_evaluations, judge_shard
from tasks.history.leases import leased
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.measure.task import measure_shard, pages_of, summarise_corpus
from tasks.normalize.task import normalize_source
from tasks.publish.task import find_unchanged, publish_corpus, push_dataset
from tasks.publish.token import hub_token
from tasks.sample.task import sample_rows

WORKERS = 2


@flow(
    name="refresh-corpus",
    flow_run_name="refresh-{recipe}",
    task_runner=ThreadPoolTaskRunner(max_workers=WORKERS),  # type: ignore[arg-type]
)
@leased
def refresh_corpus(
    recipe: str = "quickstart",
    lake: str = "lake",
    local: dict[str, str] | None = None,
    train: bool = True,
) -> Outcome:
    """Refresh the corpus of a recipe in a lake, and train from it unless told not to.

    `local` points sources at local copies, by name. Finished stages are reused.

    Raises:
        ConfigError: the recipe is wrong, or names a Hub repository and there is no token; nothing
            was run. Or the Hub does not let that token write there.
        SourceError: sources failed, and the gates do not allow that many to.
        GateFailed: the version is written, but a gate rejects it.
        StorageError: the lake cannot be read or written; run it again to go on.
    """
    plan = load_recipe(recipe, {name: Path(path) for name, path in (local or {}).items()})
    sources = list(plan.resolved_sources)
    hub_token(plan.publish)  # raises where there is none to push with
    tidy(Lake(lake).publishable())

    sets = plan.evaluation_sets
    fetching = download_source.map(unmapped(lake), [one.upstream for one in sets if one.upstream])
    downloads = download_source.map(unmapped(lake), sources, [columns_of(one) for one in sources])
    normalizing = normalize_source.map(
        unmapped(lake), downloads, sources, unmapped(plan.stage_shard_rows)
    )
    finish("download", downloads)
    finish("normalize", normalizing)
    receipts, normalized, failed = arrivals(sources, downloads, normalizing)
    artifacts.of_downloads(receipts, failed)
    artifacts.of_stage("normalize", normalized)

    shards = tuple(shard for stage in normalized for shard in stage.shards)
    rules = with_sets_at_hand(plan, lake, gather("download evaluation sets", fetching)).filter
    with step("index evaluation sets"):
        evaluations = index_evaluations(lake, rules.contamination)
    judging = judge_shard.map(unmapped(lake), shards, unmapped(rules), unmapped(evaluations))
    measuring = measure_shard.map(unmapped(lake), shards, unmapped(plan.measure))
    filtered = tuple(gather("filter", judging))
    measured = tuple(gather("measure", measuring))
    artifacts.of_stage("filter", filtered)

    with step("dedupe: exact"):
        exact = mark_exact(lake, shards, filtered, plan)
    with step("dedupe: near"):
        near = mark_near(lake, shards, filtered, exact, plan)
    artifacts.of_stage("dedupe", (exact, near))

    judgement = Judgement(
        normalized=normalized, filtered=filtered, measured=measured, exact=exact, near=near
    )
    if plan.sampling.is_on:
        with step("sample"):
            judgement = sample_rows(lake, judgement, plan)
        artifacts.of_stage("sample", judgement.sampled)
    manifest, is_new = find_unchanged(lake, plan, judgement, failed), False
    if manifest is None:
        with step("measure: summarise"):
            statistics, gates = summarise_corpus(lake, plan, judgement, receipts, failed)
        with step("publish"):
            manifest, is_new = publish_corpus(
                lake, plan, judgement, receipts, failed, statistics, gates, pages_of(lake)
            )
    outcome = outcome_of(lake, manifest, is_new)
    artifacts.of_version(manifest, outcome)
    events.of_refresh(outcome)
    if outcome.status is Status.REJECTED:
        raise rejection(manifest, outcome)

    if plan.publish.hub:
        outcome = on_the_hub(lake, plan, manifest, outcome)
    if train and plan.train:
        with carries(outcome):
            adapter = train_adapter(recipe, lake, f"{manifest.name}@{manifest.version}")
        outcome = outcome.model_copy(update={"adapter": adapter})
    return outcome


def on_the_hub(lake: str, plan: Recipe, manifest: CorpusManifest, outcome: Outcome) -> Outcome:
    """The outcome with where the version is on the Hub: pushed now, unless it was before."""
    with carries(outcome), step("push dataset"):
        pushed, is_new = push_dataset(lake, manifest, plan.publish)
    if is_new:
        artifacts.of_push(pushed)
        events.of_push(pushed, manifest.rows_out)
    return outcome.model_copy(update={"dataset": pushed.uri})
