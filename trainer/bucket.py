"""A corpus version in a bucket, fetched file by file to where this machine keeps such copies."""

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from schemas.digests import sha256_of
from schemas.errors import ConfigError, CorpusDamaged, StorageError
from schemas.manifest import ShardRef
from schemas.stores import disk_of, open_store
from trainer.files import storage_errors

MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 20
_PLACE = re.compile(r"/corpora/([^/]+)/([^/]+)$")
"""Where a version is in its lake."""


class Bucket:
    """The folder of a version at a URI, and the local folder that its files come to."""

    def __init__(self, uri: str) -> None:
        """For the URI of a version's folder or of its manifest (raises StorageError)."""
        self.uri = uri.removesuffix(f"/{MANIFEST}").rstrip("/")
        lake, *version = _PLACE.split(self.uri)
        disk = disk_of(lake)
        if disk is None:
            raise ConfigError(f"{uri}: what is in memory cannot be trained from. Name a bucket.")
        self.folder = disk.joinpath("corpora", *version[:-1])
        with _bucket_errors(self.uri):
            self._store: Any = open_store(self.uri)

    def fetch_manifest(self) -> Path:
        """The manifest as it is now, as a local file; one that is not there is not there either."""
        path = self.folder / MANIFEST
        self._fetch(MANIFEST, path)
        return path

    def fetch_shard(self, shard: ShardRef) -> None:
        """Have a shard's bytes here; what is here already, and right, is not fetched again.

        Raises:
            CorpusDamaged: the bucket holds other bytes, or none; or the manifest names a place
                outside its version.
            StorageError: the bucket cannot be read, or there is no room.
        """
        path = self._place(shard)
        if path.is_file() and sha256_of(path) == shard.sha256:
            os.utime(path)  # refreshes remove what was long out of use
            return
        found = self._fetch(shard.uri, path)
        mend = "Restore the file from a copy of the lake or refresh the corpus again."
        if found is None:
            raise CorpusDamaged(
                f"{self.uri}/{shard.uri} is missing: its manifest names it with {shard.rows:,} "
                f"rows. {mend}"
            )
        if found != shard.sha256:
            raise CorpusDamaged(
                f"{self.uri}/{shard.uri} is not the shard that its manifest names: expected sha256 "
                f"{shard.sha256}, found {found}. {mend}"
            )

    def _place(self, shard: ShardRef) -> Path:
        """Where a shard is kept: below the version's folder, whatever its manifest says."""
        named = PurePosixPath(shard.uri)
        if named.is_absolute() or ".." in named.parts:
            raise CorpusDamaged(
                f"{self.uri}/{MANIFEST} names the shard {shard.uri!r}, which leads out of the "
                "version's folder. It was not fetched: do not trust this bucket."
            )
        return self.folder / named

    def _fetch(self, name: str, path: Path) -> str | None:
        """Copy a file of the version here, whole or not at all; its SHA-256, None for no file."""
        from obstore import get

        digest = hashlib.sha256()
        coming = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        with storage_errors("write", path), _bucket_errors(f"{self.uri}/{name}"):
            try:
                chunks = get(self._store, name).stream(min_chunk_size=CHUNK_BYTES)
            except FileNotFoundError:
                path.unlink(missing_ok=True)
                return None
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with coming.open("wb") as file:
                    for chunk in chunks:
                        file.write(chunk)
                        digest.update(chunk)
                coming.replace(path)
            finally:
                coming.unlink(missing_ok=True)
        return digest.hexdigest()


@contextlib.contextmanager
def _bucket_errors(where: str) -> Iterator[None]:
    """Turn what the cloud says into a StorageError with a next step."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise StorageError(
            f"cannot read {where}: {first}. Check the URI and your credentials, then run it again."
        ) from error
