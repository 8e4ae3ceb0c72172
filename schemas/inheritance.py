"""Recipes that inherit: what an heir leaves out, and how its keys are laid over its parent's."""

from typing import Any, cast

from pydantic import Field, model_validator

from schemas.errors import ConfigError
from schemas.frozen import Frozen
from schemas.source import Source

OWN_KEYS = frozenset({"name", "description", "extends", "without", "sources"})
"""Not inherited key by key: sources are put together one by one, the others are each recipe's."""
WHOLE = (("train", "base_model"), ("sampling", "balance", "shares"))
"""Mappings of which a part makes no sense beside a part of another."""

BY_SOURCE = (
    ("sampling", "sources"),
    ("filter", "language", "declared"),
    ("train", "source_weights"),
)
OVERRIDES = ("dedupe", "near", "overrides")
LISTED = ("filter", "licences", "by_row")
"""Where a recipe speaks of single sources: mappings by name, and lists that name them."""


class Without(Frozen):
    """Inherited sources that are left out: a list of names, or names and languages."""

    sources: tuple[str, ...] = Field((), description="by name")
    languages: tuple[str, ...] = Field(
        (),
        description=(
            "ISO 639-1 codes: every source all of whose languages are named here. One that has "
            "others too stays whole"
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _a_list_is_of_names(cls, data: Any) -> Any:
        return {"sources": data} if isinstance(data, list | tuple) else data

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left out."""
        return self == Without()

    def leaves_out(self, source: Source) -> bool:
        """Whether a source is named, or is in no other language than those named."""
        only = bool(source.languages) and set(source.languages) <= set(self.languages)
        return source.name in self.sources or only

    def check_languages(self, sources: tuple[Source, ...], where: str) -> None:
        """Raise ConfigError unless each language named takes at least one of `sources` away."""
        out = {code for source in sources if self.leaves_out(source) for code in source.languages}
        for code in self.languages:
            if code not in out:
                said = "; ".join(
                    f"{one.name}: {', '.join(one.languages) or 'not stated'}" for one in sources
                )
                raise ConfigError(
                    f"{where}: without.languages: no inherited source is in {code!r} and in no "
                    f"language but those named. Name the sources to leave out, or take {code!r} "
                    f"out; they say: {said}"
                )


class Heritage(Frozen):
    """What a recipe takes over from another one."""

    extends: str | None = Field(
        None,
        description=(
            "a recipe to inherit from: a name in deployments/recipes, or a path relative to this "
            "file. Its keys hold where this file says nothing; mappings are merged key by key, "
            "anything else takes the place of what is inherited, null included. Name and "
            "description are not inherited; train.base_model and sampling.balance.shares are "
            "replaced as a whole"
        ),
    )
    without: Without = Field(
        Without(),
        description=(
            "inherited sources that are left out: [NAME, ...], or {sources: [NAME, ...], "
            "languages: [zh]}. What the parent says of them alone goes with them"
        ),
    )


def merged(base: Any, change: Any) -> Any:
    """`change` laid over `base`: mappings key by key, anything else as a whole."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return base | {key: merged(base.get(key), value) for key, value in change.items()}


def heir_of(parent: dict[str, Any], child: dict[str, Any], left_out: set[str]) -> dict[str, Any]:
    """The mapping of a recipe that inherits: `child` over `parent` without what is only its own.

    `parent` is a whole recipe as a mapping; what it says of the sources `left_out` alone is gone.
    """
    kept = _without_traces(parent, left_out)
    for path in WHOLE:
        if isinstance(_at(child, path), dict):
            kept = _replaced(kept, path, None)
    inherited = {key: value for key, value in kept.items() if key not in OWN_KEYS}
    return cast("dict[str, Any]", merged(inherited, child))


def _without_traces(recipe: dict[str, Any], sources: set[str]) -> dict[str, Any]:
    """The recipe with no word of these sources in the keys that speak of single ones."""
    for path in BY_SOURCE:
        said = _at(recipe, path) or {}
        recipe = _replaced(recipe, path, {name: said[name] for name in said if name not in sources})
    overrides = [one for one in _at(recipe, OVERRIDES) if one["source"] not in sources]
    listed = [name for name in _at(recipe, LISTED) if name not in sources]
    return _replaced(_replaced(recipe, OVERRIDES, overrides), LISTED, listed)


def _at(mapping: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of keys, None where it leads nowhere."""
    for key in path:
        mapping = mapping.get(key) if isinstance(mapping, dict) else None
    return mapping


def _replaced(mapping: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The mapping with another value at a path of keys; as it is where that leads nowhere."""
    key, *rest = path
    if rest and not isinstance(mapping.get(key), dict):
        return mapping
    inner = _replaced(mapping[key], tuple(rest), value) if rest else value
    return mapping | {key: inner}
