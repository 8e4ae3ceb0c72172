"""The charts of a training report: how the loss fell, for which sources, on rows of what length."""

from typing import Any

import polars as pl

from schemas.adapter import Evaluation, TokenHistogram
from schemas.page.drawing import ACCENT, GREY, INK, WIDTH, draw, labels_axis
from schemas.page.words import excerpt

POINTS = 400
"""Of a curve, at most: steps beyond that are averaged together."""
SMOOTHED = 25
"""Points that the smooth curve averages, of as many as there are from 4 times that on."""
SOURCES = 20
"""With bars of their own: those with most tokens."""
NAME_CHARS = 40
BASE, ADAPTER = "base model", "with the adapter"


def loss_chart(steps: pl.DataFrame, before: Evaluation | None, after: Evaluation | None) -> str:
    """Loss of every step, its running mean, and the validation loss at both ends.

    `steps` has one row per step, ascending, with `step` and `loss`.
    """
    import altair as alt

    curve = _thinned(steps)
    x = alt.X("step:Q", title="optimizer step", axis=alt.Axis(format=",d", grid=False))
    y = alt.Y("loss:Q", title="nats per token", scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(curve).encode(x=x)
    layers: list[alt.Chart] = [
        base.mark_line(color=GREY, strokeWidth=1, opacity=0.55).encode(y=y),
        base.mark_line(color=ACCENT, strokeWidth=2.5).encode(y="smooth:Q"),
    ]
    if before is not None and after is not None:
        ends = pl.DataFrame(
            {
                "step": [0, int(steps["step"][-1])],
                "loss": [before.loss, after.loss],
                "label": [f"validation {one.loss:.3f}" for one in (before, after)],
            }
        )
        first, last = (alt.Chart(ends[place]).encode(x="step:Q", y=y) for place in (0, 1))
        words: dict[str, Any] = {"dy": -9, "fontSize": 12, "fontWeight": 600, "color": INK}
        layers += [
            first.mark_point(color=INK, size=70, strokeWidth=2),
            first.mark_text(align="left", dx=10, **words).encode(text="label:N"),
            last.mark_point(color=INK, size=70, strokeWidth=2),
            last.mark_text(align="right", dx=-10, **words).encode(text="label:N"),
        ]
    return draw(alt.layer(*layers).properties(width=WIDTH - 100, height=260))


def sources_chart(before: Evaluation, after: Evaluation) -> str:
    """Validation loss of each source, of the base model and with the adapter, a bar for each.

    Names are cleaned first: a control character in one ends the process that draws it.
    """
    import altair as alt

    known = before.of("source")
    bars = [
        (excerpt(name, NAME_CHARS), which, found.loss, f"{found.loss:.3f}")
        for name, group in list(after.of("source").items())[:SOURCES]
        for which, found in ((BASE, known[name]), (ADAPTER, group))
    ]
    data = pl.DataFrame(bars, schema=["source", "model", "loss", "label"], orient="row")
    top = 1.08 * float(data["loss"].max() or 1)  # type: ignore[arg-type]
    rows = alt.Chart(data).encode(
        y=alt.Y("source:N", sort=None, title=None, axis=labels_axis(data["source"])),
        yOffset=alt.YOffset("model:N", sort=[BASE, ADAPTER]),
        x=alt.X("loss:Q", title="nats per token", scale=alt.Scale(domain=[0, top], nice=False)),
    )
    drawn = rows.mark_bar(height=11, cornerRadius=2).encode(
        color=alt.Color(
            "model:N",
            scale=alt.Scale(domain=[BASE, ADAPTER], range=[GREY, ACCENT]),
            legend=alt.Legend(title=None, orient="top", symbolType="square", columnPadding=34),
        )
    )
    numbers = rows.mark_text(align="left", dx=5, fontSize=11, color=INK).encode(text="label:N")
    step = alt.Step(14, **{"for": "offset"})
    return draw((drawn + numbers).properties(width=WIDTH - 200, height=step))


def lengths_chart(histogram: TokenHistogram, median: int) -> str:
    """How many training rows have how many tokens, with a rule at the median."""
    import altair as alt

    edges = histogram.edges
    bins = pl.DataFrame({"tokens": edges[:-1], "end": edges[1:], "rows": histogram.rows})
    scale = alt.Scale(domain=[0, edges[-1]], nice=False)
    bars = (
        alt.Chart(bins)
        .mark_bar(color=ACCENT, binSpacing=1)
        .encode(
            x=alt.X("tokens:Q", title="tokens of a row", scale=scale, axis=alt.Axis(grid=False)),
            x2="end:Q",
            y=alt.Y("rows:Q", title="rows", axis=alt.Axis(format="~s", tickCount=4)),
            y2=alt.Y2Datum(0),
        )
    )
    middle = pl.DataFrame({"tokens": [median], "label": [f"median {median:,}"]})
    mark = alt.Chart(middle).encode(x=alt.X("tokens:Q", scale=scale))
    rule = mark.mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.5)
    words: dict[str, Any] = {"baseline": "middle", "fontSize": 12, "fontWeight": 600, "color": INK}
    side: dict[str, Any] = {"align": "left", "dx": 6}
    if median > edges[-1] * 0.8:  # there is no room on its right
        side = {"align": "right", "dx": -6}
    text = mark.mark_text(y=-8, **side, **words).encode(text="label:N")
    return draw((bars + rule + text).properties(width=WIDTH - 100, height=180))


def _thinned(steps: pl.DataFrame) -> pl.DataFrame:
    """At most `POINTS` rows of means over neighbouring steps, with the running mean `smooth`."""
    together = -(-steps.height // POINTS)
    points = (
        steps.with_row_index("place")
        .group_by(pl.col("place") // together, maintain_order=True)
        .agg(pl.col("step").last(), pl.col("loss").mean())
    )
    window = max(1, min(SMOOTHED, points.height // 4))
    smooth = pl.col("loss").rolling_mean(window, min_samples=1, center=True).alias("smooth")
    return points.select("step", "loss", smooth)
