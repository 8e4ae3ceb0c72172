"""Writing a version in a form that other programs read, a batch of rows at a time."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from schemas.errors import ConfigError, CorpusDamaged
from schemas.history import Export, ExportedFile, ExportFormat
from schemas.manifest import CorpusManifest, RawFile, ShardRef, SplitEntry
from tasks.claims import MANIFEST
from tasks.corpora import manifest_of, version_key
from tasks.history.forms import FORMS, Form
from tasks.history.leases import reading
from tasks.lake import Lake, sha256_of, storage_errors
from tasks.publish.verify import other_bytes
from tasks.shards import ROW_GROUP_ROWS, scan_shard, write_arrow

RECEIPT = "export.json"
SCRATCH = "tmp"
VERSION_FOLDER = "version"
"""Where the version's own files are in an export: manifest, card, report, ledger."""


def export_version(
    lake: Lake, manifest: CorpusManifest, destination: Lake, form: ExportFormat
) -> Export:
    """Write a version to an empty place, its receipt last; returns that.

    One file per split, or per shard where the form is Arrow, and a card by which
    `datasets.load_dataset` finds them. A form that holds everything brings the version's own files
    along, so that `import_version` makes the same version of it elsewhere.

    Raises:
        ConfigError: there is something at the destination.
        CorpusDamaged: a file of the version is not the one that its manifest names.
    """
    if destination.keys(""):
        raise ConfigError(f"{destination.uri} is not empty. Name a folder that is, or a new one.")
    with reading(lake):
        return _exported(lake, manifest, destination, form)


def _exported(
    lake: Lake, manifest: CorpusManifest, destination: Lake, form: ExportFormat
) -> Export:
    _check_data(lake, manifest)
    write = _arrow_files if form is ExportFormat.ARROW else _text_files
    files = [
        file
        for split in manifest.splits
        if split.rows
        for file in write(lake, manifest, split, destination, FORMS[form])
    ]
    others = [_copied_manifest(lake, manifest, destination)]
    if form.is_whole:
        others += [_copied(lake, manifest, one, destination) for one in own_files(manifest).items()]
    done = Export(
        form=form,
        corpus=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        files=tuple(files),
        others=tuple(others),
    )
    destination.put("README.md", _card(done).encode())
    told = FORMS[form].llama_factory
    if told is not None:
        destination.put("dataset_info.json", _dataset_info(done, told))
    destination.put(RECEIPT, (done.model_dump_json(indent=1) + "\n").encode())
    if destination.folder is not None:
        with contextlib.suppress(OSError):  # somebody else may be working there
            (destination.folder / SCRATCH).rmdir()
    return done


def own_files(manifest: CorpusManifest) -> dict[str, str]:
    """What comes along of the version itself beside its manifest: SHA-256 by name in its folder."""
    pages = {page.name: page.sha256 for page in manifest.pages}
    return pages | {shard.uri: shard.sha256 for shard in manifest.ledger}


def _check_data(lake: Lake, manifest: CorpusManifest) -> None:
    """Raise CorpusDamaged unless every data shard has the bytes that the manifest names."""
    folder = version_key(manifest.name, manifest.version)
    data = {f"{folder}/{shard.uri}": shard.sha256 for shard in manifest.shards}
    wrong = other_bytes(lake, data, keep_copies=True)
    if wrong:
        raise _damaged(manifest, wrong[0])


def _copied(
    lake: Lake, manifest: CorpusManifest, file: tuple[str, str], destination: Lake
) -> RawFile:
    name, sha256 = file
    key = f"{version_key(manifest.name, manifest.version)}/{name}"
    with destination.scratch() as folder:
        path = folder / "copy"
        found = lake.copy_out(key, path)
        if found != sha256:
            said = f"{key}: expected sha256 {sha256[:12]}…, found {found[:12]}…"
            raise _damaged(manifest, said)
        return _kept(path, destination, f"{VERSION_FOLDER}/{name}")


def _copied_manifest(lake: Lake, manifest: CorpusManifest, destination: Lake) -> RawFile:
    key = f"{version_key(manifest.name, manifest.version)}/{MANIFEST}"
    with destination.scratch() as folder:
        path = folder / "copy"
        lake.copy_out(key, path)
        if manifest_of(path.read_bytes(), lake.at(key)) != manifest:
            raise _damaged(manifest, f"{key}: changed meanwhile")
        return _kept(path, destination, f"{VERSION_FOLDER}/{MANIFEST}")


def _damaged(manifest: CorpusManifest, said: str) -> CorpusDamaged:
    return CorpusDamaged(
        f"{manifest.name} {manifest.version} is damaged, so it is not exported: {said}. Run: "
        f"winnow verify {manifest.name}@{manifest.version}, and restore the files from a copy."
    )


def _kept(path: Path, destination: Lake, name: str) -> RawFile:
    file = RawFile(name=name, sha256=sha256_of(path), size_bytes=path.stat().st_size)
    destination.adopt(path, name)
    return file


def _arrow_files(
    lake: Lake, manifest: CorpusManifest, split: SplitEntry, destination: Lake, form: Form
) -> Iterator[ExportedFile]:
    """One Arrow IPC file per shard of a split, with the same rows."""
    folder = version_key(manifest.name, manifest.version)
    for index, shard in enumerate(split.shards):
        name = f"data/{split.name}-{index:05d}-of-{len(split.shards):05d}.{form.ending}"
        rows = scan_shard(lake, shard, folder).select(form.columns()).collect()
        written = write_arrow(rows, destination, name)
        yield ExportedFile(
            name=name,
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            split=split.name,
            rows=rows.height,
        )


def _text_files(
    lake: Lake, manifest: CorpusManifest, split: SplitEntry, destination: Lake, form: Form
) -> Iterator[ExportedFile]:
    """One file per split: a JSON array, or JSON Lines."""
    rows = 0
    with destination.scratch() as folder, storage_errors("write", destination.uri):
        path = folder / "rows"
        with path.open("wb") as file:
            file.write(b"[\n" if form.is_array else b"")
            for batch in _batches(lake, manifest, split.shards, form):
                file.write(b",\n" if form.is_array and rows else b"")
                file.write(_lines(batch, form))
                rows += batch.height
            file.write(b"\n]\n" if form.is_array else b"")
        kept = _kept(path, destination, f"{split.name}.{form.ending}")
    said = kept.model_dump(exclude={"rows"})
    yield ExportedFile(**said, split=split.name, rows=rows, left_out=split.rows - rows)


def _batches(
    lake: Lake, manifest: CorpusManifest, shards: tuple[ShardRef, ...], form: Form
) -> Iterator[pl.DataFrame]:
    """The rows that fit a form, as it has them, in the order of the shards; none is empty."""
    folder = version_key(manifest.name, manifest.version)
    for shard in shards:
        for first in range(0, shard.rows, ROW_GROUP_ROWS):
            rows = scan_shard(lake, shard, folder).slice(first, ROW_GROUP_ROWS)
            if form.fits is not None:
                rows = rows.filter(form.fits())
            batch = rows.select(form.columns()).collect()
            if batch.height:
                yield batch


def _lines(batch: pl.DataFrame, form: Form) -> bytes:
    """One JSON object per line; within JSON no text holds a line break, so commas may follow it."""
    buffer = io.BytesIO()
    batch.write_ndjson(buffer)
    lines = buffer.getvalue()
    return lines.rstrip(b"\n").replace(b"\n", b",\n") if form.is_array else lines


def _card(done: Export) -> str:
    """Markdown with the head by which `datasets.load_dataset` finds the splits."""
    splits = dict.fromkeys(file.split for file in done.files)
    data_files = [
        {"split": split, "path": [file.name for file in done.files if file.split == split]}
        for split in splits
    ]
    head = yaml.safe_dump(
        {"configs": [{"config_name": "default", "data_files": data_files}]}, sort_keys=False
    )
    files = "\n".join(
        f"| {file.name} | {file.split} | {file.rows:,} | {file.left_out:,} |" for file in done.files
    )
    loses = FORMS[done.form].loses
    whole = (
        f"It does not hold {loses}; it cannot be imported."
        if loses
        else "It holds every column of every row: `winnow import` makes the same version of it."
    )
    return f"""---
{head}---

# {done.corpus} {done.version}, as {done.form.value}

An export of the corpus version with the digest `{done.digest}`. {whole} The version's own manifest
is `{VERSION_FOLDER}/manifest.json`: sources, licences and what was dropped are there.

| file | split | rows | left out |
|---|---|---:|---:|
{files}
"""


def _dataset_info(done: Export, told: dict[str, Any]) -> bytes:
    """LLaMA-Factory's list of datasets: one per split, as `<corpus>_<split>`."""
    listed = {f"{done.corpus}_{file.split}": {"file_name": file.name} | told for file in done.files}
    return (json.dumps(listed, indent=1) + "\n").encode()
