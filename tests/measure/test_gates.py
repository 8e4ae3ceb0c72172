"""Gates, on each side of each edge; bounds are inclusive."""

import pytest

from schemas.errors import ConfigError
from schemas.manifest import FailedSource, GateResult, LengthStats, RefusalRate, Statistics
from schemas.reasons import DropReason
from schemas.recipe import Gates
from schemas.source import Source
from tasks.measure.gates import check_gates
from tests.measure.corpora import drop, manifest, source


def refusing(refusals: int, rows: int) -> Statistics:
    """Statistics in which one source refuses so often, and another never."""
    return Statistics(
        refusals=(
            RefusalRate(source="all", rows=2 * rows, refusals=refusals),
            RefusalRate(source="alpaca", rows=rows, refusals=refusals),
            RefusalRate(source="belle", rows=rows, refusals=0),
        )
    )


def mean_of(chars: float) -> Statistics:
    line = LengthStats(
        source="all", part="response", unit="chars", count=1, mean=chars, std=0.0,
        min=1, p25=1.0, p50=1.0, p75=1.0, p90=1.0, max=1,
    )  # fmt: skip
    other = line.model_copy(update={"part": "prompt", "mean": 9e9})
    return Statistics(lengths=(other, line.model_copy(update={"source": "belle"}), line))


def failed(*names: str) -> tuple[FailedSource, ...]:
    return tuple(FailedSource(name=name, error="SourceMissing", message="404") for name in names)


def check(gates: Gates, **changes) -> dict[str, GateResult]:
    now = {
        "sources": (source("alpaca", 100, 80), source("belle", 100, 60)),
        "failed_sources": (),
        "drops": (drop(DropReason.UNREADABLE, "belle", 5), drop(DropReason.ECHO, "belle", 35)),
        "statistics": mean_of(150.0),
        "parent": manifest(
            (source("alpaca", 160, 160), source("belle", 60, 60), source("gone", 9, 9)),
            statistics=mean_of(100.0),
        ),
    }
    return {result.gate: result for result in check_gates(gates, **(now | changes))}


LOST = DropReason.UNREADABLE
# fmt: off
EDGES = {  #                        gate                   bound   changes                                         found  passed
    "no source failed":           ("max_failed_sources",   0,      {},                                             0,     True),
    "one failed, none may":       ("max_failed_sources",   0,      {"failed_sources": failed("cot")},              1,     False),
    "one failed, one may":        ("max_failed_sources",   1,      {"failed_sources": failed("cot")},              1,     True),
    "rows at the minimum":        ("min_rows",             140,    {},                                             140,   True),
    "one row too few":            ("min_rows",             141,    {},                                             140,   False),
    "unreadable at the bound":    ("max_unreadable_share", 0.05,   {},                                             0.05,  True),
    "unreadable above it":        ("max_unreadable_share", 0.05,   {"drops": (drop(LOST, "belle", 6),)},           0.06,  False),
    "unreadable in one source":   ("max_unreadable_share", 0.05,   {"drops": (drop(LOST, "alpaca", 9),)},          0.09,  False),
    "all were read":              ("max_unreadable_share", 0.0,    {"drops": (drop(DropReason.ECHO, "belle", 9),)}, 0.0,  True),
    "dropped at the bound":       ("max_dropped_share",    0.4,    {},                                             0.4,   True),
    "dropped above it":           ("max_dropped_share",    0.39,   {},                                             0.4,   False),
    "shrunk to the bound":        ("max_shrink_share",     0.5,    {},                                             0.5,   True),
    "shrunk beyond it":           ("max_shrink_share",     0.49,   {},                                             0.5,   False),
    "a failed source is lost":    ("max_shrink_share",     0.99,   {"failed_sources": failed("gone")},             1.0,   False),
    "a source taken out is not":  ("max_shrink_share",     0.0,    {"sources": (source("belle", 60, 60),)},        0.0,   True),
    "a source that grew":         ("max_shrink_share",     0.0,    {"sources": (source("alpaca", 900, 900),)},     0.0,   True),
    "no version before":          ("max_shrink_share",     0.0,    {"parent": None},                               0.0,   True),
    "refusals at the bound":      ("max_refusal_share",    0.25,   {"statistics": refusing(1, 4)},                 0.25,  True),
    "refusals beyond it":         ("max_refusal_share",    0.24,   {"statistics": refusing(1, 4)},                 0.25,  False),
    "no refusals measured":       ("max_refusal_share",    0.0,    {},                                             0.0,   True),
    "longer, at the bound":       ("max_length_drift",     0.5,    {},                                             0.5,   True),
    "longer, beyond it":          ("max_length_drift",     0.49,   {},                                             0.5,   False),
    "shorter, at the bound":      ("max_length_drift",     0.25,   {"statistics": mean_of(75.0)},                  0.25,  True),
    "shorter, beyond it":         ("max_length_drift",     0.25,   {"statistics": mean_of(74.0)},                  0.26,  False),
    "no length before":           ("max_length_drift",     0.0,    {"parent": None},                               0.0,   True),
    "no row any more":            ("max_length_drift",     0.99,   {"statistics": Statistics()},                   1.0,   False),
}
# fmt: on


@pytest.mark.parametrize(("gate", "bound", "changes", "found", "passed"), EDGES.values(), ids=EDGES)
def test_a_gate_passes_up_to_its_bound(gate, bound, changes, found, passed) -> None:
    result = check(Gates(**{gate: bound}), **changes)[gate]
    assert result.found == pytest.approx(found)
    assert result.bound == bound
    assert result.passed is passed


def test_every_gate_of_a_recipe_has_one_line_in_its_order() -> None:
    assert list(check(Gates())) == list(Gates.model_fields)


# fmt: off
DETAILS = {  #              gate                    changes                                               detail
    "the worst dropped":  ("max_dropped_share",     {},                                                   "belle"),
    "the worst unread":   ("max_unreadable_share",  {},                                                   "belle"),
    "the worst shrunk":   ("max_shrink_share",      {},                                                   "alpaca"),
    "the failed":         ("max_failed_sources",    {"failed_sources": failed("cot", "dolly")},           "cot, dolly"),
    "the first of equals": ("max_dropped_share",    {"sources": (source("b", 2, 1), source("a", 2, 1))},  "a"),
    "both means":         ("max_length_drift",      {},                        "mean response 100.0 characters in v0001, 150.0 now"),
    "nothing before":     ("max_length_drift",      {"parent": None},          "no published version to compare with"),
}
# fmt: on


@pytest.mark.parametrize(("gate", "changes", "detail"), DETAILS.values(), ids=DETAILS)
def test_a_gate_names_what_it_found(gate, changes, detail) -> None:
    assert check(Gates(), **changes)[gate].detail == detail


def test_a_corpus_of_nothing_fails_on_its_rows_alone() -> None:
    results = check(Gates(), sources=(), drops=(), statistics=Statistics(), parent=None)
    assert [gate for gate, result in results.items() if not result.passed] == ["min_rows"]


def test_no_source_is_called_as_all_of_them_are() -> None:
    said = {"layout": "alpaca", "licence": "MIT", "local": {"path": "x"}}
    assert Source.from_mapping(said | {"name": "all_of_it"}, "x").name == "all_of_it"
    with pytest.raises(ConfigError, match="stands for all sources of a recipe"):
        Source.from_mapping(said | {"name": "all"}, "x")
