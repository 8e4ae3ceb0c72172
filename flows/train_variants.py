"""An ablation: a recipe and its variants refreshed, trained alike, and compared."""

from pathlib import Path

from prefect import flow

from flows import artifacts
from flows.progress import step
from flows.refresh_corpus import refresh_corpus
from flows.train_adapter import train_adapter
from schemas.ablation import Ablation, Trial, Variant, variants_of
from schemas.errors import AdapterRejected, ConfigError
from schemas.recipe import Recipe, find_yaml, load_recipe
from tasks.ablations import ablation_folder, keep_ablation, variant_recipe
from tasks.corpora import version_key
from tasks.history.leases import leased
from tasks.lake import Lake
from trainer.task import compare_trials_task


@flow(name="train-variants", flow_run_name="train-variants-{recipe}")
@leased
def train_variants(
    recipe: str = "quickstart",
    lake: str = "lake",
    sources: tuple[str, ...] = (),
    rules: tuple[str, ...] = (),
    seeds: int = 1,
    local: dict[str, str] | None = None,
) -> tuple[Ablation, str]:
    """Train the recipe and what it is without each of `sources` and `rules`; compare them.

    Each variant is a corpus of its own, none goes to a hub, and all are measured on the whole
    recipe's validation split. `seeds` counts up from the recipe's. What was done before is not done
    again. Returns the result and where it is in the lake.

    Raises:
        ConfigError: the recipe is wrong or trains nothing, or there is no such rule.
        WinnowError: what refreshing or training a variant raises, a rejected adapter apart.
    """
    plan = load_recipe(recipe, {name: Path(path) for name, path in (local or {}).items()})
    if plan.train is None:
        raise ConfigError(f"recipe {recipe!r} has no train section, so nothing is trained.")
    variants = variants_of(plan, sources, rules)
    store, path = Lake(lake), find_yaml(recipe, "recipe")
    trials = [
        trial
        for variant in variants
        for trial in _trials(store, variant, plan, path, seeds, local or {})
    ]
    ablation = Ablation(
        recipe=plan.name,
        corpus_version=trials[0].version,
        manifest=trials[0].manifest,
        trials=tuple(trials),
    )
    folder = ablation_folder(store, ablation)
    whole = variant_recipe(store, variants[0], plan, path, plan.seed)
    with step("compare"):
        found = compare_trials_task(ablation, whole, str(store.disk), str(folder))
    place = keep_ablation(store, folder)
    artifacts.of_ablation(found, place)
    return found, place


def _trials(
    store: Lake, variant: Variant, plan: Recipe, path: Path, seeds: int, local: dict[str, str]
) -> list[Trial]:
    """One variant refreshed, and trained with each seed."""
    recipe = variant_recipe(store, variant, plan, path, plan.seed)
    copies = {name: copy for name, copy in local.items() if name not in variant.sources}
    outcome = refresh_corpus(recipe, store.uri, copies or None, False)
    corpus = f"{outcome.corpus}@{outcome.version}"
    manifest = store.at(f"{version_key(outcome.corpus, outcome.version)}/manifest.json")
    found = []
    for seed in range(plan.seed, plan.seed + seeds):
        seeded = variant_recipe(store, variant, plan, path, seed)
        run, rejected = None, None
        try:
            run = train_adapter(seeded, store.uri, corpus).split("/")[-2]
        except AdapterRejected as error:
            rejected = str(error)
        trial = Trial(
            variant=variant,
            version=outcome.version,
            manifest=manifest,
            seed=seed,
            run=run,
            rejected=rejected,
        )
        found.append(trial)
    return found
