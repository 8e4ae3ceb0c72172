"""The ledger by count, and rows of it to read: the same ones whenever they are asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import ConfigError
from schemas.ledger import LEDGER
from schemas.manifest import CorpusManifest, Drops
from schemas.reasons import DropReason, Stage
from schemas.recipe import known_name
from tasks.corpora import version_key
from tasks.lake import Lake, storage_errors
from tasks.lots import lot
from tasks.publish.ledger import entry_of, in_context
from tasks.shards import scan_shard
from tasks.text import prompt, response

CSV_COLUMNS = (
    "source", "source_row", "record_id", "stage", "drop_reason", "duplicate_of",
    "prompt_similarity", "response_similarity", "found", "expected", "file", "offset", "message",
)  # fmt: skip
FORMULA = r"^[=+\-@\t\r]"
PLACE = ("source", "source_row")


@dataclass(frozen=True)
class Question:
    """Which rows of the ledger are asked for; None asks for any."""

    reason: str | None = None
    stage: str | None = None
    source: str | None = None

    def checked(self, manifest: CorpusManifest) -> "Question":
        """The same; raises UnknownName, with the nearest, for what cannot be in this ledger."""
        known = {
            "reason": (*DropReason, *(drop.reason for drop in manifest.drops)),
            "stage": (*Stage, *(drop.stage for drop in manifest.drops)),
            "source": tuple(source.name for source in manifest.sources),
        }
        for kind, names in known.items():
            asked = getattr(self, kind)
            if asked is not None:
                of = f"{kind} of {manifest.name} {manifest.version}"
                known_name(asked, tuple(dict.fromkeys(map(str, names))), of)
        return self

    def holds(self, drop: Drops) -> bool:
        """Whether rows that were counted like this are asked for."""
        return (
            self.reason in (None, drop.reason)
            and self.stage in (None, drop.stage)
            and self.source in (None, drop.source)
        )

    @property
    def matches(self) -> pl.Expr:
        """Whether a row of LEDGER is asked for."""
        columns = {"drop_reason": self.reason, "stage": self.stage, "source": self.source}
        return pl.all_horizontal(
            pl.lit(True), *(pl.col(name) == value for name, value in columns.items() if value)
        )


def dropped_rows(manifest: CorpusManifest, question: Question) -> tuple[Drops, ...]:
    """Rows of the ledger by stage, reason and source, the most first; not a row is read."""
    drops = (drop for drop in manifest.drops if question.holds(drop))
    return tuple(sorted(drops, key=lambda drop: (-drop.rows, drop.stage, drop.reason, drop.source)))


def sample_ledger(
    lake: Lake, manifest: CorpusManifest, question: Question, rows: int, seed: int
) -> list[dict[str, Any]]:
    """So many rows of the ledger by a stable hash of their places and `seed`, as `why` has them.

    Each has the row it fell to beside it. A larger sample holds the smaller one. Places are read of
    all rows that are asked for, texts of the sample alone.
    """
    sample = _sampled(lake, manifest, question, rows, seed)
    return in_context(lake, manifest, [entry_of(row) for row in sample.to_dicts()])


def write_csv(
    lake: Lake,
    manifest: CorpusManifest,
    question: Question,
    path: Path,
    sample: tuple[int, int] | None,
) -> None:
    """Write rows of the ledger as CSV for a spreadsheet.

    All that are asked for, or as many as `sample` (rows, seed) says. Columns: LEDGER's, with
    `prompt` and `response` in place of the messages. A cell that a spreadsheet would run as a
    formula gets an apostrophe before it.
    """
    if sample is not None:
        found = _sampled(lake, manifest, question, *sample).lazy()
    else:
        rows: list[pl.LazyFrame] = [pl.LazyFrame(schema=LEDGER), *_ledger(lake, manifest)]
        found = pl.concat(rows).filter(question.matches)
    table = found.select(*CSV_COLUMNS, prompt=prompt(), response=response()).with_columns(
        pl.when(pl.col(pl.String).str.contains(FORMULA))
        .then(pl.lit("'") + pl.col(pl.String))
        .otherwise(pl.col(pl.String))
        .name.keep()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"--csv {path}: cannot be written: {error.strerror}. Name another file."
        ) from None
    with storage_errors("write", str(path)):
        table.sink_csv(path)


def _sampled(
    lake: Lake, manifest: CorpusManifest, question: Question, rows: int, seed: int
) -> pl.DataFrame:
    """The rows of LEDGER with the smallest hashes, in the order of these."""
    shards = _ledger(lake, manifest)
    places = [
        shard.filter(question.matches)
        .select(*PLACE, pl.lit(index).alias("shard"), lot(seed))
        .bottom_k(rows, by=["lot", *PLACE])
        for index, shard in enumerate(shards)
    ]
    if not places:
        return pl.DataFrame(schema=LEDGER)
    of_shards: list[pl.DataFrame] = pl.collect_all(places)
    drawn = pl.concat(of_shards).bottom_k(rows, by=["lot", *PLACE])
    read = [
        shards[index].join(mine.select(*PLACE, "lot").lazy(), on=PLACE, how="inner").collect()
        for (index,), mine in drawn.partition_by("shard", as_dict=True).items()
    ]
    rows_read: list[pl.DataFrame] = [pl.DataFrame(schema={**LEDGER, "lot": pl.UInt64}), *read]
    return pl.concat(rows_read).sort("lot", *PLACE).drop("lot")


def _ledger(lake: Lake, manifest: CorpusManifest) -> list[pl.LazyFrame]:
    folder = version_key(manifest.name, manifest.version)
    return [scan_shard(lake, shard, folder) for shard in manifest.ledger]
