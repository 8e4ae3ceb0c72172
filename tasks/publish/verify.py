"""Whether a version is still what its manifest says: every byte, row, column and file."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from schemas.errors import StorageError
from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import Column, CorpusManifest, ShardRef
from tasks import text
from tasks.corpora import files_of, shards_of, version_key
from tasks.lake import Lake
from tasks.publish.identity import corpus_digest, digest_in_passes
from tasks.shards import scan_shard, scan_splits

MAX_READERS = 8  # more do not make a disk or a bucket faster
SHOWN_IDS = 3  # as many as a message names


def problems(lake: Lake, manifest: CorpusManifest, deep: bool = False) -> list[str]:
    """What is wrong with a version, a line each; empty where it is whole.

    Looks at each file's SHA-256, at the rows and columns of shards, at the digest of the version,
    which covers all record ids and their splits, and at files that no one listed. Where it is
    `deep`, every published record's id is derived from its text again as well: that finds what was
    wrong before it was written. That the manifest is sealed and balances was seen when it was read.
    """
    folder = version_key(manifest.name, manifest.version)
    data = manifest.shards
    shards = {f"{folder}/{shard.uri}": shard.sha256 for shard in shards_of(manifest)}
    pages = {f"{folder}/{page.name}": page.sha256 for page in manifest.pages}
    found = other_bytes(lake, shards, keep_copies=True) + other_bytes(lake, pages)
    if not found:
        expected = manifest.data_columns or columns_of(PUBLISHED)
        found += [line for one in data for line in _table(lake, folder, one, expected)]
        expected = manifest.ledger_columns or columns_of(LEDGER)
        found += [line for one in manifest.ledger for line in _table(lake, folder, one, expected)]
    found += _ledger_rows(folder, manifest) + _strays(lake, folder, manifest)
    found = found or _digest(lake, folder, manifest)
    if deep and not found:
        found = [line for shard in data for line in _record_ids(lake, folder, shard)]
    return found


def columns_of(schema: pl.Schema) -> tuple[Column, ...]:
    """The columns of a table as a manifest names them."""
    return tuple(Column(name=name, type=str(dtype)) for name, dtype in schema.items())


def other_bytes(lake: Lake, files: Mapping[str, str], keep_copies: bool = False) -> list[str]:
    """The files, by key with the SHA-256 of each, that have other bytes; several read at once.

    Where `keep_copies` is true what is fetched of a bucket stays at hand, for who reads it next.
    """
    readers = min(MAX_READERS, os.cpu_count() or 1)
    with ThreadPoolExecutor(readers, thread_name_prefix="verify") as pool:
        found = list(pool.map(lambda key: lake.sha256(key, keep_copies), files))
    lines = []
    for (key, expected), sha256 in zip(files.items(), found, strict=True):
        if sha256 is None:
            lines.append(f"{key}: missing, expected sha256 {expected[:12]}…")
        elif sha256 != expected:
            lines.append(f"{key}: expected sha256 {expected[:12]}…, found {sha256[:12]}…")
    return lines


def _table(lake: Lake, folder: str, shard: ShardRef, expected: tuple[Column, ...]) -> list[str]:
    """Whether a file whose bytes are right holds the rows and columns that are said of it."""
    key = f"{folder}/{shard.uri}"
    try:
        rows = scan_shard(lake, shard, folder)
        columns, height = rows.collect_schema(), rows.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, StorageError) as error:
        return [f"{key}: cannot be read: {error}"]
    found = []
    if height != shard.rows:
        found.append(f"{key}: expected {shard.rows} rows, found {height}")
    if columns_of(columns) != expected:
        named = ", ".join(f"{column.name} {column.type}" for column in expected)
        found.append(f"{key}: expected columns {named}, found {columns}")
    return found


def _ledger_rows(folder: str, manifest: CorpusManifest) -> list[str]:
    rows = sum(shard.rows for shard in manifest.ledger)
    lost = manifest.rows_in + manifest.rows_repeated - manifest.rows_out
    return [] if rows == lost else [f"{folder}/ledger: expected {lost} rows, its files hold {rows}"]


def _strays(lake: Lake, folder: str, manifest: CorpusManifest) -> list[str]:
    listed = {f"{folder}/{name}" for name in files_of(manifest)}
    strays = sorted(set(lake.keys(folder)) - listed)
    return [f"{key}: not named by the manifest" for key in strays]


def _digest(lake: Lake, folder: str, manifest: CorpusManifest) -> list[str]:
    """Whether the records that are there are those that the version's digest is of."""
    columns = {"record_id": pl.String, "split": pl.String}
    rows = [one.select("record_id", "split") for one in scan_splits(lake, manifest, folder)]
    of_records = digest_in_passes(
        pl.concat([pl.LazyFrame(schema=columns), *rows]), manifest.rows_out
    )
    found = corpus_digest(manifest.recipe_digest, of_records)
    if found == manifest.digest:
        return []
    return [f"{folder}/manifest.json: digest {manifest.digest[:12]}…, records give {found[:12]}…"]


def _record_ids(lake: Lake, folder: str, shard: ShardRef) -> list[str]:
    """Whether the id of each row is that of its text; the ledger's texts may be masked."""
    derived = text.record_id().alias("derived")
    wrong = (
        scan_shard(lake, shard, folder)
        .select("record_id", derived)
        .filter(pl.col("record_id") != pl.col("derived"))
        .select("record_id")
        .collect(engine="streaming")
        .to_series()
    )
    if wrong.is_empty():
        return []
    some = ", ".join(wrong.head(SHOWN_IDS).to_list())
    return [f"{folder}/{shard.uri}: {wrong.len()} records have another id than their text: {some}"]
