"""Compressed bytes to plain ones in a scratch file, as far as they are whole and within bounds.

How a file is compressed, its content says and not its name. Files of several gzip members, bzip2 or
xz streams or Zstandard frames are read to the end of the last.
"""

import bz2
import codecs
import gzip
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import TarError
from typing import IO

from schemas.errors import SourceError
from schemas.source import Source

HEAD_BYTES = 512
STEP_BYTES = 64 << 10
"""Decoders hand on at most so many bytes at once, whatever the input: what is in memory."""

UNSUSPECTED_BYTES = 64 << 20
"""So much may come out of the smallest file: one row again and again shrinks a thousandfold."""

LZMA_MEMORY_BYTES = 256 << 20  # `xz -9` takes 65 MiB; Zstandard's own bound is a 128 MiB window

DAMAGES = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    TarError,
    struct.error,
    ValueError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)
"""What decoders raise of bytes that are not what they should be."""

Codec = Callable[[IO[bytes]], Iterator[bytes]]

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Allowance:
    """How much may come out of one downloaded file; counts what did, whatever headers claim."""

    def __init__(self, where: str, packed_bytes: int, source: Source) -> None:
        """For a file of `packed_bytes` that errors call `where`."""
        self._where, self._packed_bytes, self._source = where, packed_bytes, source
        self._bytes = 0

    def take(self, size_bytes: int) -> None:
        """Count some more bytes; raises SourceError where they are more than the source allows."""
        self._bytes += size_bytes
        limits = self._source.unpacking
        if self._bytes > limits.max_bytes:
            raise self._bomb(f"{limits.max_bytes:,}", "max_bytes")
        if self._bytes > max(UNSUSPECTED_BYTES, limits.max_ratio * self._packed_bytes):
            raise self._bomb(f"{limits.max_ratio:g} for each of its bytes", "max_ratio")

    def _bomb(self, most: str, key: str) -> SourceError:
        return SourceError(
            f"source {self._source.name!r}: {self._where} has {self._packed_bytes:,} bytes, and "
            f"{self._bytes:,} came out of it before it was stopped, expected at most {most}: it "
            f"may be a decompression bomb. If it is what it should be, raise unpacking.{key} in "
            f"the source file {self._source.name}.yaml."
        )


def unpack(path: Path, target: Path, allowance: Allowance) -> tuple[Path, str | None]:
    """The file itself, or its plain bytes in `target`; and what cut them short, if anything.

    Raises:
        SourceError: more comes out than is allowed.
    """
    with path.open("rb") as file:
        codec = codec_of(file.read(HEAD_BYTES))
        if codec is None:
            return path, None
        file.seek(0)
        cut = pour(codec(file), target, allowance)
    return target, cut and f"the compressed file is damaged: {cut}"


def pour(chunks: Iterator[bytes], target: Path, allowance: Allowance) -> str | None:
    """Write what a decoder gives to a new file; returns what its end is short of, if anything.

    Raises:
        SourceError: more comes out than is allowed.
    """
    target.unlink(missing_ok=True)  # whoever still maps the last file of that name keeps its bytes
    with target.open("wb") as file:
        while True:
            try:
                chunk = next(chunks, None)
            except DAMAGES as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                return str(error) or type(error).__name__
            if chunk is None:
                return None
            allowance.take(len(chunk))
            file.write(chunk)


def as_utf8(path: Path, target: Path) -> tuple[Path, str | None]:
    """The file itself, or UTF-16 text as UTF-8 in `target`; and what cut it short, if anything.

    A lone surrogate stays one, which is not valid UTF-8: whoever reads the row will see it.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not (head.startswith(_UTF16) and b"\0" in head):
            return path, None
        file.seek(0)
        target.unlink(missing_ok=True)
        decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
        with target.open("wb") as plain:
            try:
                while chunk := file.read(STEP_BYTES):
                    plain.write(decoder.decode(chunk).encode("utf-8", "surrogatepass"))
                plain.write(decoder.decode(b"", final=True).encode("utf-8", "surrogatepass"))
            except UnicodeDecodeError as error:
                return target, f"the UTF-16 text is damaged: {error.reason}"
    return target, None


def stored(plain: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a stream as they are."""
    while chunk := plain.read(STEP_BYTES):
        yield chunk


def deflated(packed: IO[bytes]) -> Iterator[bytes]:
    """The plain bytes of a raw DEFLATE stream (RFC 1951)."""
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    while piece := decompressor.unconsumed_tail or packed.read(STEP_BYTES):
        yield decompressor.decompress(piece, STEP_BYTES)
        if decompressor.eof:
            return
    yield decompressor.flush()
    if not decompressor.eof:
        raise EOFError(_NO_END)


def bzip2(packed: IO[bytes]) -> Iterator[bytes]:
    """The plain bytes of one bzip2 stream after another."""
    return _streams(packed, bz2.BZ2Decompressor)


def xz(packed: IO[bytes], header: bytes = b"") -> Iterator[bytes]:
    """The plain bytes of one xz or legacy `.lzma` stream after another; `header` comes first."""
    return _streams(packed, lambda: lzma.LZMADecompressor(memlimit=LZMA_MEMORY_BYTES), header)


def zstandard(packed: IO[bytes]) -> Iterator[bytes]:
    """The plain bytes of one Zstandard frame after another, of windows up to 128 MiB."""
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, mode="r"), "zstd") as plain:
        while chunk := plain.read(STEP_BYTES):
            yield chunk


def _gzip(packed: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=packed) as plain:
        while chunk := plain.read1(STEP_BYTES):
            yield chunk


def _streams(
    packed: IO[bytes],
    new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
    piece: bytes = b"",
) -> Iterator[bytes]:
    """The plain bytes of one stream after another; NULs between them are padding."""
    decompressor = new()
    while True:
        if decompressor.eof:
            piece = decompressor.unused_data.lstrip(b"\0")
            while not piece:
                read = packed.read(STEP_BYTES)
                if not read:
                    return
                piece = read.lstrip(b"\0")
            decompressor = new()
        elif decompressor.needs_input and not piece:
            piece = packed.read(STEP_BYTES)
            if not piece:
                raise EOFError(_NO_END)
        yield decompressor.decompress(piece, STEP_BYTES)
        piece = b""


_NO_END = "it ends before its end-of-stream marker"
_CODECS = {
    re.compile(magic, re.DOTALL): codec
    for magic, codec in {
        rb"\x1f\x8b\x08": _gzip,
        rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)": bzip2,
        rb"\xfd7zXZ\0": xz,
        rb"\]\0\0..(?:\xff{8}|.{5}\0{3})": xz,  # what `lzma` wrote before there was xz
        rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18": zstandard,
    }.items()
}


def codec_of(head: bytes) -> Codec | None:
    """What unpacks a file that begins like this; None where it is not compressed."""
    return next((codec for magic, codec in _CODECS.items() if magic.match(head)), None)
