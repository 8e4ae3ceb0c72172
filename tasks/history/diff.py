"""Which records two versions do not share, and why: in bounded memory, however many there are."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from schemas.manifest import CorpusManifest
from schemas.reasons import DropReason
from tasks.corpora import version_key
from tasks.lake import Lake
from tasks.publish.identity import id_ranges
from tasks.shards import scan_shard, scan_splits


class Kind(StrEnum):
    """How a record differs between two versions; one that is in both may differ in several ways."""

    ADDED = "added"
    REMOVED = "removed"
    SPLIT = "split"
    SOURCE = "source"
    LICENCE = "licence"
    COPIES = "copies"


class Cause(StrEnum):
    """Why a record came or went, where no stage dropped it."""

    UPSTREAM = "upstream"
    READING = "reading"
    SOURCE = "source"
    FAILED_SOURCE = "failed_source"

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Cause.UPSTREAM: "Its source holds it in one of the two versions alone.",
    Cause.READING: "The source's raw bytes are the same, but were read or cleaned otherwise.",
    Cause.SOURCE: "Its source is in the recipe of one of the two versions alone.",
    Cause.FAILED_SOURCE: "Its source could not be had in the other version.",
}

CHANGES = pl.Schema(
    {
        "change": pl.String,
        "record_id": pl.String,
        "source": pl.String,
        "source_row": pl.UInt32,
        "stage": pl.String,
        "reason": pl.String,
        "before": pl.String,
        "after": pl.String,
    }
)
COUNTED = ("change", "source", "stage", "reason", "before", "after")
COUNTS = pl.Schema({name: CHANGES[name] for name in COUNTED} | {"rows": pl.UInt32})
ROWS_PER_PASS = 1_000_000  # of each version, with its ledger: some 800 MB
_TOLD = ("source", "split", "licence", "copies")
_ORDER = ("change", "source", "source_row", "record_id")


@dataclass(frozen=True)
class Side:
    """One of the two versions, and the lake that holds it."""

    lake: Lake
    manifest: CorpusManifest

    @property
    def folder(self) -> str:
        """The key of the version's folder."""
        return version_key(self.manifest.name, self.manifest.version)


def changes(old: Side, new: Side) -> Iterator[pl.DataFrame]:
    """What differs, as frames of CHANGES; each holds the changes of an even part of all ids.

    One row per record and change, sorted within each frame. A removed record names the stage and
    the reason that dropped it from the newer version, an added one those that had dropped it from
    the older; where no stage did, `reason` is a `Cause`. `before` and `after` are what changed of a
    record that is in both: its split, source, licence or number of copies.
    """
    if old.manifest.records_digest == new.manifest.records_digest and not _may_differ(old, new):
        return
    rows = max(_rows(old.manifest), _rows(new.manifest))
    for part in id_ranges(rows, ROWS_PER_PASS):
        yield _changes(old, new, part)


def counted(frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
    """The number of changes by kind, source, reason and what changed, as COUNTS, sorted."""
    counts = [
        frame.group_by(COUNTED).agg(pl.len().cast(pl.UInt32).alias("rows")) for frame in frames
    ]
    total = pl.concat([pl.DataFrame(schema=COUNTS), *counts])
    return total.group_by(COUNTED).agg(pl.col("rows").sum()).sort(COUNTED, nulls_last=True)


def _may_differ(old: Side, new: Side) -> bool:
    """Whether records that are the same, in the same splits, may differ in what is said of them."""
    sources = [
        [(one.name, one.licence, one.raw_digest) for one in side.manifest.sources]
        for side in (old, new)
    ]
    made = [(side.manifest.recipe_digest, side.manifest.code_digest) for side in (old, new)]
    return sources[0] != sources[1] or made[0] != made[1]


def _rows(manifest: CorpusManifest) -> int:
    return manifest.rows_out + sum(drop.rows for drop in manifest.drops)


def _changes(old: Side, new: Side, part: pl.Expr) -> pl.DataFrame:
    both = _published(old, part).join(
        _published(new, part), on="record_id", how="full", coalesce=True, suffix=".new"
    )
    came, went = pl.col("source").is_null(), pl.col("source.new").is_null()
    added = both.filter(came).select(
        "record_id",
        pl.col("source.new").alias("source"),
        pl.col("source_row.new").alias("source_row"),
    )
    removed = both.filter(went).select("record_id", "source", "source_row")
    stayed = both.filter(~came & ~went)
    frames = [
        _explained(added, Kind.ADDED, old, new, part),
        _explained(removed, Kind.REMOVED, new, old, part),
        *(_altered(stayed, name) for name in _TOLD),
    ]
    return pl.concat(frames).sort(_ORDER)


def _published(side: Side, part: pl.Expr) -> pl.DataFrame:
    """One row per record of a version: record_id, source, source_row, split, licence, copies."""
    columns = ("record_id", "source", "source_row", "licence", "split")
    scanned = scan_splits(side.lake, side.manifest, side.folder)
    rows = [one.select(columns).filter(part) for one in scanned]
    schema = {"record_id": pl.String, "source": pl.String, "source_row": pl.UInt32}
    schema |= {"licence": pl.String, "split": pl.String}
    found = pl.concat([pl.LazyFrame(schema=schema), *rows]).collect(engine="streaming")
    return found.group_by("record_id").agg(
        pl.col("source", "source_row", "licence").sort_by("source", "source_row").first(),
        pl.col("split").min(),
        pl.len().alias("copies"),
    )


def _altered(stayed: pl.DataFrame, name: str) -> pl.DataFrame:
    """CHANGES of the records in both versions of which `name` differs."""
    return stayed.filter(pl.col(name) != pl.col(f"{name}.new")).select(
        pl.lit(name).alias("change"),
        "record_id",
        pl.col("source.new").alias("source"),
        pl.col("source_row.new").alias("source_row"),
        pl.lit(None, pl.String).alias("stage"),
        pl.lit(None, pl.String).alias("reason"),
        pl.col(name).cast(pl.String).alias("before"),
        pl.col(f"{name}.new").cast(pl.String).alias("after"),
    )


def _explained(
    records: pl.DataFrame, kind: Kind, absent_from: Side, present_in: Side, part: pl.Expr
) -> pl.DataFrame:
    """CHANGES of records that one version has and the other has not, with the reason of that."""
    verdicts = _verdicts(absent_from, records, part)
    causes = _causes(absent_from.manifest, present_in.manifest)
    judged = records.join(verdicts, on="record_id", how="left")
    cause = pl.col("source").replace_strict(causes, default=None, return_dtype=pl.String)
    return judged.select(
        pl.lit(kind.value).alias("change"),
        "record_id",
        "source",
        "source_row",
        "stage",
        pl.coalesce("drop_reason", cause).alias("reason"),
        pl.lit(None, pl.String).alias("before"),
        pl.lit(None, pl.String).alias("after"),
    )


def _verdicts(side: Side, records: pl.DataFrame, part: pl.Expr) -> pl.DataFrame:
    """Why a version dropped some records, one row for each: record_id, stage, drop_reason.

    Of several rows with one text the one that stood for them counts: not those that were exact
    copies of another.
    """
    schema = {"record_id": pl.String, "stage": pl.String, "drop_reason": pl.String}
    if records.is_empty():
        return pl.DataFrame(schema=schema)
    wanted = records.lazy().select("record_id")
    rows = [
        scan_shard(side.lake, shard, side.folder).select(list(schema)).filter(part)
        for shard in side.manifest.ledger
    ]
    found = pl.concat([pl.LazyFrame(schema=schema), *rows])
    dropped = found.join(wanted, on="record_id", how="semi").collect(engine="streaming")
    is_copy = pl.col("drop_reason") == DropReason.EXACT_DUPLICATE
    return dropped.sort(is_copy, "stage", "drop_reason").unique("record_id", keep="first")


def _causes(absent_from: CorpusManifest, present_in: CorpusManifest) -> dict[str, str]:
    """By source: why a record of it is in one version, and no row at all of the other."""
    there = {source.name: source.raw_digest for source in absent_from.sources}
    failed = {source.name for source in absent_from.failed_sources}
    causes = {}
    for source in present_in.sources:
        raw = there.get(source.name)
        if raw is None:
            cause = Cause.FAILED_SOURCE if source.name in failed else Cause.SOURCE
        else:
            cause = Cause.READING if raw == source.raw_digest else Cause.UPSTREAM
        causes[source.name] = cause.value
    return causes
