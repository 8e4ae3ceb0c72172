"""Frames to Parquet and back: the only code that reads or writes shards."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from schemas.errors import CorpusDamaged
from schemas.manifest import CorpusManifest, ShardRef
from schemas.record import VERDICT
from tasks.lake import Lake, first_line, sha256_of, storage_errors

ROW_GROUP_ROWS = 20_000
PUBLISHED_LEVEL = 3
STAGE_LEVEL = 1
"""Of stage shards in a bucket: 12 % larger on Alpaca, in 60 % of the time."""
STAGE_COLUMN = "stage"
PROBE_BYTES = 1 << 20  # a disk without room for so many is full


def write_shard(
    frame: pl.DataFrame,
    lake: Lake,
    key: str,
    source: str | None = None,
    compression: Literal["zstd", "uncompressed"] = "zstd",
    compression_level: int | None = PUBLISHED_LEVEL,
) -> ShardRef:
    """Write one Parquet file under `key`; the same frame gives the same bytes.

    Written beside the lake and moved into place, so that no reader sees half of it.
    """
    with lake.scratch() as folder, _writing(lake.at(key), folder):
        path = folder / "shard.parquet"
        frame.write_parquet(
            path,
            compression=compression,
            compression_level=compression_level,
            row_group_size=ROW_GROUP_ROWS,
        )
        return keep_shard(path, lake, key, rows=frame.height, source=source)


def write_stage_shard(
    frame: pl.DataFrame, lake: Lake, key: str, source: str | None = None
) -> ShardRef:
    """Write what only the next stages read, a few times.

    On a disk it is not compressed: that takes two thirds of writing Alpaca's records (0013). In
    a bucket it is, for there bytes travel.
    """
    if lake.folder is not None:
        return write_shard(frame, lake, key, source, "uncompressed", None)
    return write_shard(frame, lake, key, source, "zstd", STAGE_LEVEL)


def write_arrow(frame: pl.DataFrame, lake: Lake, key: str, source: str | None = None) -> ShardRef:
    """Write one Arrow IPC file under `key`, uncompressed so that it can be memory-mapped."""
    with lake.scratch() as folder, _writing(lake.at(key), folder):
        path = folder / "shard.arrow"
        frame.write_ipc(path, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
        return keep_shard(path, lake, key, rows=frame.height, source=source)


def keep_shard(path: Path, lake: Lake, key: str, rows: int, source: str | None = None) -> ShardRef:
    """Hash a finished local file and move it under `key`."""
    size_bytes = path.stat().st_size
    sha256 = sha256_of(path)
    lake.adopt(path, key, sha256)
    return ShardRef(uri=key, sha256=sha256, rows=rows, size_bytes=size_bytes, source=source)


@contextlib.contextmanager
def _writing(where: str, folder: Path) -> Iterator[None]:
    """Polars wraps what the system says of a full disk, or drops it: then the disk is asked."""
    with storage_errors("write", where):
        try:
            yield
        except pl.exceptions.PolarsError as error:
            (folder / "probe").write_bytes(bytes(PROBE_BYTES))
            raise OSError(first_line(error)) from error


def scan_shard(lake: Lake, shard: ShardRef, folder: str = "") -> pl.LazyFrame:
    """The rows of one shard, in their order; `folder` is the key its uri is relative to."""
    key = f"{folder}/{shard.uri}" if folder else shard.uri
    if not lake.exists(key):
        raise CorpusDamaged(
            f"{lake.at(key)} is missing, expected {shard.rows} rows. Run the refresh again to "
            "rebuild it."
        )
    path = lake.local(key, shard.sha256)
    return pl.scan_ipc(path) if key.endswith(".arrow") else pl.scan_parquet(path)


def scan_splits(lake: Lake, manifest: CorpusManifest, folder: str) -> list[pl.LazyFrame]:
    """The rows of each shard of a version's data, with `split`; `folder` is the version's key."""
    return [
        scan_shard(lake, shard, folder).with_columns(pl.lit(split.name).alias("split"))
        for split in manifest.splits
        for shard in split.shards
    ]


def apply_verdicts(records: pl.DataFrame, verdicts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Put verdicts beside the rows they speak of: the record's columns, `stage`, VERDICT's.

    One row per row of `records`, in its order. `verdicts` is keyed by stage, in the order in which
    they are asked: the first stage that drops a row has the word; `stage` is null where none does.
    """
    rows = records.height
    for stage, verdict in verdicts.items():
        if verdict.height != rows:
            raise CorpusDamaged(
                f"{stage} has {verdict.height} verdicts for a shard of {rows} rows. Remove that "
                "stage's folder from the lake and run the refresh again."
            )
    drops = [
        pl.when(pl.col(f"{stage}.drop_reason").is_not_null()).then(
            pl.struct(
                pl.lit(stage).alias(STAGE_COLUMN),
                *(pl.col(f"{stage}.{column}").alias(column) for column in VERDICT),
            )
        )
        for stage in verdicts
    ]
    beside = pl.concat(
        [verdict.select(pl.all().name.prefix(f"{stage}.")) for stage, verdict in verdicts.items()],
        how="horizontal",
    )
    return records.hstack(beside.select(pl.coalesce(drops).alias("verdict")).unnest("verdict"))


def no_verdicts(rows: int) -> pl.DataFrame:
    """VERDICT of `rows` rows that all pass."""
    return pl.DataFrame(
        {name: pl.repeat(None, rows, dtype=dtype, eager=True) for name, dtype in VERDICT.items()}
    )


def total_rows(shards: Sequence[ShardRef]) -> int:
    """Rows in all of them."""
    return sum(shard.rows for shard in shards)
