"""The form under which two texts count as the same; for comparing, never for storing."""

import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tasks.kernel import Index, kernel, kernel_part

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

SPACE = 0x20
IGNORED = 0xFFFFFFFF
LAST_FOLDED = 0x2FA1F  # CJK compatibility ideographs; no code point above it folds
# Default ignorable code points (Unicode DerivedCoreProperties) that turn up in running text: soft
# hyphen, zero-width space and joiners, direction marks, invisible operators, variation selectors,
# byte order mark. Tags stay: the flags of regions are made of them.
INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)


@dataclass(frozen=True)
class TextBuffers:
    """Texts as Arrow lays them out: text i is `data[offsets[i]:offsets[i + 1]]`, in UTF-8.

    int64 offsets, one more than texts, the first not necessarily 0; a null is an empty text.
    """

    offsets: Offsets
    data: Bytes

    @property
    def rows(self) -> int:
        """How many texts there are."""
        return len(self.offsets) - 1


def fold(texts: pl.Series, *, strict: bool = False) -> pl.Series:
    """The same texts, folded; a null stays null.

    Lower case and NFKC where either maps one code point to one (a ligature stays whole, a letter
    and its combining mark stay two), white space of any kind squeezed to single spaces and none of
    it at the ends, invisible code points left out. Folding twice is folding once.

    `strict` is for code, where case and indentation are content: line ends become a line feed, and
    space, tab, vertical tab and form feed before a line end or the end of the text go.
    """
    folded = _series(fold_buffers(texts, strict=strict), texts.name)
    if texts.null_count() == 0:
        return folded
    nulls = pl.Series(texts.name, [None], dtype=pl.String)
    return folded.zip_with(texts.is_not_null(), nulls.extend_constant(None, len(texts) - 1))


def fold_buffers(texts: pl.Series, *, strict: bool = False) -> TextBuffers:
    """The same as `fold`, laid out for kernels: one row per row of `texts`."""
    given = text_buffers(texts)
    size_bytes = int(given.offsets[-1] - given.offsets[0])
    # The longest growth is two bytes to three (U+023A, U+023E); untouched pages cost nothing.
    room = size_bytes if strict else size_bytes * 3 // 2
    folded = np.empty(room, np.uint8)
    offsets = np.empty_like(given.offsets)
    if strict:
        end = _strip_lines(given.offsets, given.data, offsets, folded)
    else:
        end = _fold_texts(given.offsets, given.data, fold_table(), offsets, folded)
    return TextBuffers(offsets, folded[:end])


def text_buffers(texts: pl.Series) -> TextBuffers:
    """A Series of strings as kernels read it; slices and nulls are taken care of."""
    if texts.null_count():
        texts = texts.fill_null("") if texts.dtype == pl.String else texts.cast(pl.String)
        texts = texts.fill_null("")
    array: Any = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    return TextBuffers(
        np.frombuffer(offsets, np.int64, count=len(array) + 1, offset=8 * array.offset)
        if len(array)
        else np.zeros(1, np.int64),
        np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8),
    )


@functools.cache
def fold_table() -> npt.NDArray[np.uint32]:
    """Code point to folded code point, `SPACE` or `IGNORED`; what is past its end folds to itself.

    From this Python's `unicodedata`, for every code point that NFKC and lower case map to one.
    """
    table = np.arange(LAST_FOLDED + 1, dtype=np.uint32)
    for point in range(LAST_FOLDED + 1):
        char = chr(point)
        composed = unicodedata.normalize("NFKC", char)
        lower = composed.lower() if len(composed) == 1 else char.lower()
        if len(lower) == 1:
            table[point] = ord(lower)
        if char.isspace():
            table[point] = SPACE
    invisible = [ord(char) for char in INVISIBLE.findall("".join(map(chr, range(0x10000))))]
    table[np.isin(table, invisible)] = IGNORED
    return table


def _series(texts: TextBuffers, name: str) -> pl.Series:
    array = pa.LargeStringArray.from_buffers(
        texts.rows, pa.py_buffer(texts.offsets), pa.py_buffer(texts.data)
    )
    return pl.Series(name, pl.from_arrow(array), dtype=pl.String)


@kernel_part
def code_point(data: Bytes, at: Index) -> tuple[Index, Index]:
    """The code point at a byte of valid UTF-8, and where the next one starts."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, at + 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | np.int64(data[at + 1] & 0x3F), at + 2
    middle = np.int64(data[at + 1] & 0x3F) << 6 | np.int64(data[at + 2] & 0x3F)
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | middle, at + 3
    return (lead & 0x07) << 18 | middle << 6 | np.int64(data[at + 3] & 0x3F), at + 4


@kernel_part
def put_code_point(point: Index, out: Bytes, at: int) -> int:
    """Write a code point in UTF-8; returns where the next one goes."""
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at] = 0xC0 | point >> 6
        out[at + 1] = 0x80 | point & 0x3F
        return at + 2
    if point < 0x10000:
        out[at] = 0xE0 | point >> 12
        out[at + 1] = 0x80 | point >> 6 & 0x3F
        out[at + 2] = 0x80 | point & 0x3F
        return at + 3
    out[at] = 0xF0 | point >> 18
    out[at + 1] = 0x80 | point >> 12 & 0x3F
    out[at + 2] = 0x80 | point >> 6 & 0x3F
    out[at + 3] = 0x80 | point & 0x3F
    return at + 4


@kernel
def _fold_texts(
    offsets: Offsets,
    data: Bytes,
    table: npt.NDArray[np.uint32],
    folded_offsets: Offsets,
    folded: Bytes,
) -> int:
    end = 0
    folded_offsets[0] = 0
    for row in range(len(offsets) - 1):
        start = end
        last: Index = SPACE  # what was put last; white space after a space puts nothing
        at = offsets[row]
        while at < offsets[row + 1]:
            byte = data[at]
            if byte < 0x80:
                at += 1
                plain = table[byte]
                folded[end] = plain
                end += plain != SPACE or last != SPACE
                last = plain
                continue
            point, at = code_point(data, at)
            if point < len(table):
                point = np.int64(table[point])
                if point == IGNORED:
                    continue
                if point == SPACE and last == SPACE:
                    continue
            end = put_code_point(point, folded, end)
            last = point
        if end > start and last == SPACE:
            end -= 1
        folded_offsets[row + 1] = end
    return end


@kernel
def _strip_lines(offsets: Offsets, data: Bytes, stripped_offsets: Offsets, stripped: Bytes) -> int:
    end = 0
    stripped_offsets[0] = 0
    for row in range(len(offsets) - 1):
        line_end = end  # after the last byte of this line that is not blank
        text_end = end  # the same for the whole text
        at = offsets[row]
        while at < offsets[row + 1]:
            byte = data[at]
            at += 1
            if byte == 0x0D:
                if at < offsets[row + 1] and data[at] == 0x0A:
                    at += 1
                byte = np.uint8(0x0A)
            if byte == 0x0A:
                end = line_end
                stripped[end] = byte
                end += 1
                line_end = end
                continue
            stripped[end] = byte
            end += 1
            if byte not in (0x20, 0x09, 0x0B, 0x0C):
                line_end = text_end = end
        end = text_end
        stripped_offsets[row + 1] = end
    return end
