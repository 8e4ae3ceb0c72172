"""JSON in all its containers to rows, around whatever damage there is.

Where the grammar is violated, the walk goes on at the next place that looks like the beginning of
a record: a `{` with one of the keys that good records begin with, a `[` that opens a list of
fields, or the next line. Inside a JSON string a quote is always escaped, so such a place is never
inside intact text. A record whose bytes are not valid UTF-8 is damage too.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tasks.kernel import announce_compilation
from tasks.normalize import scan
from tasks.normalize.containers import (
    HEAD_BYTES,
    Bytes,
    Place,
    Raw,
    Searched,
    beginning,
    find_container,
    json_key,
    next_list,
    value_of_key,
)
from tasks.normalize.raw import (
    EXCERPT_BYTES,
    INVALID_UTF8,
    OFFSET,
    Batch,
    Damage,
    Offsets,
    excerpt,
    invalid_until,
    not_utf8,
    without_spoilt,
)

BATCH_ROWS = 20_000
WINDOW_BYTES = 16 << 20
RESCUE_BYTES = 16 << 20
SLACK_BYTES = 64


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
_FOLLOWS = re.compile(rb'\s*(?:,\s*"(?:[^"\\\n]|\\.)*"\s*:\s*\{|\}\s*\Z)')
_END = re.compile(rb"\s*\}\s*\Z")
_DAMAGED_BETWEEN = (scan.NO_COMMA, scan.TRAILING_COMMA, scan.TRAILING)


@dataclass(frozen=True)
class Step:
    """What one walk over a window wrote, where it stopped and why.

    `lines` has a line per record and `offsets` where each begins; `place` is the first byte that
    was not dealt with, and `where` the one at which the grammar was violated, if `code` says so.
    """

    lines: bytes
    offsets: Offsets
    place: Place
    code: int
    where: int

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the first record; none where there is no record."""
        first = self.lines[: self.lines.find(b"\n")]
        return tuple(json.loads(first.decode("utf-8", "replace"))) if first else ()

    def without_last(self) -> "Step":
        """The same before its last record."""
        lines = self.lines[: self.lines.rfind(b"\n", 0, -1) + 1]
        place = self.place.at(int(self.offsets[-1]))
        return replace(self, lines=lines, offsets=self.offsets[:-1], place=place)

    def with_record(self, line: bytes, offset: int) -> "Step":
        """The same with one more record."""
        return replace(self, lines=self.lines + line, offsets=np.append(self.offsets, offset))


class Gathered:
    """Steps on their way to a batch: damage cuts walks short, and a batch should be worth its cost.

    `rows` counts damage too; `size_bytes` is that of the lines.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._damage: list[Damage] = []
        self.rows = 0
        self.size_bytes = 0

    def add(self, step: Step, damage: tuple[Damage, ...]) -> None:
        """Take one more step and what it found damaged."""
        self._steps.append(step)
        self._damage += damage
        self.rows += step.offsets.size + len(damage)
        self.size_bytes += len(step.lines)

    def batch(self, data: Raw, wanted: tuple[str, ...]) -> Batch:
        """The wanted columns of all the records that are text, and all the damage."""
        lines = b"".join(step.lines for step in self._steps)
        offsets = np.concatenate([step.offsets for step in self._steps])
        damage = self._damage
        lines, offsets, spoilt = without_spoilt(data, lines, offsets)
        if spoilt:
            damage = sorted([*damage, *spoilt], key=lambda one: one.offset)
        wrapper = self._steps[0].place.wrapper
        flat = _unwrapped(lines, wrapper, wanted) if wrapper else flat_lines(lines, wanted)
        rows = flat.insert_column(0, pl.Series(OFFSET, offsets).cast(pl.UInt64))
        spoilt_rows = sum(one.invalid_utf8 for one in damage)
        keys = next((step.keys for step in self._steps if step.offsets.size), ())
        return Batch(rows, tuple(damage), {INVALID_UTF8: spoilt_rows}, keys)


Going = tuple[Step, tuple[Damage, ...], Place | None]


def read_json(
    data: Raw, wanted: tuple[str, ...], positional: tuple[str, ...] = ()
) -> Iterator[Batch]:
    """Rows of every whole record in the data, with a `Damage` for every stretch between them.

    `positional` names the fields of records that are lists; where it is empty, they are `field 1`,
    `field 2` and so on.
    """
    array = np.frombuffer(data, dtype=np.uint8)
    searched = Searched(data, array, wanted, positional)
    place: Place | None = find_container(searched)
    keys = wanted
    window = WINDOW_BYTES
    gathered = Gathered()
    while place is not None:
        end = min(place.position + window, array.size)
        step = _walk(array, place, end)
        if keys is wanted and not set(wanted).isdisjoint(step.keys):
            keys = (*wanted, *step.keys)
        window = WINDOW_BYTES
        found: tuple[Damage, ...] = ()
        if step.code == scan.FULL or (end < array.size and step.code in (scan.CUT, scan.ENDED)):
            if step.place == place:
                window = 2 * (end - place.position)
            if place.container == scan.KEYED and step.offsets.size > 1:
                # The last record may lack its closing brace, which only the end of the data tells.
                step = step.without_last()
            place = step.place
        elif step.code == scan.ENDED:
            step, found, place = _finish(data, step, keys)
        elif step.code == scan.TRAILING and place.within:
            found, place = _after_list(searched, step)
        elif step.code == scan.SWALLOWS:
            step, found, place = _as_it_ends(searched, step, keys)
        else:
            step, found, place = _mend(data, step, keys)
        gathered.add(step, found)
        if place is None or gathered.rows >= BATCH_ROWS or gathered.size_bytes >= WINDOW_BYTES:
            yield gathered.batch(data, wanted)
            gathered = Gathered()


def _walk(array: Bytes, place: Place, end: int, limit: int | None = None) -> Step:
    """Records from a place on: all of the window up to `end`, or `limit` of them."""
    limit = BATCH_ROWS if limit is None else limit
    announce_compilation(scan.scan)
    named = [b'"%b":' % json_key(key) for key in place.keys]
    bounds = np.cumsum([0, *map(len, named)], dtype=np.int64)
    keys = np.array([*b"".join(named)], dtype=np.uint8)
    growth = scan.GROWTH + max(map(len, named), default=0)
    out = np.empty(growth * (end - place.position) + SLACK_BYTES + keys.size, dtype=np.uint8)
    starts = np.empty(limit, dtype=np.int64)
    records, length, position, after, code, where = scan.scan(
        array,
        place.position,
        end,
        place.container,
        place.kind,
        keys,
        bounds,
        place.after,
        limit,
        out,
        starts,
    )
    reached = place.at(int(position), int(after))
    return Step(out[:length].tobytes(), starts[:records].copy(), reached, code, where)


def _finish(data: Raw, step: Step, keys: tuple[str, ...]) -> Going:
    """At the end of the data: nothing more, if the container was closed."""
    place = step.place
    closed = place.after == scan.CLOSED and not place.within
    if place.container not in (scan.ARRAY, scan.KEYED) or closed:
        return step, (), None
    if place.container == scan.KEYED and step.offsets.size:
        # A record without its closing brace takes all that follow for its own values.
        last = int(step.offsets[-1])
        inside = beginning(place, keys).search(data, last + 1)
        if inside is not None:
            damage = _damage(data, slice(last, inside.start()), scan.CUT, len(data))
            return step.without_last(), (damage,), place.at(inside.start())
    return step, (_cut_list(data, place),), None


def _as_it_ends(searched: Searched, step: Step, keys: tuple[str, ...]) -> Going:
    """A keyed record in which one begins like it: whole, where what may follow a record follows."""
    value = value_of_key(searched, step.place.position)
    if value is None or not _FOLLOWS.match(searched.data, value.stop):
        return _mend(searched.data, step, keys)
    alone = replace(step.place, container=scan.JOINED, position=value.start)
    line = _walk(searched.array, alone, value.stop, limit=1).lines
    if not line:
        return _mend(searched.data, step, keys)
    whole = step.with_record(line, step.place.position)
    return whole, (), step.place.at(value.stop, scan.NEXT)


def _after_list(searched: Searched, step: Step) -> tuple[tuple[Damage, ...], Place | None]:
    """After the end of a list of records: the next one of the same object, or what is wrong."""
    place, position = next_list(searched, step.where)
    if place is not None:
        return (), replace(place, wrapper=step.place.wrapper)
    data = searched.data
    if _END.match(data, position):
        return (), None
    if not data[position : position + HEAD_BYTES].strip():
        return (_cut_list(data, step.place.at(position, scan.CLOSED)),), None
    return (_damage(data, slice(position, len(data)), scan.TRAILING, position),), None


def _mend(data: Raw, step: Step, keys: tuple[str, ...]) -> Going:
    """After damage: the stretch that was lost, or the record it was, and where to go on."""
    start = step.place.position
    again = _resume(data, step, keys)
    stretch = slice(start, len(data) if again is None else again.position)
    if step.code == scan.BROKEN_LINE and step.place.container == scan.ARRAY:
        record = _rescue(data, stretch, step.place)
        if record is not None:
            return step.with_record(record, start), (), again
    if step.code in (scan.FEW_FIELDS, scan.MANY_FIELDS):
        return step, (_wrong_fields(data, stretch, step.place),), again
    return step, (_damage(data, stretch, step.code, step.where),), again


def flat_lines(lines: bytes, wanted: tuple[str, ...]) -> pl.DataFrame:
    """One row per line of what `scan` writes; the wanted columns as String."""
    schema = dict.fromkeys(wanted, pl.String)
    if not lines:
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(lines, schema=schema)


def _unwrapped(lines: bytes, wrapper: str, wanted: tuple[str, ...]) -> pl.DataFrame:
    """One row per line, of the object that it has under `wrapper`; nulls where it has none."""
    held = flat_lines(lines, (wrapper,))[wrapper].fill_null("")
    inner, _ = explode_json(held, wanted)
    lines_of = pl.DataFrame({"parent": pl.Series(range(held.len()), dtype=pl.UInt32)})
    first = inner.unique("parent", keep="first")
    return lines_of.join(first, on="parent", how="left", maintain_order="left").drop("parent")


def explode_json(texts: pl.Series, wanted: tuple[str, ...]) -> tuple[pl.DataFrame, pl.Series]:
    """The elements of JSON lists: a row per element, and per text whether it was a list.

    `texts` has no nulls; `NESTED` before a text is not part of it. Columns of the elements:
    `parent`, the index of the text (UInt32), and the wanted ones, String; `scan.ELEMENT` is that
    of elements which are not objects.
    """
    joined = texts.str.strip_prefix(scan.NESTED).str.replace_all("[\r\n]+", " ")
    raw = np.frombuffer((joined.str.join("\n").item() or "").encode(), dtype=np.uint8)
    out = np.empty(scan.GROWTH * raw.size + SLACK_BYTES, dtype=np.uint8)
    parents = np.empty(raw.size + 1, dtype=np.uint32)
    whole = np.ones(texts.len(), dtype=np.bool_)
    elements, length = scan.explode(raw, out, parents, whole)
    frame = flat_lines(out[:length].tobytes(), wanted)
    return frame.insert_column(0, pl.Series("parent", parents[:elements])), pl.Series(whole)


def _resume(data: Raw, step: Step, keys: tuple[str, ...]) -> Place | None:
    """Where to go on after damage: the next line, or the next beginning of a record."""
    place = step.place
    if place.container == scan.LINES:
        line_end = data.find(b"\n", step.where)
        return None if line_end < 0 else place.at(line_end + 1, place.after)
    if step.code == scan.FEW_FIELDS:
        return place.at(step.where, scan.NEXT)
    between = step.code in _DAMAGED_BETWEEN
    if between and place.kind != scan.OBJECT and data[place.position : place.position + 1] == b"[":
        return place.at(place.position)
    start = place.position if between else place.position + 1
    match = beginning(place, keys).search(data, start)
    return None if match is None else place.at(match.start(match.lastgroup or 0))


def _rescue(data: Raw, stretch: slice, place: Place) -> bytes | None:
    """A record that breaks no rule but the one against raw newlines in strings, flattened."""
    if stretch.stop - stretch.start > RESCUE_BYTES:
        return None
    try:
        text = data[stretch].decode()
        record, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return None
    if text[end:].strip() not in ("", ",", "]"):
        return None
    raw = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
    alone = replace(place, container=scan.JOINED, position=0, after=scan.FIRST)
    step = _walk(raw, alone, raw.size, limit=1)
    return step.lines if step.offsets.size else None


def _wrong_fields(data: Raw, stretch: slice, place: Place) -> Damage:
    """A list that has not as many fields as there are names."""
    raw = data[stretch.start : min(stretch.stop, stretch.start + RESCUE_BYTES)]
    try:
        fields, _ = json.JSONDecoder(strict=False).raw_decode(raw.decode("utf-8", "replace"))
        found = str(len(fields))
    except (ValueError, RecursionError):
        found = "more"
    names = ", ".join(place.keys)
    message = f"expected {len(place.keys)} fields ({names}), found {found}"
    return Damage(stretch.start, message, excerpt(raw[:EXCERPT_BYTES]))


def _damage(data: Raw, stretch: slice, code: int, where: int) -> Damage:
    found = f", found {data[where : where + 1]!r}" if where < len(data) else ""
    message = f"{_EXPECTED[code]}{found} at byte {where}"
    # In GB18030 the second byte of a character may be a backslash: then that is all that is wrong.
    position = invalid_until(data, stretch.start, where)
    return Damage(
        stretch.start,
        message if position is None else not_utf8(data, position),
        excerpt(data[stretch.start : min(stretch.stop, stretch.start + EXCERPT_BYTES)]),
        invalid_utf8=position is not None,
    )


def _cut_list(data: Raw, place: Place) -> Damage:
    bracket = "]" if place.container == scan.ARRAY and place.after != scan.CLOSED else "}"
    missing = "a record" if place.after == scan.VALUE else f"{bracket!r}"
    before = max(0, place.position - 100)
    message = f"the data is cut: expected {missing}, found the end at byte {place.position}"
    return Damage(place.position, message, excerpt(data[before : place.position]))
