"""The table of rules, and judging rows by it."""

from collections.abc import Iterable

import polars as pl

from schemas.filter import Filter
from schemas.reasons import DropReason
from schemas.record import VERDICT
from tasks.filter.contamination import EvaluationIndex, contamination_rules, overlap
from tasks.filter.evidence import Rules
from tasks.filter.identity import identity_rules
from tasks.filter.language import language_rules, told_columns
from tasks.filter.licence import licence_rules
from tasks.filter.privacy import privacy_rules
from tasks.filter.quality import quality_rules
from tasks.filter.rules import echo_rules, length_rules, placeholder_rules
from tasks.text import prompt, question, response


def judge(
    records: pl.LazyFrame, rules: Filter, evaluations: EvaluationIndex | None = None
) -> pl.LazyFrame:
    """VERDICT: one row per record, in their order; the first reason of `DropReason` has the word.

    Without `evaluations` no row is held against any.
    """
    return judge_with_hits(records, rules, evaluations).select("verdict").unnest("verdict")


def judge_with_hits(
    records: pl.LazyFrame,
    rules: Filter,
    evaluations: EvaluationIndex | None = None,
    languages: pl.DataFrame | None = None,
) -> pl.LazyFrame:
    """One row per record: `verdict`, a struct of VERDICT, and `is_hit`, whatever that says.

    `is_hit`: the row holds an evaluation item or nearly asks it; another reason may come first.
    `languages` is what `row_languages` says of the same rows; without it, they are told anew.
    """
    table = rule_table(rules, evaluations)
    texts = records.select(
        *("source", "licence", "tools"),
        prompt=prompt(),
        response=response(),
        question=question(),
    )
    if languages is not None:
        texts = pl.concat([texts, languages.lazy()], how="horizontal")
    elif rules.language.enabled:
        texts = texts.with_columns(**told_columns())
    return (
        texts.with_columns(**_derived(rules, evaluations))
        .with_columns(
            one.alias(f"{reason}.{part}")
            for reason, evidence in table.items()
            for part, one in evidence._asdict().items()
        )
        .with_columns(verdict=_first_verdict(table), is_hit=_is_hit(table))
        .select("verdict", "is_hit")
    )


def _is_hit(table: Rules) -> pl.Expr:
    hit = f"{DropReason.EVALUATION_OVERLAP}.found"
    return pl.col(hit).is_not_null() if DropReason.EVALUATION_OVERLAP in table else pl.lit(False)


def rule_table(rules: Filter, evaluations: EvaluationIndex | None) -> Rules:
    """The rules that the recipe switches on; adding one is adding a line."""
    return {
        **licence_rules(rules.licences),
        **length_rules(rules.lengths),
        **echo_rules(rules.echo),
        **placeholder_rules(rules.placeholders),
        **quality_rules(rules.quality),
        **language_rules(rules.language),
        **identity_rules(rules.identity),
        **privacy_rules(rules.privacy),
        **(contamination_rules() if rules.contamination.enabled and evaluations else {}),
    }


def _derived(rules: Filter, evaluations: EvaluationIndex | None) -> dict[str, pl.Expr]:
    """The further columns that the rules which are on read, by name."""
    columns: dict[str, pl.Expr] = {}
    if rules.echo.enabled:
        for part in ("prompt", "response", "question"):
            columns[f"folded_{part}"] = folded(pl.col(part))
    if rules.contamination.enabled and evaluations:
        columns["overlap"] = overlap(evaluations, rules.contamination)
    return columns


def folded(text: pl.Expr) -> pl.Expr:
    """The form under which two texts count as the same (`tasks/fold.py`)."""
    return text.map_batches(_fold, return_dtype=pl.String, is_elementwise=True)


def _fold(texts: pl.Series) -> pl.Series:
    from tasks.fold import fold

    return fold(texts)


def _first_verdict(table: Rules) -> pl.Expr:
    """`verdict`: a struct with the fields of VERDICT, of the first reason with evidence."""
    reasons = [reason for reason in DropReason if reason in table]
    founds = [pl.col(f"{reason}.found") for reason in reasons]
    none = pl.lit(None, pl.String)

    def of_the_first(said: Iterable[pl.Expr]) -> pl.Expr:
        cases = zip(said, founds, strict=True)
        return pl.coalesce(*(pl.when(found.is_not_null()).then(one) for one, found in cases), none)

    told = {
        "drop_reason": of_the_first(pl.lit(reason.value) for reason in reasons),
        "found": pl.coalesce(*founds, none),
        "expected": of_the_first(pl.col(f"{reason}.expected") for reason in reasons),
    }
    return pl.struct(
        told.get(name, pl.lit(None, dtype)).alias(name) for name, dtype in VERDICT.items()
    )
