"""Zip and tar archives: their members one by one, none written under a name of its own.

Members come sorted by the parts of their names, so that the same files packed in another order give
the same rows. Of no use and passed over: folders, hidden files (`.DS_Store`, `__MACOSX/`), what
`source.members` does not match, and documents that lie beside data (`README.md`, `LICENSE`) unless
`source.members` has their very name. Everything else comes out, as bytes or as a problem.
"""

import io
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from schemas.errors import SourceError, SourceMissing
from schemas.source import Source
from tasks.documents import is_document
from tasks.normalize.unpack import (
    DAMAGES,
    HEAD_BYTES,
    STEP_BYTES,
    Codec,
    bzip2,
    deflated,
    stored,
    xz,
    zstandard,
)

LISTED_NAMES = 30
MAX_HEADER_BYTES = 1 << 20

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LZMA_HEADER = struct.Struct("<2xH")
_ENCRYPTED, _LZMA_END_MARKER = 1 << 0, 1 << 1
_ZSTANDARD = 93
_LITTER = ("__MACOSX", "Thumbs.db", "desktop.ini")
_DRIVE = re.compile(r"[A-Za-z]:")

Chunks = Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Member:
    """One file of an archive: its bytes, or why there are none.

    `name` is unique, `path` as the archive has it. `path` is None where `problem` is one of the
    archive as a whole.
    """

    name: str
    path: PurePosixPath | None
    chunks: Chunks = lambda: iter(())
    problem: str | None = None


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return head.startswith(_ZIP) or _is_tar(head)


def members(path: Path, where: str, source: Source) -> Iterator[Member]:
    """What `source` wants of an archive; a member's bytes can be had until the next is asked for.

    The last may be the problem of an archive that is damaged. Errors call the archive `where`.

    Raises:
        SourceError: a member's name would leave a folder into which the archive were unpacked.
        SourceMissing: no member is wanted.
    """
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP[0])) in _ZIP
    with _zip_members(path) if zipped else _tar_members(path) as (found, damage):
        for member in found:
            _check_name(member.name, where, source)
        wanted = [member for member in found if _is_wanted(member.path, source.members)]
        if not wanted and damage is None:
            raise _nothing_wanted(found, where, source)
        yield from _numbered(sorted(wanted, key=_parts))
        if damage is not None:
            yield Member("", None, problem=f"the archive is damaged: {damage}")


Found = tuple[list[Member], str | None]


@contextmanager
def _zip_members(path: Path) -> Iterator[Found]:
    """The members of a zip archive but folders, and what is wrong with it."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except DAMAGES as error:
            yield [], str(error)
            return
        file = stack.enter_context(path.open("rb"))
        yield (
            [
                _member(info.filename, partial(_zip_chunks, file, info), _zip_problem(info))
                for info in archive.infolist()
                if not info.is_dir()
            ],
            None,
        )


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "encrypted: unpack it with its password, and name the files as a local source"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a symbolic link, which is not followed"
    return None if kind in (0, stat.S_IFREG) else "a device or pipe, which is not read"


def _zip_chunks(file: IO[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The plain bytes of a member; the sizes that headers claim for them are not believed."""
    if info.header_offset < 0:
        raise zipfile.BadZipFile("the archive's listing says that it begins before the archive")
    file.seek(info.header_offset)
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != _ZIP[0]:
        raise zipfile.BadZipFile("there is no member where the archive's listing says")
    start = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    packed = io.BufferedReader(_Slice(file, start, info.compress_size), STEP_BYTES)
    checksum = 0
    for chunk in _zip_codec(info)(packed):
        checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if checksum != info.CRC:
        raise zipfile.BadZipFile(f"expected CRC-32 {info.CRC:08x}, found {checksum:08x}")


def _zip_codec(info: zipfile.ZipInfo) -> Codec:
    codecs: dict[int, Codec] = {
        zipfile.ZIP_STORED: stored,
        zipfile.ZIP_DEFLATED: deflated,
        zipfile.ZIP_BZIP2: bzip2,
        zipfile.ZIP_LZMA: partial(_zip_lzma, info),
        _ZSTANDARD: zstandard,
    }
    try:
        return codecs[info.compress_type]
    except KeyError:
        raise NotImplementedError(
            f"its compression method {info.compress_type} is not known: pack it as deflate"
        ) from None


def _zip_lzma(info: zipfile.ZipInfo, packed: IO[bytes]) -> Iterator[bytes]:
    """The same properties stand in another header than that of a `.lzma` file: make one of it."""
    (properties_bytes,) = _LZMA_HEADER.unpack(packed.read(_LZMA_HEADER.size))
    size = -1 if info.flag_bits & _LZMA_END_MARKER else info.file_size
    header = packed.read(properties_bytes) + size.to_bytes(8, "little", signed=True)
    return xz(packed, header)


class _Slice(io.RawIOBase):
    """Some bytes of a file."""

    def __init__(self, file: IO[bytes], start: int, size_bytes: int) -> None:
        self._file, self._position, self._stop = file, start, start + size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._position)
        chunk = self._file.read(min(len(buffer), self._stop - self._position))
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)


class _Wary(io.BufferedReader):
    """A tar archive whose headers cannot have all of it read into memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header at byte {self.tell()} claims {size} bytes")
        return super().read(size)


def _is_tar(head: bytes) -> bool:
    """Whether a tar header stands here, which holds its own checksum."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


@contextmanager
def _tar_members(path: Path) -> Iterator[Found]:
    """The members of a tar archive but folders, and what is wrong with it."""
    found: list[Member] = []
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_Wary(io.FileIO(path)))
            archive = stack.enter_context(
                tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape")
            )
            last = -1
            for info in archive:
                if archive.offset <= last:
                    raise tarfile.ReadError(f"the member at byte {info.offset} has a negative size")
                last = archive.offset
                if not info.isdir():
                    found.append(
                        _member(info.name, partial(_tar_chunks, archive, info), _tar_problem(info))
                    )
            damage = _tar_end(path, archive.offset)
        except DAMAGES as error:
            damage = str(error)
        yield found, damage


def _tar_end(path: Path, offset: int) -> str | None:
    """What is wrong with the end of an archive, which is a block of zeros.

    Of a damaged header in the middle the standard library only says that there the archive ends.
    """
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(tarfile.BLOCKSIZE)
    if not block:
        return f"it ends at byte {offset} without its end marker"
    return f"there is no member's header at byte {offset}" if block.strip(b"\0") else None


def _tar_problem(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return f"a {'symbolic' if info.issym() else 'hard'} link, which is not followed"
    return None if info.isreg() else "a device or pipe, which is not read"


def _tar_chunks(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(info)
    if file is not None:
        with file:
            while chunk := file.read1(STEP_BYTES):  # type: ignore[attr-defined]
                yield chunk


def _member(name: str, chunks: Chunks, problem: str | None) -> Member:
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Member(text, PurePosixPath(text), chunks, problem)


def _check_name(name: str, where: str, source: Source) -> None:
    r"""Raise SourceError of a name that is absolute, has a drive or goes up; `\` counts as `/`."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or _DRIVE.match(plain) or ".." in plain.split("/"):
        raise SourceError(
            f"source {source.name!r}: {where} has a member named {name!r}, expected names inside "
            "the archive's own folder: such a name is made to overwrite files elsewhere, and "
            "nothing of the archive was read. Get the data from its maker, or unpack the archive "
            "by hand and name its folder as a local source."
        )


def _is_wanted(path: PurePosixPath | None, patterns: Sequence[str]) -> bool:
    if path is None or any(part.startswith(".") or part in _LITTER for part in path.parts):
        return False
    if is_document(path.name):
        return str(path) in patterns
    return any(_matches(path.parts, _parts_of(pattern)) for pattern in patterns)


def _parts_of(pattern: str) -> tuple[str, ...]:
    """The parts of a pattern; a last `**` means the files below."""
    parts = PurePosixPath(pattern).parts
    return (*parts, "*") if parts[-1:] == ("**",) else parts


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether a path matches as in `Path.glob`: `**` is any number of folders."""
    if not parts or not pattern:
        return parts == pattern
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern)
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _parts(member: Member) -> tuple[str, ...]:
    return member.path.parts if member.path else ()


def _numbered(found: Iterable[Member]) -> Iterator[Member]:
    """The same, `#2` after the name of the second of that name, and so on."""
    times: Counter[str] = Counter()
    for member in found:
        name = str(member.path)
        times[name] += 1
        yield replace(member, name=name if times[name] == 1 else f"{name}#{times[name]}")


def _nothing_wanted(found: Sequence[Member], where: str, source: Source) -> SourceMissing:
    names = sorted(member.name for member in found)
    more = f" and {len(names) - LISTED_NAMES:,} more" if len(names) > LISTED_NAMES else ""
    listing = ", ".join(map(repr, names[:LISTED_NAMES]))
    return SourceMissing(
        f"source {source.name!r}: no file in {where} matches "
        f"{', '.join(map(repr, source.members))}. "
        f"{f'There are: {listing}{more}.' if names else 'There is none at all.'} Correct `members` "
        f"in the source file {source.name}.yaml."
    )
