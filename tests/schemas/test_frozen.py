"""Where an error of a recipe is: by the keys that its author wrote, and no others."""

import pytest

from schemas.errors import ConfigError
from schemas.recipe import Recipe

INLINE = {"name": "a", "layout": "alpaca", "licence": "MIT", "local": {"path": "a.json"}}
SET = {"name": "gsm8k", "path": "x.jsonl"}


def recipe(**changes: object) -> dict[str, object]:
    return {"name": "r", "sources": [INLINE]} | changes


def of_sets(*sets: object) -> dict[str, object]:
    return recipe(filter={"contamination": {"sets": list(sets)}})


# fmt: off
PLACES = {  #                       recipe                                                           where
    "its own name":               (recipe(name="A B"),                                               "name:"),
    "a source's name":            (recipe(sources=[INLINE | {"name": 5}]),                           "sources.0.name:"),
    "a key of a source":          (recipe(sources=[INLINE, INLINE | {"name": "b", "priority": -1}]), "sources.1.priority:"),
    "a source that is no name":   (recipe(sources=[5]),                                              "sources.0:"),
    "a change to a source":       (recipe(sources=[{"source": 5}]),                                  "sources.0.source:"),
    "a set's name":               (of_sets(SET, SET | {"name": 5}),                                  "filter.contamination.sets.1.name:"),
    "a base model's name":        (recipe(train={"base_model": {"name": 5, "repo": "a/b"}}),         "train.base_model.name:"),
}
# fmt: on


@pytest.mark.parametrize(("data", "place"), PLACES.values(), ids=PLACES)
def test_an_error_is_where_its_key_is(data: object, place: str) -> None:
    with pytest.raises(ConfigError) as error:
        Recipe.from_mapping(data, where="r.yaml")
    assert str(error.value).startswith(f"r.yaml: {place} ")
