"""Charts of a page: Vega-Lite, drawn to SVG without a browser or a network.

Colours are those of the light page and nowhere else on it; the style sheet restates each of them
as a variable, so that one drawing serves the light page, the dark page and the printer.
"""

import re
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import altair as alt

INK, MUTED, GRID = "#1c2126", "#59636e", "#e2e5e9"
ACCENT, GREY = "#2b66a8", "#6b7682"
FONT = "system-ui, Helvetica, Arial, sans-serif"
WIDTH = 1040
LABEL_LIMIT = 200


def labels_axis(labels: pl.Series) -> "alt.Axis":
    """An axis of names with room for them: the reader's font may be wider than the one here."""
    import altair as alt

    room = min(8 * max(map(len, labels)), LABEL_LIMIT)
    return alt.Axis(labelFontSize=13, labelLimit=LABEL_LIMIT, minExtent=room)


def draw(chart: "alt.TopLevelMixin") -> str:
    """The chart as one <svg> element for an HTML page: no address, no id, scaled by the page."""
    import vl_convert

    styled = chart.configure(
        background="transparent",
        font=FONT,
        view={"stroke": None},
        axis={
            "labelColor": MUTED,
            "titleColor": MUTED,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "gridColor": GRID,
            "domainColor": GRID,
            "tickColor": GRID,
            "labelPadding": 6,
            "titlePadding": 8,
        },
        legend={"labelColor": INK, "labelFontSize": 13, "offset": 8},
    )
    svg: str = vl_convert.vegalite_to_svg(styled.to_dict(validate=False))
    return for_page(svg)


def for_page(svg: str) -> str:
    """Without the name spaces and the white ground that only a file of its own needs."""
    head, tail = svg.split(">", 1)
    head = re.sub(r' (?:xmlns(?::\w+)?|version|class)="[^"]*"', "", head)
    return f'{head} aria-hidden="true" focusable="false">{tail}'
