"""Whether the raw files and stages that a version was made from are still what they were."""

from collections.abc import Iterator

from pydantic import ValidationError

from schemas.manifest import CorpusManifest, RawReceipt, SourceEntry
from schemas.seal import is_intact
from tasks.history.needs import damaged_stages, last_download, needed_stages
from tasks.lake import Lake
from tasks.stages import read_receipt, receipt_key

REBUILT = "the next refresh makes it anew"


class Inputs:
    """The raw and stage files of a version that the lake holds, and what is wrong of receipts.

    `files` has the SHA-256 that each must have, by key; `wrong` has a line for each receipt that is
    not what it was. Whole folders may be gone: they are removed once no version needs them.
    """

    def __init__(self, lake: Lake, manifest: CorpusManifest) -> None:
        """Read every receipt; no file."""
        self.files: dict[str, str] = {}
        self.wrong: list[str] = []
        self._lake = lake
        for source in manifest.sources:
            self._add_download(f"raw/{source.name}/{source.raw_digest}", source)
        for name in _evaluation_sets(manifest):
            for folder in last_download(lake, name):
                self._add_download(folder, None)
        for folder in sorted(needed_stages(lake, (manifest,)) | damaged_stages(lake)):
            self._add_stage(folder)

    def _add_download(self, folder: str, source: SourceEntry | None) -> None:
        """The files of a download; `source` is what the version's manifest says of it."""
        key = f"{folder}/receipt.json"
        data = self._lake.read_if_any(key)
        if data is None:
            return
        try:
            receipt = RawReceipt.model_validate_json(data)
        except ValidationError:
            self.wrong.append(f"{key}: not the receipt of a download: {REBUILT}")
            return
        if not is_intact(data, receipt.seal):
            self.wrong.append(f"{key}: its bytes do not give its seal: {REBUILT}")
            return
        bare = receipt.model_copy(update={"seal": None})
        if source is not None and bare != _receipt_of(source, folder):
            self.wrong.append(f"{key}: not what the version's manifest says: {REBUILT}")
            return
        self.files |= {f"{folder}/{file.name}": file.sha256 for file in receipt.files}

    def _add_stage(self, folder: str) -> None:
        receipt = read_receipt(self._lake, folder)
        if receipt is not None:
            self.files |= {shard.uri: shard.sha256 for shard in receipt.files}
        elif self._lake.exists(receipt_key(folder)):
            self.wrong.append(
                f"{receipt_key(folder)}: not a stage's manifest as it was written: {REBUILT}"
            )


def _receipt_of(source: SourceEntry, folder: str) -> RawReceipt:
    return RawReceipt(
        source=source.name,
        uri=folder,
        digest=source.raw_digest,
        revision=source.revision,
        upstream=source.upstream,
        files=source.files,
    )


def _evaluation_sets(manifest: CorpusManifest) -> Iterator[str]:
    """The names of the downloads of the evaluation sets that a version's recipe names."""
    rules = manifest.recipe.get("filter")
    sets = rules.get("contamination", {}) if isinstance(rules, dict) else {}
    listed = sets.get("sets", ()) if isinstance(sets, dict) else ()
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("url"):
            yield f"evaluation.{one.get('name')}"
