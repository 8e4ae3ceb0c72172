"""What a changed rule would do, counted, with rows to read; nothing of it is published."""

from dataclasses import dataclass, field

import polars as pl

from schemas.record import VERDICT
from tasks.lots import lot

EXAMPLE = ("source", "source_row", "record_id", "messages", *VERDICT)
COUNTED = ("drop_reason", "source")
_COUNTS = pl.DataFrame(schema={**dict.fromkeys(COUNTED, pl.String), "rows": pl.UInt32})


@dataclass
class Moved:
    """Rows that went over, all from published to dropped or all the other way.

    `counts` has one row per drop_reason and source. `sample` has the rows with the lowest lots, in
    their order: EXAMPLE's columns and `lot`.
    """

    most: int
    seed: int
    counts: pl.DataFrame = field(default_factory=lambda: _COUNTS)
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.counts["rows"].sum())

    def add(self, rows: pl.DataFrame) -> None:
        """Count these rows (EXAMPLE's columns) too and keep those that the sample takes."""
        counts = rows.group_by(COUNTED).agg(pl.len().cast(pl.UInt32).alias("rows"))
        self.counts = (
            pl.concat([self.counts, counts])
            .group_by(COUNTED)
            .agg(pl.col("rows").sum())
            .sort("rows", *COUNTED, descending=[True, False, False])
        )
        drawn = rows.select(*EXAMPLE, lot(self.seed))
        together = pl.concat([self.sample, drawn]) if self.sample.width else drawn
        self.sample = together.sort("lot", "source", "source_row").head(self.most)


@dataclass
class Trial:
    """What a changed rule would do with the rows of a version, as far as it was tried.

    `dropped` are published rows that it would drop, `released` rows that the rule has dropped and
    that it would not drop, nor any other rule that was asked. `covered` counts rows that it would
    drop as well but that fall to other stages as it is.
    """

    dropped: Moved
    released: Moved
    rows: int = 0
    published: int = 0
    covered: int = 0
    notes: tuple[str, ...] = ()
