"""Why a row is in a version or not: answers from its data and its ledger, by id, place or text."""

import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from schemas.manifest import CorpusManifest, ShardRef
from tasks.corpora import version_key
from tasks.lake import Lake
from tasks.shards import scan_shard

_RECORD_ID = re.compile(r"^[0-9a-f]{32}$")
_PLACE = re.compile(r"^([a-z0-9][a-z0-9_.]*):(\d+)$")
_EVIDENCE = (
    "duplicate_of",
    "prompt_similarity",
    "response_similarity",
    "found",
    "expected",
    "file",
    "offset",
    "message",
)


def why(lake: Lake, manifest: CorpusManifest, query: str, limit: int) -> list[dict[str, Any]]:
    """What became of the rows that `query` names, at most `limit` of them, published ones first.

    `query` is a record id, `source:row`, or a piece of text to look for in prompts and responses.
    One entry per input row: source, source_row, record_id, status (published or dropped), stage,
    reason, evidence (what is not null of the verdict; the split where it is published), messages.
    """
    matches = _matches(query)
    found: list[dict[str, Any]] = []
    for entry in _entries(lake, manifest, matches):
        found.append(entry)
        if len(found) == limit:
            break
    return found


def _entries(lake: Lake, manifest: CorpusManifest, matches: pl.Expr) -> Iterator[dict[str, Any]]:
    for split in manifest.splits:
        for shard in split.shards:
            yield from (
                _published(row, split.name) for row in _rows(lake, manifest, shard, matches)
            )
    for shard in manifest.ledger:
        yield from (_dropped(row) for row in _rows(lake, manifest, shard, matches))


def _rows(
    lake: Lake, manifest: CorpusManifest, shard: ShardRef, matches: pl.Expr
) -> list[dict[str, Any]]:
    folder = version_key(manifest.name, manifest.version)
    return scan_shard(lake, shard, folder).filter(matches).collect().to_dicts()


def _matches(query: str) -> pl.Expr:
    place = _PLACE.match(query)
    if _RECORD_ID.match(query):
        return pl.col("record_id") == query
    if place:
        return (pl.col("source") == place[1]) & (pl.col("source_row") == int(place[2]))
    says = pl.element().struct.field("content").str.contains(query, literal=True)
    return pl.col("messages").list.eval(says).list.any()


def _published(row: dict[str, Any], split: str) -> dict[str, Any]:
    evidence = {"split": split, "cluster": row["cluster"]}
    return _entry(row, status="published", stage=None, reason=None, evidence=evidence)


def _dropped(row: dict[str, Any]) -> dict[str, Any]:
    evidence = {name: row[name] for name in _EVIDENCE if row[name] is not None}
    return _entry(
        row, status="dropped", stage=row["stage"], reason=row["drop_reason"], evidence=evidence
    )


def _entry(row: dict[str, Any], **verdict: Any) -> dict[str, Any]:
    place = {name: row[name] for name in ("source", "source_row", "record_id")}
    return {**place, **verdict, "messages": row["messages"]}
