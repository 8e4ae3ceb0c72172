"""How long prompts and responses are: the length table and the histograms of a corpus."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from schemas.manifest import Histogram, LengthStats
from schemas.source import ALL_SOURCES

PARTS = ("prompt", "response")
UNITS = ("chars", "tokens")
MEASURED = tuple(itertools.product(UNITS, PARTS))
QUANTILES = {"p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
# 0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32 … 2^32: half octaves, to the nearest whole number.
EDGES = (0, 1, *(round(2 ** (k / 2)) for k in range(2, 65)))


def length_table(published: pl.LazyFrame) -> tuple[LengthStats, ...]:
    """Distribution of every length, over all rows and per source, of published rows.

    Quantiles interpolate linearly between the two nearest rows and the standard deviation divides
    by n - 1, as in pandas' `describe`; of a single row it is 0. A source without rows has no line,
    and tokens have none where they were not counted. Mean and deviation come from exact integer
    sums, so that the order of rows cannot move a digit.
    """
    everything = published.with_columns(source=pl.lit(ALL_SOURCES))
    lines = [
        line
        for unit, part in MEASURED
        for frame in (everything, published)
        for line in _lines(frame, part, unit)
    ]
    return tuple(lines)


def histograms(published: pl.LazyFrame) -> tuple[Histogram, ...]:
    """How many published rows fall between EDGES, for every length that was measured."""
    found = (_histogram(published, part, unit) for unit, part in MEASURED)
    return tuple(histogram for histogram in found if histogram is not None)


def _histogram(published: pl.LazyFrame, part: str, unit: str) -> Histogram | None:
    length = pl.col(f"{part}_{unit}").drop_nulls().cast(pl.Int64)
    bins = pl.lit(pl.Series(EDGES, dtype=pl.Int64)).search_sorted(length, side="right") - 1
    counts = published.select(bin=bins).group_by("bin").len("rows").sort("bin").collect()
    if counts.is_empty():
        return None
    first, last = int(counts["bin"][0]), int(counts["bin"][-1])
    rows = np.zeros(last - first + 1, dtype=np.int64)
    rows[counts["bin"].to_numpy() - first] = counts["rows"].to_numpy()
    return Histogram(part=part, unit=unit, edges=EDGES[first : last + 2], rows=tuple(rows.tolist()))


def _lines(published: pl.LazyFrame, part: str, unit: str) -> Iterator[LengthStats]:
    length = pl.col(f"{part}_{unit}")
    exact = length.cast(pl.Int128)
    table = (
        published.group_by("source")
        .agg(
            count=length.count(),
            total=exact.sum(),
            squares=(exact * exact).sum(),
            min=length.min(),
            max=length.max(),
            **{
                name: length.quantile(share, interpolation="linear")
                for name, share in QUANTILES.items()
            },
        )
        .filter(pl.col("count") > 0)
        .sort("source")
        .collect()
    )
    for line in table.to_dicts():
        count, total, squares = line["count"], line.pop("total"), line.pop("squares")
        yield LengthStats(
            part=part,
            unit=unit,
            mean=total / count,
            std=deviation(count, total, squares),
            **line,
        )


def deviation(count: int, total: int, squares: int) -> float:
    """Sample standard deviation from exact sums: sqrt((n Σx² - (Σx)²) / (n (n - 1)))."""
    if count < 2:
        return 0.0
    return math.sqrt((count * squares - total * total) / (count * (count - 1)))
