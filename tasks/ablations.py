"""Where an ablation's recipes and results are in a lake."""

from pathlib import Path

import yaml

from schemas.ablation import ABLATION, REPORT, Ablation, Variant
from schemas.recipe import Recipe
from tasks.lake import Lake, digest_of, storage_errors

RECIPES = "ablations/recipes"


def variant_recipe(lake: Lake, variant: Variant, recipe: Recipe, path: Path, seed: int) -> str:
    """Write the recipe of a variant of the one at `path`, to be trained with a seed; its path.

    Raises:
        StorageError: it cannot be written.
    """
    heir = variant.recipe(str(path), recipe.description)
    if seed != recipe.seed:
        heir["seed"] = seed
    file = lake.disk / RECIPES / f"{variant.name}-seed-{seed}.yaml"
    with storage_errors("write", str(file)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(heir, allow_unicode=True, sort_keys=False), "utf-8")
    return str(file)


def ablation_folder(lake: Lake, plan: Ablation) -> Path:
    """Where an ablation's results are written: the same place for the same runs."""
    runs = [[trial.variant.name, trial.version, trial.seed, trial.run] for trial in plan.trials]
    return lake.disk / f"ablations/{plan.recipe}-{digest_of(runs)[:12]}"


def keep_ablation(lake: Lake, folder: Path) -> str:
    """Have the results in the lake; where they are, as its URI."""
    key = f"ablations/{folder.name}"
    if lake.folder is None:
        for name in (REPORT, ABLATION):
            lake.upload(folder / name, f"{key}/{name}")
    return lake.at(key)
