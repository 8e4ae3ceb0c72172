"""How far a download has come, told to whoever asked, to whoever watches, and to the log."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from schemas.manifest import RawFile

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, None where that is unknown."""

Watcher: TypeAlias = Callable[[str, int, int | None], None]
"""Called with the name of a source, and then as Progress is."""

WATCHED_EVERY_S = 0.1
LOGGED_EVERY_S = 30.0
MEGABYTE = 1_000_000

_watchers: list[Watcher] = []

log = logging.getLogger(__name__)


@contextlib.contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Tell a watcher how far every download of this process is, while the block runs."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def telling(source: str, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Tell of a source's bytes: watchers every WATCHED_EVERY_S, the log every LOGGED_EVERY_S.

    Watchers are told of the last byte whenever it comes.
    """
    watched_at, logged_at = float("-inf"), clock()

    def tell(done_bytes: int, total_bytes: int | None) -> None:
        nonlocal watched_at, logged_at
        now = clock()
        if now - watched_at >= WATCHED_EVERY_S or done_bytes == total_bytes:
            watched_at = now
            for watcher in tuple(_watchers):
                watcher(source, done_bytes, total_bytes)
        if now - logged_at >= LOGGED_EVERY_S:
            logged_at = now
            of = "" if total_bytes is None else f" of {total_bytes / MEGABYTE:,.1f}"
            log.info("source %s: %.1f%s MB are there", source, done_bytes / MEGABYTE, of)

    return tell


class Tally:
    """Adds up the bytes of a source's files, each known by its name; any thread may tell it."""

    def __init__(self, report: Progress | None, sizes: Mapping[str, int | None]) -> None:
        """Start with nothing of files of these sizes, None where unknown; `report` may be None."""
        self._report = report
        self._expected: dict[str, int | None] = dict(sizes)
        self._done = dict.fromkeys(sizes, 0)
        self._one_by_one = threading.Lock()

    def expect(self, name: str, size_bytes: int | None, there_bytes: int = 0) -> None:
        """Learn the size of a file, and how much of it is there to go on from."""
        with self._one_by_one:
            self._expected[name] = size_bytes
            self._done[name] = there_bytes

    def at(self, name: str, done_bytes: int) -> None:
        """So many bytes of this file are there now, which may be fewer than before."""
        with self._one_by_one:
            self._done[name] = done_bytes
            if self._report is not None:
                self._report(sum(self._done.values()), self._total_bytes())

    def left_bytes(self) -> int:
        """Bytes still to come of the files whose size is known."""
        with self._one_by_one:
            return sum(
                max(0, (self._expected[name] or 0) - done_bytes)
                for name, done_bytes in self._done.items()
            )

    def all_there(self, files: Sequence[RawFile]) -> None:
        """Every file is there, as when nothing had to be fetched."""
        for file in files:
            self.expect(file.name, file.size_bytes)
            self.at(file.name, file.size_bytes)

    def _total_bytes(self) -> int | None:
        total_bytes = 0
        for size_bytes in self._expected.values():
            if size_bytes is None:
                return None
            total_bytes += size_bytes
        return total_bytes
