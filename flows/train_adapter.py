"""Train an adapter: a corpus version in, an adapter on the hub out."""

from prefect import flow

from flows import artifacts, events
from flows.outcome import adapter_uri
from flows.progress import step
from schemas.recipe import load_recipe
from tasks.corpora import find_version, version_key
from tasks.lake import Lake
from trainer.task import train_adapter_task


@flow(name="train-adapter", flow_run_name="train-{recipe}")
def train_adapter(recipe: str = "quickstart", lake: str = "lake", corpus: str | None = None) -> str:
    """Train from a version (`name@v0007`; the latest of the recipe's corpus else); returns its URI.

    A run of the same corpus, recipe and seed is continued where it stopped, or found done.

    Raises:
        UnknownName: the corpus has no such version.
        AdapterRejected: the adapter is worse than its base model; it is kept and not pushed.
        TrainingError: training stopped; run it again to go on from the last checkpoint.
    """
    plan = load_recipe(recipe)
    store = Lake(lake)
    version = find_version(store, corpus or plan.name)
    folder = store.at(version_key(version.name, version.version))
    with step("train"):
        run = train_adapter_task(f"{folder}/manifest.json", plan, lake)
    artifacts.of_training(run)
    events.of_training(run)
    return adapter_uri(run)
