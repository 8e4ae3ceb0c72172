"""A rule of the recipe by name, its values changed, and the rules with it alone switched on."""

import pytest

from schemas.errors import ConfigError, UnknownName
from schemas.frozen import Frozen
from schemas.privacy import Policy
from schemas.recipe import Recipe
from tasks.filter.judge import rule_table
from tasks.trial.rule import alone, changed, differences, find_rule, rule_of
from tests.judgements import recipe_of

RECIPE = recipe_of("alpaca")

# fmt: off
NAMES = {  #                    name                          leads to
    "by its last key":         ("lengths",                    ("filter", "lengths")),
    "of dedupe":               ("exact",                      ("dedupe", "exact")),
    "further down":            ("no_content",                 ("filter", "quality", "no_content")),
    "with a dot":              ("quality.no_content",         ("filter", "quality", "no_content")),
    "of two, the higher":      ("near",                       ("dedupe", "near")),
    "in full":                 ("filter.quality.no_content",  ("filter", "quality", "no_content")),
    "a group of groups":       ("quality",                    ("filter", "quality")),
}
WRONG = {  #                    name          says
    "mistyped":                ("lenghts",    "did you mean 'lengths'"),
    "no rule on rows":         ("gates",      "no rule of recipe 'tiny' is called 'gates'"),
    "a value, not a rule":     ("lengths.enabled", "did you mean 'lengths'"),
}
SETTINGS = {  #                 rule         setting                      says
    "a key mistyped":          ("lengths",   "min_response_char=2",       "did you mean 'min_response_chars'"),
    "no value":                ("lengths",   "min_response_chars",        "expected KEY=VALUE"),
    "no key":                  ("lengths",   "=2",                        "expected KEY=VALUE"),
    "out of bounds":           ("near",      "threshold=1.5",             "dedupe.near.threshold"),
    "of another kind":         ("near",      "threshold=low",             "dedupe.near.threshold"),
    "no room between bounds":  ("lengths",   "max_response_chars=0",      "max_response_chars"),
    "not YAML":                ("lengths",   "min_response_chars=[",      "not valid YAML"),
}
# fmt: on


@pytest.mark.parametrize(("name", "path"), NAMES.values(), ids=NAMES)
def test_a_rule_is_any_group_of_the_recipe_by_its_shortest_name(
    name: str, path: tuple[str, ...]
) -> None:
    assert find_rule(RECIPE, name) == path


@pytest.mark.parametrize(("name", "says"), WRONG.values(), ids=WRONG)
def test_an_unknown_rule_names_the_nearest(name: str, says: str) -> None:
    with pytest.raises(UnknownName, match=says.replace("?", r"\?")):
        find_rule(RECIPE, name)


@pytest.mark.parametrize(("rule", "setting", "says"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_is_held_to_what_the_recipe_may_say(rule: str, setting: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        changed(RECIPE, find_rule(RECIPE, rule), [setting])


def test_settings_change_that_rule_and_nothing_else() -> None:
    path = find_rule(RECIPE, "lengths")
    after = changed(RECIPE, path, ["min_response_chars=20", "enabled=false"])
    assert differences(rule_of(RECIPE, path), rule_of(after, path)) == {
        "enabled": (True, False),
        "min_response_chars": (1, 20),
    }
    same = after.model_copy(update={"filter": RECIPE.filter})
    assert same == Recipe.from_mapping(RECIPE.model_dump(mode="json"), "test")


def test_a_key_may_lead_further_down() -> None:
    path = find_rule(RECIPE, "quality")
    after = changed(RECIPE, path, ["no_content.max_chars=9"])
    assert after.filter.quality.no_content.max_chars == 9


def switched_on(group: Frozen) -> set[str]:
    """The dotted names of all groups below that are on."""
    found = set()
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, Frozen):
            if getattr(value, "enabled", False):
                found.add(name)
            if getattr(value, "enabled", True):
                found |= {f"{name}.{inner}" for inner in switched_on(value)}
    return found


# fmt: off
ALONE = {  #             path                           left on
    "one rule":         (("lengths",),                  {"lengths"}),
    "one of a group":   (("quality", "no_content"),     {"quality.no_content"}),
    "none":             ((),                            set()),
}
# fmt: on


@pytest.mark.parametrize(("path", "left"), ALONE.values(), ids=ALONE)
def test_a_rule_can_be_asked_alone(path: tuple[str, ...], left: set[str]) -> None:
    rules = alone(RECIPE.filter, path)
    assert switched_on(rules) == left
    assert set(rules.privacy.model_dump().values()) == {Policy.KEEP}


def test_no_rule_of_the_filter_is_without_a_switch() -> None:
    """Or `winnow try` judges all rows by it too: give its model `enabled`, or a Policy per kind."""
    assert rule_table(alone(RECIPE.filter, ()), None) == {}
    lengths = rule_table(alone(RECIPE.filter, ("lengths",)), None)
    assert {reason.value.partition("_")[0] for reason in lengths} == {"empty", "short", "long"}
