"""Where bytes live: a folder, or a bucket; reads, atomic writes, claims and locks, digests."""

import atexit
import contextlib
import errno
import fcntl
import functools
import hashlib
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    NotFoundError,
    PreconditionError,
)
from obstore.store import LocalStore

from schemas.digests import digest_of, sha256_of
from schemas.errors import CorpusDamaged, StorageError
from schemas.stores import disk_of, is_bucket, open_store
from tasks.copies import IN_USE_S, Copies

__all__ = ["CHUNK_BYTES", "Entry", "Lake", "digest_of", "first_line", "sha256_of", "storage_errors"]

CHUNK_BYTES = 1 << 20
HELD = ".held"
SETTLING_S = 60  # between making a scratch folder and holding it pass milliseconds
LEFT_AFTER_S = 24 * 3600  # what lies in a bucket's tmp/ for so long is of a dead process
READ_ATTEMPTS = 5  # of a body that breaks off; each goes on from there
CONDITIONAL_ATTEMPTS = 2  # of a write without an answer, beside those that obstore makes
SWAP_ATTEMPTS = 100  # of which all but one found that somebody else had written
DELETED_AT_ONCE = 1000  # as many as one request to S3 may name
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|specified bucket does not exist")
_NO_LEAVE = re.compile(
    "accessdenied|403 forbidden|401 unauthorized|invalidaccesskeyid|expiredtoken"
)
_ABSENT = (NotFoundError, FileNotFoundError)

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


class Lake:
    """The root of everything Winnow writes; keys are relative, with / between parts.

    `folder` is where a lake on a disk is, None for one in a bucket. `disk` is where this machine
    works for it: the folder itself, or a place in the user's cache.
    """

    def __init__(self, uri: str) -> None:
        """Open a lake, creating the folder of a local one (raises StorageError)."""
        uri = uri.removeprefix("file://")
        self.uri = uri.rstrip("/") or "/"
        self.folder = None if is_bucket(uri) else Path(uri).expanduser().absolute()
        with storage_errors("open", self.uri):
            if self.folder is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.disk = self.folder
                self._store: Any = LocalStore(self.folder)
            else:
                self._store = open_store(self.uri)
                self.disk = disk_of(self.uri) or _passing_disk(self.uri)
        self._copies = Copies(self.disk / "copies")

    def at(self, key: str) -> str:
        """The path or URI of a key, for people and messages; bytes are read by `local`."""
        return str(self.folder / key) if self.folder is not None else f"{self.uri}/{key}"

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
        except _ABSENT as error:
            _refuse_no_bucket(error)
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

    def local(self, key: str, sha256: str) -> Path:
        """A local file with the bytes under a key, for whoever needs a path: never to be changed.

        It is the file itself in a folder, and of a bucket a copy, made once and checked as it
        comes. It stays for as long as a run may use it.

        Raises:
            CorpusDamaged: there are no such bytes, or (in a bucket) they are not those expected.
            StorageError: the lake cannot be read, or there is no room for the copy.
        """
        if self.folder is not None:
            return self.folder / key
        with storage_errors("read", str(self.disk)):
            found = self._copies.find(sha256)
            if found is not None:
                return found
        with storage_errors("write", str(self.disk)), self.scratch() as scratch:
            path = scratch / "copy"
            got = self.copy_out(key, path)
            if got != sha256:
                raise CorpusDamaged(
                    f"{self.at(key)} is not what was written there: expected sha256 "
                    f"{sha256[:12]}…, found {got[:12]}…. Run the refresh again to rebuild it, or "
                    "restore the file from a copy of the lake."
                )
            return self._copies.keep(path, got)

    def is_intact(self, key: str, sha256: str) -> bool:
        """Whether the bytes under a key have this digest.

        Every byte is read, but of a bucket only once: as long as the entity tag of a key stays,
        its bytes do. `sha256` looks again.
        """
        if self.folder is not None:
            return self.sha256(key) == sha256
        meta = self._head(key)
        if meta is None:
            return False
        with storage_errors("read", str(self.disk)):
            if meta["e_tag"] is not None and self._copies.seen(key, meta["e_tag"]) == sha256:
                return True
        with storage_errors("write", str(self.disk)), self.scratch() as scratch:
            found = self._fetch(key, scratch / "copy")
            if found is None:
                return False
            self._copies.note(key, found[1], found[0])
            self._copies.keep(scratch / "copy", found[0])
        return found[0] == sha256

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
            except _ABSENT:
                return None

    def sha256(self, key: str) -> str | None:
        """SHA-256 of the bytes under a key, in hex, or None where there are none."""
        digest = hashlib.sha256()
        with storage_errors("read", self.at(key)):
            if self.folder is not None:
                try:
                    return sha256_of(self.folder / key)
                except FileNotFoundError:
                    return None
            found = self._open(key)
            if found is None:
                return None
            for chunk in found.chunks:
                digest.update(chunk)
        return digest.hexdigest()

    def put(self, key: str, data: bytes) -> None:
        """Write, replacing what was there; a reader sees the old bytes or the new ones."""
        with storage_errors("write", self.at(key)):
            obstore.put(self._store, key, data)

    def create(self, key: str, data: bytes) -> bool:
        """Write where nothing is yet: True if `data` is there now, False if other bytes are.

        Atomic: of several writers of different bytes one succeeds, on a folder and in a bucket. An
        answer that was lost on its way counts as what it was, so writers who must know which of
        them won need different bytes: a name or a random number among them.
        """
        with storage_errors("write", self.at(key)):
            for attempt in range(CONDITIONAL_ATTEMPTS):
                try:
                    obstore.put(self._store, key, data, mode="create", use_multipart=False)
                    return True
                except AlreadyExistsError:
                    return self.read_if_any(key) == data
                except GenericError:  # such as no answer: obstore repeats no conditional request
                    if attempt == CONDITIONAL_ATTEMPTS - 1:
                        raise
        raise AssertionError("the last attempt returns or raises")

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
        wanted = sorted(set(keys))
        if self.folder is None:
            for start in range(0, len(wanted), DELETED_AT_ONCE):
                self._delete_batch(wanted[start : start + DELETED_AT_ONCE])
            return
        for key in wanted:
            with storage_errors("remove", self.at(key)):
                (self.folder / key).unlink(missing_ok=True)
                self._prune((self.folder / key).parent)

    def _delete_batch(self, keys: list[str]) -> None:
        with storage_errors("remove", self.at(keys[0])):
            try:
                obstore.delete(self._store, keys)
            except _ABSENT:  # GCS and Azure stop at a key that is gone
                for key in keys:
                    with contextlib.suppress(*_ABSENT):
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
        elif (self.folder / prefix).is_dir():
            with self.scratch() as scratch, storage_errors("remove", self.at(prefix)):
                (self.folder / prefix).rename(scratch / "removed")
                self._prune((self.folder / prefix).parent)
        return len(keys)

    def _prune(self, folder: Path) -> None:
        """Remove a folder, and then its parents, as long as they are empty and in the lake.

        `tmp` stays: another process may be about to make its scratch folder there.
        """
        while folder not in (self.disk, self.disk / "tmp") and folder.is_relative_to(self.disk):
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
        """The names directly under a prefix that have keys below them, sorted."""
        with storage_errors("list", self.at(prefix)):
            found = obstore.list_with_delimiter(self._store, prefix=prefix)
            return sorted(
                str(path).rstrip("/").rsplit("/", 1)[-1] for path in found["common_prefixes"]
            )

    def publishable(self) -> "Lake":
        """This lake, if versions can be published to it; raises StorageError at once if not.

        A bucket has to refuse a second conditional create: some servers take it and do not look.
        """
        if self.folder is None:
            key, here = f"tmp/probe-{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
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
        parent = self.disk / "tmp"
        with storage_errors("write", str(parent)):
            parent.mkdir(parents=True, exist_ok=True)
            folder, held = _held_folder(parent)
        with held:
            try:
                yield folder
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                with storage_errors("write", str(folder)):
                    raise
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> int:
        """Remove the scratch folders of processes that were killed; returns how many there were.

        Of a bucket, copies on this machine that are long out of use go as well.
        """
        tmp = self.disk / "tmp"
        dead = [folder for folder in tmp.glob("winnow-*") if not is_held(folder)]
        dead += [folder for folder in tmp.glob("new-*") if _age_s(folder) > SETTLING_S]
        for folder in dead:
            shutil.rmtree(folder, ignore_errors=True)
        if self.folder is None:
            self._copies.trim()
            for path in (self.disk / "corpora").rglob("*"):  # what the trainer fetched
                if path.is_file() and _age_s(path) > IN_USE_S:
                    path.unlink(missing_ok=True)
            left = self.entries("tmp")
            now = self.now() if left else 0
            self.delete(one.key for one in left if now - one.modified_at > LEFT_AFTER_S)
        return len(dead)

    def now(self) -> float:
        """The time by the clock that dates what is written here, as seconds since 1970.

        For who may only read here, it is this machine's.
        """
        key = f"tmp/probe-{uuid.uuid4().hex}"
        try:
            self.put(key, b"")
        except StorageError:
            return time.time()
        try:
            meta = self._head(key)
            return meta["last_modified"].timestamp() if meta else time.time()
        finally:
            self.delete([key])

    def adopt(self, path: Path, key: str, sha256: str | None = None) -> None:
        """Move a finished local file under a key, atomically, replacing what was there.

        Where its digest is given, a bucket's file stays at hand for `local` and `is_intact`.
        """
        with storage_errors("write", self.at(key)):
            if self.folder is None:
                sent = obstore.put(self._store, key, path)
                if sha256 is None:
                    path.unlink()
                else:
                    self._copies.note(key, sent["e_tag"], sha256)
                    self._copies.keep(path, sha256)
                return
            target = self.folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(target)
            except OSError:
                shutil.move(path, target)

    def upload(self, path: Path, key: str) -> None:
        """Have a copy of a local file under a key, replacing what was there."""
        with storage_errors("write", self.at(key)):
            obstore.put(self._store, key, path)

    def copy(self, key: str, new_key: str) -> None:
        """Have the bytes under one key under another one too, replacing what was there.

        Raises CorpusDamaged where there are none.
        """
        with storage_errors("copy", self.at(key)):
            try:
                if self.folder is not None:
                    with self.scratch() as scratch:
                        shutil.copyfile(self.folder / key, scratch / "copy")
                        self.adopt(scratch / "copy", new_key)
                else:
                    obstore.copy(self._store, key, new_key)
            except _ABSENT as error:
                _refuse_no_bucket(error)
                raise self._missing(key) from None

    def move(self, key: str, new_key: str) -> None:
        """Give the bytes under one key another key, replacing what was there."""
        with storage_errors("move", self.at(key)):
            obstore.rename(self._store, key, new_key)

    def claim_folder(self, prefix: str, new_prefix: str) -> bool:
        """Move a whole folder at once; False if something is at the new place already.

        Atomic: of several callers one succeeds, and nobody sees part of it. Folders only: an
        object store has no such operation.
        """
        root = self.folder
        if root is None:
            raise StorageError(f"{self.uri}: an object store cannot rename folders.")
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
        path = self.disk / f"{key}.lock"
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
        said = error.strerror or first_line(error)
        raise StorageError(f"cannot {verb} {where}: {said}. {_next_step(error)}") from error
    except BaseError as error:
        raise StorageError(
            f"cannot {verb} {where}: {first_line(error)}. {_next_step(error)}"
        ) from error


def _passing_disk(uri: str) -> Path:
    """A local folder for as long as this process lives, as what is in memory does."""
    return _named_disk(uri.partition("://")[2].strip("/") or uuid.uuid4().hex)


@functools.cache
def _named_disk(_name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="winnow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _refuse_no_bucket(error: Exception) -> None:
    """Go on if a key is missing; raise if the bucket is, for then nothing can be said of keys."""
    if _NO_BUCKET.search(str(error)):
        raise error


def is_held(scratch: Path) -> bool:
    """Whether a process holds this scratch folder; the system lets go of a dead one's."""
    try:
        with (scratch / HELD).open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _held_folder(parent: Path) -> tuple[Path, IO[str]]:
    """A new scratch folder, held from the moment it has its name, and what holds it."""
    new = Path(tempfile.mkdtemp(dir=parent, prefix="new-"))
    held = (new / HELD).open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    folder = parent / new.name.replace("new-", "winnow-", 1)
    new.rename(folder)
    return folder, held


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _next_step(error: Exception) -> str:
    text = str(error).lower()
    if _NO_BUCKET.search(str(error)):
        return "There is no such bucket: create it, or correct --lake or WINNOW_LAKE."
    if "no space" in text or "quota" in text or "os error 28" in text:
        return "Free some space, then run it again: finished stages are kept."
    if "requesttimetooskewed" in text:
        return "Set this machine's clock, then run it again: finished stages are kept."
    if _NO_LEAVE.search(text):
        return (
            "See that your credentials are valid and may read, write, list and delete there, then "
            "run it again: finished stages are kept."
        )
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
