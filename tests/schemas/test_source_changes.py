"""Recipe entries that change a known source, and the placeholders of a recipe."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import ConfigError, UnknownName
from schemas.recipe import Recipe, load_recipe
from schemas.source import Source

COMMIT = "0123456789012345678901234567890123456789"
FILE = {
    "name": "known",
    "layout": "alpaca",
    "columns": {"output": "response"},
    "constants": {"system": "Be brief."},
    "licence": "MIT",
    "hub": {"repo": "a/b", "files": ["x.json", "y.json"]},
    "priority": 7,
}


def one(tmp_path: Path, change: dict[Any, Any], file: dict[str, Any] = FILE) -> Source:
    (tmp_path / "known.yaml").write_text(yaml.safe_dump(file))
    return loaded(tmp_path, [{"source": "known.yaml"} | change]).resolved_sources[0]


def loaded(tmp_path: Path, sources: list[Any], **recipe: Any) -> Recipe:
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"name": "r", "sources": sources} | recipe))
    return load_recipe(str(tmp_path / "r.yaml"))


def test_what_a_change_does_not_name_stays(tmp_path: Path) -> None:
    assert one(tmp_path, {}) == Source.model_validate(FILE)


# fmt: off
CHANGES = {  #              change                                    key            becomes
    "a number":            ({"priority": 5},                          "priority",    5),
    "a switch":            ({"answer_only": True},                    "answer_only", True),
    "the layout":          ({"layout": "dolly"},                      "layout",      "dolly"),
    "a name":              ({"name": "other"},                        "name",        "other"),
    "within a mapping":    ({"hub": {"revision": COMMIT}},            "hub",         {"repo": "a/b", "revision": COMMIT, "files": ["x.json", "y.json"], "stream": False, "max_rows": None}),
    "a list as a whole":   ({"hub": {"files": ["z.json"]}},           "hub",         {"repo": "a/b", "revision": "main", "files": ["z.json"], "stream": False, "max_rows": None}),
    "of names, one more":  ({"constants": {"input": "-"}},            "constants",   {"input": "-", "system": "Be brief."}),
    "of names, another":   ({"constants": {"system": "Be long."}},    "constants",   {"system": "Be long."}),
    "the upstream":        ({"http": {"urls": ["http://x/y"]}},       "hub",         None),
}
# fmt: on


@pytest.mark.parametrize(("change", "key", "becomes"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_merged_over_the_source_file(
    tmp_path: Path, change: dict[str, Any], key: str, becomes: Any
) -> None:
    changed = one(tmp_path, change).model_dump(mode="json")
    assert changed[key] == becomes
    assert changed["licence"] == "MIT"


def test_columns_that_are_not_changed_keep_what_the_file_says(tmp_path: Path) -> None:
    columns = one(tmp_path, {"columns": {"instruction": "question"}}).columns
    assert (columns.instruction, columns.output) == ("question", "response")


# fmt: off
REFUSED = {  #                 change                                says
    "an unknown key":         ({"pririty": 5},                       "r.yaml: sources.0: source 'known.yaml': unknown key 'pririty'; did you mean 'priority'?"),
    "a key that is a number": ({5: 5},                               "unknown key '5'; known keys: source, name"),
    "an unknown nested key":  ({"hub": {"revison": "x"}},            "r.yaml: source 'known': hub: unknown key 'revison'; did you mean 'revision'?"),
    "a value out of bounds":  ({"priority": -1},                     "r.yaml: source 'known': priority: Input should be greater than or equal to 0 (found -1)"),
    "a mistyped layout":      ({"layout": "alpacca"},                "r.yaml: source 'known': layout: unknown value 'alpacca'; did you mean 'alpaca'?"),
    "no mapping for one":     ({"hub": "main"},                      "r.yaml: source 'known': hub: Input should be a valid dictionary"),
    "no upstream left":       ({"hub": None},                        "r.yaml: source 'known': top level: expected exactly one of local, http, hub; found none"),
}
# fmt: on


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_change_names_the_recipe_the_source_and_the_key(
    tmp_path: Path, change: dict[Any, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as error:
        one(tmp_path, change)
    assert says in str(error.value)
    assert "at least 1 item" not in str(error.value)


def test_a_change_of_an_unknown_source_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'flan_cot'"):
        loaded(tmp_path, [{"source": "flan_cott", "answer_only": True}])


def test_a_changed_local_path_is_taken_from_the_recipe_file(tmp_path: Path) -> None:
    changed = one(tmp_path, {"local": {"path": "copy.json"}})
    assert changed.local is not None
    assert changed.local.path == str(tmp_path / "copy.json")
    assert changed.hub is None


def test_one_source_may_stand_in_a_recipe_under_two_names(tmp_path: Path) -> None:
    short = {"source": "flan_cot", "name": "flan_answers", "answer_only": True}
    both = loaded(tmp_path, ["flan_cot", short]).resolved_sources
    assert [(source.name, source.answer_only) for source in both] == [
        ("flan_cot", False), ("flan_answers", True)
    ]  # fmt: skip


def test_placeholders_of_the_recipe_go_to_every_source_and_a_sources_own_win(
    tmp_path: Path,
) -> None:
    own = {"source": "alpaca", "placeholders": {"name": "Ada"}}
    recipe = loaded(tmp_path, ["flan_cot", own], placeholders={"name": "Winnow", "author": "us"})
    assert {source.name: dict(source.placeholders) for source in recipe.resolved_sources} == {
        "flan_cot": {"name": "Winnow", "author": "us"},
        "alpaca": {"name": "Ada", "author": "us"},
    }


def test_what_is_stored_of_a_recipe_is_the_merged_source(tmp_path: Path) -> None:
    change = {"source": "belle_0_5m", "hub": {"revision": COMMIT}, "priority": 5}
    shown = loaded(tmp_path, [change], placeholders={"name": "Winnow"}).shown()
    (stored,) = shown["sources"]
    assert (stored["name"], stored["priority"], stored["hub"]["revision"]) == (
        "belle_0_5m", 5, COMMIT
    )  # fmt: skip
    assert stored["placeholders"] == {"name": "Winnow"}
    (tmp_path / "stored.yaml").write_text(yaml.safe_dump(shown))
    assert load_recipe(str(tmp_path / "stored.yaml")).shown() == shown


def test_a_recipe_that_was_not_loaded_is_shown_without_credentials() -> None:
    change = {"source": "alpaca", "http": {"urls": ["https://me:word@example.com/a.json"]}}
    given = [change, {"source": "alpaca", "priority": 3}, "alpaca"]
    shown = Recipe.from_mapping({"name": "r", "sources": given}, "r.yaml").shown()
    assert shown["sources"][0]["http"]["urls"] == ["https://example.com/a.json"]


def test_an_inner_error_is_not_followed_by_a_list_that_is_too_short() -> None:
    wrong = [{"name": "a", "layout": "alpacca", "licence": "MIT", "local": {"path": "a"}}]
    with pytest.raises(ConfigError) as error:
        Recipe.from_mapping({"name": "r", "sources": wrong}, "r.yaml")
    assert str(error.value) == (
        "r.yaml: sources.0.layout: unknown value 'alpacca'; did you mean 'alpaca'?"
    )
