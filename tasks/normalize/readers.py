"""A source's files to rows of strings: what a file is, its content says and not its name."""

import bz2
import codecs
import gzip
import lzma
import mmap
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from tasks.normalize.columnar import is_columnar, read_columnar
from tasks.normalize.delimited import delimiter_of, read_delimited
from tasks.normalize.json_rows import is_json, read_json
from tasks.normalize.raw import OFFSET, Batch, Damage, excerpt

HEAD_BYTES = 64 << 10
COPY_BYTES = 1 << 20

_PACKED: dict[bytes, Callable[[Path], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    b"\x1f\x8b\x08": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_file(
    path: Path, wanted: tuple[str, ...], positional: tuple[str, ...], scratch: Path
) -> Iterator[Batch]:
    """Rows and damage of one local file, in batches of bounded size and in the file's order.

    `scratch` is a folder for the plain bytes of a compressed file. A file in no known format is
    one `Damage`; an empty file is nothing.
    """
    plain, cut = unpack(path, scratch)
    size = plain.stat().st_size
    if size:
        yield from _read_plain(plain, wanted, positional)
    if cut is not None:
        yield Batch(no_rows(wanted), (Damage(size, cut, ""),))


def unpack(path: Path, scratch: Path) -> tuple[Path, str | None]:
    """The file, or its plain UTF-8 bytes in `scratch`; and what cut it short, if anything."""
    with path.open("rb") as file:
        head = file.read(64)
    opened = next((opener for magic, opener in _PACKED.items() if head.startswith(magic)), None)
    if opened is None and not (head.startswith(_UTF16) and b"\0" in head):
        return path, None
    plain = scratch / "plain"
    cut = None
    with plain.open("wb") as target:
        if opened is None:
            return plain, _from_utf16(path, target)
        with opened(path) as packed:
            try:
                while chunk := packed.read1(COPY_BYTES):
                    target.write(chunk)
            except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
                cut = f"the compressed file is damaged: {error}"
    return (plain, cut) if plain.stat().st_size or cut is None else (path, None)


def _from_utf16(path: Path, target: BinaryIO) -> str | None:
    """Write UTF-16 text as UTF-8; returns what cut it short, if anything.

    A lone surrogate stays one, which is not valid UTF-8: whoever reads the row will see it.
    """
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    with path.open("rb") as file:
        try:
            while chunk := file.read(COPY_BYTES):
                target.write(decoder.decode(chunk).encode("utf-8", "surrogatepass"))
            target.write(decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            return f"the UTF-16 text is damaged: {error.reason}"
    return None


def no_rows(wanted: tuple[str, ...]) -> pl.DataFrame:
    """The rows of a batch that has none."""
    return pl.DataFrame(schema={OFFSET: pl.UInt64, **dict.fromkeys(wanted, pl.String)})


def _read_plain(
    path: Path, wanted: tuple[str, ...], positional: tuple[str, ...]
) -> Iterator[Batch]:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if is_columnar(head):
            try:
                yield from read_columnar(path, wanted)
            except (pl.exceptions.PolarsError, OSError) as error:
                yield _unreadable(head, wanted, f"the columns cannot be read: {error}")
            return
        # Not closed by hand: an error may still hold views of it, and then closing raises another.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for batch in _batches(data, head, wanted, positional):
        yield batch
        if hasattr(data, "madvise"):
            # Pages that were read need not stay in memory; those wanted again come from the cache.
            data.madvise(mmap.MADV_DONTNEED)


def _batches(
    data: mmap.mmap, head: bytes, wanted: tuple[str, ...], positional: tuple[str, ...]
) -> Iterator[Batch]:
    delimiter = delimiter_of(head)
    head = head.removeprefix(codecs.BOM_UTF8)
    if is_json(head):
        yield from read_json(data, wanted)
    elif delimiter is not None:
        yield from read_delimited(data, delimiter, wanted, positional)
    elif head.strip():
        yield _unreadable(head, wanted, "expected JSON, JSON Lines, TSV, CSV, Parquet or Arrow")


def _unreadable(head: bytes, wanted: tuple[str, ...], message: str) -> Batch:
    return Batch(no_rows(wanted), (Damage(0, message[:300], excerpt(head)),))
