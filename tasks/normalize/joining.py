"""Two columns of texts to one, as `paragraphs` joins them, in one pass over their bytes."""

import numpy as np
import polars as pl
import pyarrow as pa

from tasks.fold import text_buffers
from tasks.kernel import Index, kernel, kernel_part
from tasks.normalize.signs import is_white, last_character
from tasks.normalize.utf8 import Bytes, Offsets

_NEWLINE = ord("\n")
_BREAK_BYTES = 2


def joined(first: pl.Series, second: pl.Series) -> pl.Series:
    """For each row what `paragraphs(first, second)` is, at a fifth of what the expression costs."""
    one, other = text_buffers(first), text_buffers(second)
    room = _size_bytes(one.offsets) + _size_bytes(other.offsets) + _BREAK_BYTES * first.len()
    out = np.empty(room, dtype=np.uint8)
    offsets = np.zeros(first.len() + 1, dtype=np.int64)
    size_bytes = int(_join(one.data, one.offsets, other.data, other.offsets, out, offsets))
    texts = pa.LargeStringArray.from_buffers(
        first.len(), pa.py_buffer(offsets), pa.py_buffer(out[:size_bytes])
    )
    told = pl.Series(first.name, texts, dtype=pl.String)
    if not first.null_count() or not second.null_count():
        return told
    return told.set(first.is_null() & second.is_null(), None)


def _size_bytes(offsets: Offsets) -> int:
    return int(offsets[-1] - offsets[0])


@kernel_part
def _end_of_text(data: Bytes, start: Index, stop: Index) -> Index:
    """Where the white space begins that ends `data[start:stop]`."""
    while stop > start:
        p = last_character(data, stop)
        if not is_white(data, p):
            break
        stop = p
    return stop


@kernel_part
def _put(data: Bytes, start: Index, stop: Index, out: Bytes, o: Index) -> Index:
    # Of an index without a sign numba does not ask whether it counts from the end.
    begin, to = np.uint64(start), np.uint64(o)
    for k in range(np.uint64(stop - start)):
        out[to + k] = data[begin + k]
    return o + stop - start


@kernel
def _join(
    one: Bytes, ones: Offsets, other: Bytes, others: Offsets, out: Bytes, offsets: Offsets
) -> Index:
    """Write row after row to `out`, and where each ends; returns where the last does."""
    o: Index = 0
    for n in range(offsets.size - 1):
        begin = o
        stop = _end_of_text(one, ones[n], ones[n + 1])
        o = _put(one, ones[n], stop, out, o)
        stop = _end_of_text(other, others[n], others[n + 1])
        if stop > others[n]:
            if o > begin:
                out[o] = _NEWLINE
                out[o + 1] = _NEWLINE
                o += _BREAK_BYTES
            o = _put(other, others[n], stop, out, o)
        offsets[n + 1] = o
    return o
