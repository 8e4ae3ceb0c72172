"""The adapters that were trained from a corpus's versions, as far as their runs are in the lake."""

from dataclasses import dataclass

import yaml
from pydantic import ValidationError

from schemas.adapter import TrainingManifest, run_name
from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest
from schemas.recipe import Recipe
from tasks.lake import Lake


@dataclass(frozen=True)
class Run:
    """A folder of `runs/`: its manifest once it is finished, else its recipe where it has one."""

    name: str
    manifest: TrainingManifest | None
    recipe: Recipe | None

    def may_need(self, version: CorpusManifest) -> bool:
        """Whether the run learns, or has learnt, from this version's records.

        One that is not finished and does not say what it is of may be of any version of its corpus.
        """
        if self.manifest is not None:
            return self.manifest.corpus_digest == version.digest
        recipe = self.recipe
        if recipe is None or recipe.train is None or recipe.train.start_from:
            return self.name.rpartition("-")[0] == version.name
        return self.name == run_name(version.name, version.digest, recipe.train, recipe.seed)


def runs(lake: Lake) -> tuple[Run, ...]:
    """Every training run of the lake, sorted by name."""
    return tuple(_run(lake, name) for name in lake.folders("runs"))


def _run(lake: Lake, name: str) -> Run:
    manifest = _manifest(lake, name)
    return Run(name, manifest, _recipe(lake, name) if manifest is None else None)


def _manifest(lake: Lake, name: str) -> TrainingManifest | None:
    data = lake.read_if_any(f"runs/{name}/training_manifest.json")
    try:
        return TrainingManifest.model_validate_json(data) if data else None
    except ValidationError:
        return None


def _recipe(lake: Lake, name: str) -> Recipe | None:
    data = lake.read_if_any(f"runs/{name}/recipe.yaml")
    try:
        return Recipe.from_mapping(yaml.safe_load(data), name) if data else None
    except (yaml.YAMLError, ConfigError):
        return None
