"""What holds the records of a JSON file: found by its first bytes, whatever the file is called.

An array, an object keyed by id, JSON Lines, and objects one after another are told apart by their
content. So is an object whose lists hold the records: `{"type": …, "instances": [{…}]}`,
`{"train": […], "test": […]}`, `{"rows": [{"row": {…}}]}`. A record is an object, a list of fields
in a known order, or a list of turns.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from tasks.normalize import scan
from tasks.normalize.raw import Raw, release, search, unnamed
from tasks.normalize.utf8 import Bytes

HEAD_BYTES = 1 << 20
SNIFF_BYTES = 8 << 20
LOOK_BYTES = 64 << 10
NEAR_BYTES = 256 << 10
SKIP_BYTES = 16 << 20
LOOK_LINES = 64
MAX_MEMBERS = 1_000
"""So many keys may stand before a list of records: more are those of records."""

SPACE = b" \t\r\n"
_WRAPPER = "row"
_TEXT = rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_SCALAR = rb"(?:%b|-?\d[\d.eE+-]*|null|true|false)" % _TEXT

_OBJECT = re.compile(rb'\{\s*(?:"|\})')
_KEYED = re.compile(rb"\{\s*%b\s*:\s*\{" % _TEXT)
_RECORDS = re.compile(
    rb'(?:^[^{"\t\n]{0,16}|\}\s*,\s*)(?:"[^"\t\n]*"\s*:\s*)?'
    rb'\{\s*"(?:[^"\\\n]|\\.){0,200}"\s*:',
    re.MULTILINE,
)
_NAMED = re.compile(rb"\s*,?\s*(?P<key>%b)\s*:\s*" % _TEXT)
_FIELDS = re.compile(rb'\[\s*(?:"|-?\d|(?:null|true|false)\b)')
_TURNS = re.compile(rb'\[\s*\{\s*"(from|value|role|content)"\s*:')
_ARRAY_OF_LISTS = re.compile(rb"\[\s*(?:%b|%b)" % (_FIELDS.pattern, _TURNS.pattern))
_WRAPPED = re.compile(rb'\{[^{}]*"row"\s*:\s*\{')
_NO_SPACE = re.compile(rb"[^ \t\r\n]")
_LINE_END = re.compile(rb"[ \t]*,?[ \t]*(?:\r?\n|\Z)")

_FIELDS_BEGIN = re.compile(rb"[,\]\n]\s*(?P<record>\[\s*%b\s*[,\]])" % _SCALAR)
_NEXT_FIELDS = re.compile(rb"\]\s*,\s*(?P<record>\[\s*%b\s*[,\]])" % _SCALAR)
_WRAPPED_BEGIN = re.compile(rb'\{\s*"row(?:_idx)?"\s*:')
_SEPARATORS = {scan.ARRAY: rb",\s*", scan.KEYED: rb",\s*", scan.JOINED: b""}
_COLUMN_OF_TURNS = {
    **dict.fromkeys((b"from", b"value"), "conversations"),
    **dict.fromkeys((b"role", b"content"), "messages"),
}


@dataclass(frozen=True)
class Place:
    """Where a walk over a container stands: the byte it is at and what it may meet there.

    `keys` are the names of the fields of records that are lists, or the one of whole values.
    `within` is true of an array that is a value of the outermost object, after which others may
    follow. `wrapper` is the key under which each element has its record, if it does not itself.
    """

    container: int
    position: int
    after: int = scan.FIRST
    kind: int = scan.OBJECT
    keys: tuple[str, ...] = ()
    within: bool = False
    wrapper: str | None = None

    def at(self, position: int, after: int = scan.VALUE) -> "Place":
        """The same container further on; at a record, unless said otherwise."""
        return replace(self, position=position, after=after)


@dataclass(frozen=True)
class Searched:
    """Data, and what is looked for: names of `wanted` values, and of the fields of lists in order.

    Where `positional` is empty, fields are called `field 1`, `field 2` and so on.
    """

    data: Raw
    array: Bytes
    wanted: tuple[str, ...]
    positional: tuple[str, ...] = ()

    def skip(self, position: int, limit: int | None = None) -> int | None:
        """Where the value at a position ends; None where it does not within `limit` bytes."""
        stop = self.array.size if limit is None else min(position + limit, self.array.size)
        state = np.zeros(2, dtype=np.int64)
        while position < stop:
            end = min(position + SKIP_BYTES, stop)
            position, ended = scan.skip(self.array, position, end, state)
            if ended:
                return int(position)
            if end < stop:
                release(self.data)
        return None

    def named(self, position: int) -> re.Match[bytes] | None:
        """The key at a position, with its colon; None where there is none of `HEAD_BYTES`."""
        return _NAMED.match(self.data, position, position + HEAD_BYTES)


def is_json(head: bytes) -> bool:
    """Whether a file that begins like this is JSON, damaged or not."""
    text = head.lstrip(SPACE)
    return (
        _opens_list(text)
        or bool(_OBJECT.match(text) or _RECORDS.search(head))
        or _list_among_lines(text) is not None
        or _between_lists(text) is not None
    )


def find_container(searched: Searched) -> Place:
    """What holds the records, and the place from which to walk it."""
    start = _first_byte(searched.data)
    head = searched.data[start : start + HEAD_BYTES]
    lists = _of_lists(searched, start, head)
    if lists is not None:
        return lists
    if _opens_list(head):
        return Place(scan.ARRAY, start + 1)
    if not _OBJECT.match(head):
        return _damaged_container(head, start, searched.wanted)
    return _of_object(searched, start, head)


def json_key(key: str) -> bytes:
    """A key as it is usually written inside quotes."""
    return json.dumps(key, ensure_ascii=False)[1:-1].encode()


def beginning(place: Place, keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """How a record begins: an object with one of these keys first, or a list."""
    if place.kind != scan.OBJECT:
        return _FIELDS_BEGIN if place.kind == scan.FIELDS else _TURNS
    if place.wrapper is not None:
        return _WRAPPED_BEGIN
    return _object_begins(keys, place.container == scan.KEYED)


@cache
def _object_begins(keys: tuple[str, ...], keyed: bool) -> re.Pattern[bytes]:
    record = rb'\{\s*"(?:' + b"|".join(re.escape(json_key(key)) for key in keys) + rb')"\s*:'
    return re.compile(rb"%b\s*:\s*%b" % (_TEXT, record) if keyed else record)


def next_list(searched: Searched, position: int) -> tuple[Place | None, int]:
    """The place of the next list of records among the members of the outermost object.

    Without one among `MAX_MEMBERS`, None and the position after the last of them.
    """
    for _ in range(MAX_MEMBERS):
        named = searched.named(position)
        if named is None:
            break
        place = _list_at(searched, named.end())
        if place is not None:
            return place, place.position
        end = searched.skip(named.end())
        if end is None:
            return None, searched.array.size
        position = end
    return None, position


def value_of_key(searched: Searched, position: int) -> slice | None:
    """Where the value lies whose key stands at a position; None where it has no near end."""
    named = searched.named(position)
    end = None if named is None else searched.skip(named.end(), NEAR_BYTES)
    return None if named is None or end is None else slice(named.end(), end)


def _of_object(searched: Searched, start: int, head: bytes) -> Place:
    """The place of data that begin with an object: a record, or what holds them all."""
    keyed = bool(_KEYED.match(head)) and _first_key(head) not in searched.wanted
    among_keys = beginning(Place(scan.KEYED, start), searched.wanted)
    certain = bool(re.match(rb"\{\s*" + among_keys.pattern, head))
    inner = None if certain else _first_list(searched, start)
    if inner is not None:
        return inner
    end = _end_of_object(searched.array, start)
    if end is None:
        return _damaged_container(head, start, searched.wanted, keyed=keyed)
    follower = searched.data[end : end + HEAD_BYTES]
    next_byte = follower.lstrip(SPACE)[:1]
    if keyed and (certain or next_byte != b"{"):
        return Place(scan.KEYED, start + 1)
    if b"\n" not in searched.data[start:end] and _LINE_END.match(follower):
        return Place(scan.LINES, start)
    return Place(scan.ARRAY if next_byte == b"," else scan.JOINED, start, scan.VALUE)


def _of_lists(searched: Searched, start: int, head: bytes) -> Place | None:
    """The place of data whose records are lists: of fields, or of the turns of a conversation."""
    if _ARRAY_OF_LISTS.match(head):
        record = head[1:].lstrip(SPACE)
        place = Place(scan.ARRAY, start + 1)
    elif (line := _list_among_lines(head)) is not None:
        record, place = line, Place(scan.LINES, start)
    elif (between := _between_lists(head)) is not None:
        record, place = between, Place(scan.ARRAY, start, scan.VALUE)
    else:
        return None
    turns = _TURNS.match(record)
    if turns is not None:
        column = searched.positional[0] if searched.positional else None
        keys = (column or _COLUMN_OF_TURNS[turns.group(1)],)
        return replace(place, kind=scan.WHOLE, keys=keys)
    return replace(
        place, kind=scan.FIELDS, keys=searched.positional or unnamed("field", _length(record))
    )


def _between_lists(head: bytes) -> bytes | None:
    """Some bytes from the second list of fields on, where an array of such begins damaged."""
    if _RECORDS.search(head):
        return None
    match = _NEXT_FIELDS.search(head)
    return None if match is None else head[match.start("record") :]


def _length(record: bytes) -> int:
    """How many fields the list has with which some bytes begin; one if it is damaged."""
    try:
        listed, _ = json.JSONDecoder(strict=False).raw_decode(record.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return 1
    return max(1, len(listed))


def _first_list(searched: Searched, start: int) -> Place | None:
    """The place of the records in an object one of whose lists holds them; None if none does.

    That is so where the object has none of the wanted columns, and no other object follows it.
    """
    end = searched.skip(start, SNIFF_BYTES)
    if end is not None:
        follower = searched.data[end : end + HEAD_BYTES].lstrip(SPACE + b",")
        if follower[:1] == b"{" or not _keys(searched, start).isdisjoint(searched.wanted):
            return None
    return next_list(searched, start + 1)[0]


def _keys(searched: Searched, start: int) -> set[str]:
    """The keys of the object at a position, up to the first damage."""
    keys = set()
    position: int | None = start + 1
    while position is not None and (named := searched.named(position)) is not None:
        keys.add(named["key"][1:-1].decode("utf-8", "replace"))
        position = searched.skip(named.end())
    return keys


def _list_at(searched: Searched, position: int) -> Place | None:
    """The place of the records of a list at a position; None of a list of anything else."""
    head = searched.data[position : position + LOOK_BYTES]
    place = Place(scan.ARRAY, position + 1, within=True)
    if _ARRAY_OF_LISTS.match(head):
        record = searched.data[position + 1 : position + HEAD_BYTES].lstrip(SPACE)
        fitting = len(searched.positional) == _length(record)
        if not _FIELDS.match(record) or not fitting:
            return None
        return replace(place, kind=scan.FIELDS, keys=searched.positional)
    if not re.match(rb"\[\s*\{", head):
        return None
    # The first record may be damaged: the others tell it too.
    end = searched.skip(position, LOOK_BYTES)
    listed = head[1 : None if end is None else end - position].lstrip(SPACE)
    names = b"|".join(re.escape(json_key(key)) for key in searched.wanted)
    if not re.search(rb'"(?:%b)"\s*:' % names, listed):
        return None
    return replace(place, wrapper=_WRAPPER if _WRAPPED.match(listed) else None)


def _damaged_container(
    head: bytes, start: int, wanted: tuple[str, ...], keyed: bool = False
) -> Place:
    """The place where data of this head begin whose first object does not end, or is none.

    The container is the one that first shows between two records.
    """
    if _record_among_lines(head, partial(_is_record, wanted=wanted)) is not None:
        return Place(scan.LINES, start)
    between = {
        container: re.search(
            rb"\}\s*" + comma + beginning(Place(container, start), wanted).pattern, head
        )
        for container, comma in _SEPARATORS.items()
    }
    places = {container: match.start() for container, match in between.items() if match}
    container = min(places, key=places.__getitem__, default=scan.KEYED if keyed else scan.JOINED)
    if container == scan.KEYED and keyed:
        return Place(container, start + 1)
    return Place(container, start, scan.VALUE)


def _first_byte(data: Raw) -> int:
    """The position of the first byte that is neither a byte order mark nor white space."""
    match = search(data, _NO_SPACE, 3 if data[:3] == b"\xef\xbb\xbf" else 0)
    return len(data) if match is None else match.start()


def _opens_list(head: bytes) -> bool:
    """Whether a list of records begins here, and not a bracket of some other text."""
    inside = head[1:].lstrip(SPACE)
    return head[:1] == b"[" and (
        inside[:1] in (b"{", b"]") or bool(_ARRAY_OF_LISTS.match(head) or _RECORDS.search(head))
    )


def _first_key(head: bytes) -> str:
    match = _NAMED.match(head, 1)
    return match["key"][1:-1].decode("utf-8", "replace") if match else ""


def _end_of_object(array: Bytes, start: int) -> int | None:
    """Where the object at `start` ends; None where it does not, or is no JSON."""
    end = min(start + SNIFF_BYTES, array.size)
    out = np.empty(scan.GROWTH * (end - start) + 1, dtype=np.uint8)
    marks, faults = np.empty((1, 4), dtype=np.int64), np.empty((1, 4), dtype=np.int64)
    records, _, _, position, *_ = scan.scan(
        *(array, start, end, scan.JOINED, scan.OBJECT, scan.FIRST, False, 1),
        *(scan.Table.of((), 1), 0, np.empty(scan.MAX_DEPTH, dtype=np.uint8)),
        *(out, 0, marks, faults),
    )
    return int(position) if records else None


def _record_among_lines(head: bytes, is_record: Callable[[bytes], bool]) -> bytes | None:
    """The first line that is a record, if at least half of the first lines are one each."""
    lines = [line.strip(SPACE + b",") for line in head.split(b"\n", LOOK_LINES)[:LOOK_LINES]]
    lines = [line for line in lines if line]
    records = [line for line in lines if is_record(line)]
    return records[0] if records and 2 * len(records) >= len(lines) else None


def _list_among_lines(head: bytes) -> bytes | None:
    return _record_among_lines(head, _is_list)


def _is_record(line: bytes, wanted: tuple[str, ...]) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not set(wanted).isdisjoint(value)


def _is_list(line: bytes) -> bool:
    """Whether a line is a list of several fields, the first no list itself, or of turns."""
    if not (_FIELDS.match(line) or _TURNS.match(line)):
        return False
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return len(value) > 1
