"""Where bytes live: a folder, or a bucket; reads, atomic writes, claims and locks, digests."""

import contextlib
import errno
import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from schemas.digests import digest_of, sha256_of
from schemas.errors import CorpusDamaged, StorageError

__all__ = ["CHUNK_BYTES", "Lake", "digest_of", "first_line", "sha256_of", "storage_errors"]

CHUNK_BYTES = 1 << 20
HELD = ".held"
SETTLING_S = 60  # between making a scratch folder and holding it pass milliseconds


class Lake:
    """The root of everything Winnow writes; keys are relative, with / between parts."""

    def __init__(self, uri: str) -> None:
        """Open a lake, creating the folder of a local one (raises StorageError)."""
        uri = uri.removeprefix("file://")
        self.uri = uri.rstrip("/") or "/"
        self.folder = None if "://" in uri else Path(uri).expanduser().absolute()
        with storage_errors("open", self.uri):
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._store: Any = LocalStore(self.folder)
            else:
                self._store = from_url(self.uri)

    def at(self, key: str) -> str:
        """The path or URI of a key, as Polars and people read it."""
        return str(self.folder / key) if self.folder is not None else f"{self.uri}/{key}"

    def read(self, key: str) -> bytes:
        """The bytes under a key; raises StorageError, or CorpusDamaged where there are none."""
        with storage_errors("read", self.at(key)):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except (NotFoundError, FileNotFoundError):
                raise self._missing(key) from None

    def copy_out(self, key: str, path: Path) -> None:
        """Write the bytes under a key to a local file, a chunk at a time, however many there are.

        Raises:
            StorageError: the lake cannot be read, or there is no room for the copy.
            CorpusDamaged: there are no such bytes.
        """
        with storage_errors("read", self.at(key)):
            try:
                chunks = obstore.get(self._store, key).stream(min_chunk_size=CHUNK_BYTES)
            except (NotFoundError, FileNotFoundError):
                raise self._missing(key) from None
            with path.open("wb") as copy:
                for chunk in chunks:
                    copy.write(chunk)

    def _missing(self, key: str) -> CorpusDamaged:
        return CorpusDamaged(
            f"{self.at(key)} is missing. Run the refresh again to rebuild it, or restore the file "
            "from a copy of the lake."
        )

    def read_if_any(self, key: str) -> bytes | None:
        """The bytes under a key, or None where there are none."""
        with storage_errors("read", self.at(key)):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    def exists(self, key: str) -> bool:
        """Whether there are bytes under a key."""
        return self.size_bytes(key) is not None

    def size_bytes(self, key: str) -> int | None:
        """How many bytes are under a key, or None where there are none."""
        with storage_errors("look up", self.at(key)):
            try:
                return int(obstore.head(self._store, key)["size"])
            except (NotFoundError, FileNotFoundError):
                return None

    def sha256(self, key: str) -> str | None:
        """SHA-256 of the bytes under a key, in hex, or None where there are none."""
        digest = hashlib.sha256()
        with storage_errors("read", self.at(key)):
            try:
                if self.folder is not None:
                    return sha256_of(self.folder / key)
                for chunk in obstore.get(self._store, key).stream(min_chunk_size=CHUNK_BYTES):
                    digest.update(chunk)
            except (NotFoundError, FileNotFoundError):
                return None
        return digest.hexdigest()

    def put(self, key: str, data: bytes) -> None:
        """Write, replacing what was there; a reader sees the old bytes or the new ones."""
        with storage_errors("write", self.at(key)):
            obstore.put(self._store, key, data)

    def keys(self, prefix: str) -> list[str]:
        """Every key under a prefix (a folder), sorted."""
        with storage_errors("list", self.at(prefix)):
            batches = obstore.list(self._store, prefix=prefix)
            return sorted(str(item["path"]) for batch in batches for item in batch)

    def folders(self, prefix: str) -> list[str]:
        """The names directly under a prefix that have keys below them, sorted."""
        with storage_errors("list", self.at(prefix)):
            found = obstore.list_with_delimiter(self._store, prefix=prefix)
            return sorted(
                str(path).rstrip("/").rsplit("/", 1)[-1] for path in found["common_prefixes"]
            )

    def publishable(self) -> "Lake":
        """This lake, if versions can be published to it; raises StorageError at once if not."""
        if self.folder is None:
            raise StorageError(
                f"{self.uri}: a version can be published to a folder only. Name a folder with "
                "--lake or WINNOW_LAKE."
            )
        return self

    def key_of(self, path: Path) -> str:
        """The key of a local path inside the lake."""
        return path.relative_to(self.publishable().folder or path).as_posix()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A local folder that is gone afterwards: on the lake's own disk where it has one.

        While it is in use its `.held` is locked, by which `sweep` tells it from a dead one's.
        """
        parent = self.folder / "tmp" if self.folder is not None else None
        with storage_errors("write", self.at("tmp")):
            if parent is not None:
                parent.mkdir(exist_ok=True)
            folder = tempfile.TemporaryDirectory(
                dir=parent, prefix="winnow-", ignore_cleanup_errors=True
            )
        with folder, (Path(folder.name) / HELD).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            try:
                yield Path(folder.name)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                with storage_errors("write", folder.name):
                    raise

    def sweep(self) -> int:
        """Remove the scratch folders of processes that were killed; returns how many there were."""
        if self.folder is None:
            return 0
        dead = [folder for folder in (self.folder / "tmp").glob("winnow-*") if _is_dead(folder)]
        for folder in dead:
            shutil.rmtree(folder, ignore_errors=True)
        return len(dead)

    def adopt(self, path: Path, key: str) -> None:
        """Move a finished local file under a key, atomically, replacing what was there."""
        with storage_errors("write", self.at(key)):
            if self.folder is None:
                obstore.put(self._store, key, path)
                path.unlink()
                return
            target = self.folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(target)
            except OSError:
                shutil.move(path, target)

    def move(self, key: str, new_key: str) -> None:
        """Give the bytes under one key another key, replacing what was there."""
        with storage_errors("move", self.at(key)):
            obstore.rename(self._store, key, new_key)

    def claim_folder(self, prefix: str, new_prefix: str) -> bool:
        """Move a whole folder at once; False if something is at the new place already.

        Atomic: of several callers one succeeds, and nobody sees part of it. Folders only: an
        object store has no such operation.
        """
        root = self.publishable().folder or Path()
        target = root / new_prefix
        with storage_errors("write", str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                (root / prefix).rename(target)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            return True

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the only lock of that name on this machine; a killed holder's lock is free."""
        if self.folder is None:
            raise StorageError(f"{self.uri}: only a lake on a disk can be locked.")
        path = self.folder / f"{key}.lock"
        with storage_errors("lock", str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield


@contextlib.contextmanager
def storage_errors(verb: str, where: str) -> Iterator[None]:
    """Turn what the operating system or the cloud says into a StorageError with a next step."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"cannot {verb} {where}: {error.strerror or error}. {_next_step(error)}"
        ) from error
    except BaseError as error:
        raise StorageError(
            f"cannot {verb} {where}: {first_line(error)}. {_next_step(error)}"
        ) from error


def _is_dead(scratch: Path) -> bool:
    """Whether nobody holds a scratch folder; one that is being made right now is not dead."""
    try:
        if time.time() - scratch.stat().st_mtime < SETTLING_S:
            return False
        with (scratch / HELD).open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return scratch.exists()
    return True


def _next_step(error: Exception) -> str:
    text = str(error).lower()
    if "no space" in text or "quota" in text or "os error 28" in text:
        return "Free some space, then run it again: finished stages are kept."
    if (
        "read-only" in text
        or "permission" in text
        or "os error 13" in text
        or "os error 30" in text
    ):
        return "Make the lake writable for this user, or name another with --lake or WINNOW_LAKE."
    return "Check the lake's path and credentials, then run it again: finished stages are kept."


def first_line(error: BaseException) -> str:
    """The first line of what an error says, at most 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
