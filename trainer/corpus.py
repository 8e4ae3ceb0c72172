"""A corpus version as the trainer sees it: a manifest, and shards proven to be those it names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.digests import sha256_of
from schemas.errors import ConfigError, CorpusDamaged, GateFailed
from schemas.manifest import FORMAT_VERSION, CorpusManifest, ShardRef, SplitEntry
from schemas.seal import is_intact
from schemas.stores import is_bucket
from trainer.bucket import Bucket

READ_COLUMNS = ("source", "messages", "tools", "category", "language")
BATCH_ROWS = 2_000


class Corpus:
    """One published corpus version: on disk, or fetched from a bucket."""

    def __init__(self, manifest: str | Path) -> None:
        """Read a manifest, given itself or its folder, or the URI of one of these.

        The shards of one in a bucket come to this machine when they are verified.

        Raises:
            ConfigError: there is no manifest at `path`.
            CorpusDamaged: the manifest is not one, was edited, or a newer Winnow wrote it.
            StorageError: the bucket cannot be read.
            GateFailed: the version was rejected by its own gates.
        """
        self._bucket = Bucket(str(manifest)) if is_bucket(str(manifest)) else None
        if self._bucket is not None:
            path = self._bucket.fetch_manifest()
        else:
            path = Path(manifest).expanduser().absolute()
        self.path = path / "manifest.json" if path.is_dir() else path
        self.folder = self.path.parent
        self.manifest = _read_manifest(self.path)
        if self.manifest.status != "published":
            raise GateFailed(
                f"{self.path}: {self.name} {self.version} was rejected by its gates, so nothing is "
                f"trained on it. See {self.folder / 'report.html'}, mend the sources or the "
                "recipe's gates, and refresh again."
            )

    @property
    def name(self) -> str:
        """The corpus's name, which is its recipe's."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """As `v0007`."""
        return self.manifest.version

    @property
    def digest(self) -> str:
        """The corpus digest that the manifest states."""
        return self.manifest.digest

    @property
    def uri(self) -> str:
        """The version's folder, relative to its lake."""
        return f"corpora/{self.name}/{self.version}"

    def split(self, name: str) -> SplitEntry:
        """A split by name; an empty one where the corpus has none of that name."""
        for split in self.manifest.splits:
            if split.name == name:
                return split
        return SplitEntry(name=name, rows=0, shards=())

    def verify(self) -> None:
        """Hold every shard against the manifest: bytes by SHA-256, then rows.

        Raises:
            CorpusDamaged: a shard is missing or differs; names file, expected and found.
        """
        for split in self.manifest.splits:
            for shard in split.shards:
                if self._bucket is not None:
                    self._bucket.fetch_shard(shard)
                self._verify_shard(shard)

    def batches(self, split: str) -> Iterator[pa.RecordBatch]:
        """The rows of a split in the order of its shards, some at a time.

        Of `READ_COLUMNS` those that the shards have.
        """
        for shard in self.split(split).shards:
            yield from _read_shard(self.folder / shard.uri)

    def _verify_shard(self, shard: ShardRef) -> None:
        path = self.folder / shard.uri
        mend = (
            f"Run `winnow verify {self.name}` to see what else is wrong, then restore the file "
            "from a copy of the lake or refresh the corpus again."
        )
        if not path.is_file():
            raise CorpusDamaged(
                f"{path} is missing: {self.path} names it with {shard.rows:,} rows. {mend}"
            )
        found = sha256_of(path)
        if found != shard.sha256:
            raise CorpusDamaged(
                f"{path} is not the shard that its manifest names: expected sha256 "
                f"{shard.sha256}, found {found}. {mend}"
            )
        rows = _count_rows(path)
        if rows != shard.rows:
            raise CorpusDamaged(f"{path}: expected {shard.rows:,} rows, found {rows:,}. {mend}")


def _read_manifest(path: Path) -> CorpusManifest:
    try:
        data = path.read_bytes()
        found: Any = json.loads(data)
        written = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(written, int) and written > FORMAT_VERSION:
            raise CorpusDamaged(
                f"{path} has format {written}, this Winnow reads up to {FORMAT_VERSION}. "
                "Update Winnow to read this version."
            )
        manifest = CorpusManifest.model_validate(found)
        if not is_intact(data, manifest.seal):
            raise CorpusDamaged(
                f"{path} is not as it was written: its bytes do not give its seal. Restore it from "
                "a copy of the lake, or refresh the corpus to write a new version."
            )
        return manifest
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no corpus manifest there. Give --manifest the manifest.json of a published "
            "version, as in lake/corpora/NAME/v0001/manifest.json."
        ) from None
    except (ValidationError, ValueError, OSError) as error:
        first = str(error).splitlines()[0]
        raise CorpusDamaged(
            f"{path} is not a corpus manifest: {first}. Refresh the corpus to write a new version."
        ) from None


def _is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"


def _count_rows(path: Path) -> int:
    if _is_parquet(path):
        return int(pq.read_metadata(path).num_rows)
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        return sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))


def _read_shard(path: Path) -> Iterator[pa.RecordBatch]:
    if _is_parquet(path):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(BATCH_ROWS, columns=_read_columns(file.schema_arrow))
        return
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        for index in range(reader.num_record_batches):
            table = pa.Table.from_batches([reader.get_batch(index)])
            yield from table.select(_read_columns(table.schema)).to_batches(BATCH_ROWS)


def _read_columns(schema: pa.Schema) -> list[str]:
    return [name for name in READ_COLUMNS if name in schema.names]
