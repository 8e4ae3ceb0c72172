r"""One pass over delimited text: each record as one line of JSON, an object of strings.

A quote opens a quoted field only where a field begins, and closes it only before a delimiter or
the end of a line (RFC 4180); anywhere else it is text. So neither a stray quote nor one that is
never closed costs more than its own line.
"""

import numpy as np

from tasks.kernel import kernel, kernel_part
from tasks.normalize.scan import line_end

GROWTH = 6
"""Bytes written per byte read, at most (a control character), besides the names."""

OPEN_QUOTE, AFTER_QUOTE = -1, -2
"""Faults that are no number of fields: a quote never closed, and text after a closing one."""

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPEN, _CLOSE = ord("{"), ord("}")
_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32
_LOWER_N, _LOWER_R, _LOWER_T = ord("n"), ord("r"), ord("t")
_CONTROL = np.frombuffer(b"\\u00", dtype=np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@kernel_part
def _put(out, o, piece):
    for k in range(piece.size):
        out[o + k] = piece[k]
    return o + piece.size


@kernel_part
def _character(c, out, o):
    """Write one byte of text as JSON has it inside quotes."""
    if c >= _SPACE and c not in (_QUOTE, _BACKSLASH):
        out[o] = c
        return o + 1
    if c >= _SPACE or c in (_NEWLINE, _RETURN, _TAB):
        out[o] = _BACKSLASH
        if c == _NEWLINE:
            c = _LOWER_N
        elif c == _RETURN:
            c = _LOWER_R
        elif c == _TAB:
            c = _LOWER_T
        out[o + 1] = c
        return o + 2
    o = _put(out, o, _CONTROL)
    out[o] = _HEX[c >> 4]
    out[o + 1] = _HEX[c & 15]
    return o + 2


@kernel_part
def _ends_field(data, p, end, delimiter):
    """Whether a field ends before `p`: at the end, a delimiter or the end of a line."""
    if p < end and data[p] == _RETURN:
        p += 1
        return p >= end or data[p] == _NEWLINE
    return p >= end or data[p] == delimiter or data[p] == _NEWLINE


@kernel_part
def _quoted_field(data, p, end, delimiter, longest, lenient, out, o):
    """Copy the quoted field that opens at `p`; returns (position, output position, code).

    Where `lenient` is true, a quote that does not end the field is text.
    """
    start = p
    p += 1
    while p < end:
        c = data[p]
        if c == _QUOTE:
            if p + 1 < end and data[p + 1] == _QUOTE:
                p += 1
            elif _ends_field(data, p + 1, end, delimiter):
                return p + 1, o, 0
            elif not lenient:
                return p, o, AFTER_QUOTE
        elif p - start > longest:
            return p, o, OPEN_QUOTE
        o = _character(c, out, o)
        p += 1
    return p, o, OPEN_QUOTE


@kernel_part
def _row(data, p, end, delimiter, quoted, longest, lenient, keys, bounds, out, o):
    """Copy one record; returns (position, output position, fields or a negative code).

    The position is that of the line's end, or `end`. Fields beyond the names are only counted.
    """
    names = bounds.size - 1
    field = 0
    begin = o
    while True:
        if field < names:
            begin = o
            out[o] = _OPEN if field == 0 else _COMMA
            o = _put(out, o + 1, keys[bounds[field] : bounds[field + 1]])
            out[o] = _QUOTE
            o += 1
        else:
            o = begin
        if quoted and p < end and data[p] == _QUOTE:
            p, o, code = _quoted_field(data, p, end, delimiter, longest, lenient, out, o)
            if code != 0:
                return p, o, code
            if p < end and data[p] == _RETURN:
                p += 1
        else:
            while p < end and data[p] != delimiter and data[p] != _NEWLINE:
                if data[p] != _RETURN or not _ends_field(data, p, end, delimiter):
                    o = _character(data[p], out, o)
                p += 1
        field += 1
        if field <= names:
            out[o] = _QUOTE
            o += 1
        if p >= end or data[p] != delimiter:
            break
        p += 1
    out[o] = _CLOSE
    return p, o + 1, field


@kernel
def split(
    data, position, end, last, delimiter, quoted, longest, keys, bounds, limit, out, starts, faults
):
    """Write the records of `data[position:end]` to `out`, a line each, up to `limit` of them.

    `last` says that no data follow; otherwise a record that `end` cuts is left. The key of the
    n-th field, with quotes and colon, is `keys[bounds[n]:bounds[n + 1]]`. No quoted field is longer
    than `longest` bytes. `starts` takes the position of each record. A record that has not as many
    fields as there are names is a row of `faults`: where it begins and ends, and the number of its
    fields; one whose quotes make no sense is `OPEN_QUOTE` or `AFTER_QUOTE`, and ends with its
    first line. Lines of white space are nothing.

    Returns (records, faults, output length, position).
    """
    records = 0
    wrong = 0
    o = 0
    p = position
    while records + wrong < limit and p < end:
        q = p
        while q < end and data[q] in (_SPACE, _TAB, _RETURN):
            q += 1
        if q < end and data[q] == _NEWLINE:
            p = q + 1
            continue
        if q >= end and last:
            p = end
            break
        stop, written, fields = _row(
            data, p, end, delimiter, quoted, longest, False, keys, bounds, out, o
        )
        cut = stop >= end and not last
        if fields < 0:
            cut = cut and fields == OPEN_QUOTE and end - p <= longest
            first_line = line_end(data, p, end)
            cut = cut or (first_line >= end and not last)
            if not cut:
                stop, written, again = _row(
                    data, p, first_line, delimiter, quoted, longest, True, keys, bounds, out, o
                )
                if again == bounds.size - 1:
                    fields = again
                stop = first_line
        if cut:
            break
        if fields == bounds.size - 1:
            starts[records] = p
            records += 1
            out[written] = _NEWLINE
            o = written + 1
        else:
            faults[wrong, 0] = p
            faults[wrong, 1] = stop
            faults[wrong, 2] = fields
            wrong += 1
        p = stop + 1
    return records, wrong, o, min(p, end)
