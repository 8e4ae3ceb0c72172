"""The stages that a corpus version was made by, as far as the lake still holds them."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import CorpusDamaged
from schemas.manifest import CorpusManifest, StageManifest
from tasks.lake import Lake
from tasks.stages import read_receipt, stage_key


@dataclass(frozen=True)
class Receipts:
    """The receipts that are there, in the manifest's order, and the names of the stages gone."""

    found: tuple[StageManifest, ...]
    gone: tuple[str, ...]

    def of(self, stage: str) -> tuple[StageManifest, ...]:
        """The receipts of one stage, one per shard or source, or one for all."""
        return tuple(one for one in self.found if one.stage == stage)


def receipts_of(
    lake: Lake, manifest: CorpusManifest, sources: Sequence[str] | None = None
) -> Receipts:
    """The receipts of a version's stages; where `sources` are given, of those that speak of them.

    A stage is gone if its receipt or one of its files is: stages may be removed at any time, for a
    refresh makes them anew. What the bytes are is not looked at.
    """
    found, gone = [], []
    for ref in manifest.stages:
        if sources is not None and ref.source is not None and ref.source not in sources:
            continue
        receipt = read_receipt(lake, stage_key(ref.stage, ref.digest))
        if receipt is None or not _is_whole(lake, receipt):
            gone.append(ref.stage)
        else:
            found.append(receipt)
    return Receipts(tuple(found), tuple(dict.fromkeys(gone)))


def whole_receipts(lake: Lake, manifest: CorpusManifest) -> Receipts:
    """The receipts of all of a version's stages; raises CorpusDamaged where one is gone."""
    receipts = receipts_of(lake, manifest)
    if receipts.gone or not manifest.stages:
        gone = ", ".join(receipts.gone) or "all stages: an older Winnow did not name them"
        raise CorpusDamaged(
            f"the lake no longer holds what {manifest.name} {manifest.version} was made from "
            f"({gone}). Run the refresh again: it makes the stages anew."
        )
    return receipts


def _is_whole(lake: Lake, receipt: StageManifest) -> bool:
    return all(lake.size_bytes(shard.uri) == shard.size_bytes for shard in receipt.shards)
