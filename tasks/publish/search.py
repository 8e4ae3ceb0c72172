"""Finding rows of a version by what people know of them: an id, a place, a piece of text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from schemas.errors import ConfigError, UnknownName
from schemas.manifest import CorpusManifest, ShardRef
from schemas.recipe import known_name
from tasks.corpora import version_key
from tasks.lake import Lake
from tasks.shards import scan_shard

MIN_ID_CHARS = 8
NEAREST = 3  # as many as a message names
MAX_PIECES = 64

_RECORD_ID = re.compile(rf"[0-9a-f]{{{MIN_ID_CHARS},32}}")
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff"  # kana and Chinese characters
_PIECE = re.compile(rf"[{_UNSPACED}]{{1,2}}|[^\W{_UNSPACED}]+")
_PLACE = re.compile(r"([a-z0-9][a-z0-9_.]*):0*([0-9]{1,10})")


@dataclass(frozen=True)
class Part:
    """One file of a version: a shard of a split, or of the ledger (no split)."""

    shard: ShardRef
    split: str | None


def parts(manifest: CorpusManifest) -> Iterator[Part]:
    """Every file with rows of a version: its data, then its ledger."""
    for split in manifest.splits:
        yield from (Part(shard, split.name) for shard in split.shards)
    yield from (Part(shard, None) for shard in manifest.ledger)


def scan_part(lake: Lake, manifest: CorpusManifest, part: Part) -> pl.LazyFrame:
    """One row per row of the file, with `status`, `split`, and `stage` to `message` of LEDGER."""
    rows = scan_shard(lake, part.shard, version_key(manifest.name, manifest.version))
    if part.split is None:
        return rows.with_columns(
            pl.lit("dropped").alias("status"), pl.lit(None, pl.String).alias("split")
        )
    return rows.with_columns(
        pl.lit("published").alias("status"),
        pl.lit(part.split).alias("split"),
        *(pl.lit(None, pl.String).alias(name) for name in _LEDGER_ONLY),
    )


_LEDGER_ONLY = ("stage", "drop_reason", "file", "found")


def matches(lake: Lake, manifest: CorpusManifest, query: str) -> pl.Expr:
    """Whether a row of `scan_part` is one that `query` names.

    A record id or its beginning, `source:row` of a source of this version, else a piece of text as
    it stands in a message or in what could not be read. Hex digits that begin no id are text.

    Raises:
        ConfigError: several records' ids begin like that.
    """
    place = _place(manifest, query)
    if place is not None:
        return (pl.col("source") == place[0]) & (pl.col("source_row") == place[1])
    if _RECORD_ID.fullmatch(query.lower()):
        named = _record_ids(lake, manifest, pl.col("record_id").str.starts_with(query.lower()))
        if len(named) > 1:
            raise ConfigError(
                f"{query!r} begins the ids of {len(named)} records: {_listed(named)}. Give more "
                "of the one you mean."
            )
        if named:
            return pl.col("record_id") == named[0]
    return _says(query)


def nothing_found(lake: Lake, manifest: CorpusManifest, query: str) -> UnknownName:
    """What to say where no row answers: what was searched, and what comes nearest."""
    version = f"{manifest.name} {manifest.version}"
    place = _place(manifest, query)
    if place is not None:
        rows = next(source.rows_in for source in manifest.sources if source.name == place[0])
        return UnknownName(
            f"no row {place[1]:,} in source {place[0]!r} of {version}: its {rows:,} rows count "
            "from 0."
        )
    searched = (
        f"no row answers to {query!r}: searched the {manifest.rows_out:,} published and "
        f"{manifest.rows_in - manifest.rows_out:,} dropped rows of {version}"
    )
    if _RECORD_ID.fullmatch(query.lower()):
        return UnknownName(f"{searched}, ids and text. {_nearest_ids(lake, manifest, query)}")
    written = _PLACE.fullmatch(query)
    if written:
        try:
            known_name(written[1], tuple(source.name for source in manifest.sources), "source")
        except UnknownName as error:
            return UnknownName(f"{searched}, as text; and {error}")
    return UnknownName(
        f"{searched}, for text as it stands there. {_nearest(lake, manifest, query)}"
    )


def _place(manifest: CorpusManifest, query: str) -> tuple[str, int] | None:
    place = _PLACE.fullmatch(query)
    known = {source.name for source in manifest.sources}
    fits = place is not None and place[1] in known and int(place[2]) < 2**32
    return (place[1], int(place[2])) if place and fits else None


def _says(text: str) -> pl.Expr:
    held = pl.element().struct.field("content").str.contains(text, literal=True)
    unread = pl.col("file").is_not_null() & pl.col("found").str.contains(text, literal=True)
    return pl.col("messages").list.eval(held).list.any().fill_null(False) | unread.fill_null(False)


def _record_ids(lake: Lake, manifest: CorpusManifest, wanted: pl.Expr) -> list[str]:
    found = [
        scan_part(lake, manifest, part).filter(wanted).select("record_id").unique().collect()
        for part in parts(manifest)
    ]
    return pl.concat(found)["record_id"].unique().sort().to_list() if found else []


def _nearest_ids(lake: Lake, manifest: CorpusManifest, query: str) -> str:
    ends = pl.col("record_id").str.ends_with(query[-MIN_ID_CHARS:].lower())
    begins = pl.col("record_id").str.starts_with(query[:MIN_ID_CHARS].lower())
    found = _record_ids(lake, manifest, begins | ends if len(query) > MIN_ID_CHARS else ends)
    return f"Nearest: {_listed(found)}." if found else "No id begins or ends like that."


def _nearest(lake: Lake, manifest: CorpusManifest, query: str) -> str:
    """The rows that hold the most of the query's words, in any case, if it is half of them."""
    pieces = _pieces(query)
    if not pieces:
        return "Give it exactly as it stands in the row."
    held = (
        pl.col("messages")
        .list.eval(pl.element().struct.field("content"))
        .list.join(" ")
        .str.to_lowercase()
        .str.extract_many(pieces, overlapping=True)
        .list.n_unique()
        .alias("held")
    )
    best = [
        scan_part(lake, manifest, part)
        .select("source", "source_row", held)
        .filter(pl.col("held") * 2 >= len(pieces))
        .top_k(NEAREST, by="held")
        .collect()
        for part in parts(manifest)
    ]
    if not best:
        return "There is no row at all."
    rows = pl.concat(best).sort("held", "source", "source_row", descending=[True, False, False])
    named = [
        f"{source}:{row} ({held} of {len(pieces)})"
        for source, row, held in rows.head(NEAREST).rows()
    ]
    unit = "words" if " " in query.strip() else "pieces"
    return f"Nearest, by {unit} in it: {', '.join(named)}." if named else "Nothing comes near it."


def _pieces(query: str) -> list[str]:
    """The words of a text in lower case; where no spaces part words, every two characters."""
    return list(dict.fromkeys(_PIECE.findall(query.lower())))[:MAX_PIECES]


def _listed(found: list[str]) -> str:
    more = len(found) - NEAREST
    return ", ".join(found[:NEAREST]) + (f" and {more:,} more" if more > 0 else "")
