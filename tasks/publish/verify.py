"""Whether a version is still what its manifest says: every byte, row, column and file."""

import hashlib

import polars as pl

from schemas.errors import StorageError
from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import CorpusManifest, ShardRef
from tasks.corpora import version_key
from tasks.lake import Lake
from tasks.shards import scan_shard

_PAGES = frozenset({"manifest.json", "README.md", "report.html"})


def problems(lake: Lake, manifest: CorpusManifest) -> list[str]:
    """What is wrong with a version, a line each; empty where it is whole.

    Looks at each file's SHA-256, size, rows and columns, and at files that no one listed. That the
    manifest balances was seen when it was read.
    """
    folder = version_key(manifest.name, manifest.version)
    data = [shard for split in manifest.splits for shard in split.shards]
    found = [line for shard in data for line in _shard(lake, folder, shard, PUBLISHED)]
    found += [line for shard in manifest.ledger for line in _shard(lake, folder, shard, LEDGER)]
    ledger_rows = sum(shard.rows for shard in manifest.ledger)
    if ledger_rows != manifest.rows_in - manifest.rows_out:
        lost = manifest.rows_in - manifest.rows_out
        found.append(f"{folder}/ledger: expected {lost} rows, its files hold {ledger_rows}")
    listed = {f"{folder}/{shard.uri}" for shard in (*data, *manifest.ledger)}
    listed |= {f"{folder}/{page}" for page in _PAGES}
    there = set(lake.keys(folder))
    found += [f"{key}: not named by the manifest" for key in sorted(there - listed)]
    found += [
        f"{folder}/{page}: missing" for page in sorted(_PAGES) if f"{folder}/{page}" not in there
    ]
    return found


def _shard(lake: Lake, folder: str, shard: ShardRef, schema: pl.Schema) -> list[str]:
    key = f"{folder}/{shard.uri}"
    data = lake.read_if_any(key)
    if data is None:
        return [f"{key}: missing, expected {shard.rows} rows"]
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != shard.sha256:
        expected = f"sha256 {shard.sha256[:12]}… over {shard.size_bytes} bytes"
        return [f"{key}: expected {expected}, found {sha256[:12]}… over {len(data)}"]
    try:
        rows = scan_shard(lake, shard, folder)
        columns, height = rows.collect_schema(), rows.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, StorageError) as error:
        return [f"{key}: cannot be read: {error}"]
    found = []
    if height != shard.rows:
        found.append(f"{key}: expected {shard.rows} rows, found {height}")
    if columns != schema:
        found.append(f"{key}: expected columns {schema}, found {columns}")
    return found
