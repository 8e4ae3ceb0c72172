"""One large file in parts: several at a time, each resumed on its own, never two versions mixed."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import httpx

from schemas.manifest import RawFile
from tasks.download.answers import (
    Line,
    ask,
    body_bytes,
    check_answer,
    content_range,
    is_encoded,
)
from tasks.download.crew import Stop, all_of
from tasks.download.hosts import CONNECTIONS
from tasks.download.pace import Pace, getting_on
from tasks.download.patience import TryAgain
from tasks.download.progress import Tally
from tasks.download.raw import RawFolder
from tasks.download.state import Half, Part, Transfer
from tasks.lake import sha256_of


class Apart(Exception):
    """The parts do not fit together; the message says why, without a full stop."""


@dataclass(frozen=True)
class Splitting:
    """Which files come in parts, and how large these are.

    A part is a connection, whose start costs a few round trips: `longest_part_bytes` make that
    little, and are as much as one slow connection can keep the others waiting for at the end.
    """

    least_bytes: int = 32 << 20
    longest_part_bytes: int = 64 << 20
    connections: int = CONNECTIONS
    save_every_s: float = 1.0

    def parts(self, size_bytes: int) -> tuple[Part, ...]:
        """The parts of a file of that size: one per connection, or more of the longest."""
        count = max(self.connections, -(-size_bytes // self.longest_part_bytes))
        edges = [size_bytes * number // count for number in range(count + 1)]
        return tuple(Part(start=start, end=end) for start, end in pairwise(edges) if start < end)


def worth_splitting(response: httpx.Response, half: Half, splitting: Splitting) -> bool:
    """Whether a file is large, and its server one that can tell a part of it from another's."""
    return (
        half.strong_etag is not None
        and (half.size_bytes or 0) >= max(1, splitting.least_bytes)
        and response.headers.get("Accept-Ranges", "").strip().lower() == "bytes"
    )


def fetch_parts(
    transfer: Transfer,
    half: Half,
    line: Line,
    raw: RawFolder,
    tally: Tally,
    splitting: Splitting,
) -> RawFile:
    """The file, once all of its parts are there; those that are there already are not asked for.

    Raises:
        Apart: an answer is of another version of the file, or not the part that was asked for.
        SourceError: upstream refuses, or patience ran out.
    """
    if not half.parts:
        half = _allotted(transfer, half, splitting)
    size_bytes = half.size_bytes or 0
    tally.expect(transfer.name, size_bytes, half.done_bytes)
    raw.check_space(tally.left_bytes())
    stop = Stop(line.stop)
    with _Board.open(transfer, half, tally, splitting.save_every_s) as board:
        jobs = [
            partial(_fetch_part, number, board, Line(line.client, line.patience, stop))
            for number, part in enumerate(half.parts)
            if part.done_bytes < part.end - part.start
        ]
        all_of(jobs, splitting.connections, stop)
        with ThreadPoolExecutor(1) as beside:  # the disk is no reason for the hash to wait
            saving = beside.submit(board.save)
            sha256 = sha256_of(transfer.data)
        saving.result()
    return RawFile(
        name=transfer.name,
        sha256=sha256,
        size_bytes=size_bytes,
        url=transfer.where,
        etag=half.etag,
        last_modified=half.last_modified,
    )


def _allotted(transfer: Transfer, half: Half, splitting: Splitting) -> Half:
    """The same with its parts, none of which is there, and a file with room for them."""
    size_bytes = half.size_bytes or 0
    half = half.model_copy(update={"parts": splitting.parts(size_bytes)})
    transfer.discard()
    with transfer.data.open("wb") as file:
        file.truncate(size_bytes)
    transfer.save(half)
    return half


@dataclass
class _Board:
    """A file that several threads write, and how much of each part it has."""

    transfer: Transfer
    half: Half
    tally: Tally
    save_every_s: float
    file: int
    done_bytes: list[int]
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _saving: threading.Lock = field(default_factory=threading.Lock)
    _saved_at: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, transfer: Transfer, half: Half, tally: Tally, save_every_s: float) -> "_Board":
        """Open the data for writing."""
        file = os.open(transfer.data, os.O_RDWR)
        done_bytes = [part.done_bytes for part in half.parts]
        return cls(transfer, half, tally, save_every_s, file, done_bytes)

    def __enter__(self) -> "_Board":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is not None:
                self.save()
        finally:
            os.close(self.file)

    def write(self, number: int, chunk: bytes) -> None:
        """Put a chunk after what is there of a part."""
        at = self.half.parts[number].start + self.done_bytes[number]
        left = memoryview(chunk)
        while left:
            written = os.pwrite(self.file, left, at)
            left, at = left[written:], at + written
        with self._counting:
            self.done_bytes[number] += len(chunk)
            self.tally.at(self.transfer.name, sum(self.done_bytes))
        if time.monotonic() - self._saved_at >= self.save_every_s:
            self.save()

    def save(self) -> None:
        """Claim what is there, after it was brought to the disk."""
        with self._saving:
            with self._counting:
                done = list(self.done_bytes)
            os.fsync(self.file)
            parts = tuple(
                part.model_copy(update={"done_bytes": done_bytes})
                for part, done_bytes in zip(self.half.parts, done, strict=True)
            )
            self.transfer.save(self.half.model_copy(update={"parts": parts}))
            self._saved_at = time.monotonic()


def _fetch_part(number: int, board: _Board, line: Line) -> None:
    """Bring one part in, however often it is cut."""
    line.patience.keep_trying(
        partial(_attempt, number, board, line), line.next_step(board.transfer.source)
    )


def _attempt(number: int, board: _Board, line: Line) -> None:
    transfer, part = board.transfer, board.half.parts[number]
    start = part.start + board.done_bytes[number]
    if start == part.end:  # the last byte came, and then the line broke
        return
    headers = {
        "Range": f"bytes={start}-{part.end - 1}",
        "If-Range": board.half.strong_etag or "",
    }
    with (
        getting_on(lambda: board.done_bytes[number]),
        ask(line, transfer, headers) as response,
    ):
        _check_part(response, board, start, part.end)
        pace = Pace(transfer.what, line.patience)
        for chunk in response.iter_raw():
            line.stop.check()
            if board.done_bytes[number] + len(chunk) > part.end - part.start:
                raise Apart(f"{transfer.what} sent more than the part that was asked for")
            board.write(number, chunk)
            pace.add(len(chunk))
        left_bytes = part.end - part.start - board.done_bytes[number]
        if left_bytes:
            raise TryAgain(f"{transfer.what} ended {left_bytes:,} bytes before the part's end")


def _check_part(response: httpx.Response, board: _Board, start: int, end: int) -> None:
    """Raise unless the answer is this part of this very file (Apart, or as `check_answer`)."""
    transfer, half = board.transfer, board.half
    status = response.status_code
    same_etag = response.headers.get("ETag") in (None, half.etag)
    if status == httpx.codes.OK:
        if same_etag and body_bytes(response) == half.size_bytes:
            raise Apart(f"{transfer.what} answers a request for a part with the whole file")
        raise Apart(f"{transfer.what} changed while it was being downloaded")
    if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise Apart(f"{transfer.what} has no bytes {start:,} to {end:,}, of which it spoke before")
    check_answer(response, transfer)
    if not same_etag or content_range(response)[2] != half.size_bytes:
        raise Apart(f"{transfer.what} changed while it was being downloaded")
    spoken_of = content_range(response)[:2]
    length_bytes = body_bytes(response)
    if (
        spoken_of != (start, end - 1)
        or length_bytes not in (None, end - start)
        or is_encoded(response)
    ):
        raise Apart(
            f"{transfer.what} was asked for bytes {start:,} to {end - 1:,} and answers with others"
        )
