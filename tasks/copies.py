"""Copies of a bucket's files on this machine: by content, checked, bounded."""

import contextlib
import os
import time
import uuid
from pathlib import Path

from schemas.digests import digest_of, sha256_of

BOUND_BYTES = 50 * 10**9
"""What the copies of one lake may take; more is only there while a refresh works with it."""
IN_USE_S = 24 * 3600
"""A copy that was asked for within a day may be in use by a run that is under way."""

_seen_whole: dict[Path, tuple[int, int, int]] = {}
"""Of each copy whose bytes this process has seen to be right: inode, size and time of writing."""


class Copies:
    """`<root>/<sha256[:2]>/<sha256>`, the bytes of that digest; `<root>/seen/`, what has which.

    A copy comes by one rename, so that it is whole or not there, and each process looks at all of
    its bytes before it is used. What the bucket holds under a key is known by the key's entity tag:
    as long as that stays, its bytes do. When a copy was last used is its time of access.
    """

    def __init__(self, root: Path) -> None:
        """Copies under `root`, which is made when the first comes."""
        self._root = root

    def find(self, sha256: str) -> Path | None:
        """The copy of these bytes, which is then in use; None where there is none.

        One that has other bytes by now, or another size, is removed.
        """
        path = self._place(sha256)
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if _seen_whole.get(path) != _state(status):
                if sha256_of(path) != sha256:
                    path.unlink()
                    return None
                _seen_whole[path] = _state(status)
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
            return path
        return None

    def keep(self, path: Path, sha256: str) -> Path:
        """Take over a finished local file with these bytes; returns where it is then."""
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.utime(path)
        state = _state(path.stat())
        path.replace(place)
        _seen_whole[place] = state
        return place

    def seen(self, key: str, etag: str) -> str | None:
        """The SHA-256 of what a key held when it had this entity tag, if that was ever seen."""
        try:
            return self._note(key, etag).read_text(encoding="ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def note(self, key: str, etag: str | None, sha256: str) -> None:
        """Remember the SHA-256 of what a key holds under an entity tag."""
        if etag is None:
            return
        note = self._note(key, etag)
        note.parent.mkdir(parents=True, exist_ok=True)
        written = note.with_name(f".{note.name}.{uuid.uuid4().hex}")
        written.write_text(sha256, encoding="ascii")
        written.replace(note)

    def trim(self, bound_bytes: int = BOUND_BYTES, in_use_s: float = IN_USE_S) -> int:
        """Remove the copies longest out of use until the rest is within the bound; returns bytes.

        What may be in use stays, whatever it takes.
        """
        copies = []
        for path in self._root.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                copies.append((status.st_atime, status.st_size, path))
        total = sum(size_bytes for _, size_bytes, _ in copies)
        removed = 0
        for used_at, size_bytes, path in sorted(copies):
            if total - removed <= bound_bytes or time.time() - used_at < in_use_s:
                break
            path.unlink(missing_ok=True)
            removed += size_bytes
        return removed

    def _place(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def _note(self, key: str, etag: str) -> Path:
        return self._root / "seen" / digest_of([key, etag])[:32]


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
