"""A source's files to rows of strings: what a file is, its content says and not its name."""

import codecs
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from schemas.source import Source
from tasks.normalize.columnar import FAILURES, is_columnar, read_columnar
from tasks.normalize.containers import is_json
from tasks.normalize.delimited import delimiter_of, has_header, read_delimited
from tasks.normalize.json_rows import read_json
from tasks.normalize.markers import styles
from tasks.normalize.plain_text import is_dialogue, read_dialogues
from tasks.normalize.raw import Batch, Damage, excerpt, is_binary, no_rows, release

HEAD_BYTES = 64 << 10
_EXPECTED = "JSON, JSON Lines, TSV, CSV, Parquet or Arrow, or text with speakers' names"


def read_file(
    path: Path,
    wanted: tuple[str, ...],
    positional: tuple[str, ...],
    source: Source | None = None,
) -> Iterator[Batch]:
    """Rows and damage of one plain file, in batches of bounded size and in the file's order.

    `wanted` are the names that are looked for; `positional` those of fields in a file that names
    none, `column 1` or `field 1` and so on where it is empty. What `source` says of separators,
    speakers and the order of fields holds too. A file in no known format is one `Damage`; an
    empty file is nothing.
    """
    if path.stat().st_size:
        yield from _read_plain(path, Sought(wanted, positional, source))


class Sought(NamedTuple):
    """What is looked for in a file, as `read_file` is told."""

    wanted: tuple[str, ...]
    positional: tuple[str, ...]
    source: Source | None

    @property
    def text_column(self) -> str | None:
        """Where a dialogue in plain text goes; None in layouts that have no place for one."""
        if "text" in self.wanted:
            return "text"
        return self.positional[0] if len(self.positional) == 1 else None


def _read_plain(path: Path, sought: Sought) -> Iterator[Batch]:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if is_columnar(head):
            try:
                yield from read_columnar(path, sought.wanted)
                return
            except FAILURES as error:  # nothing was read then
                if is_binary(head) or not is_json(head):
                    yield _unreadable(head, sought, f"the columns cannot be read: {error}")
                    return
        # Not closed by hand: an error may still hold views of it, and then closing raises another.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    for batch in _batches(data, head.removeprefix(codecs.BOM_UTF8), sought):
        yield batch
        release(data)


def _batches(data: mmap.mmap, head: bytes, sought: Sought) -> Iterator[Batch]:
    """The batches of the format that the file's beginning shows.

    Names of columns in the first line make it delimited text, whatever stands below; without them
    speakers' names make it dialogues, however many commas are in its first line.
    """
    wanted, positional, source = sought
    known = styles(source.roles if source else ())
    delimiter = delimiter_of(head, wanted)
    column = sought.text_column
    if is_json(head):
        yield from read_json(data, wanted, positional)
    elif has_header(head, wanted):
        yield from read_delimited(data, delimiter or ",", wanted, positional)
    elif column is not None and is_dialogue(head, known):
        yield from read_dialogues(data, column, wanted, source.separator if source else None, known)
    elif delimiter is not None:
        yield from read_delimited(
            data, delimiter, wanted, positional, bool(source and source.fields)
        )
    elif head.strip():
        yield _unreadable(head, sought, f"expected {_EXPECTED}")


def _unreadable(head: bytes, sought: Sought, message: str) -> Batch:
    return Batch(no_rows(sought.wanted), (Damage(0, message[:300], excerpt(head)),))
