# ruff: noqa: PLR0911, PLR0912, PLR0915 — the grammar's automata are one switch each
r"""One pass over raw bytes: where JSON records begin, and the texts of their values as columns.

A pushdown automaton of the JSON grammar (RFC 8259) walks the bytes once. Because it knows the
grammar, damage is seen within a few bytes of where it happened, and not where the file ends.

What it writes is a `Table` of texts, a row per record, as Arrow lays out string views. Whatever
types a column mixes, it reads as texts: a string is what it says, numbers and booleans are what
stands there, and a nested list or object is its JSON without white space behind `NESTED`. Where a
record has a key twice, the first counts. Lone surrogates become U+FFFD, raw tabs in nested strings
`\t`, other raw control characters vanish.
"""

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tasks.fold import put_code_point
from tasks.kernel import kernel, kernel_part, uncounted
from tasks.normalize.utf8 import Bytes, Offsets

ARRAY, KEYED, LINES, JOINED = range(4)
"""Containers: `[{}, {}]`, `{"id": {}, "id": {}}`, an object a line, objects one after another."""

FIRST, VALUE, NEXT, CLOSED = range(4)
"""Between records: after the opening bracket, a comma, a record, the closing bracket."""

FULL, ENDED, CUT, BROKEN_LINE, TOKEN, ESCAPE, NO_COMMA, TRAILING_COMMA, TRAILING, DEEP = range(10)
"""Why a walk stopped. Only the first two are not damage: limit reached, and end of data."""

FEW_FIELDS, MANY_FIELDS, SWALLOWS, TOO_LONG = range(10, 14)
"""More of them: a list of the wrong length, an object that may hold the records after it, and a
record that takes more memory than there may be (what walks it must say so)."""

OBJECT, FIELDS, WHOLE = range(3)
"""What a record is: `{"key": value}`, `[value, value]`, or one value of any kind."""

START, VALUE_START, VALUE_STOP, TEXT_STOP = range(4)
"""Of a record, where it begins and its value begins and ends, and where its texts end."""

NESTED = "\x1e"
ELEMENT = "\x1e"
"""The column of elements that are no objects: a name that no source gives to a key."""
MAX_DEPTH = 256
GROWTH = 2
"""Bytes written per byte read, at most (a raw tab in a nested string, an empty list)."""
ABSENT, NULL = np.uint64(1 << 32), np.uint64(2 << 32)
"""The first half of the view of what is no text: no text is empty and has a prefix."""

_OK = -1
_KEY_FIRST, _KEY, _COLON, _VALUE_FIRST, _VALUE, _AFTER = range(6)
_QUOTE, _BACKSLASH, _COMMA, _COLON_SIGN = ord('"'), ord("\\"), ord(","), ord(":")
_OPEN_LIST, _CLOSE_LIST, _OPEN_OBJECT, _CLOSE_OBJECT = ord("["), ord("]"), ord("{"), ord("}")
_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32
_LOWER_N, _LOWER_R, _LOWER_T, _LOWER_U = ord("n"), ord("r"), ord("t"), ord("u")
_INLINE_BYTES = 12  # so long a text stands in the view itself
_PREFIX_BYTES = 4
_BYTE_BITS, _LENGTH_BITS = np.uint64(8), np.uint64(32)
_NO_BITS = np.uint64(0)
_OUTSIDE = _STRICT = np.bool_(False)  # a bare False would have all that it is told compiled anew
_NESTED = ord(NESTED)
_LOST = 0xFFFD
_LOST_ESCAPED = np.frombuffer(b"\\ufffd", dtype=np.uint8)
_TRUE, _FALSE, _NULL, _NAN, _INFINITY = (
    np.frombuffer(word, dtype=np.uint8)
    for word in (b"true", b"false", b"null", b"NaN", b"Infinity")
)

_ESCAPED = np.zeros(256, dtype=np.uint8)
for _letter, _said in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _ESCAPED[_letter] = _said
_NUMERIC = np.zeros(256, dtype=np.bool_)
_NUMERIC[np.frombuffer(b"0123456789+-.eE", dtype=np.uint8)] = True
_HEX = np.full(256, -1, dtype=np.int64)
for _digit in b"0123456789abcdefABCDEF":
    _HEX[_digit] = int(chr(_digit), 16)


class Table(NamedTuple):
    """Texts by row and column, in kernels and out of them.

    Column c is called `names[bounds[c]:bounds[c + 1]]`, in UTF-8; `fields` has the column of each
    field of records that are lists, -1 where it has none. `views[c, row]` is Arrow's view of a text
    in the one buffer that a walk writes, as two halves of 64 bits, or `ABSENT` or `NULL` and 0.
    """

    names: Bytes
    bounds: Offsets
    fields: Offsets
    views: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, columns: tuple[str, ...], rows: int) -> Self:
        """Room for so many rows of these columns; no field is any of them."""
        names = [column.encode() for column in columns]
        return cls(
            names=np.array([*b"".join(names)], dtype=np.uint8),
            bounds=np.cumsum([0, *map(len, names)], dtype=np.int64),
            fields=np.empty(0, dtype=np.int64),
            views=np.empty((len(columns), rows, 2), dtype=np.uint64),
        )

    def listed(self, columns: tuple[str, ...], fields: tuple[str, ...]) -> Self:
        """The same table, these being its columns, with names for the fields of lists."""
        places = [columns.index(field) if field in columns else -1 for field in fields]
        return self._replace(fields=np.array(places, dtype=np.int64))


@kernel_part
def _skip_space(data, p, end):
    while p < end and data[p] in (_SPACE, _NEWLINE, _RETURN, _TAB):
        p += 1
    return p


@kernel_part
def _put(out, o, piece):
    for k in range(piece.size):
        out[o + k] = piece[k]
    return o + piece.size


@kernel_part
def _copy(data, p, stop, out, o):
    while p < stop:
        out[o] = data[p]
        p += 1
        o += 1
    return o


@uncounted
@kernel
def _hex4(data, p):
    """The code unit that four hexadecimal digits spell, or a negative number."""
    code = 0
    for k in range(4):
        digit = _HEX[data[p + k]]
        if digit < 0:
            return -1
        code = code * 16 + digit
    return code


@kernel_part
def _is_word(data, p, length, word):
    if length != word.size:
        return False
    for k in range(length):  # noqa: SIM110 — numba compiles no generators
        if data[p + k] != word[k]:
            return False
    return True


@kernel_part
def _plain(data, p, end, out, o):
    """Copy what stands before a quote, a backslash or a control character; returns both positions.

    Of an index without a sign numba does not ask whether it counts from the end.
    """
    first, to = np.uint64(p), np.uint64(o)
    for k in range(np.uint64(end - p)):
        c = data[first + k]
        if c < _SPACE or c in (_QUOTE, _BACKSLASH):
            return p + np.int64(k), o + np.int64(k)
        out[to + k] = c
    return end, o + end - p


@kernel_part
def _unicode_escape(data, p, end, out, o, nested):
    """Write the code point that is spelt at `p`; returns (position, output position, code).

    Where it is nested it stays as it is spelt, but for a lone surrogate.
    """
    if data[p + 1] != _LOWER_U:
        return p, o, ESCAPE
    if p + 6 > end:
        return p, o, CUT
    point = _hex4(data, p + 2)
    if point < 0:
        return p, o, ESCAPE
    stop = p + 6
    lone = 0xD800 <= point <= 0xDFFF
    if lone and point < 0xDC00 and p + 12 <= end:
        low = _hex4(data, p + 8) if data[p + 6] == _BACKSLASH and data[p + 7] == _LOWER_U else -1
        if 0xDC00 <= low <= 0xDFFF:
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
            stop = p + 12
            lone = False
    if nested and lone:
        return stop, _put(out, o, _LOST_ESCAPED), _OK
    if nested:
        return stop, _copy(data, p, stop, out, o), _OK
    return stop, put_code_point(_LOST if lone else point, out, o), _OK


@kernel_part
def _rest_of_string(data, p, end, out, o, nested, lenient):
    """Write what a string says from `p` on, a quote or what `_plain` does not copy."""
    while p < end:
        c = data[p]
        if c == _QUOTE:
            if nested:
                out[o] = _QUOTE
                o += 1
            return p + 1, o, _OK
        if c == _BACKSLASH:
            if p + 1 >= end:
                return p, o, CUT
            said = _ESCAPED[data[p + 1]]
            if said == 0:
                p, o, code = _unicode_escape(data, p, end, out, o, nested)
                if code != _OK:
                    return p, o, code
            else:
                if nested:
                    out[o] = _BACKSLASH
                    o += 1
                    said = data[p + 1]
                out[o] = said
                o += 1
                p += 2
        else:
            if c in (_NEWLINE, _RETURN, _TAB):
                if c != _TAB and not lenient:
                    return p, o, BROKEN_LINE
                if nested:
                    out[o] = _BACKSLASH
                    o += 1
                    c = _LOWER_T if c == _TAB else _LOWER_N if c == _NEWLINE else _LOWER_R
                out[o] = c
                o += 1
            p += 1
        p, o = _plain(data, p, end, out, o)
    return p, o, CUT


@kernel_part
def _string(data, p, end, out, o, nested, lenient):
    """Write what the string says whose opening quote is at `p`; where nested, as JSON has it.

    Where `lenient` is true, a raw newline is one that is escaped.
    """
    if nested:
        out[o] = _QUOTE
        o += 1
    p, o = _plain(data, p + 1, end, out, o)
    if p < end and data[p] == _QUOTE and not nested:
        return p + 1, o, _OK
    return _rest_of_string(data, p, end, out, o, nested, lenient)


@kernel_part
def _scalar(data, p, end, out, o, nested):
    """Copy a number, true, false or null; of a null that is not nested, nothing is written."""
    start = p
    numeric = True
    while p < end:
        c = data[p]
        if _NUMERIC[c]:
            p += 1
        elif (c >= 65 and c <= 90) or (c >= 97 and c <= 122):
            numeric = False
            p += 1
        else:
            break
    if p == end:
        return start, o, CUT
    length = p - start
    if length == 0:
        return start, o, TOKEN
    null = _is_word(data, start, length, _NULL)
    sign = 1 if data[start] == 45 else 0
    if not (
        numeric
        or null
        or _is_word(data, start, length, _TRUE)
        or _is_word(data, start, length, _FALSE)
        or _is_word(data, start, length, _NAN)
        or _is_word(data, start + sign, length - sign, _INFINITY)
    ):
        return start, o, TOKEN
    if nested or not null:
        o = _copy(data, start, p, out, o)
    return p, o, _OK


@kernel_part
def _begin_alike(data, p, q, end):
    """Whether the objects at `p` and `q` begin with the same key."""
    p = _skip_space(data, p + 1, end)
    q = _skip_space(data, q + 1, end)
    if q >= end or data[p] != _QUOTE:
        return False
    while q < end and data[p] == data[q]:
        p += 1
        q += 1
        if data[p - 1] == _QUOTE and data[p] in (_COLON_SIGN, _SPACE, _NEWLINE, _RETURN, _TAB):
            return True
    return False


@kernel_part
def _clear(views, row):
    """A row holds nothing."""
    for column in range(views.shape[0]):
        views[column, row, 0] = ABSENT
        views[column, row, 1] = 0


@kernel_part
def _is_name(names, bounds, column, text, start, stop):
    begin = bounds[column]
    if stop - start != bounds[column + 1] - begin:
        return False
    for k in range(stop - start):  # noqa: SIM110 — numba compiles no generators
        if text[start + k] != names[begin + k]:
            return False
    return True


@kernel_part
def _column(names, bounds, text, start, stop, guess):
    """The column whose name is `text[start:stop]`, or -1; `guess` is looked at first."""
    columns = bounds.size - 1
    if guess < columns and _is_name(names, bounds, guess, text, start, stop):
        return guess
    for column in range(columns):
        if _is_name(names, bounds, column, text, start, stop):
            return column
    return -1


@kernel_part
def _packed(text, start, stop):
    """Up to eight bytes as one number, the first the lowest."""
    number = _NO_BITS
    for k in range(stop - start):
        number |= np.uint64(text[start + k]) << (np.uint64(k) * _BYTE_BITS)
    return number


@kernel_part
def _hold(views, column, row, text, start, stop, null):
    """Take `text[start:stop]` for a value, unless the row has one; returns where its text ends.

    A text that is not taken ends where it begins.
    """
    if column < 0 or views[column, row, 0] != ABSENT:
        return start
    if null:
        views[column, row, 0] = NULL
        return start
    prefix = min(start + _PREFIX_BYTES, stop)
    views[column, row, 0] = np.uint64(stop - start) | _packed(text, start, prefix) << _LENGTH_BITS
    if stop - start <= _INLINE_BYTES:
        views[column, row, 1] = _packed(text, prefix, stop)
    else:
        views[column, row, 1] = np.uint64(start) << _LENGTH_BITS  # of buffer 0
    return stop


@kernel_part
def _record(
    data, p, end, container, kind, lenient, names, bounds, fields, views, row, out, o, stack
):
    """Write one record to a row of a `Table`; returns (position, output position, code).

    At `p` stands the opening brace of an `OBJECT`, the opening bracket of `FIELDS`, or any value,
    which is a `WHOLE` record. In `LINES`, a newline inside the record is damage; in `KEYED`, a
    value that begins as the record does is taken for the record after it; so is, everywhere but
    among `JOINED` ones, a list inside a list that is a whole record. `lenient` is that of
    `_string`. Values that the table has no column for are walked, and their text is overwritten.
    """
    begin = p
    depth = 1
    field = 0
    column = -1 if kind == OBJECT else fields[0]
    one_line = container == LINES
    whole = kind == WHOLE
    value = o
    _clear(views, row)
    if kind == OBJECT:
        p += 1
        state = _KEY_FIRST
        stack[0] = _OPEN_OBJECT
    else:
        if kind == FIELDS:
            p += 1
        state = _VALUE_FIRST if kind == FIELDS else _VALUE
        stack[0] = _OPEN_LIST if kind == FIELDS else 0
    while p < end:
        c = data[p]
        if c in (_SPACE, _NEWLINE, _RETURN, _TAB):
            if one_line and c == _NEWLINE:
                return p, o, BROKEN_LINE
            p += 1
            continue
        nested = depth > 1
        closing = False
        if state in (_KEY, _KEY_FIRST):
            if c == _QUOTE:
                p, o, code = _string(data, p, end, out, o, nested, lenient)
                if code != _OK:
                    return p, o, code
                if not nested:
                    column = _column(names, bounds, out, value, o, column + 1)
                    o = value
                state = _COLON
                continue
            if c != _CLOSE_OBJECT or state == _KEY:
                return p, o, TOKEN
            closing = True
        elif state == _COLON:
            if c != _COLON_SIGN:
                return p, o, TOKEN
            if nested:
                out[o] = c
                o += 1
            p += 1
            state = _VALUE
            continue
        elif state == _AFTER:
            top = stack[depth - 1]
            if c == _COMMA:
                if nested:
                    out[o] = c
                    o += 1
                if top == _OPEN_OBJECT:
                    state = _KEY
                else:
                    state = _VALUE
                    if depth == 1:
                        field += 1
                        if field == fields.size:
                            return p, o, MANY_FIELDS
                        column = fields[field]
                p += 1
                continue
            if c != (_CLOSE_OBJECT if top == _OPEN_OBJECT else _CLOSE_LIST):
                return p, o, TOKEN
            closing = True
        elif c == _QUOTE:
            p, o, code = _string(data, p, end, out, o, nested, lenient)
            if code != _OK:
                return p, o, code
            state = _AFTER
        elif c in (_OPEN_OBJECT, _OPEN_LIST):
            if depth == MAX_DEPTH:
                return p, o, DEEP
            if whole and container != JOINED and depth == 2 and c == _OPEN_LIST:
                return p, o, TOKEN
            if depth == 1:
                if container == KEYED and c == _OPEN_OBJECT and _begin_alike(data, begin, p, end):
                    return p, o, SWALLOWS
                out[o] = _NESTED
                o += 1
            out[o] = c
            o += 1
            p += 1
            stack[depth] = c
            depth += 1
            state = _KEY_FIRST if c == _OPEN_OBJECT else _VALUE_FIRST
            continue
        elif c == _CLOSE_LIST and state == _VALUE_FIRST:
            closing = True
        else:
            p, o, code = _scalar(data, p, end, out, o, nested)
            if code != _OK:
                return p, o, code
            state = _AFTER
        if closing:
            p += 1
            depth -= 1
            if depth == 0:
                few = kind == FIELDS and (state == _VALUE_FIRST or field < fields.size - 1)
                return p, o, FEW_FIELDS if few else _OK
            out[o] = c
            o += 1
            state = _AFTER
        if depth == 1 and state == _AFTER:
            o = value = _hold(views, column, row, out, value, o, c == _LOWER_N)
            if whole:
                return p, o, _OK
    return p, o, CUT


@uncounted
@kernel
def skip(data, p, end, state):
    """Go to the end of the value that begins at `p`; returns (position, whether it ended).

    Only quotes and brackets are looked at. `state` holds how many brackets are open and whether a
    string is: zeros at first, and as it is left where the value goes on after `end`.
    """
    depth, in_string = state[0], state[1] == 1
    while p < end:
        c = data[p]
        if in_string:
            if c == _QUOTE:
                in_string = False
            elif c == _BACKSLASH:
                p += 1
        elif c == _QUOTE:
            in_string = True
        elif c in (_OPEN_LIST, _OPEN_OBJECT):
            depth += 1
        elif depth == 0 and c in (_COMMA, _CLOSE_LIST, _CLOSE_OBJECT, _SPACE, _NEWLINE, _RETURN):
            return p, True
        elif c in (_CLOSE_LIST, _CLOSE_OBJECT):
            depth -= 1
            if depth == 0:
                return p + 1, True
        p += 1
    state[0], state[1] = depth, 1 if in_string else 0
    return p, False


@uncounted
@kernel
def count_fields(data, starts, stops, counts):
    """Write how many values each of the lists has that begin at `starts`; -1 if one does not end.

    Only quotes, brackets and commas are looked at, and nothing from `stops` on.
    """
    for n in range(starts.size):
        p, end = starts[n], min(stops[n], data.size)
        counts[n] = -1
        depth, fields, empty = 0, 1, True
        while p < end:
            c = data[p]
            if c == _QUOTE:
                p += 1
                while p < end and data[p] != _QUOTE:
                    p += 2 if data[p] == _BACKSLASH else 1
                empty = False
            elif c in (_CLOSE_LIST, _CLOSE_OBJECT):
                depth -= 1
                if depth == 0:
                    counts[n] = 0 if empty else fields
                    break
            else:
                if depth > 0 and c not in (_SPACE, _TAB, _NEWLINE, _RETURN):
                    empty = False
                if c in (_OPEN_LIST, _OPEN_OBJECT):
                    depth += 1
                elif c == _COMMA and depth == 1:
                    fields += 1
            p += 1


@uncounted
@kernel
def line_end(data, p, end):
    """The position of the line feed that ends the line at `p`; `end` where there is none."""
    while p < end and data[p] != _NEWLINE:
        p += 1
    return p


@uncounted
@kernel
def scan(
    data,
    position,
    end,
    container,
    kind,
    after,
    lenient,
    limit,
    table,
    row,
    stack,
    out,
    o,
    marks,
    faults,
):
    """Write the records of `data[position:end]` to a `Table`, until something stops it.

    `after` is where the walk stands between records. The table goes on at `row`, and its texts at
    `out[o]`, where there is room for `GROWTH * (end - position)` bytes. A row of `marks` for each
    record takes `START` to `TEXT_STOP`. Among `LINES`, damage costs its line only: a row of
    `faults` takes where the stretch begins and ends, why, and the byte at which that showed. There
    are no more of both than `limit`. `lenient` is that of `_string`; `stack` has room for brackets,
    of which no more than `MAX_DEPTH` are open at once.

    Returns (records, faults, end of the texts, position, after, code, where): `position` is that
    of the first byte not yet dealt with, a record's first byte where its walk failed; `where` is
    the byte at which it failed.
    """
    names, bounds, fields, views = table
    listed = container in (ARRAY, KEYED)
    close = _CLOSE_LIST if container == ARRAY else _CLOSE_OBJECT
    records = 0
    wrong = 0
    p = position
    while records + wrong < limit:
        p = _skip_space(data, p, end)
        if p >= end:
            return records, wrong, o, p, after, ENDED, p
        c = data[p]
        if not listed:
            if c == _COMMA:
                p += 1
                continue
        elif after == CLOSED:
            return records, wrong, o, p, after, TRAILING, p
        elif c == close:
            if after == VALUE:
                return records, wrong, o, p, after, TRAILING_COMMA, p
            after = CLOSED
            p += 1
            continue
        elif after == NEXT:
            if c != _COMMA:
                return records, wrong, o, p, after, NO_COMMA, p
            after = VALUE
            p += 1
            continue
        start = p
        if container == KEYED:
            if c != _QUOTE:
                return records, wrong, o, start, after, TOKEN, p
            p, _, code = _string(data, p, end, out, o, _OUTSIDE, lenient)
            if code == _OK:
                p = _skip_space(data, p, end)
                code = CUT if p >= end else _OK if data[p] == _COLON_SIGN else TOKEN
            if code == _OK:
                p = _skip_space(data, p + 1, end)
                code = CUT if p >= end else _OK
            if code != _OK:
                return records, wrong, o, start, after, code, p
            c = data[p]
        begin, written, code = p, o, TOKEN
        if c == (_OPEN_OBJECT if kind == OBJECT else _OPEN_LIST):
            p, written, code = _record(
                *(data, p, end, container, kind, lenient),
                *(names, bounds, fields, views, row + records, out, o, stack),
            )
        if code != _OK:
            stop = end if container != LINES or code == CUT else line_end(data, p, end)
            if stop >= end:
                return records, wrong, o, start, after, code, p
            faults[wrong, 0] = start
            faults[wrong, 1] = stop + 1
            faults[wrong, 2] = code
            faults[wrong, 3] = p
            wrong += 1
            p = stop + 1
            continue
        o = written
        marks[records, START] = start
        marks[records, VALUE_START] = begin
        marks[records, VALUE_STOP] = p
        marks[records, TEXT_STOP] = o
        records += 1
        after = NEXT
    return records, wrong, o, p, after, FULL, p


@uncounted
@kernel
def explode(data, table, stack, out, parents, whole):
    """Write the elements of JSON lists, one list a line of `data`, a row of the table each.

    An object is read by its keys and any other value as its first field; a line that is one object
    counts as a list of it. `parents` takes the line number of each element; `whole[line]` becomes
    False, and nothing is written, where a line is not one JSON list. Returns (elements, end of the
    texts in `out`). `stack` is that of `scan`.
    """
    names, bounds, fields, views = table
    elements = 0
    o = 0
    p = 0
    for line in range(whole.size):
        end = line_end(data, p, data.size)
        first_element = elements
        first_byte = o
        p = _skip_space(data, p, end)
        code = _OK if p < end else CUT
        single = code == _OK and data[p] == _OPEN_OBJECT
        if code == _OK and not single:
            code = _OK if data[p] == _OPEN_LIST else TOKEN
            p += 1
        state = FIRST
        while code == _OK:
            p = _skip_space(data, p, end)
            if p >= end:
                code = _OK if state == CLOSED else CUT
                break
            c = data[p]
            if state == CLOSED:
                code = TRAILING
            elif c == _CLOSE_LIST and not single and state != VALUE:
                state = CLOSED
                p += 1
            elif state == NEXT:
                code = _OK if c == _COMMA else NO_COMMA
                state = VALUE
                p += 1
            else:
                kind = OBJECT if c == _OPEN_OBJECT else WHOLE
                p, o, code = _record(
                    *(data, p, end, JOINED, kind, _STRICT),
                    *(names, bounds, fields, views, elements, out, o, stack),
                )
                if code == _OK:
                    parents[elements] = line
                    elements += 1
                    state = CLOSED if single else NEXT
        if code != _OK:
            whole[line] = False
            elements = first_element
            o = first_byte
        p = end + 1
    return elements, o
