"""Raw files to records: one shard every so many rows, and a ledger of what is not a record."""

import contextlib
import importlib.metadata
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import CorpusDamaged, SourceEmpty
from schemas.manifest import RawReceipt, StageManifest
from schemas.reasons import Stage
from schemas.source import Layout, Source
from tasks.lake import Lake
from tasks.stages import finish, finished, stage_digest, stage_key

if TYPE_CHECKING:
    from tasks.normalize.layouts import Shape
    from tasks.normalize.plain import Plain
    from tasks.normalize.raw import Batch, Piece
    from tasks.normalize.records import Outcome

STAGE = Stage.NORMALIZE.value
MATTERS = {
    *("name", "layout", "columns", "fields", "constants", "roles", "template", "placeholders"),
    *("answer_only", "separator", "members", "unpacking"),
    *("category", "licence", "code", "first_option", "redact"),
}
CATEGORY_FROM_FILE = "file"
SHOWN_BYTES = 100


class Settled(NamedTuple):
    """How a source's rows are read: what its source file leaves open, its data have told."""

    source: Source
    shape: "Shape"
    notes: tuple[tuple[str, str], ...] = ()


class Seen(NamedTuple):
    """One plain file; of one that was not read, the size is -1."""

    name: str
    size_bytes: int
    head: bytes


class Failed(NamedTuple):
    """The first row of the ledger."""

    file: str
    message: str


class Found(NamedTuple):
    """What a source without one record has instead."""

    upstream: str
    largest: Seen
    failed: Failed
    reasons: Counter[str]
    counts: Counter[str]


def normalize(receipt: RawReceipt, source: Source, lake: Lake, shard_rows: int) -> StageManifest:
    """Write a source's records as shards of `shard_rows` rows, in the order of the raw data.

    Rows that cannot become records go to the ledger; both count in one sequence, `source_row`, by
    which the shards are cut. A finished folder is taken as it is.

    Raises:
        SourceEmpty: not one record came out; says what was expected and what stands there.
        SourceError: multiple choice whose answers do not tell where their numbers begin; an archive
            or compressed file that is refused.
        SourceMissing: the source wants no member of an archive.
        CorpusDamaged: a raw file is not in the lake, or is not the one the receipt names.
    """
    digest = stage_digest(
        STAGE,
        raw=receipt.digest,
        source=source.model_dump(mode="json", include=MATTERS),
        shard_rows=shard_rows,
        ftfy=importlib.metadata.version("ftfy"),
    )
    done = finished(lake, STAGE, digest)
    if done is not None:
        return done
    with _checking(receipt, lake) as are_intact:
        return _normalize(receipt, source, lake, shard_rows, digest, are_intact)


def _normalize(
    receipt: RawReceipt,
    source: Source,
    lake: Lake,
    shard_rows: int,
    digest: str,
    are_intact: Callable[[], None],
) -> StageManifest:
    from tasks.kernel import load_numba
    from tasks.normalize.plain import plain_files
    from tasks.normalize.writer import SourceWriter

    load_numba()
    known = settled(receipt, source, lake)
    counts: Counter[str] = Counter()
    largest = Seen(receipt.files[0].name, -1, b"")
    failed = Failed("", "")
    folder = stage_key(STAGE, digest)
    with SourceWriter(lake, folder, source.name, shard_rows, are_intact) as writer:
        for plain in plain_files(receipt, known.source, lake):
            largest = max(largest, _seen(plain), key=lambda seen: seen.size_bytes)
            for outcome in outcomes(plain, known):
                failed = failed if failed.message else _failed(outcome)
                writer.add(outcome)
                counts.update(outcome.counts)
        writer.close()
    if not writer.records:
        found = Found(receipt.upstream, largest, failed, writer.reasons, counts)
        raise SourceEmpty(_nothing_in(known, found))
    return finish(
        lake,
        StageManifest(
            stage=STAGE,
            digest=digest,
            uri=stage_key(STAGE, digest),
            source=source.name,
            rows_in=writer.rows,
            rows_out=writer.records,
            drops=writer.drops(STAGE),
            shards=tuple(writer.shards),
            ledger=tuple(writer.ledger),
            notes=(*_notes(counts), *known.notes),
        ),
    )


@contextlib.contextmanager
def _checking(receipt: RawReceipt, lake: Lake) -> Iterator[Callable[[], None]]:
    """Check the raw files beside what reads them; what it gives waits for the verdict, and raises.

    Of a file that is not the one that was downloaded nothing else is said. Of a bucket they are
    checked first, as their copies are made.
    """
    checked: Future[None] = Future()

    def check() -> None:
        try:
            check_raw(receipt, lake)
            checked.set_result(None)
        except BaseException as error:  # it is raised where the verdict is waited for
            checked.set_exception(error)

    # A daemon: who interrupts the run does not wait for gigabytes to be hashed.
    threading.Thread(target=check, name="check", daemon=True).start()
    try:
        if lake.folder is None:
            checked.result()
        yield checked.result
    except Exception:
        checked.result()
        raise


def check_raw(receipt: RawReceipt, lake: Lake) -> None:
    """Raise CorpusDamaged unless every raw file is there, byte for byte as it was downloaded."""
    for file in receipt.files:
        key = f"{receipt.uri}/{file.name}"
        if lake.is_intact(key, file.sha256):
            continue
        path, found = lake.at(key), lake.sha256(key)
        if found is None:
            raise CorpusDamaged(
                f"{path} is missing, expected {file.size_bytes} bytes of source "
                f"{receipt.source!r}. {_download_anew(receipt, lake)}"
            )
        raise CorpusDamaged(
            f"{path} is not the file that was downloaded for source {receipt.source!r}: "
            f"expected sha256 {file.sha256}, found {found}. {_download_anew(receipt, lake)}"
        )


def _download_anew(receipt: RawReceipt, lake: Lake) -> str:
    return f"Remove {lake.at(receipt.uri)} and run the refresh again, which downloads it anew."


def settled(receipt: RawReceipt, source: Source, lake: Lake) -> Settled:
    """How to read a source's rows; where a row alone does not tell it, every file is read."""
    from tasks.normalize.layouts import shape_of

    notes: tuple[tuple[str, str], ...] = ()
    if source.layout == Layout.AUTO:
        source, notes = _decided(receipt, source, lake)
    shape = shape_of(source)
    if shape.settle is None:
        return Settled(source, shape, notes)
    turns = shape.settle(source.name, _pieces(receipt, source, lake, shape))
    return Settled(source, replace(shape, turns=turns, settle=None), notes)


def _decided(
    receipt: RawReceipt, source: Source, lake: Lake
) -> tuple[Source, tuple[tuple[str, str], ...]]:
    """The source with the layout of its first rows, and the note that says why."""
    from tasks.normalize.auto import decided, names_in
    from tasks.normalize.plain import plain_files
    from tasks.normalize.readers import read_file

    names = names_in(source)
    batches = (
        batch
        for plain in plain_files(receipt, source, lake)
        if plain.path is not None
        for batch in read_file(plain.path, names, source.fields, source)
    )
    decision = decided(source, batches)
    return decision.source, (("layout", decision.why),)


def outcomes(plain: "Plain", known: Settled) -> "Generator[Outcome]":
    """What becomes of one file's rows, batch by batch and in its order; last of its damage."""
    from tasks.normalize.records import records_of

    source, shape = known.source, known.shape
    category = plain.stem if source.category == CATEGORY_FROM_FILE else source.category
    batches = _batches(plain, source, shape)
    yield from records_of(batches, source, shape, plain.name, category)


def _batches(plain: "Plain", source: Source, shape: "Shape") -> "Iterator[Batch]":
    from tasks.normalize.raw import Batch, no_rows
    from tasks.normalize.readers import read_file

    wanted = shape.wanted(source)
    if plain.path is not None:
        yield from read_file(plain.path, wanted, shape.positional(source), source)
    if plain.damage is not None:
        yield Batch(no_rows(wanted), (plain.damage,))


def _pieces(receipt: RawReceipt, source: Source, lake: Lake, shape: "Shape") -> "Iterator[Piece]":
    """The rows of a source batch by batch, in the order of the raw data."""
    from tasks.normalize.plain import plain_files
    from tasks.normalize.raw import Piece

    for plain in plain_files(receipt, source, lake):
        first_row = 1
        for batch in _batches(plain, source, shape):
            yield Piece(plain.name, first_row, shape.renamed(batch.rows, source))
            first_row += batch.rows.height


def _notes(counts: Counter[str]) -> tuple[tuple[str, str], ...]:
    """What was changed at the door, in rows."""
    return tuple((name, str(rows)) for name, rows in sorted(counts.items()) if rows)


def _seen(plain: "Plain") -> Seen:
    if plain.path is None:
        return Seen(plain.name, -1, b"")
    with plain.path.open("rb") as file:
        return Seen(plain.name, plain.path.stat().st_size, file.read(SHOWN_BYTES))


def _failed(outcome: "Outcome") -> Failed:
    first = outcome.ledger.select("file", "message").head(1).rows()
    return Failed(*first[0]) if first else Failed("", "")


def _nothing_in(known: Settled, found: Found) -> str:
    from tasks.normalize.raw import INVALID_UTF8

    source, shape = known.source, known.shape
    columns = ", ".join(shape.positional(source))
    reasons = sorted(found.reasons.items())
    dropped = ", ".join(f"{rows} {reason}" for reason, rows in reasons) or "no row"
    first = f", the first in {found.failed.file}: {found.failed.message}" if reasons else ""
    advice = (
        f"Check `layout` and `columns` in the source file {source.name}.yaml, or whether upstream "
        "answered with another page."
    )
    if 2 * found.counts[INVALID_UTF8] >= found.reasons.total() > 0:
        advice = (
            f"{found.counts[INVALID_UTF8]} of these are not valid UTF-8: convert the file, e.g. "
            f"from Windows-1252 or GB18030, to UTF-8. {advice}"
        )
    return (
        f"source {source.name!r} has not one record: {found.upstream} gave {dropped}{first}. "
        f"Expected rows of layout {source.layout.value!r} with columns {columns}; its largest "
        f"file, {found.largest.name}, begins with {found.largest.head!r}. {advice}"
    )
