"""What every stage said of one row, read from the shards that stages leave in the lake."""

import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from schemas.manifest import CorpusManifest, ShardRef, StageManifest
from schemas.reasons import Stage
from tasks.lake import Lake
from tasks.receipts import receipts_of
from tasks.shards import scan_shard
from tasks.stages import read_receipt, stage_key

EVIDENCE = ("duplicate_of", "prompt_similarity", "response_similarity", "found", "expected")
JUDGES = tuple(stage for stage in Stage if stage is not Stage.NORMALIZE)
TOOK_PART = ("cluster", "copies")  # null where a row had fallen before its stage was asked
ITEM = ("set", "row", "excerpt")
ITEM_ROW = re.compile("[0-9]{1,18}")


def verdicts_on(
    lake: Lake, manifest: CorpusManifest, source: str, source_row: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Each stage's verdict on a row, in the ledger's order, and the stages that cannot be asked.

    A verdict is `stage`, `asked` (False: the row had fallen before), `reason` (None: it passes) and
    `evidence`. The ledger has the first that drops; here the others stand too. Stages whose folders
    were removed from the lake cannot be asked.
    """
    receipts = receipts_of(lake, manifest, (source,))
    places: dict[str, int | None] = {}
    said = []
    for stage in JUDGES:
        for parent, shard in _pairs(receipts.of(stage), source):
            if parent.uri not in places:
                places[parent.uri] = _place(lake, parent, source_row)
            at = places[parent.uri]
            if at is not None:
                said.append(_verdict(lake, stage, shard, at))
    if not manifest.stages:
        return said, ["all stages"]
    return said, [stage.value for stage in JUDGES if stage in receipts.gone]


def evidence_of(row: dict[str, Any], names: tuple[str, ...] = EVIDENCE) -> dict[str, Any]:
    """What is not null of a verdict's evidence; a similarity with four digits after the point."""
    shown = {name: row[name] for name in names if row.get(name) is not None}
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in shown.items()
    }


def evaluation_items(lake: Lake, label: str) -> list[dict[str, Any]]:
    """What stood in an evaluation item that the ledger names as `set:row`: set, row, excerpt.

    From the indexes of evaluation sets in the lake: none where these were removed, and more than
    one where the file changed under its name.
    """
    name, _, row = label.rpartition(":")
    if not (name and ITEM_ROW.fullmatch(row)):
        return []
    found = [
        scan_shard(lake, shard)
        .filter(pl.col("set") == name, pl.col("row") == int(row))
        .select(ITEM)
        .collect()
        for shard in _item_shards(lake)
    ]
    return pl.concat(found).unique(maintain_order=True).to_dicts() if found else []


def _item_shards(lake: Lake) -> Iterator[ShardRef]:
    for digest in lake.folders("stages/evaluations"):
        receipt = read_receipt(lake, stage_key("evaluations", digest))
        shards = receipt.shards if receipt is not None else ()
        yield from (shard for shard in shards if shard.uri.endswith("items.parquet"))


def _pairs(receipts: tuple[StageManifest, ...], source: str) -> Iterator[tuple[ShardRef, ShardRef]]:
    for receipt in receipts:
        for parent, shard in zip(receipt.parents, receipt.shards, strict=False):
            if parent.source == source:
                yield parent, shard


def _place(lake: Lake, shard: ShardRef, source_row: int) -> int | None:
    """Which row of a shard of records has this number in its source, if one has."""
    if not lake.exists(shard.uri):
        return None
    rows = scan_shard(lake, shard).select("source_row").with_row_index("at")
    at = rows.filter(pl.col("source_row") == source_row).collect().get_column("at")
    return at.item() if len(at) else None


def _verdict(lake: Lake, stage: Stage, shard: ShardRef, at: int) -> dict[str, Any]:
    (row,) = scan_shard(lake, shard).slice(at, 1).collect().to_dicts()
    reason = row["drop_reason"]
    told = [row[name] for name in TOOK_PART if name in row]
    asked = reason is not None or not told or any(one is not None for one in told)
    return {"stage": stage.value, "asked": asked, "reason": reason, "evidence": evidence_of(row)}
