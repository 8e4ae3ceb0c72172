"""One URL brought into one local file: in one stream or in parts, resumed and hashed.

A transfer that is cut goes on where it stopped, in this run or the next one, if upstream gives a
validator by which it can tell that the bytes are still the same (RFC 9110, 13.1.5 and 14.2).
"""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import httpx

from schemas.errors import SourceUnreachable
from schemas.manifest import RawFile
from tasks.download.answers import (
    Line,
    ask,
    body_bytes,
    check_answer,
    condition,
    content_range,
    half_of,
    is_encoded,
)
from tasks.download.pace import Pace, getting_on
from tasks.download.patience import TryAgain
from tasks.download.progress import Tally
from tasks.download.raw import RawFolder
from tasks.download.segments import Apart, Splitting, fetch_parts, worth_splitting
from tasks.download.state import Half, Transfer
from tasks.lake import CHUNK_BYTES

SAVE_EVERY_S = 1.0


def fetch_file(
    transfer: Transfer, line: Line, raw: RawFolder, tally: Tally, splitting: Splitting
) -> RawFile | None:
    """The file, once it is wholly there; None where upstream says that it has not changed.

    A large file comes in parts over several connections. Where these do not fit together, for it
    changed meanwhile or the server has ranges wrong, all of it comes again in one stream.
    Where they are not answered, for the server bears but one connection, they come one by one.
    """
    in_parts = True
    connections = splitting.connections

    def attempt() -> RawFile | None:
        nonlocal in_parts, connections
        _, half = transfer.start()
        if half is None or not half.parts:
            answer = _attempt(transfer, line, raw, tally, splitting if in_parts else None)
            if not isinstance(answer, Half):
                return answer
            half = answer
        try:
            return fetch_parts(
                transfer, half, line, raw, tally, replace(splitting, connections=connections)
            )
        except Apart as error:
            in_parts = False
            transfer.discard()
            raise TryAgain(str(error), wait_s=0) from error
        except SourceUnreachable as error:
            if connections == 1:
                raise
            connections = 1
            raise TryAgain(str(error)) from error

    return line.patience.keep_trying(attempt, line.next_step(transfer.source))


def _attempt(
    transfer: Transfer, line: Line, raw: RawFolder, tally: Tally, splitting: Splitting | None
) -> RawFile | Half | None:
    """The file, or what is known of it where it should rather come in parts."""
    there_bytes, half = transfer.start()
    headers = condition(transfer) if half is None else _range(there_bytes, half)
    resumable = getting_on(lambda: transfer.start()[0])
    with resumable, ask(line, transfer, headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            transfer.discard()
        check_answer(response, transfer)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return None
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            half = _check_range(response, transfer, there_bytes, half)
        else:
            there_bytes, half = 0, half_of(response)
            if splitting is not None and worth_splitting(response, half, splitting):
                return half
        tally.expect(transfer.name, half.size_bytes, there_bytes)
        raw.check_space(max(tally.left_bytes(), body_bytes(response) or 0))
        return _receive(response, transfer, there_bytes, half, line, tally)


def _range(there_bytes: int, half: Half) -> dict[str, str]:
    """The headers of a request for the rest, or for everything if it is another file by now."""
    return {"Range": f"bytes={there_bytes}-", "If-Range": half.resumable_by or ""}


def _check_range(
    response: httpx.Response, transfer: Transfer, there_bytes: int, half: Half | None
) -> Half:
    """What is half-way there; starts afresh unless the answer is the rest of that very file."""
    start_bytes, _, size_bytes = content_range(response)
    validators = response.headers.get("ETag"), response.headers.get("Last-Modified")
    same = (
        half is not None
        and start_bytes == there_bytes
        and validators[0] in (None, half.etag)
        and validators[1] in (None, half.last_modified)
        and (size_bytes == half.size_bytes or None in (size_bytes, half.size_bytes))
        and not is_encoded(response)
    )
    if half is None or not same:  # a server that knows no If-Range, or is wrong about it
        transfer.discard()
        raise TryAgain(f"{transfer.what} changed while it was being downloaded", wait_s=0)
    return half if size_bytes is None else half.model_copy(update={"size_bytes": size_bytes})


def _receive(
    response: httpx.Response,
    transfer: Transfer,
    there_bytes: int,
    half: Half,
    line: Line,
    tally: Tally,
) -> RawFile:
    """Write the body after the bytes that are there; the file, once it is whole."""
    digest = hashlib.sha256()
    with transfer.data.open("r+b" if there_bytes else "wb") as file:
        for chunk in _chunks(file, there_bytes):
            digest.update(chunk)
        file.truncate()
        with _Claim.of(transfer, half, file, there_bytes) as claim:
            pace = Pace(transfer.what, line.patience)
            for chunk in response.iter_bytes():
                line.stop.check()
                claim.write(chunk)
                digest.update(chunk)
                pace.add(len(chunk))
                tally.at(transfer.name, claim.done_bytes)
    done_bytes = claim.done_bytes
    _check_length(response, transfer, done_bytes, half)
    return RawFile(
        name=transfer.name,
        sha256=digest.hexdigest(),
        size_bytes=done_bytes,
        url=transfer.where,
        etag=half.etag,
        last_modified=half.last_modified,
    )


@dataclass
class _Claim:
    """The first bytes of an open file, and how many of them are known to be on the disk."""

    transfer: Transfer
    half: Half
    file: BinaryIO
    done_bytes: int
    _saved_at: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, transfer: Transfer, half: Half, file: BinaryIO, there_bytes: int) -> "_Claim":
        """Claim the bytes that are there already, and no others."""
        claim = cls(transfer, half, file, there_bytes)
        transfer.save(half.model_copy(update={"first_bytes": there_bytes}))
        return claim

    def __enter__(self) -> "_Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self._save()

    def write(self, chunk: bytes) -> None:
        """Put a chunk after what is there."""
        self.file.write(chunk)
        self.done_bytes += len(chunk)
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self._save()

    def _save(self) -> None:
        """Claim what is there, after it was brought to the disk; nobody goes on with the others."""
        if self.half.resumable_by is None:
            return
        self.file.flush()
        os.fsync(self.file.fileno())
        self.transfer.save(self.half.model_copy(update={"first_bytes": self.done_bytes}))
        self._saved_at = time.monotonic()


def _chunks(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """The first bytes of an open file, which is then at that position."""
    while size_bytes > 0 and (chunk := file.read(min(CHUNK_BYTES, size_bytes))):
        size_bytes -= len(chunk)
        yield chunk


def _check_length(
    response: httpx.Response, transfer: Transfer, done_bytes: int, half: Half
) -> None:
    """Raise TryAgain unless the body was as long as announced, and the file is whole with it."""
    lengths = (
        (response.num_bytes_downloaded, body_bytes(response), "sent"),
        (done_bytes, half.size_bytes, "came to"),
    )
    for found_bytes, expected_bytes, verb in lengths:
        if expected_bytes is not None and found_bytes != expected_bytes:
            if found_bytes > expected_bytes:
                transfer.discard()
            raise TryAgain(
                f"{transfer.what} {verb} {found_bytes:,} bytes, expected {expected_bytes:,}"
            )
