"""One source's part of the lake, `raw/<source>/`: files, receipts, and what is half-way there.

<digest>/<file names>, <digest>/receipt.json    a download; the receipt is written last
upstream.json                                   what upstream said last time, per definition
partial/                                        downloads that were cut, to be resumed
"""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from schemas.errors import SourceChanged, StorageError
from schemas.frozen import Frozen
from schemas.manifest import RawFile, RawReceipt
from schemas.seal import UNSEALED, is_intact, sealed
from schemas.upstream import SHA256_PATTERN
from tasks.download.names import RECEIPT
from tasks.lake import Lake, digest_of, storage_errors

REMEMBERED_DEFINITIONS = 16  # a source's definition changes a few times in its life
MEGABYTE = 1_000_000


class Remembered(Frozen):
    """What the last download by one upstream definition got, with upstream's latest validators."""

    definition: str = Field(pattern=SHA256_PATTERN, description="digest of the definition")
    digest: str = Field(pattern=SHA256_PATTERN, description="names the receipt")
    revision: str | None = None
    kept: str | None = Field(
        None, description="digest of what a stream keeps of a file; null where files are whole"
    )
    files: tuple[RawFile, ...]


class Memory(Frozen):
    """`upstream.json`: the last download by each definition, the latest last."""

    downloads: tuple[Remembered, ...] = ()


@dataclass(frozen=True)
class Obtained:
    """A file that is wholly there: in a local file to be moved, or under a key of the lake."""

    file: RawFile
    path: Path | None = None
    key: str | None = None


@dataclass(frozen=True)
class RawFolder:
    """`raw/<source>/` in a lake."""

    lake: Lake
    source: str

    @property
    def key(self) -> str:
        """The folder's key."""
        return f"raw/{self.source}"

    def key_of(self, digest: str, name: str) -> str:
        """The key of one file of a download."""
        return f"{self.key}/{digest}/{name}"

    def find(self, digest: str, every_byte: bool = True) -> RawReceipt | None:
        """The receipt of a download whose every file is there as it came; else None.

        Every byte is read, so that a damaged file is downloaded anew, or only sizes are looked at.
        """
        data = self.lake.read_if_any(self.key_of(digest, RECEIPT))
        if data is None:
            return None
        try:
            receipt = RawReceipt.model_validate_json(data)
        except ValidationError:
            return None
        if not is_intact(data, receipt.seal) or receipt.digest != digest:
            return None
        files = [(self.key_of(digest, file.name), file) for file in receipt.files]
        whole = all(self.lake.size_bytes(key) == file.size_bytes for key, file in files)
        if whole and every_byte:
            whole = all(self.lake.is_intact(key, file.sha256) for key, file in files)
        return receipt.model_copy(update={"seal": None}) if whole else None

    def keep(
        self,
        obtained: Sequence[Obtained],
        upstream: str,
        definition: str,
        revision: str | None = None,
        kept: str | None = None,
    ) -> RawReceipt:
        """Move the files to their place, write the receipt last, and remember the download.

        Where a receipt for the same names and bytes is there already, that one is returned as is.
        """
        files = tuple(one.file for one in obtained)
        digest = digest_of([[file.name, file.sha256] for file in files])
        receipt = self.find(digest)
        if receipt is None:
            for one in obtained:
                self._place(one, self.key_of(digest, one.file.name))
            receipt = RawReceipt(
                source=self.source,
                uri=f"{self.key}/{digest}",
                digest=digest,
                revision=revision,
                upstream=upstream,
                files=files,
            )
            unsealed = receipt.model_copy(update={"seal": UNSEALED})
            data = sealed(unsealed.model_dump_json(indent=1).encode())
            self.lake.put(self.key_of(digest, RECEIPT), data)
        self._remember(
            Remembered(
                definition=definition, digest=digest, revision=revision, kept=kept, files=files
            )
        )
        return receipt

    def remembered(
        self, definition: str, every_byte: bool = True
    ) -> tuple[Remembered, RawReceipt] | None:
        """The last download by this definition and its receipt, if `find` has all of it."""
        for past in self._memory().downloads:
            if past.definition == definition:
                receipt = self.find(past.digest, every_byte)
                return (past, receipt) if receipt is not None else None
        return None

    def receipts(self) -> Iterator[RawReceipt]:
        """Every download whose files are there by their sizes; nobody looked at their bytes."""
        for digest in self.lake.folders(self.key):
            receipt = self.find(digest, every_byte=False)
            if receipt is not None:
                yield receipt

    def streams(self, kept: str) -> Iterator[Remembered]:
        """The remembered streams that kept the same of their files, which are as in `receipts`."""
        for past in self._memory().downloads:
            if past.kept == kept and self.find(past.digest, every_byte=False) is not None:
                yield past

    @contextlib.contextmanager
    def partial(self, name: str) -> Iterator[Path]:
        """A local folder for what is half-way there, still there after a failure or a kill.

        It is gone once the block has succeeded, and with it every other leftover of the source.
        One process of this machine at a time; the next one waits.
        """
        parent = self.lake.disk / self.key / "partial"
        with self.lake.lock(f"{self.key}/partial"), storage_errors("write", str(parent)):
            folder = parent / name
            folder.mkdir(parents=True, exist_ok=True)
            yield folder
            shutil.rmtree(parent)

    def check_space(self, needed_bytes: int) -> None:
        """Raise StorageError unless that many more bytes fit on the disk that they come to."""
        disk = self.lake.disk
        with storage_errors("look at", str(disk)):
            disk.mkdir(parents=True, exist_ok=True)
            free_bytes = shutil.disk_usage(disk).free
        if free_bytes < needed_bytes:
            raise StorageError(
                f"cannot write {disk / self.key}: the download needs "
                f"{needed_bytes / MEGABYTE:,.1f} MB, {free_bytes / MEGABYTE:,.1f} MB are free. "
                "Free some space, then run it again: what is there already is kept."
            )

    def _place(self, one: Obtained, key: str) -> None:
        if one.path is not None:
            self.lake.adopt(one.path, key, one.file.sha256)
        elif one.key is not None and one.key != key:
            self.lake.copy(one.key, key)

    def _memory(self) -> Memory:
        data = self.lake.read_if_any(f"{self.key}/upstream.json")
        try:
            return Memory.model_validate_json(data) if data is not None else Memory()
        except ValidationError:
            return Memory()

    def _remember(self, download: Remembered) -> None:
        others = [
            past for past in self._memory().downloads if past.definition != download.definition
        ]
        memory = Memory(downloads=(*others, download)[-REMEMBERED_DEFINITIONS:])
        data = memory.model_dump_json(indent=1).encode()
        self.lake.put(f"{self.key}/upstream.json", data)


def check_pin(file: RawFile, pin: str | None, where: str, source: str) -> None:
    """Raise SourceChanged unless the file is the one that the source file pins, if it pins one."""
    if pin is not None and file.sha256 != pin:
        raise SourceChanged(
            f"source {source!r}: {where} is not the pinned file: expected sha256 {pin[:12]}…, "
            f"found {file.sha256[:12]}…. Look at what changed; if the new file is wanted, set its "
            f"sha256 in the source's file: {file.sha256}"
        )
