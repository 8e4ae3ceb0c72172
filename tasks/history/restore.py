"""Importing an export: the same version, with the same digest, in another lake."""

import functools
import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import Action, Export, ExportedFile, ExportFormat
from schemas.ledger import PUBLISHED
from schemas.manifest import FORMAT_VERSION, CorpusManifest, ShardRef, SplitEntry
from schemas.recipe import ShardFormat
from tasks import text
from tasks.claims import MANIFEST
from tasks.corpora import (
    claim_as,
    manifest_of,
    promote,
    read_manifest_if_any,
    staged_version,
    to_json,
)
from tasks.history.export import RECEIPT, VERSION_FOLDER, own_files
from tasks.history.leases import using
from tasks.history.log import record
from tasks.lake import Lake, first_line
from tasks.publish.identity import corpus_digest, digest_in_passes
from tasks.shards import scan_splits, write_arrow, write_shard

SHOWN = 3  # names in a message
_AS_JSON = {name: pl.Int64() if dtype.is_integer() else dtype for name, dtype in PUBLISHED.items()}


def import_version(lake: Lake, exported: Lake) -> tuple[CorpusManifest, bool]:
    """Make the exported version one of this lake; returns it, and False if it was there already.

    Every file is held against its digest, every record against its id, and all of them against the
    version's digest. Shards are written anew: with the same libraries they are the same bytes, but
    for an Arrow shard that comes as JSON Lines; where they are others, the manifest names those.
    The version becomes the latest if it was published and no higher one is here.

    Raises:
        ConfigError: it is no export, or one that does not hold everything; or the lake has another
            version of that name.
        CorpusDamaged: a file is not the one that the export names, or the export does not hold
            what its manifest says.
    """
    export = _receipt(exported)
    _check_files(exported, export)
    key = f"{VERSION_FOLDER}/{MANIFEST}"
    manifest = manifest_of(exported.read(key), exported.at(key))
    _check_export(exported, export, manifest)
    with using(lake):
        return _imported(lake, exported, export, manifest)


def _imported(
    lake: Lake, exported: Lake, export: Export, manifest: CorpusManifest
) -> tuple[CorpusManifest, bool]:
    there = _already(lake, manifest)
    if there is not None:
        return there, False
    with staged_version(lake, manifest.name) as staging:
        imported = _staged(lake, staging, exported, export, manifest)
        _check_records(lake, staging, imported)
        if not claim_as(lake, staging, imported, anew=True):
            there = _already(lake, manifest)
            if there is None:
                raise CorpusDamaged(
                    f"{lake.uri} says that {manifest.name} {manifest.version} is taken, and does "
                    "not have it. Run the import again."
                )
            return there, False
    record(lake, manifest.name, Action.IMPORT, manifest.version)
    if imported.status == "published":
        promote(lake, imported)
    return imported, True


def _receipt(exported: Lake) -> Export:
    where = exported.at(RECEIPT)
    data = exported.read_if_any(RECEIPT)
    if data is None:
        raise ConfigError(
            f"{where}: no such file, so this is no export, or one that was cut short. Name a "
            "folder that `winnow export` wrote."
        )
    try:
        export = Export.model_validate_json(data)
    except ValidationError as error:
        raise CorpusDamaged(f"{where} is not an export's receipt: {error}. Export again.") from None
    if export.format_version > FORMAT_VERSION:
        raise CorpusDamaged(
            f"{where} has format {export.format_version}, this Winnow reads up to "
            f"{FORMAT_VERSION}. Update Winnow to read this export."
        )
    if not export.form.is_whole:
        whole = " or ".join(form.value for form in ExportFormat if form.is_whole)
        raise ConfigError(
            f"{where}: an export as {export.form.value} does not hold everything, so it cannot be "
            f"imported. Export the version as {whole}."
        )
    return export


def _check_files(exported: Lake, export: Export) -> None:
    for file in (*export.files, *export.others):
        found = exported.sha256(file.name, keep_copy=True)
        if found != file.sha256:
            said = "is missing" if found is None else f"has sha256 {found[:12]}…"
            raise CorpusDamaged(
                f"{exported.at(file.name)} {said}, expected {file.sha256[:12]}…. Copy the export "
                "again, or export the version once more."
            )


def _check_export(exported: Lake, export: Export, manifest: CorpusManifest) -> None:
    """Raise CorpusDamaged unless the files of an export are those that its manifest asks for."""
    told = (manifest.name, manifest.version, manifest.digest)
    wanted = {f"{VERSION_FOLDER}/{name}": sha256 for name, sha256 in own_files(manifest).items()}
    brought = {file.name: file.sha256 for file in export.others}
    brought.pop(f"{VERSION_FOLDER}/{MANIFEST}", None)
    rows = {split.name: split.rows for split in manifest.splits if split.rows}
    held: dict[str, int] = {}
    for file in export.files:
        held[file.split] = held.get(file.split, 0) + file.rows
    wrong = [
        *([] if told == (export.corpus, export.version, export.digest) else [MANIFEST]),
        *(name for name in sorted(wanted | brought) if wanted.get(name) != brought.get(name)),
        *(f"split {name}" for name in sorted(rows | held) if rows.get(name) != held.get(name)),
    ]
    if wrong:
        raise CorpusDamaged(
            f"{exported.at(RECEIPT)} and the manifest beside it do not name the same "
            f"{', '.join(wrong[:SHOWN])}. Copy the export again, or export the version once more."
        )


def _already(lake: Lake, manifest: CorpusManifest) -> CorpusManifest | None:
    """The version of that name, if the lake has it; raises ConfigError if it is another corpus."""
    there = read_manifest_if_any(lake, manifest.name, manifest.version)
    if there is None:
        return None
    if (there.digest, there.status) != (manifest.digest, manifest.status):
        raise ConfigError(
            f"{lake.uri} has another {manifest.name} {manifest.version}: its digest is "
            f"{there.digest[:12]}…, the export's {manifest.digest[:12]}…. Import it into another "
            "lake: versions are never changed."
        )
    return there


def _staged(
    lake: Lake, staging: str, exported: Lake, export: Export, manifest: CorpusManifest
) -> CorpusManifest:
    """Write the version's files under a prefix, the manifest last; returns that."""
    for file in export.others:
        name = file.name.removeprefix(f"{VERSION_FOLDER}/")
        if name != MANIFEST:
            _copy(exported, file.name, lake, f"{staging}/{name}")
    splits = []
    for split in manifest.splits:
        files = [file for file in export.files if file.split == split.name]
        frames = _frames(exported, export.form, files, [shard.rows for shard in split.shards])
        shards = tuple(
            _write(lake, staging, shard, _whole(exported, split, shard, frame))
            for shard, frame in itertools.zip_longest(split.shards, frames)
        )
        splits.append(split.model_copy(update={"shards": shards}))
    imported = manifest.model_copy(update={"splits": tuple(splits)})
    data = exported.read(f"{VERSION_FOLDER}/{MANIFEST}")
    if imported != manifest:  # other libraries write the same rows as other bytes
        data = to_json(imported)
    lake.put(f"{staging}/{MANIFEST}", data)
    return manifest_of(data, f"{staging}/{MANIFEST}")


def _copy(exported: Lake, name: str, lake: Lake, key: str) -> None:
    with lake.scratch() as folder:
        exported.copy_out(name, folder / "copy")
        lake.adopt(folder / "copy", key)


def _whole(
    exported: Lake, split: SplitEntry, shard: ShardRef | None, frame: pl.DataFrame | None
) -> pl.DataFrame:
    """The rows of one shard; raises CorpusDamaged where there are more or fewer than it has."""
    if shard is None or frame is None or frame.height != shard.rows:
        raise CorpusDamaged(
            f"{exported.uri}: the files of split {split.name!r} do not hold the "
            f"{split.rows:,} rows of its {len(split.shards):,} shards. Copy the export again, or "
            "export the version once more."
        )
    return frame


def _write(lake: Lake, staging: str, shard: ShardRef, frame: pl.DataFrame) -> ShardRef:
    write = write_arrow if shard.uri.endswith(f".{ShardFormat.ARROW}") else write_shard
    written = write(frame, lake, f"{staging}/{shard.uri}", shard.source)
    return written.model_copy(update={"uri": shard.uri})


def _frames(
    exported: Lake, form: ExportFormat, files: list[ExportedFile], heights: list[int]
) -> Iterator[pl.DataFrame]:
    """The rows of a split as PUBLISHED, cut as its shards were, one shard in memory at a time."""
    read = _read_arrow if form is ExportFormat.ARROW else functools.partial(_read_lines, heights)
    for file in files:
        try:
            yield from read(exported.local(file.name, file.sha256))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise CorpusDamaged(
                f"{exported.at(file.name)} cannot be read: {first_line(error)}. Export the version "
                "once more."
            ) from None


def _read_arrow(path: Path) -> Iterator[pl.DataFrame]:
    yield pl.read_ipc(path)


def _read_lines(heights: list[int], path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as lines:
        for height in heights:
            rows = b"".join(itertools.islice(lines, height))
            yield pl.read_ndjson(io.BytesIO(rows), schema=_AS_JSON).cast(PUBLISHED)


def _check_records(lake: Lake, staging: str, manifest: CorpusManifest) -> None:
    """Whether each record's id is that of its text, and all of them give the version's digest."""
    parts = scan_splits(lake, manifest, staging)
    if parts:
        rows = pl.concat(parts)
        others = rows.filter(pl.col("record_id") != text.record_id()).select(pl.len())
        wrong = others.collect(engine="streaming").item()
        of_records = digest_in_passes(rows.select("record_id", "split"), manifest.rows_out)
        same = corpus_digest(manifest.recipe_digest, of_records) == manifest.digest
        if wrong or not same:
            raise CorpusDamaged(
                f"the export of {manifest.name} {manifest.version} does not hold its records: "
                f"{wrong} have another id than their text, and the digest of all is "
                f"{'the same' if same else 'another'}. Export the version once more."
            )
