"""The folders of the lake that versions were made from: stages and downloads."""

import json
from collections.abc import Iterable, Iterator, Sequence

from schemas.manifest import CorpusManifest, StageManifest
from schemas.reasons import Stage
from tasks.lake import Lake
from tasks.stages import read_receipt, stage_key

INDEXES, MEASURE = "evaluations", "measure"


def needed_stages(lake: Lake, versions: Sequence[CorpusManifest]) -> set[str]:
    """The stage folders of these versions, and those that no version names but that serve them.

    These are made of a shard's bytes, as the signatures of near dedupe are, or of evaluation sets.
    Folders that the lake no longer holds may be among them.
    """
    named = {stage_key(ref.stage, ref.digest) for one in versions for ref in one.stages}
    receipts = tuple(_receipts(lake, named))
    shards = {shard.sha256 for receipt in receipts for shard in receipt.shards}
    compared = {receipt.evaluations for receipt in receipts if receipt.stage == Stage.FILTER}
    serving = {
        one.uri
        for one in _receipts(lake, _unnamed(lake))
        if any(parent.sha256 in shards for parent in one.parents)
        or (one.stage == INDEXES and one.evaluations in compared)
    }
    return named | serving


def damaged_stages(lake: Lake) -> set[str]:
    """The folders that no version names, and whose receipts do not say any more what they serve."""
    folders = _unnamed(lake)
    return folders - {receipt.uri for receipt in _receipts(lake, folders)}


def _unnamed(lake: Lake) -> set[str]:
    """Every folder of a stage that versions do not name."""
    stages = set(lake.folders("stages")) - {*Stage, MEASURE}
    return {stage_key(one, digest) for one in stages for digest in lake.folders(f"stages/{one}")}


def needed_downloads(lake: Lake, versions: Sequence[CorpusManifest]) -> set[str]:
    """The downloads that these versions were made from, and the last one of every source."""
    needed = {f"raw/{one.name}/{one.raw_digest}" for of in versions for one in of.sources}
    return needed | {key for name in lake.folders("raw") for key in last_download(lake, name)}


def last_download(lake: Lake, source: str) -> tuple[str, ...]:
    """The folder of the last download of one source, if the lake remembers one."""
    data = lake.read_if_any(f"raw/{source}/upstream.json")
    try:
        return (f"raw/{source}/{json.loads(data or b'')['downloads'][-1]['digest']}",)
    except (ValueError, KeyError, TypeError, IndexError):
        return ()


def _receipts(lake: Lake, keys: Iterable[str]) -> Iterator[StageManifest]:
    """The receipts of these folders, without those that are gone or damaged."""
    found = (read_receipt(lake, key) for key in keys)
    return (receipt for receipt in found if receipt is not None)
