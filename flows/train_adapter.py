"""Train an adapter: a corpus version in, an adapter on the hub out."""

from prefect import flow

from flows import artifacts, events
from flows.outcome import adapter_uri
from flows.progress import step
from schemas.adapter import run_name
from schemas.manifest import CorpusManifest
from schemas.recipe import load_recipe
from schemas.train import Train
from tasks.corpora import version_key
from tasks.history.leases import leased
from tasks.history.named import named_version
from tasks.lake import Lake
from tasks.runs import fetch_adapter, fetch_run, keep_run
from trainer.adapters import find_start
from trainer.task import train_adapter_task


@flow(name="train-adapter", flow_run_name="train-{recipe}")
@leased
def train_adapter(recipe: str = "quickstart", lake: str = "lake", corpus: str | None = None) -> str:
    """Train from a version (the latest of the recipe's corpus, if none is named); returns its URI.

    `corpus` names one as `name@v0007`, or by its tag as `name@prod`.
    A run of the same corpus, recipe and seed is continued where it stopped, or found done.

    Raises:
        ConfigError: the version has rows under a licence that the recipe refuses.
        UnknownName: the corpus has no such version.
        AdapterRejected: the adapter is worse than its base model; it is kept and not pushed.
        TrainingError: training stopped; run it again to go on from the last checkpoint.
    """
    plan = load_recipe(recipe)
    store = Lake(lake)
    version = named_version(store, corpus or plan.name)
    plan.check_licences(version)
    manifest = store.at(f"{version_key(version.name, version.version)}/manifest.json")
    with step("train"):
        if plan.train:
            fetch_run(store, _run_name(store, version, plan.train, plan.seed))
        run = keep_run(store, train_adapter_task(manifest, plan, str(store.disk)))
    artifacts.of_training(run)
    events.of_training(run)
    return adapter_uri(run)


def _run_name(store: Lake, version: CorpusManifest, train: Train, seed: int) -> str:
    """The name of a version's run; the adapter that it starts from is fetched of the lake first."""
    if train.start_from and store.folder is None:
        fetch_adapter(store, train.start_from)
    start = find_start(train, store.disk)
    digest = start.digest if start else None
    return run_name(version.name, version.digest, train, seed, digest)
