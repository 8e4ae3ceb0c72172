"""Where bytes stop being UTF-8, for many stretches of a file at once."""

import numpy as np

from tasks.kernel import Index, kernel, kernel_part

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]


@kernel_part
def sequence(data: Bytes, p: Index, end: Index) -> int:
    """How many bytes of a UTF-8 character stand at `p`: its length; 0 of none, -1 if `end` cuts it.

    As in table 3-7 of the Unicode standard: neither overlong forms nor surrogates are characters.
    """
    c = data[p]
    if c < 0x80:
        return 1
    if c < 0xC2 or c > 0xF4:
        return 0
    length = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
    low, high = 0x80, 0xBF
    if c == 0xE0:
        low = 0xA0
    elif c == 0xED:
        high = 0x9F
    elif c == 0xF0:
        low = 0x90
    elif c == 0xF4:
        high = 0x8F
    for k in range(1, length):
        if p + k >= end:
            return -1
        if data[p + k] < low or data[p + k] > high:
            return 0
        low, high = 0x80, 0xBF
    return length


@kernel
def first_invalid(data: Bytes, starts: Offsets, stops: Offsets, found: Offsets) -> None:
    """Write the first position of each `data[start:stop]` at which it stops being UTF-8, or -1.

    A character that `stop` cuts is none such position, unless the data end there.
    """
    for n in range(starts.size):
        p, end = starts[n], min(stops[n], data.size)
        found[n] = -1
        while p < end:
            length = sequence(data, p, end)
            if length == 0 or (length < 0 and end == data.size):
                found[n] = p
                break
            if length < 0:
                break
            p += length


def invalid_bytes(data: Bytes, starts: Offsets, stops: Offsets) -> Offsets:
    """For each stretch the position of its first byte that is not UTF-8; -1 where all of it is."""
    found = np.empty(starts.size, dtype=np.int64)
    first_invalid(data, starts, stops, found)
    return found
