"""JSON in all its containers to rows, around whatever damage there is.

An array, an object keyed by id, JSON Lines and objects one after another are told apart by their
content. Where the grammar is violated, the walk goes on at the next place that looks like the
beginning of a record: a `{` with one of the keys that good records begin with, or the next line.
Inside a JSON string a quote is always escaped, so such a place is never inside intact text.
A record whose bytes are not valid UTF-8 is damage too.
"""

import json
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from tasks.kernel import announce_compilation
from tasks.normalize import scan
from tasks.normalize.raw import (
    INVALID_UTF8,
    OFFSET,
    Batch,
    Damage,
    excerpt,
    invalid_byte,
    invalid_until,
    is_utf8,
    not_utf8,
    valid_lines,
)

BATCH_ROWS = 20_000
WINDOW_BYTES = 16 << 20
HEAD_BYTES = 1 << 20
SNIFF_BYTES = 8 << 20
RESCUE_BYTES = 16 << 20
SLACK_BYTES = 64
EXCERPT_BYTES = 2_000
LOOK_LINES = 64

Raw = bytes | mmap.mmap
Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]

_OBJECT = re.compile(rb'\{\s*(?:"|\})')
_KEYED = re.compile(rb'\{\s*"(?:[^"\\\n]|\\.)*"\s*:\s*\{')
_RECORDS = re.compile(
    rb'(?:^[^{"\t\n]{0,16}|\}\s*,\s*)(?:"[^"\t\n]*"\s*:\s*)?'
    rb'\{\s*"(?:[^"\\\n]|\\.){0,200}"\s*:',
    re.MULTILINE,
)
_LINE_END = re.compile(rb"[ \t]*,?[ \t]*(?:\r?\n|\Z)")
_SPACE = b" \t\r\n"
_SEPARATORS = {scan.ARRAY: rb",\s*", scan.KEYED: rb",\s*", scan.JOINED: b""}

_EXPECTED = {
    scan.CUT: "the data ends inside a record",
    scan.BROKEN_LINE: "a line ends inside a record",
    scan.TOKEN: "not JSON",
    scan.ESCAPE: "not an escape sequence of JSON",
    scan.NO_COMMA: "expected a comma between records",
    scan.TRAILING_COMMA: "expected a record after the comma",
    scan.TRAILING: "expected nothing after the closing bracket",
    scan.DEEP: "nested too deeply",
}
_DAMAGED_BETWEEN = (scan.NO_COMMA, scan.TRAILING_COMMA, scan.TRAILING)


@dataclass(frozen=True)
class Place:
    """Where a walk over a container stands: the byte it is at and what it may meet there."""

    container: int
    position: int
    after: int = scan.FIRST


def is_json(head: bytes) -> bool:
    """Whether a file that begins like this is JSON, damaged or not."""
    text = head.lstrip(_SPACE)
    return (text[:1] == b"[" and _opens_list(text)) or bool(
        _OBJECT.match(text) or _RECORDS.search(head)
    )


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
        """The same without its last record."""
        lines = self.lines[: self.lines.rfind(b"\n", 0, -1) + 1]
        return replace(self, lines=lines, offsets=self.offsets[:-1])

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
        if not is_utf8(lines):
            lines, offsets, spoilt = _without_spoilt(data, lines, offsets)
            damage = sorted([*damage, *spoilt], key=lambda one: one.offset)
        rows = flat_lines(lines, wanted).insert_column(
            0, pl.Series(OFFSET, offsets).cast(pl.UInt64)
        )
        spoilt_rows = sum(one.invalid_utf8 for one in damage)
        return Batch(rows, tuple(damage), {INVALID_UTF8: spoilt_rows})


def _without_spoilt(
    data: Raw, lines: bytes, offsets: Offsets
) -> tuple[bytes, Offsets, list[Damage]]:
    """The records that are valid UTF-8, and those that are not as damage."""
    valid = valid_lines(lines)[:-1]
    records = pl.Series(lines.split(b"\n")[:-1], dtype=pl.Binary).filter(valid)
    kept = b"\n".join([*records, b""])
    spoilt = offsets[~valid.to_numpy()].tolist()
    return kept, offsets[valid.to_numpy()], [_spoilt(data, start) for start in spoilt]


def _spoilt(data: Raw, start: int) -> Damage:
    """The record at `start`, somewhere in which a byte is not valid UTF-8."""
    position = invalid_byte(data, start, len(data))
    return Damage(
        start,
        not_utf8(data, start if position is None else position),
        excerpt(data[start : start + EXCERPT_BYTES]),
        invalid_utf8=True,
    )


Going = tuple[Step, tuple[Damage, ...], Place | None]


def read_json(data: Raw, wanted: tuple[str, ...]) -> Iterator[Batch]:
    """Rows of every whole record in the data, with a `Damage` for every stretch between them."""
    array = np.frombuffer(data, dtype=np.uint8)
    place: Place | None = find_container(data, array, wanted)
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
            place = step.place
        elif step.code == scan.ENDED:
            step, found, place = _finish(data, step, keys)
        else:
            step, found, place = _mend(data, step, keys)
        gathered.add(step, found)
        if place is None or gathered.rows >= BATCH_ROWS or gathered.size_bytes >= WINDOW_BYTES:
            yield gathered.batch(data, wanted)
            gathered = Gathered()


def _walk(array: Bytes, place: Place, end: int) -> Step:
    """Records from a place on: all of the window up to `end`, or `BATCH_ROWS` of them."""
    announce_compilation(scan.scan)
    out = np.empty(scan.GROWTH * (end - place.position) + SLACK_BYTES, dtype=np.uint8)
    starts = np.empty(BATCH_ROWS, dtype=np.int64)
    records, length, position, after, code, where = scan.scan(
        array, place.position, end, place.container, place.after, BATCH_ROWS, out, starts
    )
    reached = Place(place.container, position, after)
    return Step(out[:length].tobytes(), starts[:records], reached, code, where)


def _finish(data: Raw, step: Step, keys: tuple[str, ...]) -> Going:
    """At the end of the data: nothing more, if the container was closed."""
    container = step.place.container
    if container not in (scan.ARRAY, scan.KEYED) or step.place.after == scan.CLOSED:
        return step, (), None
    if container == scan.KEYED and step.offsets.size:
        # A record without its closing brace takes all that follow for its own values.
        last = int(step.offsets[-1])
        inside = re.compile(_beginning(container, keys)).search(data, last + 1)
        if inside is not None:
            damage = _damage(data, slice(last, inside.start()), scan.CUT, len(data))
            return step.without_last(), (damage,), Place(container, inside.start(), scan.VALUE)
    return step, (_cut_list(data, step.place),), None


def _mend(data: Raw, step: Step, keys: tuple[str, ...]) -> Going:
    """After damage: the stretch that was lost, or the record it was, and where to go on."""
    start = step.place.position
    again = _resume(data, step, keys)
    stretch = slice(start, len(data) if again is None else again.position)
    if step.code == scan.BROKEN_LINE and step.place.container == scan.ARRAY:
        record = _rescue(data, stretch)
        if record is not None:
            return step.with_record(record, start), (), again
    return step, (_damage(data, stretch, step.code, step.where),), again


def flat_lines(lines: bytes, wanted: tuple[str, ...]) -> pl.DataFrame:
    """One row per line of what `scan` writes; the wanted columns as String."""
    schema = dict.fromkeys(wanted, pl.String)
    if not lines:
        return pl.DataFrame(schema=schema)
    return pl.read_ndjson(lines, schema=schema)


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


def find_container(data: Raw, array: Bytes, wanted: tuple[str, ...]) -> Place:
    """What holds the records, and the place from which to walk it."""
    start = _first_byte(data)
    head = data[start : start + HEAD_BYTES]
    if _opens_list(head):
        return Place(scan.ARRAY, start + 1)
    keyed = bool(_KEYED.match(head)) and _first_key(head) not in wanted
    end = _end_of_object(array, start) if _OBJECT.match(head) else None
    if end is None:
        return _damaged_container(head, start, keyed, wanted)
    follower = data[end : end + HEAD_BYTES]
    next_byte = follower.lstrip(_SPACE)[:1]
    certain = re.match(rb"\{\s*" + _beginning(scan.KEYED, wanted), head)
    if keyed and (certain or next_byte != b"{"):
        return Place(scan.KEYED, start + 1)
    if b"\n" not in data[start:end] and _LINE_END.match(follower):
        return Place(scan.LINES, start)
    return Place(scan.ARRAY if next_byte == b"," else scan.JOINED, start, scan.VALUE)


def _damaged_container(head: bytes, start: int, keyed: bool, wanted: tuple[str, ...]) -> Place:
    """The place where data of this head begin whose first object does not end, or is none.

    The container is the one that first shows between two records.
    """
    if _looks_like_lines(head, wanted):
        return Place(scan.LINES, start)
    between = {
        container: re.search(rb"\}\s*" + comma + _beginning(container, wanted), head)
        for container, comma in _SEPARATORS.items()
    }
    places = {container: match.start() for container, match in between.items() if match}
    container = min(places, key=places.__getitem__, default=scan.KEYED if keyed else scan.JOINED)
    if container == scan.KEYED and keyed:
        return Place(container, start + 1)
    return Place(container, start, scan.VALUE)


def _beginning(container: int, keys: tuple[str, ...]) -> bytes:
    """The pattern of how a record begins that has one of these keys first."""
    record = rb'\{\s*"(?:' + b"|".join(re.escape(json_key(key)) for key in keys) + rb')"\s*:'
    return rb'"(?:[^"\\\n]|\\.)*"\s*:\s*' + record if container == scan.KEYED else record


def _first_byte(data: Raw) -> int:
    """The position of the first byte that is neither a byte order mark nor white space."""
    start = 3 if data[:3] == b"\xef\xbb\xbf" else 0
    while data[start : start + 1] and data[start] in _SPACE:
        start += 1
    return start


def _opens_list(head: bytes) -> bool:
    """Whether a list of records begins here, and not a bracket of some other text."""
    inside = head[1:].lstrip(_SPACE)
    return head[:1] == b"[" and (inside[:1] in (b"{", b"]") or bool(_RECORDS.search(head)))


def _first_key(head: bytes) -> str:
    match = re.match(rb'\{\s*"((?:[^"\\\n]|\\.)*)"', head)
    return match.group(1).decode("utf-8", "replace") if match else ""


def _end_of_object(array: Bytes, start: int) -> int | None:
    """Where the object at `start` ends; None where it does not."""
    end = min(start + SNIFF_BYTES, array.size)
    out = np.empty(scan.GROWTH * (end - start) + SLACK_BYTES, dtype=np.uint8)
    starts = np.empty(1, dtype=np.int64)
    records, _, position, *_ = scan.scan(array, start, end, scan.JOINED, scan.FIRST, 1, out, starts)
    return int(position) if records else None


def _looks_like_lines(head: bytes, wanted: tuple[str, ...]) -> bool:
    """Whether at least half of the first lines are a record each."""
    lines = [line.strip(_SPACE + b",") for line in head.split(b"\n", LOOK_LINES)[:LOOK_LINES]]
    lines = [line for line in lines if line]
    records = [line for line in lines if _is_record(line, wanted)]
    return bool(records) and 2 * len(records) >= len(lines)


def _is_record(line: bytes, wanted: tuple[str, ...]) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not set(wanted).isdisjoint(value)


def _resume(data: Raw, step: Step, keys: tuple[str, ...]) -> Place | None:
    """Where to go on after damage: the next line, or the next beginning of a record."""
    container, position = step.place.container, step.place.position
    if container == scan.LINES:
        line_end = data.find(b"\n", step.where)
        return None if line_end < 0 else Place(container, line_end + 1)
    start = position if step.code in _DAMAGED_BETWEEN else position + 1
    match = re.compile(_beginning(container, keys)).search(data, start)
    return None if match is None else Place(container, match.start(), scan.VALUE)


def json_key(key: str) -> bytes:
    """A key as it is usually written inside quotes."""
    return json.dumps(key, ensure_ascii=False)[1:-1].encode()


def _rescue(data: Raw, stretch: slice) -> bytes | None:
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
    out = np.empty(scan.GROWTH * raw.size + SLACK_BYTES, dtype=np.uint8)
    starts = np.empty(1, dtype=np.int64)
    records, length, *_ = scan.scan(raw, 0, raw.size, scan.LINES, scan.FIRST, 1, out, starts)
    return out[:length].tobytes() if records else None


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
    bracket = "]" if place.container == scan.ARRAY else "}"
    missing = "a record" if place.after == scan.VALUE else f"{bracket!r}"
    before = max(0, place.position - 100)
    message = f"the data is cut: expected {missing}, found the end at byte {place.position}"
    return Damage(place.position, message, excerpt(data[before : place.position]))
