"""Recipes that inherit: one thing changed, the rest as the parent says, or refused with the chain."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import ConfigError, UnknownName
from schemas.recipe import Recipe, load_recipe
from tasks.publish.identity import recipe_digest

HUB = {"repo": "a/b", "files": ["x.json"]}
A = {"name": "a", "layout": "alpaca", "licence": "MIT", "hub": HUB, "languages": ["en"]}
B = A | {"name": "b", "languages": ["zh"]}
C = A | {"name": "c", "languages": ["en", "zh"]}
D = A | {"name": "d", "languages": []}
BASE: dict[str, Any] = {
    "name": "base",
    "description": "Everything.",
    "sources": [A, B, C, D],
    "gates": {"min_rows": 7, "max_dropped_share": 0.5},
    "filter": {"contamination": {"ngram": 9, "sets": [{"name": "e", "path": "e.jsonl"}]}},
    "dedupe": {"near": {"overrides": [{"source": "a", "threshold": 0.9}, {"source": "b"}]}},
    "sampling": {"sources": {"a": {"fraction": 0.5}, "b": {"repeat": 2, "max_rows": 9}}},
    "placeholders": {"name": "Winnow"},
    "measure": {"tokenizer": "tokens"},
    "train": {"base_model": {"name": "m", "path": "model"}, "max_steps": 4},
}


def write(folder: Path, **recipe: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{recipe['name']}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def heir(folder: Path, **changes: Any) -> Recipe:
    write(folder, **BASE)
    return load_recipe(str(write(folder, name="heir", extends="base.yaml", **changes)))


def names(recipe: Recipe) -> list[str]:
    return [source.name for source in recipe.resolved_sources]


def test_an_heir_that_changes_nothing_is_its_parent_under_its_own_name(tmp_path: Path) -> None:
    given = heir(tmp_path)
    parent = load_recipe(str(tmp_path / "base.yaml"))
    assert given == parent.model_copy(update={"name": "heir", "description": ""})


def at(recipe: Recipe, path: str) -> Any:
    value: Any = recipe.shown()
    for key in path.split("."):
        value = value[key]
    return value


# fmt: off
CHANGES = {  #               change                                            path                        becomes
    "a number":             ({"gates": {"min_rows": 8}},                       "gates.min_rows",           8),
    "what is beside it":    ({"gates": {"min_rows": 8}},                       "gates.max_dropped_share",  0.5),
    "another section":      ({"gates": {"min_rows": 8}},                       "measure.largest_clusters", 10),
    "deep inside":          ({"filter": {"contamination": {"ngram": 5}}},      "filter.contamination.ngram", 5),
    "a list as a whole":    ({"filter": {"contamination": {"sets": []}}},      "filter.contamination.sets", []),
    "one name more":        ({"placeholders": {"author": "us"}},               "placeholders",             {"author": "us", "name": "Winnow"}),
    "null is a value":      ({"train": None},                                  "train",                    None),
    "beside a base model":  ({"train": {"max_steps": 9}},                      "train.base_model.name",    "m"),
    "within one source":    ({"sampling": {"sources": {"b": {"repeat": 3}}}},  "sampling.sources.b.max_rows", 9),
    "another source":       ({"sampling": {"sources": {"b": {"repeat": 3}}}},  "sampling.sources.a.fraction", 0.5),
    "words of its own":     ({"description": "Less."},                         "description",              "Less."),
    "no inherited words":   ({},                                               "description",              ""),
}
# fmt: on


@pytest.mark.parametrize(("change", "path", "becomes"), CHANGES.values(), ids=CHANGES)
def test_changes_are_merged_key_by_key(
    tmp_path: Path, change: dict[str, Any], path: str, becomes: Any
) -> None:
    assert at(heir(tmp_path, **change), path) == becomes


def test_a_base_model_takes_the_place_of_another_as_a_whole(tmp_path: Path) -> None:
    train = heir(tmp_path, train={"base_model": {"name": "other", "repo": "o/m"}}).train
    assert train is not None
    assert (train.base_model.repo, train.base_model.path, train.max_steps) == ("o/m", None, 4)


def test_shares_take_the_place_of_others_as_a_whole(tmp_path: Path) -> None:
    balance = {"by": "language", "shares": {"en": 0.5, "zh": 0.5}, "min_kept_share": 0.2}
    write(tmp_path, **BASE | {"sampling": {"balance": balance}})
    path = write(tmp_path, name="heir", extends="base.yaml",
                 sampling={"balance": {"shares": {"en": 0.3, "fr": 0.7}}})  # fmt: skip
    mine = load_recipe(str(path)).sampling.balance
    assert mine is not None
    assert (dict(mine.shares), mine.min_kept_share) == ({"en": 0.3, "fr": 0.7}, 0.2)


# fmt: off
SOURCES = {  #                     change                                                sources
    "nothing":                    ({},                                                   ["a", "b", "c", "d"]),
    "one is left out":            ({"without": ["b"]},                                   ["a", "c", "d"]),
    "two are":                    ({"without": ["a", "c"]},                              ["b", "d"]),
    "the same in full":           ({"without": {"sources": ["b"]}},                      ["a", "c", "d"]),
    "a language":                 ({"without": {"languages": ["zh"]}},                   ["a", "c", "d"]),
    "all its languages":          ({"without": {"languages": ["zh", "en"]}},             ["d"]),
    "a name and a language":      ({"without": {"sources": ["c"], "languages": ["zh"]}}, ["a", "d"]),
    "one is added":               ({"sources": [A | {"name": "e"}]},                     ["a", "b", "c", "d", "e"]),
    "one is replaced":            ({"sources": [B | {"priority": 3}]},                   ["a", "b", "c", "d"]),
    "one is changed":             ({"sources": [{"source": "b", "priority": 3}]},        ["a", "b", "c", "d"]),
    "a copy under another name":  ({"sources": [{"source": "b", "name": "e"}]},          ["a", "b", "c", "d", "e"]),
    "one in exchange":            ({"without": ["b"], "sources": [A | {"name": "e"}]},   ["a", "c", "d", "e"]),
    "out, and in as it comes":    ({"without": ["b"], "sources": [B]},                   ["a", "c", "d", "b"]),
    "all in exchange":            ({"without": ["a", "b", "c", "d"], "sources": [A]},    ["a"]),
}
# fmt: on


@pytest.mark.parametrize(("change", "sources"), SOURCES.values(), ids=SOURCES)
def test_sources_are_added_changed_and_left_out(
    tmp_path: Path, change: dict[str, Any], sources: list[str]
) -> None:
    assert names(heir(tmp_path, **change)) == sources


def test_a_change_is_made_to_the_source_as_it_was_inherited(tmp_path: Path) -> None:
    changed = heir(tmp_path, sources=[{"source": "b", "priority": 3, "hub": {"revision": "v1"}}])
    source = changed.source("b")
    assert source.hub is not None
    assert (source.priority, source.hub.repo, source.hub.revision) == (3, "a/b", "v1")
    assert source.languages == ("zh",)


def test_what_is_said_of_a_source_alone_goes_with_it(tmp_path: Path) -> None:
    recipe = heir(tmp_path, without=["b"])
    assert [name for name, _ in recipe.sampling.sources] == ["a"]
    assert [override.source for override in recipe.dedupe.near.overrides] == ["a"]


def test_paths_are_taken_from_the_file_that_names_them(tmp_path: Path) -> None:
    local = {"name": "l", "layout": "alpaca", "licence": "MIT", "local": {"path": "l.json"}}
    write(tmp_path / "one", **BASE | {"sources": [local], "sampling": {}, "dedupe": {}})
    path = write(tmp_path / "two", name="heir", extends="../one/base.yaml",
                 sources=[local | {"name": "m"}], measure={"tokenizer": "mine"})  # fmt: skip
    recipe = load_recipe(str(path))
    places = {one.name: one.local.path for one in recipe.resolved_sources if one.local}
    assert {name: Path(place).resolve() for name, place in places.items()} == {
        "l": tmp_path / "one/l.json",
        "m": tmp_path / "two/l.json",
    }
    assert Path(str(recipe.filter.contamination.sets[0].path)).resolve() == tmp_path / "one/e.jsonl"
    assert recipe.measure.tokenizer == str(tmp_path / "two/mine")
    assert recipe.train is not None
    assert Path(str(recipe.train.base_model.path)).resolve() == tmp_path / "one/model"


def test_recipes_inherit_from_heirs(tmp_path: Path) -> None:
    write(tmp_path, **BASE)
    write(tmp_path, name="mid", extends="base.yaml", without=["a"], gates={"min_rows": 8})
    path = write(tmp_path, name="last", extends="mid.yaml", without=["b"], seed=4)
    recipe = load_recipe(str(path))
    assert names(recipe) == ["c", "d"]
    assert (recipe.gates.min_rows, recipe.gates.max_dropped_share, recipe.seed) == (8, 0.5, 4)


def test_the_digest_is_that_of_the_same_recipe_written_in_full(tmp_path: Path) -> None:
    short = heir(tmp_path, without=["b"], seed=3)
    full = BASE | {"name": "heir", "description": "", "seed": 3, "sources": [A, C, D]}
    full |= {"sampling": {"sources": {"a": {"fraction": 0.5}}}}
    full |= {"dedupe": {"near": {"overrides": [{"source": "a", "threshold": 0.9}]}}}
    written = load_recipe(str(write(tmp_path / "full", **full)))
    assert recipe_digest(short, None) == recipe_digest(written, None)


def test_what_is_stored_is_complete_in_itself(tmp_path: Path) -> None:
    shown = heir(tmp_path, without=["b"]).shown()
    assert {"extends", "without"}.isdisjoint(shown)
    stored = load_recipe(str(write(tmp_path / "elsewhere", **shown)))
    assert stored.shown() == shown


def test_a_local_copy_stands_in_for_an_inherited_source(tmp_path: Path) -> None:
    heir(tmp_path, without=["b"])
    placed = load_recipe(str(tmp_path / "heir.yaml"), {"a": tmp_path / "copy.json"}).source("a")
    assert placed.local is not None
    with pytest.raises(UnknownName, match="'b'"):
        load_recipe(str(tmp_path / "heir.yaml"), {"b": tmp_path / "copy.json"})


# fmt: off
REFUSED = {  #                   change                                          says
    "an unknown parent":        ({"extends": "alpaca-bele"},                    ["heir.yaml: extends: no recipe is called 'alpaca-bele'; did you mean 'alpaca-belle'"]),
    "a file that is not there": ({"extends": "none.yaml"},                      ["heir.yaml: extends: ", "none.yaml: no such file"]),
    "an unknown source":        ({"without": ["bb"]},                           ["heir.yaml: without: no source of recipe 'base' is called 'bb'"]),
    "a language of none":       ({"without": {"languages": ["fr"]}},            ["heir.yaml: without.languages: no inherited source is in 'fr'", "a: en; b: zh; c: en, zh; d: not stated"]),
    "a typo in without":        ({"without": {"source": ["b"]}},                ["heir.yaml: without: unknown key 'source'; did you mean 'sources'?"]),
    "no list":                  ({"without": "b"},                              ["heir.yaml: without: "]),
    "nothing left":             ({"without": ["a", "b", "c", "d"]},             ["heir.yaml: sources: Tuple should have at least 1 item"]),
    "a key of its own":         ({"gates": {"min_row": 1}},                     ["heir.yaml", "gates: unknown key 'min_row'; did you mean 'min_rows'?"]),
    "no name":                  ({"name": None},                                ["heir.yaml", "Input should be a valid string (found None)"]),
    "a source twice":           ({"sources": [{"source": "b", "priority": 1}, B]}, ["heir.yaml: source 'b' is listed 2 times"]),
    "a change of none":         ({"sources": [{"source": "alpacca", "priority": 1}]}, ["no source is called 'alpacca'; did you mean 'alpaca'"]),
    "a wrong change":           ({"sources": [{"source": "b", "priority": -1}]}, ["heir.yaml: source 'b': priority: "]),
    "sampling of none":         ({"sampling": {"sources": {"bb": {"fraction": 0.5}}}}, ["no source of recipe 'heir' is called 'bb'"]),
    "sampling of one left out": ({"without": ["b"], "sampling": {"sources": {"b": {"repeat": 3}}}}, ["no source of recipe 'heir' is called 'b'"]),
    "half a base model":        ({"train": {"base_model": {"path": "x"}}},      ["heir.yaml", "train.base_model", "Field required"]),
}
# fmt: on


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_heir_is_refused_with_file_and_key(
    tmp_path: Path, change: dict[str, Any], says: list[str]
) -> None:
    write(tmp_path, **BASE)
    path = tmp_path / "heir.yaml"
    path.write_text(yaml.safe_dump({"name": "heir", "extends": "base.yaml"} | change))
    with pytest.raises(ConfigError) as error:
        load_recipe(str(path))
    assert [words for words in says if words not in str(error.value)] == []


def test_an_error_of_the_parent_names_its_file_and_who_inherits(tmp_path: Path) -> None:
    write(tmp_path, **BASE | {"gates": {"min_row": 1}})
    write(tmp_path, name="mid", extends="base.yaml")
    path = write(tmp_path, name="last", extends="mid.yaml")
    with pytest.raises(ConfigError) as error:
        load_recipe(str(path))
    chain = f"{tmp_path}/base.yaml (inherited by {tmp_path}/mid.yaml < {tmp_path}/last.yaml)"
    assert str(error.value).startswith(f"{chain}: gates: unknown key 'min_row'")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_circle_is_refused_and_named(tmp_path: Path, length: int) -> None:
    line = [f"r{index}" for index in range(length)]
    for name, parent in zip(line, [*line[1:], line[0]], strict=True):
        write(tmp_path, name=name, extends=f"{parent}.yaml")
    with pytest.raises(ConfigError) as error:
        load_recipe(str(tmp_path / "r0.yaml"))
    circle = " < ".join(f"{tmp_path}/{name}.yaml" for name in [*line, "r0"])
    assert f"recipes inherit in a circle: {circle}." in str(error.value)


def test_without_needs_something_to_inherit(tmp_path: Path) -> None:
    path = write(tmp_path, **BASE | {"without": ["a"]})
    with pytest.raises(ConfigError, match="without: nothing is inherited"):
        load_recipe(str(path))


# fmt: off
ABLATIONS = {  #                      left out of alpaca-belle-cot
    "alpaca-belle-cot-without-cot":     {"flan_cot"},
    "alpaca-belle-cot-without-chinese": {"alpaca_zh_carbonz0", "alpaca_zh_hikariming", "llama_factory_alpaca_zh", "llama_factory_glaive_zh"},
}
# fmt: on


@pytest.mark.parametrize(("name", "left_out"), ABLATIONS.items(), ids=ABLATIONS)
def test_an_ablation_is_its_mixture_but_for_one_thing(name: str, left_out: set[str]) -> None:
    mixture, ablation = load_recipe("alpaca-belle-cot"), load_recipe(name)
    assert set(names(mixture)) - set(names(ablation)) == left_out
    assert set(names(ablation)) < set(names(mixture))
    same = {"name": "x", "description": "", "sources": ()}
    assert mixture.model_copy(update=same) == ablation.model_copy(update=same)


def test_the_mixtures_and_their_ablations_are_different_corpora() -> None:
    digests = [recipe_digest(load_recipe(name), None) for name in ("alpaca-belle-cot", *ABLATIONS)]
    assert all(one != other for one, other in itertools.combinations(digests, 2))
