"""The first bytes of a source, for a look at its records without downloading all of it."""

import bz2
import contextlib
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.errors import SourceError
from schemas.manifest import RawReceipt
from schemas.upstream import HttpUpstream, HubUpstream, Upstream
from tasks.download.answers import (
    Line,
    ask,
    body_bytes,
    check_answer,
    content_range,
    is_encoded,
    open_line,
)
from tasks.download.content import SNIFFED_BYTES, not_data, served_instead
from tasks.download.http import definition_of, transfers
from tasks.download.local import find_local
from tasks.download.pace import Pace
from tasks.download.patience import Patience, TryAgain
from tasks.download.raw import RawFolder
from tasks.download.redact import redact_logs
from tasks.download.state import Transfer
from tasks.lake import Lake

HEAD_BYTES = 4_000_000
WHOLE_BYTES = 256_000_000  # more is not worth a look: download it
INFLATED = 8  # bytes unpacked per byte of the head, at most
PATIENCE = Patience()

WHOLE_SUFFIXES = frozenset(
    {".parquet", ".arrow", ".feather", ".ipc", ".zip", ".tar", ".tgz", ".zst", ".7z", ".xlsx"}
)
WHOLE_STARTS = (b"PAR1", b"PK\x03\x04", b"ARROW1", b"\x28\xb5\x2f\xfd", b"\xff\xff\xff\xff")
"""Of Parquet, zip, Arrow files, Zstandard and Arrow streams: they cannot be read in part."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


UNPACKERS: dict[str, Callable[[], _Unpacker]] = {
    ".gz": lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
}


class NotPacked(Exception):
    """The bytes are not what the file's name says."""


@dataclass(frozen=True)
class Head:
    """Local files that hold the first records of a source, under names like a receipt's.

    `cut` says that the last record of the last file may end in the middle.
    """

    folder: Path
    names: tuple[str, ...]
    cut: bool

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the files lie."""
        return tuple(self.folder / name for name in self.names)


@contextlib.contextmanager
def head(
    source: Upstream,
    lake: Lake,
    max_bytes: int = HEAD_BYTES,
    patience: Patience = PATIENCE,
    columns: Sequence[str] | None = None,
) -> Iterator[Head]:
    """Yield files with a source's first records, to be read until the block ends, never changed.

    A source that is in the lake, or on this machine, is not asked for over the network: it is there
    in full, but of files that are packed with gzip, bzip2 or xz about `max_bytes`, unpacked. Else
    it is the start of its first file: `max_bytes` as they are sent, unpacked like these; or all of
    it, where it is of a kind that cannot be read in part. `columns` as for `fetch.download`.

    Raises:
        SourceError: upstream refuses, has no data, or its first file cannot be read in part and
            is larger than WHOLE_BYTES; as a download's.
        StorageError: the lake cannot be written.
    """
    raw = RawFolder(lake, source.name)
    with lake.scratch() as folder:
        if source.local is not None:
            here = find_local(source.local, raw)
            names, paths = [one.name for one in here], [one.path for one in here]
            yield _start_of(names, paths, folder, max_bytes)
        elif source.http is not None:
            with _http_head(source.http, raw, folder, max_bytes, patience) as found:
                yield found
        elif source.hub is not None:
            yield _hub_head(source.hub, raw, folder, max_bytes, patience, columns)
        else:
            raise AssertionError("a source has exactly one of local, http, hub")


def _remembered_head(raw: RawFolder, receipt: RawReceipt, folder: Path, max_bytes: int) -> Head:
    """What the lake holds: all files of a folder, or the first one of a bucket."""
    wanted = receipt.files if raw.lake.folder is not None else receipt.files[:1]
    paths = (raw.lake.local(f"{receipt.uri}/{file.name}", file.sha256) for file in wanted)
    return _start_of([file.name for file in wanted], paths, folder, max_bytes)


def _start_of(wanted: Sequence[str], paths: Iterable[Path], folder: Path, max_bytes: int) -> Head:
    """Links to files by name, and the beginnings of packed ones: about `max_bytes` of all these.

    What comes after a file of which there is more is left out. A packed file stays as it is where
    the name without its suffix is taken.
    """
    names: list[str] = []
    unpacked_bytes = 0
    for name, path in zip(wanted, paths, strict=True):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        start = place.with_suffix("")
        cut = None
        free = start.relative_to(folder).as_posix() not in wanted and not start.exists()
        if free and path.suffix.lower() in UNPACKERS and not _only_whole(path):
            with contextlib.suppress(NotPacked):  # what it is, its reader says
                cut = _unpack(path, start, max_bytes, max_bytes)
        if cut is None:
            place.symlink_to(path.resolve())
            names.append(name)
            continue
        names.append(start.relative_to(folder).as_posix())
        unpacked_bytes += start.stat().st_size
        if cut or unpacked_bytes >= max_bytes:
            return Head(folder, tuple(names), cut=True)
    return Head(folder, tuple(names), cut=False)


@contextlib.contextmanager
def _http_head(
    upstream: HttpUpstream, raw: RawFolder, folder: Path, max_bytes: int, patience: Patience
) -> Iterator[Head]:
    past = raw.remembered(definition_of(upstream), every_byte=False)
    if past is not None:
        yield _remembered_head(raw, past[1], folder, max_bytes)
        return
    redact_logs()
    with open_line(patience) as line:
        transfer = transfers(upstream, raw.source, folder, None)[0]

        def fetch(most_bytes: int) -> bool:
            cut = line.patience.keep_trying(
                lambda: _attempt(transfer, line, most_bytes), line.next_step(raw.source)
            )
            _check_content(transfer)
            transfer.data.replace(folder / transfer.name)
            return cut

        yield _read(folder, transfer.name, fetch, max_bytes, transfer.what)


def _hub_head(
    upstream: HubUpstream,
    raw: RawFolder,
    folder: Path,
    max_bytes: int,
    patience: Patience,
    columns: Sequence[str] | None,
) -> Head:
    from tasks.download.hub import definition_of as definition_of_hub
    from tasks.download.hub import head_hub
    from tasks.download.hub_repository import Repository

    hub = Repository.open(raw.source, upstream, patience)
    past = raw.remembered(definition_of_hub(hub, columns), every_byte=False)
    if past is not None:
        return _remembered_head(raw, past[1], folder, max_bytes)
    path, cut = head_hub(hub, max_bytes, folder)
    name = path.relative_to(folder).as_posix()

    def fetch(most_bytes: int) -> bool:
        return cut if most_bytes == max_bytes else head_hub(hub, most_bytes, folder)[1]

    return _read(folder, name, fetch, max_bytes, f"source {raw.source!r}: {name}")


def _read(folder: Path, name: str, fetch: Callable[[int], bool], max_bytes: int, what: str) -> Head:
    """The first bytes as they can be read; `fetch` writes them, and says if there are more."""
    path = folder / name
    cut = fetch(max_bytes)
    if not cut:
        return Head(folder, (name,), cut=False)
    if _only_whole(path):
        if fetch(WHOLE_BYTES):
            raise SourceError(
                f"{what} has more than {WHOLE_BYTES:,} bytes, and cannot be read in part. Refresh "
                "a recipe that names the source, then look at it."
            )
        return Head(folder, (name,), cut=False)
    if path.suffix.lower() in UNPACKERS:
        unpacked = path.with_suffix("")
        try:
            _unpack(path, unpacked, max_bytes, max_bytes * INFLATED)
        except NotPacked as error:
            raise SourceError(
                f"{what} is not packed as its name says: {error}. Give a copy with --from."
            ) from error
        name = unpacked.relative_to(folder).as_posix()
    return Head(folder, (name,), cut=True)


def _check_content(transfer: Transfer) -> None:
    with transfer.data.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
    found = served_instead(start, transfer.name, transfer.data.stat().st_size)
    if found is not None:
        raise not_data(transfer.what, found, transfer.source, transfer.url)


def _attempt(transfer: Transfer, line: Line, max_bytes: int) -> bool:
    with ask(line, transfer, {"Range": f"bytes=0-{max_bytes - 1}"}) as response:
        if response.status_code == 416:  # of an empty file, no first byte can be asked for
            raise not_data(transfer.what, "nothing (0 bytes)", transfer.source)
        check_answer(response, transfer)
        first, _, whole_bytes = content_range(response)
        if response.status_code == 206 and first != 0:
            raise TryAgain(f"{transfer.what} was asked for its first bytes and answers with others")
        if response.status_code == 200 and not is_encoded(response):
            whole_bytes = body_bytes(response)
        pace = Pace(transfer.what, line.patience)
        done_bytes = 0
        with transfer.data.open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk[: max_bytes - done_bytes])
                done_bytes += len(chunk)
                pace.add(len(chunk))
                if done_bytes > max_bytes:
                    return True
    if whole_bytes is not None and done_bytes < min(whole_bytes, max_bytes):
        raise TryAgain(f"{transfer.what} sent {done_bytes:,} bytes of {whole_bytes:,}")
    return done_bytes >= max_bytes if whole_bytes is None else done_bytes < whole_bytes


def _only_whole(path: Path) -> bool:
    """Whether a file is of a kind that cannot be read in part, by its name and first bytes."""
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    by_name = not WHOLE_SUFFIXES.isdisjoint(suffixes)
    return by_name or start[257:262] == b"ustar" or start.startswith(WHOLE_STARTS)


def _unpack(packed: Path, path: Path, packed_bytes: int, max_bytes: int) -> bool:
    """Unpack the first bytes of a file, no more than `max_bytes`; returns whether there are more.

    Raises:
        NotPacked: they are not what its suffix says.
    """
    unpacker = UNPACKERS[packed.suffix.lower()]()
    with packed.open("rb") as file:
        first, more = file.read(packed_bytes), bool(file.read(1))
    try:
        text = unpacker.decompress(first, max_bytes)
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise NotPacked(str(error)) from error
    path.write_bytes(text)
    return more or not unpacker.eof or bool(unpacker.unused_data)
