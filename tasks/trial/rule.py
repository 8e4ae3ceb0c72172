"""A rule by name, and a recipe with some of its values changed."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import yaml

from schemas.errors import ConfigError, UnknownName
from schemas.frozen import Frozen
from schemas.privacy import Policy
from schemas.recipe import Recipe, known_name

PARTS = ("filter", "dedupe")
Path = tuple[str, ...]
Group = TypeVar("Group", bound=Frozen)


def find_rule(recipe: Recipe, name: str) -> Path:
    """The keys that lead to a rule in the recipe: `near` is dedupe, near.

    A rule is any group of keys below `filter` and `dedupe`. Its last key is name enough; where
    several have it, it is that of the one nearest the top.

    Raises:
        UnknownName: no rule of that name, with the nearest, or several.
    """
    known = list(_groups(recipe))
    found = _named(known, tuple(name.split(".")))
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownName(f"{name!r} is several rules: {', '.join(map('.'.join, found))}")
    names = [path[-1] if _named(known, path[-1:]) == [path] else ".".join(path) for path in known]
    return known[names.index(known_name(name, tuple(names), f"rule of recipe {recipe.name!r}"))]


def _named(known: Sequence[Path], asked: Path) -> list[Path]:
    """The paths that end like this, the shortest of them alone."""
    found = [path for path in known if path[-len(asked) :] == asked]
    shortest = min(map(len, found), default=0)
    return [path for path in found if len(path) == shortest]


def rule_of(recipe: Recipe, path: Path) -> Any:
    """The rule's values."""
    value: Any = recipe
    for key in path:
        value = getattr(value, key)
    return value


def changed(recipe: Recipe, path: Path, settings: Sequence[str]) -> Recipe:
    """The recipe with a rule's values as `key=value` says; a value is read as the recipe's YAML is.

    A key may lead further down, with dots. Raises ConfigError for what the recipe's file could not
    say either, with the nearest key.
    """
    dump = recipe.model_dump(mode="json")
    where = f"{'.'.join(path)} of recipe {recipe.name!r}"
    for setting in settings:
        key, mark, value = setting.partition("=")
        if not (key.strip() and mark):
            raise ConfigError(f"--set {setting!r}: expected KEY=VALUE, e.g. --set enabled=false")
        _put(dump, (*path, *key.strip().split(".")), _parsed(setting, value))
    return Recipe.from_mapping(dump, f"--set on {where}")


def with_rule(recipe: Recipe, path: Path, other: Recipe) -> Recipe:
    """The recipe with one rule as another recipe has it."""
    dump = recipe.model_dump(mode="json")
    _put(dump, path, rule_of(other, path).model_dump(mode="json"))
    return Recipe.from_mapping(dump, f"{'.'.join(path)} of recipe {other.name!r}")


def differences(old: Frozen, new: Frozen) -> dict[str, tuple[Any, Any]]:
    """By dotted key: the values of a rule that are not the same, old and new."""
    before, after = (dict(_leaves(one.model_dump(mode="json"))) for one in (old, new))
    return {
        key: (before.get(key), after.get(key))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    }


def alone(rules: Group, path: Path) -> Group:
    """The rules with only the one that `path` leads to; every other that has a switch is off.

    One without a switch stays on, before a change and after it, so that it makes no difference.
    """
    update: dict[str, Any] = {}
    for name in type(rules).model_fields:
        value = getattr(rules, name)
        if not isinstance(value, Frozen):
            continue
        if path and name == path[0]:
            update[name] = alone(value, path[1:]) if path[1:] else value
        else:
            update[name] = _off(value)
    return rules.model_copy(update=update)


def _off(rule: Frozen) -> Frozen:
    if "enabled" in type(rule).model_fields:
        return rule.model_copy(update={"enabled": False})
    values = {name: getattr(rule, name) for name in type(rule).model_fields}
    kept = {name: Policy.KEEP for name, value in values.items() if isinstance(value, Policy)}
    return alone(rule.model_copy(update=kept), ())


def _groups(recipe: Recipe) -> Iterator[Path]:
    for part in PARTS:
        yield from _below(getattr(recipe, part), (part,))


def _below(group: Frozen, path: Path) -> Iterator[Path]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, Frozen):
            yield (*path, name)
            yield from _below(value, (*path, name))


def _put(dump: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        inner = dump.get(key)
        if not isinstance(inner, dict):
            inner = dump[key] = {}
        dump = inner
    dump[path[-1]] = value


def _parsed(setting: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {setting!r}: the value is not valid YAML") from None


def _leaves(dump: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in dump.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
