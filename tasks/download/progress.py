"""How far a download has come, told to whoever asked."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from schemas.manifest import RawFile

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be, None where that is unknown."""


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
