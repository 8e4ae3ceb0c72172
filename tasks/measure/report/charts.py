"""The report's charts: small Vega-Lite specs, drawn to SVG without a browser or a network."""

from typing import TYPE_CHECKING

import polars as pl

from schemas.manifest import CorpusManifest, Histogram, LengthStats
from schemas.page.drawing import ACCENT, GREY, INK, WIDTH, draw, labels_axis
from schemas.reasons import Stage
from schemas.source import ALL_SOURCES

if TYPE_CHECKING:
    import altair as alt

PUBLISHED, READ = ACCENT, GREY
PANEL_WIDTH = 440
BAR_STEP = 30
MOST_TICKS = 8
SOURCE_STEP = 26

# fmt: off
STAGES = {  #             label in charts and tables  colour
    Stage.NORMALIZE:    ("no record",                "#7c6f64"),
    Stage.DEDUPE_EXACT: ("exact duplicates",         "#b26a00"),
    Stage.FILTER:       ("broke a rule",             "#b3392f"),
    Stage.DEDUPE_NEAR:  ("near duplicates",          "#7d4ca3"),
    Stage.SAMPLE:       ("not sampled",              "#4f6d7a"),
}
# fmt: on
PUBLISHED_LABEL = "published"
REPEATED_LABEL = "repeated"


def stages_of(manifest: CorpusManifest) -> dict[Stage, tuple[str, str]]:
    """STAGES without sampling where every row was taken."""
    dropped = manifest.dropped()
    return {
        stage: words
        for stage, words in STAGES.items()
        if stage is not Stage.SAMPLE or stage in dropped
    }


def flow_chart(manifest: CorpusManifest) -> str:
    """Rows read, what each stage took away, rows published: one bar each, left to right."""
    import altair as alt

    dropped = {stage: sum(reasons.values()) for stage, reasons in manifest.dropped().items()}
    steps = [("rows read", 0, manifest.rows_in, READ, f"{manifest.rows_in:,}")]
    left = manifest.rows_in
    for stage, (label, colour) in stages_of(manifest).items():
        rows = dropped.get(stage, 0)
        steps.append((label, left - rows, left, colour, f"−{rows:,}" if rows else "0"))
        left -= rows
    if manifest.rows_repeated:
        more = manifest.rows_repeated
        steps.append((REPEATED_LABEL, left, left + more, PUBLISHED, f"+{more:,}"))
        left += more
    steps.append((PUBLISHED_LABEL, 0, left, PUBLISHED, f"{left:,}"))
    data = pl.DataFrame(steps, schema=["step", "from", "to", "colour", "rows"], orient="row")

    base = alt.Chart(data).encode(
        y=alt.Y("step:N", sort=None, title=None, axis=labels_axis(data["step"])),
        x=alt.X(
            "from:Q",
            title=None,
            scale=alt.Scale(domain=[0, max(manifest.rows_in, left, 1) * 1.08], nice=False),
            axis=alt.Axis(format="~s", tickCount=6),
        ),
        x2="to:Q",
    )
    bars = base.mark_bar(cornerRadius=2, height=18).encode(color=alt.Color("colour:N", scale=None))
    rows_text = base.mark_text(align="left", dx=6, fontSize=13, fontWeight=600, color=INK).encode(
        x="to:Q", x2=alt.value(0), text="rows:N"
    )
    return draw((bars + rows_text).properties(width=WIDTH - 160, height=alt.Step(BAR_STEP)))


def fate_chart(manifest: CorpusManifest) -> str:
    """Which share of each source's rows was published, and which each stage took."""
    import altair as alt

    stages = stages_of(manifest)
    rows = {(drop.source, drop.stage): 0 for drop in manifest.drops}
    for drop in manifest.drops:
        rows[drop.source, drop.stage] += drop.rows
    fates = [
        (source.name, label, rows.get((source.name, stage), 0), order)
        for source in manifest.sources
        for order, (stage, (label, _)) in enumerate(stages.items(), start=1)
    ]
    fates += [
        (source.name, PUBLISHED_LABEL, source.rows_out - source.rows_repeated, 0)
        for source in manifest.sources
    ]
    labels = [PUBLISHED_LABEL, *(label for label, _ in stages.values())]
    colours = [PUBLISHED, *(colour for _, colour in stages.values())]
    data = pl.DataFrame(fates, schema=["source", "fate", "rows", "order"], orient="row")
    shares = alt.Axis(format="%", tickCount=5)
    chart = (
        alt.Chart(data)
        .mark_bar(height=14)
        .encode(
            y=alt.Y("source:N", sort=None, title=None, axis=labels_axis(data["source"])),
            x=alt.X("rows:Q", stack="normalize", title=None, axis=shares),
            color=alt.Color(
                "fate:N",
                scale=alt.Scale(domain=labels, range=colours),
                legend=alt.Legend(title=None, orient="top", symbolType="square", columnPadding=34),
            ),
            order="order:Q",
        )
    )
    return draw(chart.properties(width=WIDTH - 180, height=alt.Step(SOURCE_STEP)))


def histogram_chart(histograms: tuple[Histogram, ...], lengths: tuple[LengthStats, ...]) -> str:
    """How many rows have which length, on half-octave bins, with a rule at the median."""
    import altair as alt

    medians = {(line.part, line.unit): line.p50 for line in lengths if line.source == ALL_SOURCES}
    panels = [_panel(each, medians[each.part, each.unit]) for each in histograms]
    return draw(alt.concat(*panels, columns=2, spacing=40))


def _panel(histogram: Histogram, median: float) -> "alt.LayerChart":
    import altair as alt

    edges = histogram.edges
    bins = pl.DataFrame({"bin": range(len(histogram.rows)), "rows": histogram.rows})
    octaves = [index for index, edge in enumerate(edges) if edge.bit_count() <= 1]
    ticks = octaves if len(octaves) <= MOST_TICKS else octaves[::2]
    axis = alt.Axis(
        values=ticks,
        labelExpr=f"{[f'{edge:,}' for edge in edges]}[datum.value]",
        grid=False,
        title=f"{unit_name(histogram.unit)} of the {histogram.part}",
    )
    scale = alt.Scale(domain=[0, len(histogram.rows)], nice=False)
    bars = (
        alt.Chart(bins.with_columns(end=pl.col("bin") + 1))
        .mark_bar(color=PUBLISHED, binSpacing=1)
        .encode(
            x=alt.X("bin:Q", axis=axis, scale=scale),
            x2="end:Q",
            y=alt.Y("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=4)),
            y2=alt.Y2Datum(0),
        )
    )
    middle = pl.DataFrame({"bin": [position(edges, median)], "label": [f"median {median:,g}"]})
    mark = alt.Chart(middle).encode(x=alt.X("bin:Q", scale=scale))
    rule = mark.mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.5)
    text = mark.mark_text(
        align="left", dx=6, y=-8, baseline="middle", fontSize=12, fontWeight=600, color=INK
    ).encode(text="label:N")
    layers: alt.LayerChart = (bars + rule + text).properties(width=PANEL_WIDTH, height=170)
    return layers


def position(edges: tuple[int, ...], value: float) -> float:
    """Where a length falls on an axis that gives each bin the same width."""
    below = max(index for index, edge in enumerate(edges) if edge <= value)
    if below == len(edges) - 1:
        return float(below)
    return below + (value - edges[below]) / (edges[below + 1] - edges[below])


def spread_chart(lengths: tuple[LengthStats, ...], unit: str) -> str:
    """Lengths per source on a logarithmic axis: least to most, the middle half, median, 90 %."""
    import altair as alt

    lines = [line for line in lengths if line.unit == unit]
    data = pl.DataFrame(
        [(ln.source, ln.part, ln.min, ln.p25, ln.p50, ln.p75, ln.p90, ln.max) for ln in lines],
        schema=["source", "part", "min", "p25", "p50", "p75", "p90", "max"],
        orient="row",
    ).with_columns(pl.col("min", "p25", "p50", "p75", "p90", "max").cast(pl.Float64).clip(1))
    panels = [
        _spread(data.filter(pl.col("part") == part), f"{unit_name(unit)} of the {part}", labels)
        for part, labels in (("prompt", True), ("response", False))
    ]
    return draw(alt.hconcat(*panels, spacing=30))


def _spread(data: pl.DataFrame, title: str, labels: bool) -> "alt.LayerChart | alt.FacetChart":
    import altair as alt

    top = max(10.0, *data["max"].to_list())
    decades = [10**power for power in range(10) if 10**power <= top]
    axis = alt.Axis(format=",", values=decades, title=title)
    named = labels_axis(data["source"]) if labels else alt.Axis(labels=False)
    base = alt.Chart(data).encode(
        y=alt.Y("source:N", sort=None, title=None, axis=named),
        x=alt.X("min:Q", axis=axis, scale=alt.Scale(type="log", domain=[1, top], nice=False)),
    )
    layers = alt.layer(
        base.mark_rule(color=READ, strokeWidth=1).encode(x2="max:Q"),
        base.mark_bar(color=PUBLISHED, height=12, cornerRadius=2).encode(x="p25:Q", x2="p75:Q"),
        base.mark_tick(color=INK, thickness=2.5, height=18).encode(x="p50:Q"),
        base.mark_tick(color=READ, thickness=2, height=10).encode(x="p90:Q"),
    )
    return layers.properties(width=PANEL_WIDTH - 20, height=alt.Step(SOURCE_STEP))


def unit_name(unit: str) -> str:
    """A unit of length in full."""
    return {"chars": "characters"}.get(unit, unit)
