"""Stage folders: named by what they depend on; a manifest in one means the stage is done."""

import functools
import hashlib
import importlib.metadata
import unicodedata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.manifest import Drops, StageManifest
from schemas.seal import UNSEALED, is_intact, sealed
from tasks.lake import Lake, digest_of

ROOT = Path(__file__).resolve().parents[1]
SHARED_CODE = (
    "tasks/*.py",
    "tasks/assistant/*.py",
    "tasks/personal/*.py",
    "schemas/record.py",
    "schemas/reasons.py",
    "schemas/cleaning.py",
    "schemas/licences.py",
    "schemas/metrics.py",
)
STAGE_CODE = {"normalize": ("schemas/source.py",)}
"""Code outside a stage's own folder that only its rows depend on."""

NO_STAGE_READS = {
    *("accounts.py", "claims.py", "copies.py", "corpora.py", "judged.py", "lake.py", "lots.py"),
    *("receipts.py", "runs.py", "scratch.py", "store.py", "store_errors.py", "task.py"),
    "report",
}
"""Files and folders that move results about or show them, and decide nothing about a row."""

SHARED_LIBRARIES = ("polars", "polars-hash", "numba")


def stage_digest(package: str, **depends_on: Any) -> str:
    """The name of a stage's folder: a digest of its inputs, its recipe part and its code.

    `package` is the folder of `tasks/` with the stage's code, whose bytes count too.
    """
    return digest_of({"code": code_digest(package), **depends_on})


@functools.cache
def code_digest(package: str) -> str:
    """SHA-256 over the source of one stage, what the stages share, and versions of libraries."""
    digest = hashlib.sha256(repr(shared_versions()).encode())
    patterns = (*SHARED_CODE, *STAGE_CODE.get(package, ()), f"tasks/{package}/**/*.py")
    for file in (file for pattern in patterns for file in sorted(ROOT.glob(pattern))):
        if NO_STAGE_READS.isdisjoint(file.relative_to(ROOT).parts):
            digest.update(f"{file.relative_to(ROOT)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def shared_versions() -> tuple[tuple[str, str], ...]:
    """Versions that decide what any stage makes of the same rows: record ids, folds, kernels.

    A library that only one stage uses is in that stage's own digest.
    """
    libraries = tuple((name, importlib.metadata.version(name)) for name in SHARED_LIBRARIES)
    return (*libraries, ("unicode", unicodedata.unidata_version))


def stage_key(stage: str, digest: str) -> str:
    """The key of a stage's folder in the lake."""
    return f"stages/{stage}/{digest}"


def finished(lake: Lake, stage: str, digest: str) -> StageManifest | None:
    """The receipt of a stage that is done, every file of it there byte for byte; else None.

    A stage that lost a file, or one of whose files was damaged, is not done: its next run rebuilds
    it.
    """
    receipt = read_receipt(lake, stage_key(stage, digest))
    if receipt is None or not all(lake.is_intact(one.uri, one.sha256) for one in receipt.files):
        return None
    return receipt


def read_receipt(lake: Lake, folder: str) -> StageManifest | None:
    """The receipt in a stage's folder, as `finish` was given it; None for none, or a damaged one.

    One without a seal is damaged: its stage is made anew, which is all that is lost.
    """
    data = lake.read_if_any(receipt_key(folder))
    try:
        receipt = StageManifest.model_validate_json(data or b"")
    except ValidationError:
        return None
    if data is None or receipt.seal is None or not is_intact(data, receipt.seal):
        return None
    return receipt.model_copy(update={"seal": None})


def receipt_key(folder: str) -> str:
    """The key of the receipt in a stage's folder."""
    return f"{folder}/manifest.json"


def finish(lake: Lake, manifest: StageManifest) -> StageManifest:
    """Write a stage's manifest, last of all its files; returns it."""
    unsealed = manifest.model_copy(update={"seal": UNSEALED})
    data = sealed(unsealed.model_dump_json(indent=1).encode())
    lake.put(receipt_key(stage_key(manifest.stage, manifest.digest)), data)
    return manifest


def drops_by_reason(reasons: Any, stage: str, source: str) -> tuple[Drops, ...]:
    """Rows per reason of one shard's verdicts (a Series of drop_reason), sorted by reason."""
    counts = reasons.drop_nulls().value_counts().sort(reasons.name)
    return tuple(
        Drops(stage=stage, reason=reason, source=source, rows=rows)
        for reason, rows in counts.rows()
    )


def add_drops(drops: list[Drops]) -> tuple[Drops, ...]:
    """The same drops with equal stage, reason and source added up, sorted."""
    table: dict[tuple[str, str, str], int] = {}
    for drop in drops:
        key = (drop.stage, drop.reason, drop.source)
        table[key] = table.get(key, 0) + drop.rows
    return tuple(
        Drops(stage=stage, reason=reason, source=source, rows=rows)
        for (stage, reason, source), rows in sorted(table.items())
    )
