"""docs/how-to/mix-and-ablate.md: every recipe it shows is read, and is what the page says it is."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from schemas.recipe import DEPLOYMENTS, Recipe, load_recipe
from tasks.text import place

PAGE = (DEPLOYMENTS.parent / "docs/how-to/mix-and-ablate.md").read_text("utf-8")
BLOCKS: dict[str, dict[str, Any]] = {
    block["name"]: block
    for block in map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S))
}
SHIPPED = {"alpaca-belle-cot-without-cot", "alpaca-belle-cot-without-chinese"}


def loaded(name: str, folder: Path) -> Recipe:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(BLOCKS[name]), encoding="utf-8")
    return load_recipe(str(path))


def names(recipe: Recipe) -> set[str]:
    return {source.name for source in recipe.resolved_sources}


@pytest.mark.parametrize("name", BLOCKS)
def test_every_recipe_of_the_page_is_valid_and_inherits(tmp_path: Path, name: str) -> None:
    recipe, parent = loaded(name, tmp_path), load_recipe(BLOCKS[name]["extends"])
    assert recipe.name == name
    assert recipe != parent
    assert recipe.filter == parent.filter
    assert recipe.sampling.is_on is ("sampling" in BLOCKS[name])


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_ablations_of_the_page_are_those_that_ship(tmp_path: Path, name: str) -> None:
    assert loaded(name, tmp_path) == load_recipe(name)


def test_a_source_is_changed_and_one_is_added(tmp_path: Path) -> None:
    recipe = loaded("alpaca-cot-answers", tmp_path)
    assert names(recipe) == {"alpaca", "flan_cot", "dolly_15k"}
    assert recipe.source("flan_cot").answer_only
    assert recipe.gates == load_recipe("alpaca-cot").gates.model_copy(update={"min_rows": 80_000})


def test_the_page_names_only_sources_of_the_mixture(tmp_path: Path) -> None:
    for name, block in BLOCKS.items():
        sampled = block.get("sampling", {}).get("sources", {})
        assert set(sampled) <= names(loaded(name, tmp_path))


def test_the_row_that_the_page_shows_has_the_place_that_it_says(tmp_path: Path) -> None:
    shown = re.search(r"^alpaca:3  (\w{32}) .*\n  found: place ([\d.]+) of", PAGE, re.MULTILINE)
    assert shown is not None
    seed = loaded("small", tmp_path).seed
    its_place = pl.select(place(f"{seed}:fraction:", pl.lit(shown[1]))).item()
    assert float(shown[2]) == round(its_place, 6)
    assert dict(loaded("small", tmp_path).sampling.sources)["alpaca"].fraction == 0.25


def test_the_words_of_the_page_are_keys_that_there_are() -> None:
    schema = str(Recipe.model_json_schema())
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", PAGE)) - {
        *("unknown", "null", "not_sampled", "rows_repeated", "rows_in", "rows_out"),
    }
    assert {word for word in words if f"'{word}'" not in schema} == set()
