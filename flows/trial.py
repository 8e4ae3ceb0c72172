"""Try a changed rule on the rows that a version was made from."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import ConfigError
from schemas.manifest import CorpusManifest
from schemas.privacy import PersonalKind, Policy
from schemas.recipe import Recipe, known_name, load_recipe
from tasks.trial.rule import changed, differences, find_rule, rule_of, with_rule

if TYPE_CHECKING:
    from tasks.filter.contamination import EvaluationIndex
    from tasks.lake import Lake
    from tasks.trial.outcome import Moved, Trial

REDACTED = (
    "rows are judged as they were normalised: what was redacted then is redacted here, and what "
    "would be redacted is masked"
)


@dataclass(frozen=True)
class Plan:
    """A rule as a version was made with it and as it is to be tried."""

    before: Recipe
    after: Recipe
    path: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The rule's full name."""
        return ".".join(self.path)

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """By key: its value before and after."""
        return differences(rule_of(self.before, self.path), rule_of(self.after, self.path))

    @property
    def personal_kinds(self) -> tuple[PersonalKind, ...]:
        """The kinds of personal data that are not kept, before the change or after it."""
        kept = [one.filter.privacy.kinds(Policy.KEEP) for one in (self.before, self.after)]
        return tuple(kind for kind in PersonalKind if not all(kind in kinds for kinds in kept))


def planned(
    manifest: CorpusManifest, rule: str, settings: Sequence[str], recipe: str | None
) -> Plan:
    """The rule of a version's recipe, with what `settings` (KEY=VALUE) change.

    Where a recipe is named, the rule is first taken from its file as it is now.

    Raises:
        ConfigError: a setting does not fit, or the stored recipe is not one of this Winnow's.
        UnknownName: no such rule.
    """
    where = f"the recipe stored in {manifest.name} {manifest.version}"
    before = Recipe.from_mapping(manifest.recipe, where)
    path = find_rule(before, rule)
    after = before if recipe is None else with_rule(before, path, load_recipe(recipe))
    return Plan(before, changed(after, path, settings), path)


def tried(
    lake: "Lake",
    manifest: CorpusManifest,
    plan: Plan,
    source: str | None,
    sample: int,
    seed: int,
) -> "Trial":
    """What the planned rule would do with a version's rows, with `sample` rows of each to read.

    Whatever depends on it is run again. The verdicts stay in the lake, and nothing is published.

    Raises:
        CorpusDamaged: the lake no longer holds the stages that the version was made by.
        UnknownName: the version has no such source.
    """
    from tasks.receipts import whole_receipts
    from tasks.trial.deduped import follow, try_dedupe
    from tasks.trial.evaluations import evaluation_index
    from tasks.trial.filtered import CONTAMINATION, Change, try_filter
    from tasks.trial.outcome import Trial

    if source is not None:
        of = f"source of {manifest.name} {manifest.version}"
        known_name(source, tuple(one.name for one in manifest.sources), of)
    receipts = whole_receipts(lake, manifest)
    trial = Trial.empty(sample, seed)
    trial.notes = _notes_on_code(manifest)
    if plan.path[0] == "dedupe":
        return try_dedupe(lake, receipts, plan.after, source, trial)
    if any(Policy.REDACT in pair for pair in plan.changes.values()):
        trial.notes += (REDACTED,)

    @functools.cache
    def evaluations() -> "EvaluationIndex | None":
        """The recipe's sets; without them a rule on other things can still be tried."""
        try:
            return evaluation_index(lake, plan.after.filter.contamination)
        except ConfigError as error:
            if CONTAMINATION in plan.path:
                raise
            trial.notes += (f"rows that pass anew are not held against evaluation sets: {error}",)
            return None

    change = Change(plan.before.filter, plan.after.filter, plan.path[1:])
    filtered = try_filter(lake, receipts, change, evaluations, source, trial)
    return follow(lake, receipts, filtered, plan.after, source, trial)


def examples(
    lake: "Lake", manifest: CorpusManifest, plan: Plan, moved: "Moved"
) -> list[dict[str, Any]]:
    """The sampled rows as the ledger has rows, each with what it is held against beside it.

    Personal data that the recipe drops or redacts, as it was or as it would be, is masked.
    """
    from tasks.publish.ledger import in_context
    from tasks.publish.verdicts import evidence_of
    from tasks.trial.outcome import masked

    rows = masked(moved.sample, plan.personal_kinds).to_dicts()
    entries = [
        {name: row[name] for name in ("source", "source_row", "record_id")}
        | {"reason": row["drop_reason"], "evidence": evidence_of(row), "messages": row["messages"]}
        for row in rows
    ]
    return in_context(lake, manifest, entries)


def _notes_on_code(manifest: CorpusManifest) -> tuple[str, ...]:
    from tasks.lake import digest_of
    from tasks.publish.version import CODE
    from tasks.stages import code_digest

    if manifest.code_digest == digest_of([code_digest(stage) for stage in CODE]):
        return ()
    note = f"the code has changed since {manifest.version}, and some of the difference may be its"
    return (note,)
