"""The source files and recipes that ship with Winnow: all of them parse and say whose they are."""

import pytest

from schemas.recipe import DEPLOYMENTS, load_recipe, load_source
from tasks.normalize.layouts import shape_of

SOURCES = sorted(path.stem for path in (DEPLOYMENTS / "sources").glob("*.yaml"))
UPSTREAM = [name for name in SOURCES if not name.startswith("sample_")]
RECIPES = sorted(path.stem for path in (DEPLOYMENTS / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_file_parses_and_is_named_as_its_source(name: str) -> None:
    made_of = load_source(name, DEPLOYMENTS)

    assert made_of.name == name
    assert made_of.title
    assert made_of.languages
    assert made_of.citation
    assert shape_of(made_of).wanted(made_of)


@pytest.mark.parametrize("name", UPSTREAM)
def test_an_upstream_source_is_to_be_had_over_the_network(name: str) -> None:
    made_of = load_source(name, DEPLOYMENTS)

    assert made_of.local is None
    assert made_of.homepage.startswith("https://")
    assert made_of.expected_rows.min > 1


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_parses_with_all_its_sources(name: str) -> None:
    recipe = load_recipe(name)

    assert len(recipe.resolved_sources) == len(recipe.sources)


def test_originals_come_before_their_translations() -> None:
    priority = {name: load_source(name, DEPLOYMENTS).priority for name in UPSTREAM}

    assert priority["alpaca"] < priority["alpaca_zh_hikariming"] < priority["alpaca_zh_carbonz0"]
    assert priority["alpaca_gpt4_en"] < priority["alpaca_gpt4_zh"]
    assert priority["llama_factory_alpaca_en"] < priority["llama_factory_alpaca_zh"]
