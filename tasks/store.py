"""Bytes under keys, in a folder or in a bucket: reads, atomic writes, claims, locks, listings."""

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError, PreconditionError
from obstore.store import LocalStore

from schemas.digests import sha256_of
from schemas.errors import CorpusDamaged, StorageError
from schemas.manifest import KEY_PATTERN
from schemas.stores import disk_of, is_bucket, open_store, without_scheme
from tasks.scratch import HELD, held_folder, passing_folder
from tasks.store_errors import ABSENT, refuse_no_bucket, storage_errors

CHUNK_BYTES = 1 << 20
SCRATCH = "tmp"
PROBE = f"{SCRATCH}/probe-"
READ_ATTEMPTS = 5  # of a body that breaks off; each goes on from there
CONDITIONAL_ATTEMPTS = 2  # of a write without an answer, beside those that obstore makes
SWAP_ATTEMPTS = 100  # of which all but one found that somebody else had written
PLACING_ATTEMPTS = 100  # of which all but one found that somebody had removed an empty folder
DELETED_AT_ONCE = 1000  # as many as one request to S3 may name
_KEY = re.compile(KEY_PATTERN)

Change = Callable[[bytes | None], bytes | None]


class Entry(NamedTuple):
    """One key of a listing: its size, and when the store says that it was last written.

    `modified_at` is in seconds since 1970, by the clock that `Lake.now` reads.
    """

    key: str
    size_bytes: int
    modified_at: float


class _Opened(NamedTuple):
    """Bytes to be read, and what the store says of them."""

    meta: Any
    chunks: Iterator[Any]


class Store:
    """The root of everything Winnow writes; keys are relative, with / between parts.

    `folder` is where a lake on a disk is, None for one in a bucket. `disk` is where this machine
    works for it: the folder itself, or a place in the user's cache.
    """

    def __init__(self, uri: str) -> None:
        """Open a lake, creating the folder of a local one (raises StorageError)."""
        uri = without_scheme(uri)
        self.uri = uri.rstrip("/") or "/"
        self.folder = None if is_bucket(uri) else Path(uri).expanduser().absolute()
        with storage_errors("open", self.uri):
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.disk = self.folder
                self._store: Any = LocalStore(self.folder)
            else:
                self._store = open_store(self.uri)
                self.disk = disk_of(self.uri) or passing_folder(self.uri)

    def at(self, key: str) -> str:
        """The path or URI of a key, for people and messages; bytes are read by `local`.

        Raises StorageError for what is no key: a path that is absolute, or leads out by `..`.
        """
        key = self._checked(key)
        return str(self.folder / key) if self.folder is not None else f"{self.uri}/{key}"

    def _checked(self, key: str) -> str:
        if key and _KEY.fullmatch(key) is None:
            raise StorageError(
                f"{key!r} is no key of {self.uri}: expected parts with / between, none of them "
                "empty, . or .. alone. The file that names it was not written by Winnow: restore "
                "it from a copy."
            )
        return key

    def _path(self, key: str) -> Path:
        """Where a key is in a folder."""
        return Path(self.at(key))

    def read(self, key: str) -> bytes:
        """The bytes under a key; raises StorageError, or CorpusDamaged where there are none."""
        data = self.read_if_any(key)
        if data is None:
            raise self._missing(key)
        return data

    def read_if_any(self, key: str) -> bytes | None:
        """The bytes under a key, or None where there are none."""
        return self._get(key)[0]

    def _get(self, key: str) -> tuple[bytes | None, Any]:
        """The bytes under a key and the store's word for this state of them; None for none."""
        with storage_errors("read", self.at(key)):
            found = self._open(key)
            return (None, None) if found is None else (b"".join(found.chunks), found.meta)

    def copy_out(self, key: str, path: Path) -> str:
        """Write the bytes under a key to a local file, a chunk at a time; returns their SHA-256.

        Raises:
            StorageError: the lake cannot be read, or there is no room for the copy.
            CorpusDamaged: there are no such bytes.
        """
        found = self._fetch(key, path)
        if found is None:
            raise self._missing(key)
        return found[0]

    def _fetch(self, key: str, path: Path) -> tuple[str, str | None] | None:
        """Copy to a local file; the SHA-256 and the entity tag of what was there, None for none."""
        digest = hashlib.sha256()
        with storage_errors("read", self.at(key)):
            found = self._open(key)
            if found is None:
                return None
            with path.open("wb") as copy:
                for chunk in found.chunks:
                    copy.write(chunk)
                    digest.update(chunk)
        return digest.hexdigest(), found.meta["e_tag"]

    def _open(self, key: str) -> "_Opened | None":
        """What is under a key, to be read; None where nothing is."""
        try:
            found = obstore.get(self._store, key)
        except ABSENT as error:
            refuse_no_bucket(error)
            return None
        return _Opened(found.meta, self._chunks(key, found))

    def _chunks(self, key: str, found: Any) -> Iterator[Any]:
        """Its bytes; a connection that breaks is taken up where it broke, a few times."""
        done_bytes, breaks = 0, 0
        while True:
            try:
                for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                    done_bytes += len(chunk)
                    yield chunk
                return
            except GenericError:
                breaks += 1
                if breaks == READ_ATTEMPTS:
                    raise
            rest: Any = {"range": {"offset": done_bytes}, "if_match": found.meta["e_tag"]}
            found = obstore.get(self._store, key, options=rest)

    def _missing(self, key: str) -> CorpusDamaged:
        return CorpusDamaged(
            f"{self.at(key)} is missing. Run the refresh again to rebuild it, or restore the file "
            "from a copy of the lake."
        )

    def exists(self, key: str) -> bool:
        """Whether there are bytes under a key."""
        return self._head(key) is not None

    def size_bytes(self, key: str) -> int | None:
        """How many bytes are under a key, or None where there are none."""
        meta = self._head(key)
        return None if meta is None else int(meta["size"])

    def _head(self, key: str) -> Any:
        with storage_errors("look up", self.at(key)):
            try:
                return obstore.head(self._store, key)
            except ABSENT:
                return None

    def etag(self, key: str) -> str | None:
        """The store's word for the bytes under a key, another one after every write; None if none.

        A folder has none.
        """
        key = self._checked(key)
        meta = None if self.folder is not None else self._head(key)
        return None if meta is None else meta["e_tag"]

    def sha256(self, key: str) -> str | None:
        """SHA-256 of the bytes under a key as they are there now, in hex; None for none."""
        with storage_errors("read", self.at(key)):
            if self.folder is not None:
                try:
                    return sha256_of(self._path(key))
                except FileNotFoundError:
                    return None
            found = self._open(key)
            if found is None:
                return None
            digest = hashlib.sha256()
            for chunk in found.chunks:
                digest.update(chunk)
        return digest.hexdigest()

    def put(self, key: str, data: bytes) -> None:
        """Write, replacing what was there; a reader sees the old bytes or the new ones."""
        with storage_errors("write", self.at(key)):
            if self.folder is None:
                obstore.put(self._store, key, data)
            else:
                with self._written(data) as file:
                    _into_place(file.replace, self._path(key))

    def create(self, key: str, data: bytes) -> bool:
        """Write where nothing is yet: True if `data` is there now, False if other bytes are.

        Atomic: of several writers of different bytes one succeeds, on a folder and in a bucket. An
        answer that was lost on its way counts as what it was, so writers who must know which of
        them won need different bytes: a name or a random number among them.
        """
        with storage_errors("write", self.at(key)):
            try:
                if self.folder is None:
                    self._create_in_bucket(key, data)
                else:
                    with self._written(data) as file:
                        _into_place(lambda target: os.link(file, target), self._path(key))
                return True
            except (AlreadyExistsError, FileExistsError):
                return self.read_if_any(key) == data

    def _create_in_bucket(self, key: str, data: bytes) -> None:
        for attempt in range(CONDITIONAL_ATTEMPTS):
            try:
                obstore.put(self._store, key, data, mode="create", use_multipart=False)
                return
            except GenericError:  # such as no answer: obstore repeats no conditional request
                if attempt == CONDITIONAL_ATTEMPTS - 1:
                    raise

    @contextlib.contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        """A finished file on the folder's disk, to be moved or linked to its place."""
        with self.scratch() as scratch:
            (scratch / "file").write_bytes(data)
            yield scratch / "file"

    def update(self, key: str, change: Change) -> bytes | None:
        """Replace bytes by what `change` makes of them; nobody's write in between is lost.

        `change` gets what is there, None where nothing is, and gives what shall be there; None, or
        the same bytes, leaves it as it is. It may be asked several times, about its own result
        too. Returns what is there in the end. Compare and swap; on a folder, under a lock.
        """
        if self.folder is not None:
            with self.lock(key):
                old = self.read_if_any(key)
                new = change(old)
                if new is None or new == old:
                    return old
                self.put(key, new)
                return new
        unanswered = 0
        for _ in range(SWAP_ATTEMPTS):
            old, state = self._get(key)
            new = change(old)
            if new is None or new == old:
                return old
            with storage_errors("write", self.at(key)):
                try:
                    if self._swap(key, new, state):
                        return new
                except GenericError:
                    unanswered += 1
                    if unanswered == CONDITIONAL_ATTEMPTS:
                        raise
        raise StorageError(
            f"cannot write {self.at(key)}: others changed it {SWAP_ATTEMPTS} times meanwhile. Run "
            "it again."
        )

    def _swap(self, key: str, data: bytes, state: Any) -> bool:
        """Write if the bytes under a key are still in the state that was read; None: not there."""
        if state is None:
            return self.create(key, data)
        names = ("e_tag", "version")
        mode: Any = {name: state[name] for name in names if state.get(name) is not None}
        try:
            obstore.put(self._store, key, data, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        return True

    def delete(self, keys: Iterable[str]) -> None:
        """Remove the bytes under some keys; where nothing is, nothing happens.

        In a folder, parents that are empty afterwards go as well.
        """
        wanted = sorted(set(map(self._checked, keys)))
        if self.folder is None:
            for start in range(0, len(wanted), DELETED_AT_ONCE):
                self._delete_batch(wanted[start : start + DELETED_AT_ONCE])
            return
        for key in wanted:
            with storage_errors("remove", self.at(key)):
                path = self._path(key)
                path.unlink(missing_ok=True)
                self._prune(path.parent)

    def _delete_batch(self, keys: list[str]) -> None:
        with storage_errors("remove", self.at(keys[0])):
            try:
                obstore.delete(self._store, keys)
            except ABSENT:  # GCS and Azure stop at a key that is gone
                for key in keys:
                    with contextlib.suppress(*ABSENT):
                        obstore.delete(self._store, key)

    def remove_folder(self, prefix: str, first: str = "manifest.json") -> int:
        """Remove every key under a prefix; returns how many there were.

        Nobody sees half of it: on a disk the folder goes in one step, and in a bucket goes first
        the file without which nobody looks at the others. Killed and run again, it goes on.
        """
        keys = self.keys(prefix)
        if self.folder is None:
            self.delete(key for key in keys if key == f"{prefix}/{first}")
            self.delete(keys)
        elif (folder := self._path(prefix)).is_dir():
            with self.scratch() as scratch, storage_errors("remove", str(folder)):
                folder.rename(scratch / "removed")
                self._prune(folder.parent)
        return len(keys)

    def _prune(self, folder: Path) -> None:
        """Remove a folder, and then its parents, as long as they are empty and in the lake.

        `tmp` stays: another process may be about to make its scratch folder there.
        """
        while folder not in (self.disk, self.disk / SCRATCH) and folder.is_relative_to(self.disk):
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                return
            folder = folder.parent

    def keys(self, prefix: str) -> list[str]:
        """Every key under a prefix (a folder), sorted."""
        return [entry.key for entry in self.entries(prefix)]

    def entries(self, prefix: str) -> list[Entry]:
        """Every key under a prefix with its size and the time of its last write, sorted by key."""
        with storage_errors("list", self.at(prefix)):
            return sorted(
                Entry(str(item["path"]), int(item["size"]), item["last_modified"].timestamp())
                for batch in obstore.list(self._store, prefix=prefix)
                for item in batch
            )

    def folders(self, prefix: str) -> list[str]:
        """The names directly under a prefix that have keys below them, sorted; not `tmp`."""
        with storage_errors("list", self.at(prefix)):
            found = obstore.list_with_delimiter(self._store, prefix=prefix)
            names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in found["common_prefixes"])
            return sorted(name for name in names if prefix or name != SCRATCH)

    def publishable(self) -> Self:
        """This lake, if versions can be published to it; raises StorageError at once if not.

        A bucket has to refuse a second conditional create: some servers take it and do not look.
        """
        if self.folder is None:
            key, here = f"{PROBE}{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
            try:
                if not self.create(key, here) or self.create(key, b"somebody else's"):
                    raise StorageError(
                        f"{self.uri}: its server ignores conditional writes (If-None-Match: *), so "
                        "two refreshes at once could spoil a version. Use a server that honours "
                        "them, as S3, GCS, Azure and MinIO since 2024 do, or a folder."
                    )
            finally:
                self.delete([key])
        return self

    def key_of(self, path: Path) -> str:
        """The key of a path inside a lake on a disk."""
        if self.folder is None:
            raise StorageError(f"{self.uri}: {path} is on this machine's disk, not in the bucket.")
        return path.relative_to(self.folder).as_posix()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A local folder that is gone afterwards: on the lake's own disk where it has one.

        While it is in use its `.held` is locked, by which `sweep` tells it from a dead one's.
        """
        with contextlib.ExitStack() as held:
            with storage_errors("write", str(self.disk / SCRATCH)):
                folder = held.enter_context(held_folder(self.disk / SCRATCH))
            try:
                yield folder
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                with storage_errors("write", str(folder)):
                    raise

    def now(self) -> float:
        """The time by the clock that dates what is written here, as seconds since 1970.

        For who may only read here, it is this machine's.
        """
        with contextlib.suppress(StorageError):
            if self.folder is not None:
                with self.scratch() as scratch:
                    return (scratch / HELD).stat().st_mtime
            key = f"{PROBE}{uuid.uuid4().hex}"
            self.put(key, b"")
            try:
                meta = self._head(key)
                return meta["last_modified"].timestamp() if meta else time.time()
            finally:
                self.delete([key])
        return time.time()

    def _take(self, path: Path, key: str) -> None:
        """Move a finished local file to its place in a folder."""
        with storage_errors("write", self.at(key)):
            try:
                _into_place(path.replace, self._path(key))
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with self.scratch() as scratch:  # on the lake's disk
                    shutil.copyfile(path, scratch / "copy")
                    _into_place((scratch / "copy").replace, self._path(key))
                path.unlink()

    def upload(self, path: Path, key: str) -> str | None:
        """Have a copy of a local file under a key, replacing what was there; returns its etag."""
        with storage_errors("write", self.at(key)):
            etag: str | None = obstore.put(self._store, key, path)["e_tag"]
            return etag

    def copy(self, key: str, new_key: str) -> None:
        """Have the bytes under one key under another one too, replacing what was there.

        Raises CorpusDamaged where there are none.
        """
        with storage_errors("copy", self.at(key)):
            try:
                if self.folder is not None:
                    with self.scratch() as scratch:
                        shutil.copyfile(self._path(key), scratch / "copy")
                        self._take(scratch / "copy", new_key)
                else:
                    obstore.copy(self._store, key, self._checked(new_key))
            except ABSENT as error:
                refuse_no_bucket(error)
                raise self._missing(key) from None

    def move(self, key: str, new_key: str) -> None:
        """Give the bytes under one key another key, replacing what was there."""
        with storage_errors("move", self.at(key)):
            obstore.rename(self._store, key, self._checked(new_key))

    def claim_folder(self, prefix: str, new_prefix: str) -> bool:
        """Move a whole folder at once; False if something is at the new place already.

        Atomic: of several callers one succeeds, and nobody sees part of it. Folders only: an
        object store has no such operation.
        """
        if self.folder is None:
            raise StorageError(f"{self.uri}: an object store cannot rename folders.")
        source, target = self._path(prefix), self._path(new_prefix)
        with storage_errors("write", str(target)):
            try:
                _into_place(source.rename, target)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            return True

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the only lock of that name on this machine; a killed holder's lock is free."""
        path = self.disk / f"{self._checked(key)}.lock"
        with contextlib.ExitStack() as held:
            with storage_errors("lock", str(path)):
                path.parent.mkdir(parents=True, exist_ok=True)
                file = held.enter_context(path.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _into_place(move: Callable[[Path], object], target: Path) -> None:
    """Have something finished moved to a place whose folder others may be about to remove."""
    for attempt in range(PLACING_ATTEMPTS):
        try:
            with contextlib.suppress(FileExistsError):  # it was there, and was removed at once
                target.parent.mkdir(parents=True, exist_ok=True)
            move(target)
            return
        except FileNotFoundError:
            if attempt == PLACING_ATTEMPTS - 1:
                raise
