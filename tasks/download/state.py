"""One URL on its way into one local file, and what is known of it between two processes.

Two files lie side by side: the data, and what is known of it. The second never speaks of bytes
that the first does not have: data is on the disk before it is claimed.
"""

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from pydantic import Field, ValidationError

from schemas.frozen import Frozen
from schemas.manifest import RawFile
from schemas.urls import shown


class Part(Frozen):
    """Bytes `start` to `end`, without the latter; the first `done_bytes` of them are there."""

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    done_bytes: int = Field(0, ge=0)


class Half(Frozen):
    """What is known of a file that is half-way there: its validators, its size and its parts.

    Without parts, the bytes that are there are the first ones of the file, `first_bytes` of them.
    """

    etag: str | None = None
    last_modified: str | None = None
    size_bytes: int | None = None
    encoded: bool = Field(False, description="what is written is not what was sent")
    parts: tuple[Part, ...] = ()
    first_bytes: int = Field(0, ge=0)

    @property
    def resumable_by(self) -> str | None:
        """The validator for If-Range: an ETag that is not weak, or else the date."""
        return None if self.encoded else self.strong_etag or self.last_modified

    @property
    def strong_etag(self) -> str | None:
        """The ETag, if equal ones mean equal bytes (RFC 9110, 8.8.1)."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag

    @property
    def done_bytes(self) -> int:
        """Bytes that are there."""
        return self.first_bytes + sum(part.done_bytes for part in self.parts)


@dataclass(frozen=True)
class Transfer:
    """One URL on its way into one local file; `half` and `data` outlive the process."""

    source: str
    url: str
    name: str
    data: Path
    half: Path
    known: RawFile | None

    @property
    def where(self) -> str:
        """The URL, as it may be shown."""
        return shown(self.url)

    @property
    def what(self) -> str:
        """How every message about it starts."""
        return f"source {self.source!r}: {self.where}"

    @property
    def suffix(self) -> str:
        """The last suffix of the file's name, in lower case."""
        return PurePosixPath(self.name).suffix.lower()

    def start(self) -> tuple[int, Half | None]:
        """How many bytes are there to go on from, and what is known of them.

        There is always something left to ask for, even of a whole file: the answer tells whether
        it is still the same.
        """
        try:
            half = Half.model_validate_json(self.half.read_bytes())
            size_bytes = self.data.stat().st_size
        except (FileNotFoundError, ValidationError):
            return 0, None
        if half.parts:
            return _started_parts(half, size_bytes)
        whole_bytes = half.size_bytes
        there_bytes = min(size_bytes, half.first_bytes)
        if half.resumable_by is None or size_bytes > (whole_bytes or size_bytes) or not there_bytes:
            return 0, None
        return (there_bytes - 1 if there_bytes == whole_bytes else there_bytes), half

    def save(self, half: Half) -> None:
        """Write what is known, replacing it at once: a kill leaves the old or the new."""
        new = self.half.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            file.write(half.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.half)

    def discard(self) -> None:
        """Forget the bytes that are there."""
        self.half.unlink(missing_ok=True)
        self.data.unlink(missing_ok=True)


def _started_parts(half: Half, size_bytes: int) -> tuple[int, Half | None]:
    edges = [0, *(part.end for part in half.parts)]
    tiled = all(
        start == part.start < part.end and part.done_bytes <= part.end - part.start
        for (start, _), part in zip(pairwise(edges), half.parts, strict=True)
    )
    if not tiled or not size_bytes == half.size_bytes == edges[-1] or half.strong_etag is None:
        return 0, None
    if half.done_bytes == size_bytes:
        last = half.parts[-1]
        asked = last.model_copy(update={"done_bytes": last.done_bytes - 1})
        half = half.model_copy(update={"parts": (*half.parts[:-1], asked)})
    return half.done_bytes, half
