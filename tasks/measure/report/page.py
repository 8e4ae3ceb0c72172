"""report.html: one page about one corpus version, complete in itself, with no script in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from schemas.cleaning import Cleaning
from schemas.manifest import Composition, CorpusManifest, GateResult, LengthStats
from schemas.metrics import SAMPLE
from schemas.page.environment import environment
from schemas.page.words import NARROW_SPACE, quantity
from schemas.reasons import DropReason, Stage
from schemas.source import ALL_SOURCES
from tasks.measure.lengths import MEASURED
from tasks.measure.report.charts import stages_of, unit_name

FOLDER = Path(__file__).parent
SAMPLES_PER_REASON = 5
UNREADABLE_ROWS = 50

# fmt: off
STAGE_NAMES = {
    Stage.NORMALIZE:    "Normalize: reading the raw files",
    Stage.DEDUPE_EXACT: "Exact duplicates",
    Stage.FILTER:       "Filter: the recipe's rules",
    Stage.DEDUPE_NEAR:  "Near duplicates",
    Stage.SAMPLE:       "Sampling: how much of it the recipe takes",
}
GATE_NAMES = {  #           what is measured                         unit     demanded
    "max_failed_sources":   ("Sources that failed",                 "count", "at most"),
    "min_rows":             ("Published rows",                      "count", "at least"),
    "max_unreadable_share": ("Worst source's unreadable rows",      "share", "at most"),
    "max_dropped_share":    ("Worst source's dropped rows",         "share", "at most"),
    "max_shrink_share":     ("Worst source's loss since last time", "share", "at most"),
    "max_refusal_share":    ("Worst source's refusals",             "share", "at most"),
    "max_length_drift":     ("Drift of the mean response length",   "share", "at most"),
}
COMPOSITION_TITLES = {"language": "Languages", "category": "Categories", "turns": "User turns"}
# fmt: on


@dataclass(frozen=True)
class ReasonLine:
    """One drop reason of one stage: its rows and some of them to read."""

    reason: str
    meaning: str
    rows: int
    samples: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class StageLines:
    """One stage and the reasons for which it dropped rows, most rows first."""

    name: str
    rows: int
    reasons: tuple[ReasonLine, ...]


@dataclass(frozen=True)
class CleanedLine:
    """One kind of cleaning at the door: the rows it changed, in all and by source, most first."""

    kind: str
    meaning: str
    rows: int
    sources: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class SourceLine:
    """One source's way through the stages; `change` is in published rows since the parent.

    `refusals` is how many of its published rows turn their user down.
    """

    name: str
    rows_in: int
    dropped: tuple[int, ...]
    rows_out: int
    repeated: int
    change: int | None
    refusals: int
    licence: str
    revision: str


def render_report(
    manifest: CorpusManifest, parent: CorpusManifest | None, samples: pl.DataFrame
) -> str:
    """The report of one version as an HTML page that needs nothing beside itself.

    `samples` are SAMPLE rows; columns that are missing count as null. Of each reason
    SAMPLES_PER_REASON are shown, in turn from each source. All text of the corpus is escaped, and
    the page's own policy forbids scripts and every request.
    """
    page = _environment().get_template("page.html.jinja")
    shown = whole_samples(samples)
    html: str = page.render(
        manifest=manifest,
        parent=parent,
        verdict=verdict_sentence(manifest),
        stages=stage_lines(manifest, shown),
        stage_labels=[label for label, _ in stages_of(manifest).values()],
        sources=source_lines(manifest, parent),
        cleaned=cleaned_lines(manifest),
        lengths=length_blocks(manifest),
        compositions=compositions(manifest),
        licences=of_key(manifest, "licence"),
        unreadable=unreadable_rows(shown),
        unreadable_total=sum(drop.rows for drop in manifest.drops if drop.stage == Stage.NORMALIZE),
        recipe=recipe_yaml(manifest),
        mean_response=mean_response(manifest),
        parent_mean_response=mean_response(parent) if parent else None,
        charts=draw_charts(manifest),
    )
    return html


def draw_charts(manifest: CorpusManifest) -> Mapping[str, Any]:
    """The charts by name, as markup; none of a corpus without published rows but its flow."""
    from markupsafe import Markup

    from tasks.measure.report import charts

    statistics = manifest.statistics
    drawn = {"flow": charts.flow_chart(manifest)}
    if manifest.sources:
        drawn["fate"] = charts.fate_chart(manifest)
    if statistics.histograms:
        drawn["histogram"] = charts.histogram_chart(statistics.histograms, statistics.lengths)
    if statistics.lengths:
        drawn["spread"] = charts.spread_chart(statistics.lengths, "chars")
    # Vega's own output, with every label escaped by it.
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704


def whole_samples(samples: pl.DataFrame) -> pl.DataFrame:
    """The same rows with SAMPLE's columns, in the order to show them.

    Per stage and reason the first row of each source, then the second of each, and so on: the same
    for every order of `samples`.
    """
    whole = samples.select(
        pl.col(name).cast(dtype) if name in samples.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SAMPLE.items()
    )
    return (
        whole.sort("stage", "drop_reason", "source", "source_row")
        .with_columns(turn=pl.int_range(pl.len()).over("stage", "drop_reason", "source"))
        .sort("stage", "drop_reason", "turn", "source")
        .drop("turn")
    )


def unreadable_rows(samples: pl.DataFrame) -> list[dict[str, Any]]:
    """The samples that could not be read, by source and position."""
    return (
        samples.filter(pl.col("message").is_not_null())
        .sort("source", "source_row")
        .head(UNREADABLE_ROWS)
        .to_dicts()
    )


def stage_lines(manifest: CorpusManifest, samples: pl.DataFrame) -> tuple[StageLines, ...]:
    """Every stage that dropped rows, in the pipeline's order, with its reasons."""
    dropped = manifest.dropped()
    order = [*Stage, *sorted(set(dropped) - set(Stage))]
    return tuple(
        StageLines(
            name=STAGE_NAMES[Stage(stage)] if stage in set(Stage) else stage,
            rows=sum(dropped[stage].values()),
            reasons=tuple(
                ReasonLine(reason, meaning(reason), rows, samples_of(samples, stage, reason))
                for reason, rows in sorted(
                    dropped[stage].items(), key=lambda item: (-item[1], item[0])
                )
            ),
        )
        for stage in order
        if stage in dropped
    )


def samples_of(samples: pl.DataFrame, stage: str, reason: str) -> tuple[dict[str, Any], ...]:
    """The first samples of one stage and reason."""
    chosen = (pl.col("stage") == stage) & (pl.col("drop_reason") == reason)
    return tuple(samples.filter(chosen).head(SAMPLES_PER_REASON).to_dicts())


def meaning(reason: str) -> str:
    """What a drop reason means; empty for one that this version of Winnow does not know."""
    return DropReason(reason).meaning if reason in set(DropReason) else ""


def source_lines(manifest: CorpusManifest, parent: CorpusManifest | None) -> tuple[SourceLine, ...]:
    """Every source in the recipe's order."""
    before = {source.name: source.rows_out for source in parent.sources} if parent else {}
    refused = {rate.source: rate.refusals for rate in manifest.statistics.refusals}
    taken: dict[tuple[str, str], int] = {}
    for drop in manifest.drops:
        taken[drop.source, drop.stage] = taken.get((drop.source, drop.stage), 0) + drop.rows
    return tuple(
        SourceLine(
            name=source.name,
            rows_in=source.rows_in,
            dropped=tuple(taken.get((source.name, stage), 0) for stage in stages_of(manifest)),
            rows_out=source.rows_out,
            repeated=source.rows_repeated,
            change=source.rows_out - before[source.name] if source.name in before else None,
            refusals=refused.get(source.name, 0),
            licence=source.licence,
            revision=source.revision or source.raw_digest,
        )
        for source in manifest.sources
    )


def cleaned_lines(manifest: CorpusManifest) -> tuple[CleanedLine, ...]:
    """Every kind of cleaning that changed a row, in the order of `Cleaning`, unknown kinds last."""
    found: dict[str, dict[str, int]] = {}
    for source in manifest.sources:
        for kind, rows in source.cleaned:
            found.setdefault(kind, {})[source.name] = rows
    order = [*(kind.value for kind in Cleaning), *sorted(set(found) - set(Cleaning))]
    return tuple(
        CleanedLine(
            kind=kind,
            meaning=Cleaning(kind).meaning if kind in set(Cleaning) else "",
            rows=sum(found[kind].values()),
            sources=tuple(sorted(found[kind].items(), key=lambda item: (-item[1], item[0]))),
        )
        for kind in order
        if kind in found
    )


def length_blocks(
    manifest: CorpusManifest,
) -> tuple[tuple[str, tuple[LengthStats, ...]], ...]:
    """One block per part and unit that was measured: its title and its lines, all rows first."""
    lines = manifest.statistics.lengths
    blocks = (
        (
            f"{part.capitalize()}, {unit_name(unit)}",
            tuple(line for line in lines if (line.part, line.unit) == (part, unit)),
        )
        for unit, part in MEASURED
    )
    return tuple((title, block) for title, block in blocks if block)


def compositions(
    manifest: CorpusManifest,
) -> tuple[tuple[str, tuple[Composition, ...]], ...]:
    """The compositions that are charted, with their titles."""
    found = ((title, of_key(manifest, key)) for key, title in COMPOSITION_TITLES.items())
    return tuple((title, lines) for title, lines in found if lines)


def of_key(manifest: CorpusManifest, key: str) -> tuple[Composition, ...]:
    """The composition by one key."""
    return tuple(line for line in manifest.statistics.composition if line.key == key)


def mean_response(manifest: CorpusManifest) -> float | None:
    """Mean response length in characters over all published rows."""
    wanted = (ALL_SOURCES, "response", "chars")
    lines = manifest.statistics.lengths
    return next(
        (line.mean for line in lines if (line.source, line.part, line.unit) == wanted), None
    )


def verdict_sentence(manifest: CorpusManifest) -> str:
    """Why the version is what it is, in a sentence."""
    failed = [gate for gate in manifest.gates if not gate.passed]
    if manifest.status == "published":
        return f"It passed every gate ({len(manifest.gates)}) and became the latest version."
    stays = f"{manifest.parent} stays the latest" if manifest.parent else "there is no latest"
    reasons = "; ".join(
        f"{gate_name(gate)}: {gate_found(gate)}, {gate_bound(gate)}" for gate in failed
    )
    return f"{len(failed)} of {len(manifest.gates)} gates failed, so {stays} version. {reasons}."


def gate_name(gate: GateResult) -> str:
    """What a gate measures, in words."""
    return GATE_NAMES[gate.gate][0] if gate.gate in GATE_NAMES else gate.gate


def gate_found(gate: GateResult) -> str:
    """What was found, in the gate's unit."""
    return in_unit(gate.gate, gate.found)


def gate_bound(gate: GateResult) -> str:
    """What was asked for."""
    words = GATE_NAMES[gate.gate][2] if gate.gate in GATE_NAMES else "bound"
    return f"{words} {in_unit(gate.gate, gate.bound)}"


def in_unit(gate: str, value: float) -> str:
    """A gate's number: a count, or a share to a hundredth of a per cent."""
    unit = GATE_NAMES[gate][1] if gate in GATE_NAMES else "count"
    return f"{quantity(100 * value)}{NARROW_SPACE}%" if unit == "share" else quantity(value)


def recipe_yaml(manifest: CorpusManifest) -> str:
    """The whole recipe, defaults included, as YAML."""
    return yaml.safe_dump(manifest.recipe, sort_keys=False, allow_unicode=True, width=100)


def _environment() -> Any:
    found = environment(FOLDER)
    gates = (gate_name, gate_found, gate_bound)
    found.filters.update({word.__name__: word for word in gates})
    return found
