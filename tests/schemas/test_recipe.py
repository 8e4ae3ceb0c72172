"""Recipes and sources: read whole, or refused with the place and the remedy."""

import math
from pathlib import Path

import pytest

from schemas.dedupe import NearDedupe
from schemas.errors import ConfigError, UnknownName
from schemas.recipe import Recipe, known_name, load_recipe, load_source

INLINE = {"name": "a", "layout": "alpaca", "licence": "MIT", "local": {"path": "a.json"}}
OTHER = INLINE | {"name": "b"}


def recipe(**changes: object) -> dict[str, object]:
    return {"name": "r", "sources": [INLINE]} | changes


# fmt: off
REFUSED = {  #                     recipe                                               says
    "unknown key":                 (recipe(dedup={}),                                   "unknown key 'dedup'; did you mean 'dedupe'?"),
    "unknown nested key":          (recipe(dedupe={"near": {"treshold": 0.8}}),         "dedupe.near: unknown key 'treshold'; did you mean 'threshold'?"),
    "a key like no other":         (recipe(filter={"zzz": 1}),                          "unknown key 'zzz'; known keys: lengths, echo"),
    "threshold above one":         (recipe(dedupe={"near": {"threshold": 1.1}}),        "dedupe.near.threshold: Input should be less than or equal to 1 (found 1.1)"),
    "no source":                   (recipe(sources=[]),                                 "sources: Tuple should have at least 1 item"),
    "unknown layout":              (recipe(sources=[INLINE | {"layout": "alpacca"}]),   "layout: unknown value 'alpacca'; did you mean 'alpaca'?"),
    "typo in an inline source":    (recipe(sources=[INLINE | {"licenze": "MIT"}]),      "unknown key 'licenze'; did you mean 'licence'?"),
    "two upstreams":               (recipe(sources=[INLINE | {"hub": {"repo": "a/b", "files": ["*"]}}]), "found local, hub"),
    "no upstream":                 (recipe(sources=[{k: v for k, v in INLINE.items() if k != "local"}]), "exactly one of local, http, hub; found none"),
    "not an http URL":             (recipe(sources=[{k: v for k, v in INLINE.items() if k != "local"} | {"http": {"urls": ["ftp://x/y"]}}]), "not an http(s) URL: 'ftp://x/y'"),
    "pins that do not match":      (recipe(sources=[{k: v for k, v in INLINE.items() if k != "local"} | {"http": {"urls": ["http://x/y"], "sha256": ["a" * 64, "b" * 64]}}]), "1 urls but 2 sha256 pins"),
    "signature too long":          (recipe(dedupe={"near": {"bands": 20, "rows": 7}}),  "bands x rows is 140, the signature has 128"),
    "two places for a base model": (recipe(train={"base_model": {"name": "m", "repo": "a/b", "path": "x"}}), "found repo, path"),
    "not a mapping":               ("just text",                                        "top level"),
}
# fmt: on


@pytest.mark.parametrize(("data", "says"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_recipe_is_refused_with_its_place_and_remedy(data: object, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        Recipe.from_mapping(data, where="r.yaml")
    assert str(error.value).startswith("r.yaml: ")
    assert says in str(error.value)


def test_the_shortest_recipe_is_enough() -> None:
    assert Recipe.from_mapping(recipe(), where="r.yaml").dedupe.near.threshold == 0.8


def test_the_signature_may_be_used_whole() -> None:
    assert NearDedupe(bands=16, rows=8).bands == 16


@pytest.mark.parametrize("jaccard", [0.0, 0.5, 0.8, 1.0])
def test_recall_follows_the_curve_of_banded_minhash(jaccard: float) -> None:
    near = NearDedupe(bands=20, rows=6)
    missed = math.prod(1 - jaccard**6 for _ in range(20))
    assert near.recall(jaccard) == pytest.approx(1 - missed)


def test_relative_paths_are_taken_from_the_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        """
        name: r
        sources: [{name: a, layout: alpaca, licence: MIT, local: {path: data/a.json}}, b.yaml]
        filter: {contamination: {sets: [{name: e, path: e.jsonl}]}}
        measure: {tokenizer: tok}
        train: {base_model: {name: m, path: model}}
        """
    )
    (tmp_path / "b.yaml").write_text(
        "{name: b, layout: dolly, licence: MIT, local: {path: b.json}}"
    )
    loaded = load_recipe(str(tmp_path / "r.yaml"))
    inline, named = loaded.resolved_sources
    assert inline.local is not None
    assert named.local is not None
    assert loaded.train is not None
    assert inline.local.path == str(tmp_path / "data/a.json")
    assert named.local.path == str(tmp_path / "b.json")
    assert loaded.filter.contamination.sets[0].path == str(tmp_path / "e.jsonl")
    assert loaded.measure.tokenizer == str(tmp_path / "tok")
    assert loaded.train.base_model.path == str(tmp_path / "model")


def test_from_points_a_source_at_a_local_copy(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "{name: r, sources: [{name: a, layout: alpaca, licence: MIT, "
        "http: {urls: ['https://example.com/a.json']}}]}"
    )
    (source,) = load_recipe(str(path), {"a": tmp_path / "copy.json"}).resolved_sources
    assert source.http is None
    assert source.local is not None
    assert source.local.path == str(tmp_path / "copy.json")


def test_from_must_name_a_source_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "{name: r, sources: [{name: alpaca, layout: alpaca, licence: MIT, local: {path: a}}]}"
    )
    with pytest.raises(UnknownName, match="did you mean 'alpaca'"):
        load_recipe(str(path), {"alpacca": tmp_path})


def test_a_source_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    one = "{name: a, layout: alpaca, licence: MIT, local: {path: a.json}}"
    path.write_text(f"{{name: r, sources: [{one}, {one}]}}")
    with pytest.raises(ConfigError, match="source 'a' is listed 2 times"):
        load_recipe(str(path))


# fmt: off
UNREADABLE = {  #        content               says
    "not YAML":         ("name: [1, 2",        "line 1, column"),
    "not UTF-8":        (b"name: \xff\xfe",    "cannot be read as UTF-8"),
    "a YAML tag":       ("!!python/name:os.system", "not valid YAML"),
}
# fmt: on


@pytest.mark.parametrize(("content", "says"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_not_yaml_says_where(
    tmp_path: Path, content: str | bytes, says: str
) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        load_recipe(str(path))
    assert str(path) in str(error.value)
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load_source(str(tmp_path / "none.yaml"), tmp_path)


def test_an_unknown_name_comes_with_the_nearest_and_the_whole_list() -> None:
    with pytest.raises(UnknownName) as error:
        known_name("quikstart", ("belle", "quickstart"), "recipe")
    assert "did you mean 'quickstart'? known: belle, quickstart" in str(error.value)


# fmt: off
LISTS = {  #             names  kind       says
    "a dozen":          (12,    "source",  "known: n00, n01, n02, n03, n04, n05, n06, n07, n08, n09, n10, n11"),
    "more sources":     (13,    "source",  "`winnow sources list` shows all 13"),
    "more of others":   (13,    "recipe",  "n09, n10, n11 and 1 more"),
}
# fmt: on


@pytest.mark.parametrize(("names", "kind", "says"), LISTS.values(), ids=LISTS)
def test_of_many_names_not_all_are_listed(names: int, kind: str, says: str) -> None:
    with pytest.raises(UnknownName) as error:
        known_name("zz", tuple(f"n{n:02}" for n in range(names)), kind)
    assert str(error.value).endswith(says)


def test_a_known_name_is_itself() -> None:
    assert known_name("belle", ("belle",), "recipe") == "belle"
