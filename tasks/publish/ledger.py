"""Why a row is in a version or not: answers from its data and its ledger, by id, place or text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.manifest import CorpusManifest
from schemas.reasons import DropReason, Stage
from tasks.lake import Lake
from tasks.publish.search import Part, matches, parts, scan_part
from tasks.publish.verdicts import EVIDENCE, evaluation_items, evidence_of, verdicts_on

DROPPED, PUBLISHED = "dropped", "published"
FALLS = 4  # a row falls to a kept one by exact and by near dedupe: more steps there are not
COUNTED = ("status", "stage", "drop_reason", "source")
_EVIDENCE = (*EVIDENCE, "file", "offset", "message")


@dataclass(frozen=True)
class Answer:
    """What became of the rows that a query names.

    `rows` has the first of them, published ones before dropped ones, as `why` gives them; `counts`
    has one row per status, stage, drop_reason and source with the number of `rows` of each.
    """

    rows: list[dict[str, Any]]
    counts: pl.DataFrame

    @property
    def total(self) -> int:
        """How many rows answer to the query."""
        return int(self.counts["rows"].sum())


def why(lake: Lake, manifest: CorpusManifest, query: str, limit: int) -> list[dict[str, Any]]:
    """What became of the rows that `query` names, at most `limit` of them, published ones first.

    `query` is a record id or its first 8 or more hex digits, `source:row`, or a piece of text to
    look for in prompts and responses. One entry per input row: source, source_row, record_id,
    status (published or dropped), stage, reason, evidence (what is not null of the verdict; split,
    cluster and shard where it is published), messages, and beside it: `verdicts` of every stage,
    `not_asked` (stages that the lake no longer holds), `kept` (the entry of the row it fell to, and
    that one's in turn) and `evaluation_items` that it holds a piece of.

    Raises:
        ConfigError: the beginning of a record id is that of several.
    """
    return answer(lake, manifest, query, limit).rows


def answer(lake: Lake, manifest: CorpusManifest, query: str, limit: int) -> Answer:
    """The first `limit` rows that answer to `query`, as `why` says, and counts of all."""
    found, counts = search(lake, manifest, matches(lake, manifest, query), limit)
    found = in_context(lake, manifest, found)
    return Answer([_in_full(lake, manifest, entry) for entry in found], counts)


def search(
    lake: Lake, manifest: CorpusManifest, wanted: pl.Expr, limit: int
) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    """The first `limit` rows of a version for which `wanted` holds, and counts of all of them.

    A row that the recipe repeats counts once.
    """
    found: list[dict[str, Any]] = []
    seen = pl.DataFrame(schema={"source": pl.String, "source_row": pl.UInt32})
    counts = [pl.DataFrame(schema=dict.fromkeys(COUNTED, pl.String) | {"rows": pl.UInt32})]
    for part in parts(manifest):
        rows = scan_part(lake, manifest, part).filter(wanted)
        missing = limit - len(found)
        columns = pl.all() if missing else pl.col(*COUNTED, "source_row")
        # A recipe may repeat rows: further copies of one come after everything once.
        hits = rows.select(columns).collect().join(seen, on=seen.columns, how="anti")
        hits = hits.unique(seen.columns, keep="first", maintain_order=True)
        found += [_entry(row, part) for row in hits.head(missing).to_dicts()] if missing else []
        counts.append(hits.group_by(COUNTED).agg(pl.len().cast(pl.UInt32).alias("rows")))
        if manifest.rows_repeated:
            seen = seen.vstack(hits.select(seen.columns))
    total = pl.concat(counts).group_by(COUNTED).agg(pl.col("rows").sum())
    return found, total.sort("rows", *COUNTED, descending=[True] + [False] * len(COUNTED))


def records(
    lake: Lake, manifest: CorpusManifest, record_ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By record id: the entry of the row that stands for it. One scan of the version for all.

    Several rows may say the very same and have one id: the published one stands for it, else the
    one that exact dedupe had kept.
    """
    if not record_ids:
        return {}
    wanted = pl.col("record_id").is_in(list(set(record_ids)))
    found: dict[str, dict[str, Any]] = {}
    for part in parts(manifest):
        rows = scan_part(lake, manifest, part).filter(wanted).collect().to_dicts()
        for entry in (_entry(row, part) for row in rows):
            old = found.get(entry["record_id"])
            if old is None or _standing(entry) < _standing(old):
                found[entry["record_id"]] = entry
    return found


def _standing(entry: dict[str, Any]) -> int:
    return 0 if entry["status"] == PUBLISHED else 2 if entry["stage"] == Stage.DEDUPE_EXACT else 1


def _kept_rows(
    lake: Lake, manifest: CorpusManifest, entries: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The rows that these fell to, and those that they fell to in turn, by record id."""
    kept: dict[str, dict[str, Any]] = {}
    falling = entries
    for _ in range(FALLS):
        named = [entry["evidence"].get("duplicate_of") for entry in falling]
        new = records(lake, manifest, [one for one in named if one and one not in kept])
        if not new:
            break
        kept |= new
        falling = list(new.values())
    return kept


def _with_kept(
    entry: dict[str, Any], kept: dict[str, dict[str, Any]], falls: int = FALLS
) -> dict[str, Any]:
    """The entry with `kept`: that of the row it fell to, with its own; None for all others."""
    of = kept.get(entry["evidence"].get("duplicate_of", ""))
    return {**entry, "kept": _with_kept(of, kept, falls - 1) if of and falls else None}


def in_context(
    lake: Lake, manifest: CorpusManifest, entries: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The entries, each with what it was held against: `kept` and `evaluation_items`."""
    kept = _kept_rows(lake, manifest, entries)
    return [
        {**_with_kept(entry, kept), "evaluation_items": _items(lake, entry)} for entry in entries
    ]


def _in_full(lake: Lake, manifest: CorpusManifest, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with what every stage said; a row that fell early may hold an evaluation item."""
    verdicts, gone = verdicts_on(lake, manifest, entry["source"], entry["source_row"])
    held = [item for said in verdicts for item in _items(lake, said)]
    return {
        **entry,
        "evaluation_items": entry["evaluation_items"] or held,
        "verdicts": verdicts,
        "not_asked": gone if entry["record_id"] else [],
    }


def _items(lake: Lake, said: dict[str, Any]) -> list[dict[str, Any]]:
    """What stood in the evaluation item that a verdict names, where it names one."""
    if said["reason"] != DropReason.EVALUATION_OVERLAP:
        return []
    return evaluation_items(lake, said["evidence"].get("expected", ""))


def entry_of(row: dict[str, Any]) -> dict[str, Any]:
    """The entry of a row of the ledger."""
    return _entry({"status": DROPPED, **row}, None)


def _entry(row: dict[str, Any], part: Part | None) -> dict[str, Any]:
    published = row["status"] == PUBLISHED
    evidence = (
        {"split": row["split"], "cluster": row["cluster"], "shard": part.shard.uri if part else ""}
        if published
        else evidence_of(row, _EVIDENCE)
    )
    return {
        **{name: row[name] for name in ("source", "source_row", "record_id", "status")},
        "stage": row["stage"],
        "reason": row["drop_reason"],
        "evidence": evidence,
        "messages": row["messages"],
    }
