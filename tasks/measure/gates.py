"""Gates: what a version must satisfy before it becomes the latest one."""

from collections.abc import Iterable

from schemas.manifest import (
    CorpusManifest,
    Drops,
    FailedSource,
    GateResult,
    SourceEntry,
    Statistics,
)
from schemas.reasons import DropReason, Stage
from schemas.recipe import Gates
from schemas.source import ALL_SOURCES

NO_PARENT = "no published version to compare with"


def check_gates(
    gates: Gates,
    *,
    sources: tuple[SourceEntry, ...],
    failed_sources: tuple[FailedSource, ...],
    drops: tuple[Drops, ...],
    statistics: Statistics,
    parent: CorpusManifest | None,
) -> tuple[GateResult, ...]:
    """One result per field of `Gates`, in its order; bounds are inclusive.

    A gate over sources finds the worst of them and names it. `parent` is the latest published
    version of the corpus; without one, nothing can have shrunk or drifted.
    """
    published = sum(source.rows_out for source in sources)
    failed = ", ".join(source.name for source in failed_sources)
    unreadable, dirtiest = worst(unreadable_shares(sources, drops))
    dropped, hardest_hit = worst(dropped_shares(sources, drops))
    shrunk, smallest = worst(shrink_shares(sources, failed_sources, parent))
    refused, most_reluctant = worst(
        (one.source, share(one.refusals, one.rows))
        for one in statistics.refusals
        if one.source != ALL_SOURCES
    )
    drift, means = length_drift(statistics, parent)
    unshrunk = NO_PARENT if parent is None else "no source shrank"
    # fmt: off
    return (
        at_most("max_failed_sources", len(failed_sources), gates, failed or "no source failed"),
        at_least("min_rows", published, gates, "published rows"),
        at_most("max_unreadable_share", unreadable, gates, dirtiest or "every row was read"),
        at_most("max_dropped_share", dropped, gates, hardest_hit or "no row was dropped"),
        at_most("max_shrink_share", shrunk, gates, smallest or unshrunk),
        at_most("max_refusal_share", refused, gates, most_reluctant or "no response refuses"),
        at_most("max_length_drift", drift, gates, means),
    )
    # fmt: on


def at_most(gate: str, found: float, gates: Gates, detail: str) -> GateResult:
    """Passed where `found` does not exceed the bound of that name."""
    bound = float(getattr(gates, gate))
    return GateResult(gate=gate, passed=found <= bound, found=found, bound=bound, detail=detail)


def at_least(gate: str, found: float, gates: Gates, detail: str) -> GateResult:
    """Passed where `found` reaches the bound of that name."""
    bound = float(getattr(gates, gate))
    return GateResult(gate=gate, passed=found >= bound, found=found, bound=bound, detail=detail)


def worst(shares: Iterable[tuple[str, float]]) -> tuple[float, str]:
    """The largest share and its source, of equal ones the first by name; (0, "") if all are 0."""
    above_zero = [(share, name) for name, share in shares if share > 0]
    return min(above_zero, key=lambda item: (-item[0], item[1]), default=(0.0, ""))


def unreadable_shares(
    sources: tuple[SourceEntry, ...], drops: tuple[Drops, ...]
) -> Iterable[tuple[str, float]]:
    """Each source's rows that could not be read, of its rows in."""
    rows = {source.name: 0 for source in sources}
    for drop in drops:
        if drop.reason == DropReason.UNREADABLE and drop.source in rows:
            rows[drop.source] += drop.rows
    return ((source.name, share(rows[source.name], source.rows_in)) for source in sources)


def dropped_shares(
    sources: tuple[SourceEntry, ...], drops: tuple[Drops, ...]
) -> Iterable[tuple[str, float]]:
    """Each source's rows that were dropped, of its rows in; those not sampled were not wanted."""
    rows = {one.name: one.rows_in + one.rows_repeated - one.rows_out for one in sources}
    for drop in drops:
        if drop.stage == Stage.SAMPLE and drop.source in rows:
            rows[drop.source] -= drop.rows
    return ((source.name, share(rows[source.name], source.rows_in)) for source in sources)


def shrink_shares(
    sources: tuple[SourceEntry, ...],
    failed_sources: tuple[FailedSource, ...],
    parent: CorpusManifest | None,
) -> Iterable[tuple[str, float]]:
    """Which share of its published rows each source of the parent has lost; a failed one, all.

    A source that the recipe no longer names did not shrink: it was taken out.
    """
    now = {source.name: source.rows_out for source in sources}
    now.update({source.name: 0 for source in failed_sources})
    before = parent.sources if parent else ()
    return (
        (source.name, share(source.rows_out - now[source.name], source.rows_out))
        for source in before
        if source.name in now
    )


def length_drift(statistics: Statistics, parent: CorpusManifest | None) -> tuple[float, str]:
    """Relative change of the mean response length since the parent, and both means in words."""
    if parent is None:
        return 0.0, NO_PARENT
    now, then = mean_response_chars(statistics), mean_response_chars(parent.statistics)
    drift = abs(now - then) / then if then else 0.0
    return drift, f"mean response {then:,.1f} characters in {parent.version}, {now:,.1f} now"


def mean_response_chars(statistics: Statistics) -> float:
    """Mean response length over all published rows; 0 where there are none."""
    means = (
        line.mean
        for line in statistics.lengths
        if (line.source, line.part, line.unit) == (ALL_SOURCES, "response", "chars")
    )
    return next(means, 0.0)


def share(part: int, whole: int) -> float:
    """`part` of `whole`, from 0 to 1; 0 of nothing is 0."""
    return part / whole if whole else 0.0
