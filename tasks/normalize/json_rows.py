"""JSON in all its containers to rows, around whatever damage there is.

Where the grammar is violated, the walk goes on at the next place that looks like the beginning of
a record: a `{` with one of the keys that good records begin with, a `[` that opens a list of
fields, or the next line. Inside a JSON string a quote is always escaped, so such a place is never
inside intact text. A record whose bytes are not valid UTF-8 is damage too.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tasks.kernel import announce_compilation
from tasks.normalize import scan
from tasks.normalize.containers import (
    HEAD_BYTES,
    Place,
    Searched,
    beginning,
    find_container,
    next_list,
    value_of_key,
)
from tasks.normalize.raw import (
    MAX_RECORD_BYTES,
    NO_DAMAGE,
    OFFSET,
    SEQUENCE_BYTES,
    Batch,
    Damage,
    Damages,
    Raw,
    damages_at,
    excerpt,
    not_utf8,
    release,
    search,
    sound,
    spoilt_at,
)
from tasks.normalize.utf8 import Bytes, Offsets, invalid_bytes

BATCH_ROWS = 20_000
WINDOW_BYTES = 16 << 20
RESCUE_BYTES = 16 << 20
PARENT = "\x1eparent"
"""The column of `explode_json`, under a name that no source gives to a key."""
Faults = np.ndarray[tuple[int, int], np.dtype[np.int64]]
_SLACK_BYTES = 64
_ROOM_ROWS = BATCH_ROWS + 4  # a walk takes two records at least, and salvage one more


_EXPECTED = {
    scan.CUT: "the data ends inside a record",
    scan.BROKEN_LINE: "a line ends inside a record",
    scan.TOKEN: "not JSON",
    scan.ESCAPE: "not an escape sequence of JSON",
    scan.NO_COMMA: "expected a comma between records",
    scan.TRAILING_COMMA: "expected a record after the comma",
    scan.TRAILING: "expected nothing after the closing bracket",
    scan.DEEP: "nested too deeply",
    scan.SWALLOWS: "the data ends inside a record: expected its closing brace before the next one",
}
_FOUND = [f", found {bytes([byte])!r}" for byte in range(256)]
_FOLLOWS = re.compile(rb'\s*(?:,\s*"[^"\\\n]*(?:\\.[^"\\\n]*)*"\s*:\s*\{|\}\s*\Z)')
_END = re.compile(rb"\s*\}\s*\Z")
_LINE_END = re.compile(rb"\n")
_KEY = re.compile(rb'[\s,]*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*')
_VANISHING = bytes({*range(0x20)} - {*b"\t\n\r"})
_SURROGATE = re.compile("[\ud800-\udfff]")
_DAMAGED_BETWEEN = (scan.NO_COMMA, scan.TRAILING_COMMA, scan.TRAILING)


class Step(NamedTuple):
    """How many records one walk over a window wrote, where it stopped and why.

    `place` is the first byte that was not dealt with, and `where` the one at which the grammar was
    violated, if `code` says so.
    """

    records: int
    place: Place
    code: int
    where: int


class Walks:
    """Walks over one container on their way to a batch: a row for each record, and the damage.

    Damage cuts walks short, and a batch should be worth its cost: they write one behind the other
    into the same memory, of which `rows` counts records and damage and `size_bytes` the texts.
    """

    def __init__(self, searched: Searched, wrapper: str | None = None) -> None:
        """Begin with nothing written; `wrapper` is that of the places to come."""
        self.searched = searched
        self.data = searched.data
        self.records = 0
        self.size_bytes = 0
        self._wrapper = wrapper
        self._columns = searched.wanted if wrapper is None else (wrapper,)
        self._wrong = 0
        self._told: list[Damage] = []
        self._place = Place(scan.LINES, 0)
        self._out = np.empty(0, dtype=np.uint8)
        self._table = scan.Table.of(self._columns, _ROOM_ROWS)
        self._stack = np.empty(scan.MAX_DEPTH, dtype=np.uint8)
        self._marks = np.empty((_ROOM_ROWS, 4), dtype=np.int64)
        self._sound = np.empty(_ROOM_ROWS, dtype=np.bool_)
        self._faults = np.empty((_ROOM_ROWS, 4), dtype=np.int64)

    @property
    def rows(self) -> int:
        """How many there are of records and damage."""
        return self.records + self._wrong + len(self._told)

    def walk(self, place: Place, end: int, limit: int | None = None, lenient: bool = False) -> Step:
        """Write the records from a place on: all of the window up to `end`, or `limit` of them."""
        self._place = place
        self._make_room(scan.GROWTH * (end - place.position) + _SLACK_BYTES)
        first = self.records
        records, wrong, self.size_bytes, position, after, code, where = scan.scan(
            *(self.searched.array, place.position, end, place.container, place.kind),
            *(place.after, lenient, max(2, BATCH_ROWS - self.rows) if limit is None else limit),
            *(self._table.listed(self._columns, place.keys), first, self._stack),
            *(self._out, self.size_bytes, self._marks[first:], self._faults[self._wrong :]),
        )
        self.records += records
        self._wrong += wrong
        self._sound[first : self.records] = sound(self.data, *self._stretches(first))
        return Step(records, place.at(int(position), int(after)), code, int(where))

    def _make_room(self, size: int) -> None:
        """See to it that so many bytes can be written, and that memory of a huge record goes."""
        wanted = self.size_bytes + size
        if wanted <= self._out.size <= max(2 * wanted, WINDOW_BYTES * 2 * scan.GROWTH):
            return
        room = np.empty(max(wanted, WINDOW_BYTES * (scan.GROWTH + 1)), dtype=np.uint8)
        room[: self.size_bytes] = self._out[: self.size_bytes]
        self._out = room

    def _stretches(self, first: int) -> tuple[Offsets, Offsets]:
        """Where the records from a number on begin and end, without the keys they are under."""
        marks = self._marks[first : self.records]
        return marks[:, scan.VALUE_START].copy(), marks[:, scan.VALUE_STOP].copy()

    @property
    def last_start(self) -> int:
        """Where the last record begins."""
        return int(self._marks[self.records - 1, scan.START])

    def drop_last(self) -> None:
        """Take back the last record."""
        self.records -= 1
        last = self._marks[self.records - 1]
        self.size_bytes = int(last[scan.TEXT_STOP]) if self.records else 0

    def replace_start(self, offset: int) -> None:
        """Have the last record begin elsewhere than where it was walked."""
        self._marks[self.records - 1, scan.START] = offset

    def lose(self, stretch: slice, code: int, where: int) -> None:
        """Note a stretch that is no record, why, and the byte at which that showed."""
        self._faults[self._wrong] = stretch.start, stretch.stop, code, where
        self._wrong += 1

    def tell(self, damage: Damage) -> None:
        """Note damage of another kind than walks find."""
        self._told.append(damage)

    def keys(self, record: int) -> tuple[str, ...]:
        """The keys of one of the records; none where there is no such record."""
        if not 0 <= record < self.records:
            return ()
        if self._place.kind != scan.OBJECT:
            return self._place.keys
        position: int | None = int(self._marks[record, scan.VALUE_START]) + 1
        found = []
        while position is not None and (named := _KEY.match(self.data, position)):
            found.append(_text_of(named[1]))
            position = self.searched.skip(named.end())
        return tuple(dict.fromkeys(found))

    def batch(self) -> Batch:
        """The wanted columns of all the records that are text, and all the damage; begins anew."""
        rows = filled(self._table, self._columns, self.records, self._out[: self.size_bytes])
        offsets = self._marks[: self.records, scan.START].copy()
        rows = rows.insert_column(0, pl.Series(OFFSET, offsets).cast(pl.UInt64))
        sound, spoilt = pl.Series(self._sound[: self.records]), NO_DAMAGE
        if not sound.all():
            rows, spoilt = rows.filter(sound), spoilt_at(self.data, offsets, ~sound)
        if self._wrapper is not None:
            rows = _unwrapped(rows, self._wrapper, self.searched.wanted)
        faults = self._faults[: self._wrong]
        damage = _damages(self.searched, faults, self._place.keys) + spoilt + Damages.of(self._told)
        keys = self.keys(0)
        self.records = self.size_bytes = self._wrong = 0
        self._told = []
        return Batch(rows, damage, damage.counts, keys)


def read_json(
    data: Raw, wanted: tuple[str, ...], positional: tuple[str, ...] = ()
) -> Iterator[Batch]:
    """Rows of every whole record in the data, with damage for every stretch between them.

    `positional` names the fields of records that are lists; where it is empty, they are `field 1`,
    `field 2` and so on. A record longer than `MAX_RECORD_BYTES` is damage.
    """
    announce_compilation(scan.scan)
    array = np.frombuffer(data, dtype=np.uint8)
    searched = Searched(data, array, wanted, positional)
    first_place = find_container(searched)
    walks = Walks(searched, first_place.wrapper)
    place: Place | None = first_place
    keys = wanted
    window = WINDOW_BYTES
    while place is not None:
        end = min(place.position + window, array.size)
        step = walks.walk(place, end)
        if keys is wanted and step.records:
            first = walks.keys(walks.records - step.records)
            keys = wanted if set(wanted).isdisjoint(first) else (*wanted, *first)
        window = WINDOW_BYTES
        if step.code == scan.FULL or (end < array.size and step.code in (scan.CUT, scan.ENDED)):
            if step.code != scan.FULL:
                release(data)
            if step.place == place and end - place.position >= MAX_RECORD_BYTES:
                place = _after_huge(walks, place, keys)
            else:
                if step.place == place:
                    window = min(2 * (end - place.position), MAX_RECORD_BYTES)
                place = step.place
                if place.container == scan.KEYED and step.records > 1:
                    # The last may lack its closing brace, which only the end of the data tells.
                    place = place.at(walks.last_start)
                    walks.drop_last()
        else:
            place = _after_stop(walks, step, keys)
        if place is None or walks.rows >= BATCH_ROWS or walks.size_bytes >= WINDOW_BYTES:
            yield walks.batch()


def _text_of(key: bytes) -> str:
    """What a key says, quotes included, as `scan` reads it."""
    said = key.translate(None, _VANISHING).decode("utf-8", "replace")
    text: str = json.loads(said, strict=False)
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _after_stop(walks: Walks, step: Step, keys: tuple[str, ...]) -> Place | None:
    """Where to go on after a walk that its window did not stop; what is damage is noted."""
    if step.code == scan.ENDED:
        return _finish(walks, step, keys)
    if step.code == scan.TRAILING and step.place.within:
        return _after_list(walks, step, keys)
    if step.code == scan.SWALLOWS:
        return _as_it_ends(walks, step, keys)
    return _mend(walks, step, keys)


def _finish(walks: Walks, step: Step, keys: tuple[str, ...]) -> Place | None:
    """At the end of the data: nothing more, if the container was closed."""
    place = step.place
    closed = place.after == scan.CLOSED and not place.within
    if place.container not in (scan.ARRAY, scan.KEYED) or closed:
        return None
    if place.container == scan.KEYED and step.records:
        # A record without its closing brace takes all that follow for its own values.
        last = walks.last_start
        inside = search(walks.data, beginning(place, keys), last + 1)
        if inside is not None:
            walks.drop_last()
            walks.lose(slice(last, inside.start()), scan.CUT, len(walks.data))
            return place.at(inside.start())
    walks.tell(_cut_list(walks.data, place))
    return None


def _as_it_ends(walks: Walks, step: Step, keys: tuple[str, ...]) -> Place | None:
    """A keyed record in which one begins like it: whole, where what may follow a record follows."""
    value = value_of_key(walks.searched, step.place.position)
    if value is None or not _FOLLOWS.match(walks.data, value.stop):
        return _mend(walks, step, keys)
    alone = replace(step.place, container=scan.JOINED, position=value.start)
    if not walks.walk(alone, value.stop, limit=1).records:
        return _mend(walks, step, keys)
    walks.replace_start(step.place.position)
    return step.place.at(value.stop, scan.NEXT)


def _after_list(walks: Walks, step: Step, keys: tuple[str, ...]) -> Place | None:
    """After the end of a list of records: the next one of the same object, or what is wrong."""
    place, position = next_list(walks.searched, step.where)
    if place is not None:
        return replace(place, wrapper=step.place.wrapper)
    data = walks.data
    if _END.match(data, position):
        return None
    if not data[position : position + HEAD_BYTES].strip():
        walks.tell(_cut_list(data, step.place.at(position, scan.CLOSED)))
        return None
    # A bracket inside a damaged record may have closed it: there may be more of the list.
    again = _next_beginning(data, step.place, keys, position)
    stop = len(data) if again is None else again.position
    walks.lose(slice(position, stop), scan.TRAILING, position)
    return again


def _after_huge(walks: Walks, place: Place, keys: tuple[str, ...]) -> Place | None:
    """Where to go on after a record that is too long to be read, which is noted."""
    data, start = walks.data, place.position
    if place.container == scan.LINES:
        again = _next_line(data, place, start + MAX_RECORD_BYTES)
    else:
        key = walks.searched.named(start) if place.container == scan.KEYED else None
        end = walks.searched.skip(start if key is None else key.end())
        again = None if end is None else place.at(end, scan.NEXT)
        if again is None:
            again = _next_beginning(data, place, keys, start + MAX_RECORD_BYTES)
    walks.lose(slice(start, len(data) if again is None else again.position), scan.TOO_LONG, start)
    return again


def _mend(walks: Walks, step: Step, keys: tuple[str, ...]) -> Place | None:
    """Where to go on after damage; the stretch that was lost is noted, or the record it was."""
    start, data = step.place.position, walks.data
    again = _resume(data, step, keys)
    stretch = slice(start, len(data) if again is None else again.position)
    broken = step.code == scan.BROKEN_LINE and step.place.container == scan.ARRAY
    if not (broken and _rescue(walks, stretch, step.place)):
        walks.lose(stretch, step.code, step.where)
    return again


def filled(table: scan.Table, columns: tuple[str, ...], rows: int, texts: Bytes) -> pl.DataFrame:
    """The first rows of a table that a walk filled, String; it and its texts can be used again."""
    buffer = pa.py_buffer(texts.tobytes())
    return pl.DataFrame(
        {
            name: _strings(views[:rows], buffer)
            for name, views in zip(columns, table.views, strict=True)
        },
        schema=dict.fromkeys(columns, pl.String),
    )


def _strings(views: npt.NDArray[np.uint64], buffer: pa.Buffer) -> pl.Series:
    """One column: texts of the buffer, null where a row holds none."""
    valid = (views[:, 0] != scan.ABSENT) & (views[:, 0] != scan.NULL)
    if not valid.any():
        return pl.Series(dtype=pl.String).clear(valid.size)
    bits = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    copied = pa.py_buffer(views.tobytes())
    return pl.Series(pa.Array.from_buffers(pa.string_view(), valid.size, [bits, copied, buffer]))


def _unwrapped(rows: pl.DataFrame, wrapper: str, wanted: tuple[str, ...]) -> pl.DataFrame:
    """The same rows, of the object that each has under `wrapper`; nulls where it has none."""
    inner, _ = explode_json(rows[wrapper].fill_null(""), wanted)
    numbers = pl.int_range(pl.len(), dtype=pl.UInt32)
    lines_of = rows.select(OFFSET, numbers.alias(PARENT))
    first = inner.unique(PARENT, keep="first")
    return lines_of.join(first, on=PARENT, how="left", maintain_order="left").drop(PARENT)


def explode_json(texts: pl.Series, wanted: tuple[str, ...]) -> tuple[pl.DataFrame, pl.Series]:
    """The elements of JSON lists: a row per element, and per text whether it was a list.

    `texts` has no nulls; `NESTED` before a text is not part of it. Columns of the elements:
    `PARENT`, the index of the text (UInt32), and the wanted ones, String; `scan.ELEMENT` is that
    of elements which are not objects.
    """
    joined = texts.str.strip_prefix(scan.NESTED).str.replace_all("[\r\n]+", " ")
    raw = np.frombuffer((joined.str.join("\n").item() or "").encode(), dtype=np.uint8)
    most = texts.len() + int(np.count_nonzero(raw == ord(",")))
    table = scan.Table.of(wanted, most).listed(wanted, (scan.ELEMENT,))
    out = np.empty(scan.GROWTH * raw.size + _SLACK_BYTES, dtype=np.uint8)
    parents = np.empty(most, dtype=np.uint32)
    whole = np.ones(texts.len(), dtype=np.bool_)
    stack = np.empty(scan.MAX_DEPTH, dtype=np.uint8)
    elements, size = scan.explode(raw, table, stack, out, parents, whole)
    frame = filled(table, wanted, elements, out[:size])
    return frame.insert_column(0, pl.Series(PARENT, parents[:elements])), pl.Series(whole)


def _resume(data: Raw, step: Step, keys: tuple[str, ...]) -> Place | None:
    """Where to go on after damage: the next line, or the next beginning of a record."""
    place = step.place
    if place.container == scan.LINES:
        return _next_line(data, place, step.where)
    if step.code == scan.FEW_FIELDS:
        return place.at(step.where, scan.NEXT)
    between = step.code in _DAMAGED_BETWEEN
    if between and place.kind != scan.OBJECT and data[place.position : place.position + 1] == b"[":
        return place.at(place.position)
    return _next_beginning(data, place, keys, place.position if between else place.position + 1)


def _next_line(data: Raw, place: Place, position: int) -> Place | None:
    match = search(data, _LINE_END, position)
    return None if match is None else place.at(match.end(), place.after)


def _next_beginning(data: Raw, place: Place, keys: tuple[str, ...], position: int) -> Place | None:
    match = search(data, beginning(place, keys), position)
    return None if match is None else place.at(match.start(match.lastgroup or 0))


def _rescue(walks: Walks, stretch: slice, place: Place) -> bool:
    """Write a record if it breaks no rule but the one against raw newlines; returns whether."""
    if stretch.stop - stretch.start > RESCUE_BYTES:
        return False
    alone = replace(place, container=scan.JOINED, after=scan.FIRST)
    step = walks.walk(alone, stretch.stop, limit=1, lenient=True)
    if not step.records:
        return False
    if walks.data[step.place.position : stretch.stop].strip() in (b"", b",", b"]"):
        return True
    walks.drop_last()
    return False


def _damages(searched: Searched, faults: Faults, names: tuple[str, ...]) -> Damages:
    """What walks found damaged; `names` are those of the fields of records that are lists."""
    if not len(faults):
        return NO_DAMAGE
    starts, stops, codes, where = faults.T.copy()
    messages = _messages(searched.array, codes, where)
    listed = np.isin(codes, (scan.FEW_FIELDS, scan.MANY_FIELDS))
    if listed.any():
        messages = messages.scatter(
            np.flatnonzero(listed), _wrong_fields(searched, starts[listed], stops[listed], names)
        )
    # In GB18030 the second byte of a character may be a backslash: then that is all that is wrong.
    position = invalid_bytes(searched.array, starts, where + SEQUENCE_BYTES)
    invalid = (position >= 0) & ~listed
    messages = messages.scatter(
        np.flatnonzero(invalid), not_utf8(searched.array, position[invalid])
    )
    return damages_at(searched.data, starts, messages, stops, pl.Series(invalid))


def _messages(array: Bytes, codes: Offsets, where: Offsets) -> pl.Series:
    """What is wrong by its code, and the byte at which it showed."""
    too_long = f"a record longer than {MAX_RECORD_BYTES >> 20} MiB"
    expected = [_EXPECTED.get(code, "") for code in range(scan.TOO_LONG)]
    found = pl.Series([*_FOUND, ""]).gather(
        np.where(where < array.size, array[np.minimum(where, array.size - 1)], len(_FOUND))
    )
    code = pl.Series(codes)
    return pl.select(
        pl.when(code == scan.TOO_LONG)
        .then(pl.lit(too_long))
        .otherwise(
            pl.format("{}{} at byte {}", pl.Series([*expected, ""]).gather(code), found, where)
        )
    ).to_series()


def _wrong_fields(
    searched: Searched, starts: Offsets, stops: Offsets, names: tuple[str, ...]
) -> pl.Series:
    """What is wrong with lists that have not as many fields as there are names."""
    counts = np.empty(starts.size, dtype=np.int64)
    scan.count_fields(searched.array, starts, stops, counts)
    found = pl.Series(counts).cast(pl.String).set(pl.Series(counts < 0), "more")
    said = f"expected {len(names)} fields ({', '.join(names)}), found "
    return pl.select(pl.lit(said) + found).to_series()


def _cut_list(data: Raw, place: Place) -> Damage:
    bracket = "]" if place.container == scan.ARRAY and place.after != scan.CLOSED else "}"
    missing = "a record" if place.after == scan.VALUE else f"{bracket!r}"
    before = max(0, place.position - 100)
    message = f"the data is cut: expected {missing}, found the end at byte {place.position}"
    return Damage(place.position, message, excerpt(data[before : place.position]))
