"""What stands in texts that cleaning may have to mend, seen in one pass over their bytes."""

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.fold import code_point, text_buffers
from tasks.kernel import Index, kernel, kernel_part
from tasks.normalize.utf8 import Bytes, Offsets

Signs = npt.NDArray[np.uint8]

NUL, RETURN, MARK, LOST, AMPERSAND, WRITTEN_OUT, LATIN, SPACED = (1 << bit for bit in range(8))
"""Bits of a text's signs: NUL, carriage return, byte order mark, U+FFFD, `&`, a line feed written
out as two characters, one of U+0080 to U+00FF, white space at an end."""

_TAB, _CARRIAGE_RETURN, _SPACE = 0x09, 0x0D, 0x20
_WIDE_SPACES = (0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_AND, _BACKSLASH, _LOWER_N = ord("&"), ord("\\"), ord("n")
_LATIN_LEAD, _SPECIALS_LEAD = 0xC2, 0xEF  # C2 and C3; EF, with which U+F000 to U+FFFF begin


def signs_of(texts: pl.Series) -> Signs:
    """The signs of each text; there are no nulls."""
    buffers = text_buffers(texts)
    found = np.empty(texts.len(), dtype=np.uint8)
    _look(buffers.data, buffers.offsets, found)
    return found


@kernel_part
def is_white(data: Bytes, p: Index) -> bool | np.bool_:
    """Whether the character that begins at `p` is white space, as Unicode's White_Space says."""
    point, _ = code_point(data, p)
    if point <= _SPACE:
        return point == _SPACE or _TAB <= point <= _CARRIAGE_RETURN
    return point in _WIDE_SPACES or 0x2000 <= point <= 0x200A


@kernel_part
def last_character(data: Bytes, stop: Index) -> Index:
    """Where the character of UTF-8 begins that ends before `stop`."""
    p = stop - 1
    while data[p] & 0xC0 == 0x80:
        p -= 1
    return p


@kernel_part
def _has_pair(data: Bytes, start: Index, stop: Index, first: int, second: int) -> bool | np.bool_:
    """Whether two bytes stand together somewhere in `data[start:stop]`."""
    begin, one = np.uint64(start), np.uint64(1)
    found = False
    for k in range(np.uint64(max(stop - start - 1, 0))):
        found |= (data[begin + k] == first) & (data[begin + k + one] == second)
    return found


@kernel_part
def _special(data: Bytes, start: Index, stop: Index) -> int:
    """`MARK` and `LOST` where these characters are in `data[start:stop]`."""
    signs = 0
    for p in range(start, stop - 2):
        if data[p] == _SPECIALS_LEAD and data[p + 1] == 0xBB and data[p + 2] == 0xBF:
            signs |= MARK
        if data[p] == _SPECIALS_LEAD and data[p + 1] == 0xBF and data[p + 2] == 0xBD:
            signs |= LOST
    return signs


@kernel
def _look(data: Bytes, offsets: Offsets, found: Signs) -> None:
    for n in range(found.size):
        start, stop = offsets[n], offsets[n + 1]
        # Without a branch, and of an index without a sign: so the loop takes many bytes at once.
        begin = np.uint64(start)
        nul = carriage = ampersand = backslash = latin = specials = False
        for k in range(np.uint64(stop - start)):
            c = data[begin + k]
            nul |= c == 0
            carriage |= c == _CARRIAGE_RETURN
            ampersand |= c == _AND
            backslash |= c == _BACKSLASH
            latin |= (c & 0xFE) == _LATIN_LEAD
            specials |= c == _SPECIALS_LEAD
        signs = 0
        if nul:
            signs |= NUL
        if carriage:
            signs |= RETURN
        if ampersand:
            signs |= AMPERSAND
        if latin:
            signs |= LATIN
        if backslash and _has_pair(data, start, stop, _BACKSLASH, _LOWER_N):
            signs |= WRITTEN_OUT
        if specials and _has_pair(data, start + 1, stop, 0xBB, 0xBF):
            signs |= _special(data, start, stop)
        if specials and _has_pair(data, start + 1, stop, 0xBF, 0xBD):
            signs |= _special(data, start, stop)
        if stop > start and (is_white(data, start) or is_white(data, last_character(data, stop))):
            signs |= SPACED
        found[n] = signs
