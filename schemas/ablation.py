"""An ablation: a recipe and the same recipe without some of it, trained alike and compared."""

from typing import Any

from pydantic import Field

from schemas.adapter import AnswerScores, Evaluation
from schemas.errors import ConfigError
from schemas.frozen import Frozen
from schemas.recipe import Recipe

ABLATION, REPORT = "ablation.json", "report.md"
"""Files of an ablation's folder."""


class Variant(Frozen):
    """The recipe that is looked into, or what it is without some of it."""

    name: str = Field(description="of the recipe, and so of its corpus")
    sources: tuple[str, ...] = Field((), description="sources that are left out")
    rules: tuple[str, ...] = Field((), description="parts of the recipe that are switched off")

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not (self.sources or self.rules)

    @property
    def title(self) -> str:
        """What people call it."""
        return f"without {', '.join((*self.sources, *self.rules))}" if not self.is_whole else "all"

    def recipe(self, extends: str, description: str) -> dict[str, Any]:
        """Its recipe as YAML's mapping: an heir of `extends` that goes to no hub.

        Having fewer rows is its purpose, so it needs no more than one.
        """
        heir: dict[str, Any] = {
            "name": self.name,
            "description": description,
            "extends": extends,
            "train": {"push": None},
            "publish": {"hub": None},
        }
        if not self.is_whole:
            heir["gates"] = {"min_rows": 1}
        if self.sources:
            heir["without"] = list(self.sources)
        for rule in self.rules:
            part = heir
            for key in rule.split("."):
                part = part.setdefault(key, {})
            part["enabled"] = False
        return heir


class Trial(Frozen):
    """A variant that was trained with one seed, and what came of it."""

    variant: Variant
    version: str
    manifest: str = Field(description="URI of that version's manifest")
    seed: int
    run: str | None = Field(description="null where the adapter was rejected")
    rejected: str | None = Field(None, description="why, where it was")
    rows: int | None = Field(None, description="conversations that it was trained on")
    trainable_tokens: int | None = Field(None, description="of these, inside the loss")
    steps: int | None = None
    evaluation: Evaluation | None = None
    answers: AnswerScores | None = None
    change: float | None = Field(
        None, description="its loss less that of the whole recipe with the same seed, in nats"
    )
    change_error: float | None = Field(
        None, description="standard error of `change` over validation conversations"
    )


class Ablation(Frozen):
    """All trials of an ablation, measured on the validation split of the whole recipe's corpus."""

    recipe: str
    corpus_version: str
    manifest: str = Field(description="URI of the manifest whose validation split it is")
    trials: tuple[Trial, ...] = Field(min_length=1, description="the whole recipe's first")
    conversations: int | None = Field(None, description="validation rows that all are measured on")
    seen_by_a_variant: int | None = Field(
        None, description="validation rows left out: a variant was trained on them or a near copy"
    )
    base_model: Evaluation | None = Field(None, description="the base model, not trained at all")
    base_answers: AnswerScores | None = None


def variants_of(
    recipe: Recipe, sources: tuple[str, ...], rules: tuple[str, ...]
) -> tuple[Variant, ...]:
    """The whole recipe, then one variant for each of `sources` and `rules`.

    Each of `sources` is a name, or several with commas between: these are left out together. A rule
    is a part of the recipe that can be switched off, as `dedupe.near`.

    Raises:
        ConfigError: there is no such rule, it is off, or no source would be left.
        UnknownName: there is no such source.
    """
    whole = Variant(name=recipe.name)
    groups = [tuple(name.strip() for name in given.split(",")) for given in sources]
    for group in groups:
        for name in group:
            recipe.source(name)
        if {source.name for source in recipe.resolved_sources} <= set(group):
            raise ConfigError(f"without {', '.join(group)}, recipe {recipe.name!r} has no source.")
    for rule in rules:
        _check_rule(recipe, rule)
    without = [
        Variant(name=f"{recipe.name}-without-{'-'.join(group).lower()}", sources=group)
        for group in groups
    ]
    off = [Variant(name=f"{recipe.name}-without-{rule}", rules=(rule,)) for rule in rules]
    found = (whole, *without, *off)
    if len({variant.name for variant in found}) < len(found):
        raise ConfigError("an ablation names each source and each rule once.")
    return found


def _check_rule(recipe: Recipe, rule: str) -> None:
    part: Any = recipe.model_dump(mode="json", exclude={"sources"})
    for key in rule.split("."):
        part = part.get(key) if isinstance(part, dict) else None
    if not (isinstance(part, dict) and "enabled" in part):
        known = ", ".join(sorted(_rules(recipe.model_dump(mode="json", exclude={"sources"}))))
        raise ConfigError(f"--without {rule}: no such rule. Those that can be off: {known}.")
    if not part["enabled"]:
        raise ConfigError(f"--without {rule}: it is off in recipe {recipe.name!r} as it is.")


def _rules(part: dict[str, Any], path: str = "") -> list[str]:
    """The dotted names of all parts that have a key `enabled`."""
    found = [path] if "enabled" in part else []
    for key, value in part.items():
        if isinstance(value, dict):
            found += _rules(value, f"{path}.{key}".lstrip("."))
    return found
