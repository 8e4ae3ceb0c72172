"""Whether a version is still what its manifest says: every byte, row, column and file."""

import polars as pl

from schemas.errors import StorageError
from schemas.ledger import LEDGER, PUBLISHED
from schemas.manifest import CorpusManifest, RawFile, ShardRef
from tasks.corpora import version_key
from tasks.lake import Lake
from tasks.publish.identity import corpus_digest, records_digest
from tasks.shards import scan_shard


def problems(lake: Lake, manifest: CorpusManifest) -> list[str]:
    """What is wrong with a version, a line each; empty where it is whole.

    Looks at each file's SHA-256, at the rows and columns of shards, at the digest of the version,
    which covers all record ids and their splits, and at files that no one listed. That the manifest
    balances was seen when it was read.
    """
    folder = version_key(manifest.name, manifest.version)
    data = [shard for split in manifest.splits for shard in split.shards]
    found = [line for shard in data for line in _shard(lake, folder, shard, PUBLISHED)]
    found += [line for shard in manifest.ledger for line in _shard(lake, folder, shard, LEDGER)]
    for page in manifest.pages:
        found += _bytes(lake, f"{folder}/{page.name}", page)
    ledger_rows = sum(shard.rows for shard in manifest.ledger)
    lost = manifest.rows_in + manifest.rows_repeated - manifest.rows_out
    if ledger_rows != lost:
        found.append(f"{folder}/ledger: expected {lost} rows, its files hold {ledger_rows}")
    listed = {f"{folder}/{shard.uri}" for shard in (*data, *manifest.ledger)}
    listed |= {f"{folder}/{page.name}" for page in manifest.pages} | {f"{folder}/manifest.json"}
    strays = sorted(set(lake.keys(folder)) - listed)
    found += [f"{key}: not named by the manifest" for key in strays]
    return found or _digest(lake, folder, manifest)


def _digest(lake: Lake, folder: str, manifest: CorpusManifest) -> list[str]:
    """Whether the records that are there are those that the version's digest is of."""
    columns = {"record_id": pl.String, "split": pl.String}
    rows = [
        scan_shard(lake, shard, folder).select("record_id", pl.lit(split.name).alias("split"))
        for split in manifest.splits
        for shard in split.shards
    ]
    of_records = records_digest(pl.concat([pl.LazyFrame(schema=columns), *rows]).collect())
    found = corpus_digest(manifest.recipe_digest, of_records)
    if found == manifest.digest:
        return []
    return [f"{folder}/manifest.json: digest {manifest.digest[:12]}…, records give {found[:12]}…"]


def _bytes(lake: Lake, key: str, expected: ShardRef | RawFile) -> list[str]:
    """Whether the bytes under a key are those that the manifest names."""
    sha256 = lake.sha256(key)
    if sha256 is None:
        return [f"{key}: missing, expected {expected.size_bytes} bytes"]
    if sha256 == expected.sha256:
        return []
    return [f"{key}: expected sha256 {expected.sha256[:12]}…, found {sha256[:12]}…"]


def _shard(lake: Lake, folder: str, shard: ShardRef, schema: pl.Schema) -> list[str]:
    key = f"{folder}/{shard.uri}"
    wrong = _bytes(lake, key, shard)
    if wrong:
        return wrong
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
