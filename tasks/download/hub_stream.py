"""Parquet of the Hub, streamed: the columns in use, in parts of bounded size, resumed by the part.

`datasets` streams the row groups and knows where it stopped. Their bytes are asked for with our
own patience, and decoded by pyarrow batch by batch: the Parquet reader of `datasets` decodes a row
group at once, which for one of 450 MB took 1.1 GB of memory where this takes 0.1.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeAlias

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.iterable_dataset import ArrowExamplesIterable
from huggingface_hub.hf_api import RepoFile
from pydantic import Field, JsonValue, ValidationError

from schemas.errors import SourceError
from schemas.frozen import Frozen
from schemas.manifest import RawFile
from schemas.urls import redacted, shown
from tasks.download.hub_repository import PARQUET, Repository, etag
from tasks.download.names import kept_name, unique_names
from tasks.download.progress import Progress, Tally
from tasks.download.raw import Obtained, RawFolder, Remembered
from tasks.lake import digest_of, first_line, sha256_of

ASKED_BYTES = 8 << 20  # of one column at a time
BATCH_BYTES = 16 << 20  # decoded, by the mean of the file
BATCH_ROWS = 4_000
PART_BYTES = 256 << 20
PART_ROWS = 200_000
HEAD_ROWS = 1_000
LIBRARIES = f"datasets {datasets.__version__}, pyarrow {pa.__version__}"


class HalfRead(Frozen):
    """What of one upstream file is in parts already, and where its stream goes on.

    `state` is what `datasets` says of the stream after the last part; null once it has ended.
    """

    wanted: str
    parts: tuple[RawFile, ...] = ()
    state: dict[str, JsonValue] | None
    is_cut: bool = Field(description="whether upstream has rows that are not wanted")
    is_whole: bool = False


class Before(NamedTuple):
    """One upstream file's parts, in a download that is in the lake."""

    digest: str
    parts: tuple[RawFile, ...]


Known: TypeAlias = dict[tuple[str, int | None], Before]


@dataclass
class Stream:
    """One commit's Parquet files, as parts in `folder`; `is_cut` once max_rows ended it."""

    hub: Repository
    raw: RawFolder
    commit: str
    folder: Path
    columns: Sequence[str] | None
    is_cut: bool = False

    def parts(
        self, listed: Sequence[RepoFile], past: Iterable[Remembered], progress: Progress | None
    ) -> list[Obtained]:
        """Every file's parts, in order; at least one of each file that is read, if without rows.

        The parts of a file whose bytes are those of a stream of the `past`, which kept the same of
        them, are taken from the lake.
        """
        self._check_names(listed)
        names = unique_names(kept_name(PurePosixPath(file.path)) for file in listed)
        tally = Tally(progress, {name: file.size for name, file in zip(names, listed, strict=True)})
        max_rows = self.hub.upstream.max_rows
        known = _parts_by_place(past, max_rows)
        self._check_space(listed, known)
        obtained: list[Obtained] = []
        rows = 0
        for name, one in zip(names, listed, strict=True):
            if rows == max_rows:
                self.is_cut = True
                break
            before = known.get((etag(one), None if max_rows is None else rows))
            is_known = before is not None and self._is_intact(before)
            if before is not None and is_known:
                found = [
                    Obtained(
                        self._named(part, name, number, one),
                        key=self.raw.key_of(before.digest, part.name),
                    )
                    for number, part in enumerate(before.parts)
                ]
            else:
                left = None if max_rows is None else max_rows - rows
                found = self._read(one, name, left, tally)
            rows += sum(part.file.rows or 0 for part in found)
            self.is_cut |= is_known and rows == max_rows  # it may have more
            obtained += found
            tally.at(name, one.size)
        return obtained

    def _is_intact(self, before: Before) -> bool:
        """Whether every byte of a file's parts is in the lake as it came."""
        keys = ((self.raw.key_of(before.digest, part.name), part.sha256) for part in before.parts)
        return all(self.raw.lake.is_intact(key, sha256) for key, sha256 in keys)

    def _check_space(self, listed: Sequence[RepoFile], known: Known) -> None:
        """See that there is room for all files, where all of each is kept and its size is known."""
        if self.columns is None and self.hub.upstream.max_rows is None:
            missing = [file.size for file in listed if (etag(file), None) not in known]
            there = sum(path.stat().st_size for path in self.folder.rglob(f"*{PARQUET}"))
            self.raw.check_space(sum(missing) - there)

    def _check_names(self, listed: Sequence[RepoFile]) -> None:
        others = [file.path for file in listed if not file.path.lower().endswith(PARQUET)]
        if others:
            raise SourceError(
                f"source {self.raw.source!r}: stream: true reads Parquet, but hub.files matches "
                f"{others[0]} of {self.hub.page}, and {len(others) - 1:,} more that are not. "
                "Narrow hub.files to *.parquet, or set stream: false."
            )

    def _read(self, one: RepoFile, name: str, limit: int | None, tally: Tally) -> list[Obtained]:
        """One file's parts, those of a run that was cut included; at most `limit` rows."""
        wanted = digest_of([etag(one), one.size, self.columns and list(self.columns), limit])
        folder = self.folder / digest_of([one.path, wanted])[:32]
        folder.mkdir(exist_ok=True)
        half = _half_read(folder, digest_of([wanted, LIBRARIES]))
        if not half.is_whole:
            half = self._go_on(one, name, limit, folder, half, tally)
        self.is_cut |= half.is_cut
        return [
            Obtained(self._named(part, name, number, one), path=folder / part.name)
            for number, part in enumerate(half.parts)
        ]

    def _go_on(
        self,
        one: RepoFile,
        name: str,
        limit: int | None,
        folder: Path,
        half: HalfRead,
        tally: Tally,
    ) -> HalfRead:
        with _reading(self.hub, one):
            table = _Table.open(self.hub, one, self.commit, self.columns)
        stream = _streamed(table, self.hub, one)
        if half.state is not None:
            stream.load_state_dict(half.state)
        done = sum(part.rows or 0 for part in half.parts)
        total = table.rows if limit is None else min(limit, table.rows)
        self.raw.check_space(table.kept_bytes * (total - done) // max(1, table.rows))
        batches = stream.iter(batch_size=table.batch_rows)
        while not half.is_whole:
            path = folder / f"{len(half.parts)}{PARQUET}"
            rows = _write_part(path, table.schema, batches, min(total - done, table.part_rows))
            done += rows
            part = RawFile(
                name=path.name, sha256=sha256_of(path), size_bytes=path.stat().st_size, rows=rows
            )
            half = HalfRead(
                wanted=half.wanted,
                parts=(*half.parts, part),
                state=stream.state_dict(),
                is_cut=total < table.rows,
                is_whole=done >= total or not rows,
            )
            _write(folder / "half.json", half)
            tally.at(name, one.size * done // max(total, 1))
        return half

    def _named(self, part: RawFile, name: str, number: int, one: RepoFile) -> RawFile:
        """A part as the receipt has it: under its file's own name and origin, in a folder."""
        url = shown(self.hub.url(one, self.commit))
        path = PurePosixPath(name)
        new = {
            "name": str(path.parent / f"{number:05d}" / path.name),
            "url": url,
            "etag": etag(one),
        }
        return part.model_copy(update=new)


def write_first_rows(
    hub: Repository, one: RepoFile, commit: str, max_bytes: int, path: Path
) -> None:
    """Write the first HEAD_ROWS rows, or about max_bytes of them where that is less."""
    with _reading(hub, one):
        table = _Table.open(hub, one, commit, None)
        rows = max(1, min(HEAD_ROWS, int(max_bytes / table.row_bytes)))
        batches = table.file.iter_batches(batch_size=rows, use_threads=False)
        first = next(batches, None)
    schema = table.schema
    head = schema.empty_table() if first is None else pa.Table.from_batches([first])
    pq.write_table(head, path, compression="zstd")


@dataclass(frozen=True)
class _Table:
    """An upstream file, open: what its footer says, and the columns of it that are wanted."""

    file: pq.ParquetFile
    names: list[str]
    row_bytes: float

    @classmethod
    def open(
        cls, hub: Repository, one: RepoFile, commit: str, columns: Sequence[str] | None
    ) -> "_Table":
        remote = _RemoteFile(lambda start, end: hub.read(one, commit, start, end), one.size)
        file = pq.ParquetFile(remote, buffer_size=ASKED_BYTES, pre_buffer=False)
        there = file.schema_arrow.names
        names = [name for name in there if columns is None or name in columns]
        if not names:
            raise SourceError(
                f"source {hub.source!r}: {one.path} of {hub.page} has none of the columns that are "
                f"read ({', '.join(columns or ())}). There are: {', '.join(there)}. Correct "
                "`columns` or `layout` in the source's file."
            )
        groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
        total_bytes = sum(group.total_byte_size for group in groups)
        return cls(file, names, max(1.0, total_bytes / max(1, file.metadata.num_rows)))

    @property
    def schema(self) -> pa.Schema:
        """Of the wanted columns."""
        there = self.file.schema_arrow
        return pa.schema([there.field(name) for name in self.names])

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return int(self.file.metadata.num_rows)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the wanted columns as upstream packs them: about those that they will have."""
        metadata = self.file.metadata
        chunks = [
            group.column(number)
            for group in map(metadata.row_group, range(metadata.num_row_groups))
            for number in range(metadata.num_columns)
        ]
        wanted = tuple(f"{name}." for name in self.names)
        return sum(
            chunk.total_compressed_size
            for chunk in chunks
            if f"{chunk.path_in_schema}.".startswith(wanted)
        )

    @property
    def batch_rows(self) -> int:
        """Rows that are in memory at a time; the same for the same file."""
        return max(1, min(BATCH_ROWS, int(BATCH_BYTES / self.row_bytes)))

    @property
    def part_rows(self) -> int:
        """Rows of one part but the last: a whole number of batches."""
        batches = min(PART_ROWS, int(PART_BYTES / self.row_bytes)) // self.batch_rows
        return self.batch_rows * max(1, batches)


def _streamed(table: _Table, hub: Repository, one: RepoFile) -> datasets.IterableDataset:
    """The wanted columns as `datasets` streams them: a shard per row group, in Arrow."""

    def batches(row_groups: list[int]) -> Iterator[tuple[tuple[int, int], pa.Table]]:
        with _reading(hub, one):
            found = table.file.iter_batches(
                table.batch_rows, row_groups=row_groups, columns=table.names, use_threads=False
            )
            for number, batch in enumerate(found):
                yield (row_groups[0], number), pa.Table.from_batches([batch]).select(table.names)

    groups = {"row_groups": list(range(table.file.num_row_groups))}
    return datasets.IterableDataset(ArrowExamplesIterable(batches, groups)).with_format("arrow")


def _write_part(path: Path, schema: pa.Schema, batches: Iterator[pa.Table], rows: int) -> int:
    """Write the next so many rows, one row group per batch; returns how many there were."""
    written = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while written < rows and (batch := next(batches, None)) is not None:
            kept = batch.slice(0, rows - written).cast(schema)
            writer.write_table(kept)
            written += kept.num_rows
    return written


def _half_read(folder: Path, wanted: str) -> HalfRead:
    """What a run that was cut left in `folder`, if all of it is there and is what is wanted now."""
    nothing = HalfRead(wanted=wanted, state=None, is_cut=False)
    try:
        half = HalfRead.model_validate_json((folder / "half.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return nothing
    parts = [folder / part.name for part in half.parts]
    whole = all(
        path.is_file() and path.stat().st_size == part.size_bytes
        for path, part in zip(parts, half.parts, strict=True)
    )
    return half if whole and half.wanted == wanted else nothing


def _write(path: Path, half: HalfRead) -> None:
    new = path.with_suffix(".new")
    new.write_text(half.model_dump_json())
    new.replace(path)


def _parts_by_place(past: Iterable[Remembered], max_rows: int | None) -> Known:
    """The parts of each file in the lake, by what identifies it and the rows before it.

    Where rows are not counted, those before it do not matter.
    """
    known: Known = {}
    for download in past:
        rows = 0
        for _, parts in groupby(download.files, key=lambda part: part.url):
            found = Before(download.digest, tuple(parts))
            place = None if max_rows is None else rows
            known[found.parts[0].etag or "", place] = found
            rows += sum(part.rows or 0 for part in found.parts)
    return known


@contextlib.contextmanager
def _reading(hub: Repository, one: RepoFile) -> Iterator[None]:
    """Say which file it is whose bytes are no Parquet."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"source {hub.source!r}: {one.path} of {hub.page} cannot be read as Parquet: "
            f"{redacted(first_line(error))}. stream: true reads nothing else: correct hub.files, "
            "or set stream: false."
        ) from error


class _RemoteFile(io.RawIOBase):
    """A file that is read by ranges, as pyarrow asks for them."""

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        super().__init__()
        self._read = read
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._size_bytes, self._at + len(buffer))
        data = self._read(self._at, end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
