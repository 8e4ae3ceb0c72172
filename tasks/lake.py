"""A lake: everything Winnow writes, and what of it this machine has at hand."""

from pathlib import Path

from schemas.digests import digest_of, sha256_of
from schemas.errors import CorpusDamaged
from tasks.copies import IN_USE_S, Copies
from tasks.scratch import age_s, is_held, is_locked, remove_unheld
from tasks.store import CHUNK_BYTES, PROBE, SCRATCH, Entry, Store
from tasks.store_errors import first_line, storage_errors

__all__ = [
    "CHUNK_BYTES",
    "Entry",
    "Lake",
    "digest_of",
    "first_line",
    "is_held",
    "is_locked",
    "sha256_of",
    "storage_errors",
]

LEFT_AFTER_S = 24 * 3600  # what lies half-way for so long is of a dead process


class Lake(Store):
    """The root of everything Winnow writes, and local files with its bytes.

    Of a bucket these are copies, named by their digests and known by entity tags (`Copies`).
    """

    def __init__(self, uri: str) -> None:
        """Open a lake, creating the folder of a local one (raises StorageError)."""
        super().__init__(uri)
        self._copies = Copies(self.disk / "copies")

    def local(self, key: str, sha256: str) -> Path:
        """A local file with the bytes under a key, for whoever needs a path: never to be changed.

        It is the file itself in a folder, and of a bucket a copy, made once and checked as it
        comes. It stays for as long as a run may use it.

        Raises:
            CorpusDamaged: there are no such bytes, or (in a bucket) they are not those expected.
            StorageError: the lake cannot be read, or there is no room for the copy.
        """
        if self.folder is not None:
            return self._path(key)
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
        return self.sha256(key, keep_copy=True) == sha256

    def sha256(self, key: str, keep_copy: bool = False) -> str | None:
        """SHA-256 of the bytes under a key as they are there now, in hex; None for none.

        Where `keep_copy` is true, what is fetched of a bucket stays at hand for `local` and
        `is_intact`: it is fetched once.
        """
        if keep_copy and self.folder is None:
            return self._fetch_and_keep(key)
        return super().sha256(key)

    def _fetch_and_keep(self, key: str) -> str | None:
        with storage_errors("write", str(self.disk)), self.scratch() as scratch:
            found = self._fetch(key, scratch / "copy")
            if found is None:
                return None
            self._copies.note(key, found[1], found[0])
            self._copies.keep(scratch / "copy", found[0])
        return found[0]

    def adopt(self, path: Path, key: str, sha256: str | None = None) -> None:
        """Move a finished local file under a key, atomically, replacing what was there.

        Where its digest is given, a bucket's file stays at hand for `local` and `is_intact`.
        """
        if self.folder is not None:
            self._take(path, key)
            return
        etag = self.upload(path, key)
        with storage_errors("write", str(self.disk)):
            if sha256 is None:
                path.unlink()
            else:
                self._copies.note(key, etag, sha256)
                self._copies.keep(path, sha256)

    def sweep(self) -> int:
        """Remove the scratch folders of processes that were killed; returns how many there were.

        Of a bucket, copies on this machine that are long out of use go as well.
        """
        dead = remove_unheld(self.disk / SCRATCH)
        if self.folder is None:
            self._copies.trim()
            for path in (self.disk / "corpora").rglob("*"):  # what the trainer fetched
                if path.is_file() and age_s(path) > IN_USE_S:
                    path.unlink(missing_ok=True)
            self._sweep_probes()
        return dead

    def _sweep_probes(self) -> None:
        """Remove what processes that were killed in `now` left in a bucket."""
        left = [one for one in self.entries(SCRATCH) if one.key.startswith(PROBE)]
        now = self.now() if left else 0
        self.delete(one.key for one in left if now - one.modified_at > LEFT_AFTER_S)
