"""A receipt's raw files, compressed, packed and encoded as they are, to plain local files."""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from schemas.manifest import RawFile, RawReceipt
from schemas.source import Source
from tasks.lake import Lake
from tasks.normalize.archive import Member, is_archive, members
from tasks.normalize.raw import Damage
from tasks.normalize.unpack import HEAD_BYTES, Allowance, as_utf8, codec_of, pour, unpack

_PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".zst")
_PICKLE_SUFFIXES = (".pkl", ".pickle")
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_OTHER_ARCHIVES = {b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive", b"Rar!\x1a\x07": "a RAR archive"}


@dataclass(frozen=True)
class Plain:
    """One file of a source as plain bytes, and what is missing of them.

    `name` is the raw file's, with that of an archive's member behind it; `stem` is the category
    that the name tells. `path` is None where there is nothing to read, which `damage` explains;
    else `damage` is what stands behind the file's last row, if anything.
    """

    name: str
    stem: str
    path: Path | None
    damage: Damage | None = None


def plain_files(receipt: RawReceipt, source: Source, lake: Lake) -> Generator[Plain]:
    """Every file of a source, archives as their members, in the order of the receipt.

    One at a time: a file's bytes can be had until the next is asked for. Nothing is loaded that
    could run code.

    Raises:
        SourceError: an archive has hostile names, or more comes out of a file than is allowed.
        SourceMissing: the source wants no member of an archive.
        StorageError: there is no room for the plain bytes, or the lake cannot be read.
    """
    for file in receipt.files:
        with lake.scratch() as scratch:
            path = lake.local(f"{receipt.uri}/{file.name}", file.sha256)
            yield from _plain(path, file, origin_of(receipt, file), source, scratch)


def origin_of(receipt: RawReceipt, file: RawFile) -> str:
    """Where people find what a raw file is a copy of: its URL, or its path on this machine."""
    if file.url is not None:
        return file.url
    whole = PurePosixPath(receipt.upstream)
    return str(whole if whole.name == file.name else whole / file.name)


def stem(name: str) -> str:
    """A file's name without folders, packing and suffix: `a/coding.json.gz` is `coding`."""
    path = PurePosixPath(name)
    return path.with_suffix("").stem if path.suffix in _PACKED_SUFFIXES else path.stem


def _plain(path: Path, file: RawFile, where: str, source: Source, scratch: Path) -> Iterator[Plain]:
    """The one file that a raw file is, or those that it holds."""
    allowance = Allowance(where, file.size_bytes, source)
    unpacked, cut = unpack(path, scratch / "unpacked", allowance)
    if not is_archive(unpacked):
        yield _readable(file.name, stem(file.name), unpacked, cut, scratch)
        return
    allowance = Allowance(where, file.size_bytes, source)
    for member in members(unpacked, where, source):
        if member.path is None:
            cut = cut or member.problem
        else:
            name, kind = f"{file.name}/{member.name}", stem(str(member.path))
            yield _unpacked_member(name, kind, member, allowance, scratch)
    if cut is not None:
        yield _nothing(file.name, stem(file.name), cut, unpacked.stat().st_size)


def _unpacked_member(
    name: str, kind: str, member: Member, allowance: Allowance, scratch: Path
) -> Plain:
    if member.problem is not None:
        return _nothing(name, kind, member.problem)
    packed = scratch / "member"
    short = pour(member.chunks(), packed, allowance)
    plain, cut = unpack(packed, scratch / "unpacked member", allowance)
    if is_archive(plain):
        return _nothing(name, kind, "an archive inside an archive, which is not read: unpack it")
    return _readable(
        name, kind, plain, f"the member is damaged: {short}" if short else cut, scratch
    )


def _readable(name: str, kind: str, path: Path, cut: str | None, scratch: Path) -> Plain:
    """A file as UTF-8 text, or as it is where it is no text; nothing of one that is refused."""
    with path.open("rb") as file:
        refusal = _refusal(name, file.read(HEAD_BYTES))
    if refusal is not None:
        return _nothing(name, kind, refusal)
    text, spoilt = as_utf8(path, scratch / "text")
    problem = cut or spoilt
    damage = None if problem is None else Damage(text.stat().st_size, problem, "")
    return Plain(name, kind, text, damage)


def _refusal(name: str, head: bytes) -> str | None:
    """Why a file of that name and beginning is not read, if so."""
    if _PICKLE.match(head) or name.lower().endswith(_PICKLE_SUFFIXES):
        return "a pickle, which could run code if it were loaded: convert it to JSON Lines"
    for magic, kind in _OTHER_ARCHIVES.items():
        if head.startswith(magic):
            return f"{kind}, which is not read: pack it as zip or tar"
    return None if codec_of(head) is None else "compressed more than once: unpack it"


def _nothing(name: str, kind: str, problem: str, offset: int = 0) -> Plain:
    return Plain(name, kind, None, Damage(offset, problem, ""))
