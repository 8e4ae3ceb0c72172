# ruff: noqa: PLR0911, PLR0912, PLR0915 — the grammar's automata are one switch each
r"""One pass over raw bytes: where JSON records begin, and each of them as one flat line.

A pushdown automaton of the JSON grammar (RFC 8259) walks the bytes once. Because it knows the
grammar, damage is seen within a few bytes of where it happened, and not where the file ends.

What it writes is newline-delimited JSON in which every value of a record is a string or null:
white space between tokens is gone, numbers and booleans are quoted, and a nested list or object
is the text of its JSON behind `NESTED`. So whatever types a column mixes, it reads as strings.
A record that is a list of fields is written as an object with the names it is told to give them.
Lone surrogates become U+FFFD, raw tabs `\t`, other raw control characters vanish.
"""

import numpy as np

from tasks.kernel import kernel

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

NESTED = "\x1e"
ELEMENT = "\x1e"
"""A key that is written of no object: what `explode` wraps other values in."""
GROWTH = 8
"""Bytes written per byte read, at most (`[],` as a wrapped element), besides the names given."""

_OK = -1
_MAX_DEPTH = 256
_KEY_FIRST, _KEY, _COLON, _VALUE_FIRST, _VALUE, _AFTER = range(6)
_QUOTE, _BACKSLASH, _COMMA, _COLON_SIGN = ord('"'), ord("\\"), ord(","), ord(":")
_OPEN_LIST, _CLOSE_LIST, _OPEN_OBJECT, _CLOSE_OBJECT = ord("["), ord("]"), ord("{"), ord("}")
_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32
_LOWER_N, _LOWER_R, _LOWER_T, _LOWER_U = ord("n"), ord("r"), ord("t"), ord("u")
_NESTED_OPEN = np.frombuffer(b'"\\u001e', dtype=np.uint8)
_ELEMENT_KEYS = np.frombuffer(b'"\\u001e":', dtype=np.uint8)
_ELEMENT_BOUNDS = np.array([0, _ELEMENT_KEYS.size], dtype=np.int64)
_REPLACEMENT = np.frombuffer(b"\\ufffd", dtype=np.uint8)
_TRUE, _FALSE, _NULL, _NAN, _INFINITY = (
    np.frombuffer(word, dtype=np.uint8)
    for word in (b"true", b"false", b"null", b"NaN", b"Infinity")
)

_ESCAPABLE = np.zeros(256, dtype=np.bool_)
_ESCAPABLE[np.frombuffer(b'"\\/bfnrt', dtype=np.uint8)] = True
_NUMERIC = np.zeros(256, dtype=np.bool_)
_NUMERIC[np.frombuffer(b"0123456789+-.eE", dtype=np.uint8)] = True
_HEX = np.full(256, -1, dtype=np.int64)
for _digit in b"0123456789abcdefABCDEF":
    _HEX[_digit] = int(chr(_digit), 16)


@kernel
def _skip_space(data, p, end):
    while p < end and data[p] in (_SPACE, _NEWLINE, _RETURN, _TAB):
        p += 1
    return p


@kernel
def _put(out, o, piece):
    for k in range(piece.size):
        out[o + k] = piece[k]
    return o + piece.size


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


@kernel
def _is_word(data, p, length, word):
    if length != word.size:
        return False
    for k in range(length):  # noqa: SIM110 — numba compiles no generators
        if data[p + k] != word[k]:
            return False
    return True


@kernel
def _escape(data, p, end, out, o, nested):
    """Copy the escape sequence at `p`; returns (position, output position, code)."""
    if p + 1 >= end:
        return p, o, CUT
    if data[p + 1] != _LOWER_U:
        if not _ESCAPABLE[data[p + 1]]:
            return p, o, ESCAPE
        if nested:
            out[o] = _BACKSLASH
            o += 1
            if data[p + 1] == _QUOTE or data[p + 1] == _BACKSLASH:
                out[o] = _BACKSLASH
                out[o + 1] = _BACKSLASH
                out[o + 2] = data[p + 1]
                return p + 2, o + 3, _OK
        out[o] = _BACKSLASH
        out[o + 1] = data[p + 1]
        return p + 2, o + 2, _OK
    if p + 6 > end:
        return p, o, CUT
    unit = _hex4(data, p + 2)
    if unit < 0:
        return p, o, ESCAPE
    if nested:
        out[o] = _BACKSLASH
        o += 1
    if unit < 0xD800 or unit > 0xDFFF:
        return p + 6, _put(out, o, data[p : p + 6]), _OK
    if unit < 0xDC00 and p + 12 <= end and data[p + 6] == _BACKSLASH and data[p + 7] == _LOWER_U:
        low = _hex4(data, p + 8)
        if 0xDC00 <= low <= 0xDFFF:
            o = _put(out, o, data[p : p + 6])
            if nested:
                out[o] = _BACKSLASH
                o += 1
            return p + 12, _put(out, o, data[p + 6 : p + 12]), _OK
    return p + 6, _put(out, o, _REPLACEMENT), _OK


@kernel
def _string(data, p, end, out, o, nested, lenient):
    """Copy the string whose opening quote is at `p`, escaped once more where it is nested.

    Where `lenient` is true, a raw newline is one that is escaped.
    """
    if nested:
        out[o] = _BACKSLASH
        o += 1
    out[o] = _QUOTE
    o += 1
    p += 1
    while p < end:
        c = data[p]
        if c == _QUOTE:
            if nested:
                out[o] = _BACKSLASH
                o += 1
            out[o] = _QUOTE
            return p + 1, o + 1, _OK
        if c == _BACKSLASH:
            p, o, code = _escape(data, p, end, out, o, nested)
            if code != _OK:
                return p, o, code
            continue
        if c >= _SPACE:
            out[o] = c
            o += 1
        elif c in (_NEWLINE, _RETURN, _TAB):
            if c != _TAB and not lenient:
                return p, o, BROKEN_LINE
            out[o] = _BACKSLASH
            o += 1
            if nested:
                out[o] = _BACKSLASH
                o += 1
            out[o] = _LOWER_T if c == _TAB else _LOWER_N if c == _NEWLINE else _LOWER_R
            o += 1
        p += 1
    return p, o, CUT


@kernel
def _scalar(data, p, end, out, o, nested):
    """Copy a number, true, false or null; quoted unless it is nested or null."""
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
    quoted = not nested and not null
    if quoted:
        out[o] = _QUOTE
        o += 1
    o = _put(out, o, data[start:p])
    if quoted:
        out[o] = _QUOTE
        o += 1
    return p, o, _OK


@kernel
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


@kernel
def _record(data, p, end, container, kind, keys, bounds, lenient, out, o, stack):
    """Copy one record and flatten its values; returns (position, output position, code).

    At `p` stands the opening brace of an `OBJECT`, the opening bracket of `FIELDS`, or any value,
    which is a `WHOLE` record. The key of the n-th field, with quotes and colon, is
    `keys[bounds[n]:bounds[n + 1]]`. In `LINES`, a newline inside the record is damage; in `KEYED`,
    a value that begins as the record does is taken for the record after it; so is, everywhere
    but among `JOINED` ones, a list inside a list that is a whole record. `lenient` is that of
    `_string`.
    """
    begin = p
    depth = 1
    field = 0
    one_line = container == LINES
    whole = kind == WHOLE
    out[o] = _OPEN_OBJECT
    o += 1
    if kind == OBJECT:
        p += 1
        state = _KEY_FIRST
        stack[0] = _OPEN_OBJECT
    else:
        o = _put(out, o, keys[: bounds[1]])
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
                state = _COLON
                continue
            if c != _CLOSE_OBJECT or state == _KEY:
                return p, o, TOKEN
            closing = True
        elif state == _COLON:
            if c != _COLON_SIGN:
                return p, o, TOKEN
            out[o] = c
            o += 1
            p += 1
            state = _VALUE
            continue
        elif state == _AFTER:
            top = stack[depth - 1]
            if c == _COMMA:
                out[o] = c
                o += 1
                if top == _OPEN_OBJECT:
                    state = _KEY
                else:
                    state = _VALUE
                    if depth == 1:
                        field += 1
                        if field == bounds.size - 1:
                            return p, o, MANY_FIELDS
                        o = _put(out, o, keys[bounds[field] : bounds[field + 1]])
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
            if depth == _MAX_DEPTH:
                return p, o, DEEP
            if whole and container != JOINED and depth == 2 and c == _OPEN_LIST:
                return p, o, TOKEN
            if depth == 1:
                if container == KEYED and c == _OPEN_OBJECT and _begin_alike(data, begin, p, end):
                    return p, o, SWALLOWS
                o = _put(out, o, _NESTED_OPEN)
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
            out[o] = c
            o += 1
            p += 1
            depth -= 1
            if depth == 0:
                if kind == FIELDS:
                    if state == _VALUE_FIRST or field < bounds.size - 2:
                        return p, o, FEW_FIELDS
                    out[o - 1] = _CLOSE_OBJECT
                return p, o, _OK
            if depth == 1:
                out[o] = _QUOTE
                o += 1
            state = _AFTER
        if whole and depth == 1 and state == _AFTER:
            out[o] = _CLOSE_OBJECT
            return p, o + 1, _OK
    return p, o, CUT


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


@kernel
def line_end(data, p, end):
    """The position of the line feed that ends the line at `p`; `end` where there is none."""
    while p < end and data[p] != _NEWLINE:
        p += 1
    return p


@kernel
def scan(
    data, position, end, container, kind, keys, bounds, after, lenient, limit, out, o, marks, faults
):
    """Write the records of `data[position:end]` to `out`, a line each, until something stops it.

    `after` is where the walk stands between records, and `o` where `out` goes on, which needs room
    for `GROWTH * (end - position)` bytes, and that of the longest key more for each byte where
    records are `FIELDS` or `WHOLE`. A row of `marks` for each record takes its position and the end
    of its line in `out`. Among `LINES`, damage costs its line only: a row of `faults` takes where
    the stretch begins and ends, why, and the byte at which that showed. There are no more of both
    than `limit`. `lenient` is that of `_string`.

    Returns (records, faults, end of the output, position, after, code, where): `position` is that
    of the first byte not yet dealt with, a record's first byte where its walk failed; `where` is
    the byte at which it failed.
    """
    stack = np.zeros(_MAX_DEPTH, dtype=np.uint8)
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
            p, _, code = _string(data, p, end, out, o, False, lenient)
            if code == _OK:
                p = _skip_space(data, p, end)
                code = CUT if p >= end else _OK if data[p] == _COLON_SIGN else TOKEN
            if code == _OK:
                p = _skip_space(data, p + 1, end)
                code = CUT if p >= end else _OK
            if code != _OK:
                return records, wrong, o, start, after, code, p
            c = data[p]
        written, code = o, TOKEN
        if c == (_OPEN_OBJECT if kind == OBJECT else _OPEN_LIST):
            p, written, code = _record(
                data, p, end, container, kind, keys, bounds, lenient, out, o, stack
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
        out[written] = _NEWLINE
        o = written + 1
        marks[records, 0] = start
        marks[records, 1] = o
        records += 1
        after = NEXT
    return records, wrong, o, p, after, FULL, p


@kernel
def explode(data, out, parents, whole):
    """Write the elements of JSON lists, one list a line of `data`, each element as one line.

    An object is written as `scan` writes it and any other value wrapped under `ELEMENT`; a line
    that is one object counts as a list of it. `parents` takes the line number of each element;
    `whole[line]` becomes False, and nothing is written, where a line is not one JSON list.

    Returns (elements, output length).
    """
    stack = np.zeros(_MAX_DEPTH, dtype=np.uint8)
    elements = 0
    o = 0
    p = 0
    for line in range(whole.size):
        end = p
        while end < data.size and data[end] != _NEWLINE:
            end += 1
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
                    data, p, end, JOINED, kind, _ELEMENT_KEYS, _ELEMENT_BOUNDS, False, out, o, stack
                )
                if code == _OK:
                    parents[elements] = line
                    elements += 1
                    out[o] = _NEWLINE
                    o += 1
                    state = CLOSED if single else NEXT
        if code != _OK:
            whole[line] = False
            elements = first_element
            o = first_byte
        p = end + 1
    return elements, o
