"""What a changed rule would do, counted, with rows to read; nothing of it is published."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from schemas.privacy import PersonalKind
from schemas.record import VERDICT
from tasks.lots import lot
from tasks.personal.kinds import hidden
from tasks.personal.messages import messages_of, turns_of

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


def masked(rows: pl.DataFrame, kinds: Sequence[PersonalKind]) -> pl.DataFrame:
    """The rows (EXAMPLE's columns) with these kinds of personal data masked in their messages."""
    if not rows.height:
        return rows
    turns = turns_of(rows["messages"])
    told = turns.with_columns(content=hidden(turns["content"], kinds))
    return rows.with_columns(messages=messages_of(told, rows.height))


@dataclass
class Trial:
    """What a changed rule would do with the rows of a version.

    By itself: `dropped` are published rows that it would drop, `released` rows that the rule has
    dropped and that it would not drop, nor any other rule that was asked. `covered` counts rows
    that it would drop as well but that fall to other stages as it is.

    In the end, with everything that depends on the rule run again: `leaving` are published rows
    that would not be published, by what would drop them, and `entering` dropped rows that would be,
    by what has dropped them. A row that falls may leave its place to a copy, and one that is
    let pass may be the copy of another. A row counts once, however often the recipe repeats it.
    """

    dropped: Moved
    released: Moved
    leaving: Moved
    entering: Moved
    rows: int = 0
    published: int = 0
    covered: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def empty(cls, sample: int, seed: int) -> "Trial":
        """One of no rows yet, that keeps a sample of so many rows of each kind."""
        dropped, released, leaving, entering = (Moved(sample, seed) for _ in range(4))
        return cls(dropped, released, leaving, entering)

    @property
    def would_be_published(self) -> int:
        """How many rows would be published."""
        return self.published - self.leaving.rows + self.entering.rows
