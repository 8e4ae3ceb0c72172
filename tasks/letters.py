"""The letters of texts, and how many there are of each script: what a language is told by.

One compiled pass over each text; `tasks/language.py` decides by the counts and asks the model only
about what they leave open.
"""

import functools

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tasks.fold import Bytes, Offsets, code_point, text_buffers
from tasks.kernel import Index, announce_compilation, kernel, kernel_part

Counts = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]

# Entries of the table of classes. A mark or an apostrophe belongs to the word it stands in.
OTHER, CODE_SIGN, MARK, LETTER, WORD_LETTER, HAN, KANA, HANGUL = range(8)
# fmt: off
CLASSES = {
    LETTER:      r"\p{L}",
    MARK:        r"[\p{M}']",
    WORD_LETTER: r"[\p{Latin}\p{Cyrillic}\p{Greek}&&\p{L}]",
    HAN:         r"[\p{Han}&&\p{L}]",
    KANA:        r"[\p{Hiragana}\p{Katakana}&&\p{L}]",
    HANGUL:      r"[\p{Hangul}&&\p{L}]",
    CODE_SIGN:   r"[{}();=<>\[\]_#$\\|&+*/^~]",
}
# fmt: on
APOSTROPHE = 0x27
# The code points that may have a class: two planes and some, and the variation selectors (marks).
CLASSED = (*range(0xD800), *range(0xE000, 0x34000), *range(0xE0100, 0xE01F0))

FNV_OFFSET, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
TABLE_BITS = 10  # a hundred words in so many places that most others meet an empty one

COLUMNS = ("chars", "signs", "han", "kana", "hangul", "other_words", "words", "common", "lower")
CHARS, SIGNS, HANS, KANAS, HANGULS, OTHER_WORDS, WORDS, COMMON, LOWER = range(len(COLUMNS))


def letters(texts: pl.Series, max_chars: int, common: tuple[str, ...] = ()) -> pl.DataFrame:
    """One row per text: `text`, its letters, single spaces between them, and counts of these.

    Everything but letters, marks and apostrophes is a space; `text` has at most `max_chars` code
    points, and the counts speak of it alone, but for `signs`, the signs of code between them.
    `chars`, `han`, `kana` and `hangul` are code points; `other_words` are runs of Latin, Cyrillic
    and Greek letters, `words` what stands between spaces, `common` those that are one of these
    words (lower case, ASCII) or hold one beside an apostrophe, and `lower` the lower-case letters
    of ASCII. A null is an empty text.
    """
    buffers = text_buffers(texts)
    out = np.empty(int(buffers.offsets[-1] - buffers.offsets[0]), np.uint8)
    offsets = np.zeros(buffers.rows + 1, np.int64)
    counts = np.zeros((len(COLUMNS), buffers.rows), np.uint32)
    for array in (buffers.offsets, buffers.data):
        array.flags.writeable = False
    announce_compilation(_letters)
    _letters(
        buffers.offsets, buffers.data, class_table(), word_table(common), max_chars,
        offsets, out, counts,
    )  # fmt: skip
    array = pa.LargeStringArray.from_buffers(
        buffers.rows, pa.py_buffer(offsets), pa.py_buffer(out[: offsets[-1]])
    )
    text = pl.Series("text", pl.from_arrow(array), dtype=pl.String)
    return pl.DataFrame(
        [text, *(pl.Series(name, column) for name, column in zip(COLUMNS, counts, strict=True))]
    )


@functools.cache
def class_table() -> Bytes:
    """Code point to its class; nothing behind its end has one."""
    points = np.array(CLASSED)
    chars = pl.Series([chr(point) for point in CLASSED])
    table = np.full(points[-1] + 1, OTHER, np.uint8)
    for entry, pattern in CLASSES.items():
        table[points[chars.str.contains(pattern).to_numpy()]] = entry
    return table


@functools.cache
def word_table(words: tuple[str, ...]) -> Hashes:
    """The hashes of the words, open addressing by their low bits; 0 is an empty place."""
    table = np.zeros(1 << TABLE_BITS, np.uint64)
    for word in words:
        value = FNV_OFFSET
        with np.errstate(over="ignore"):
            for byte in word.encode():
                value = (value ^ np.uint64(byte)) * FNV_PRIME
        at = int(value) % len(table)
        while table[at]:
            at = (at + 1) % len(table)
        table[at] = value
    return table


@kernel_part
def _is_among(value: np.uint64, table: Hashes) -> bool:
    mask = np.uint64(len(table) - 1)
    at = value & mask
    while table[at]:
        if table[at] == value:
            return True
        at = (at + np.uint64(1)) & mask
    return False


@kernel_part
def _hashed(byte: int, word: np.uint64, part: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The hashes of two words that go on with a byte, in lower case (Fowler-Noll-Vo 1a)."""
    if 0x41 <= byte <= 0x5A:
        byte |= 0x20
    value = np.uint64(byte)
    return (word ^ value) * FNV_PRIME, (part ^ value) * FNV_PRIME


@kernel
def _letters(
    offsets: Offsets, data: Bytes, classes: Bytes, common: Hashes, max_chars: int,
    out_offsets: Offsets, out: Bytes, counts: Counts,
) -> None:  # fmt: skip
    end = 0
    for row in range(len(offsets) - 1):
        start = end
        chars = 0
        space_due = False
        last = OTHER
        # Of the word since the last space, and of its part since the last apostrophe.
        word, part = FNV_OFFSET, FNV_OFFSET
        found = False
        at: Index = offsets[row]
        while at < offsets[row + 1]:
            begin = at
            point, at = code_point(data, at)
            kind = classes[point] if point < len(classes) else OTHER
            if kind <= CODE_SIGN:
                counts[SIGNS, row] += kind
                space_due = end > start
                continue
            if chars + 1 + space_due > max_chars:
                break
            if space_due:
                found = found or _is_among(part, common) or _is_among(word, common)
                counts[COMMON, row] += found
                word, part, found = FNV_OFFSET, FNV_OFFSET, False
                out[end] = 0x20
                end += 1
                chars += 1
                counts[WORDS, row] += 1
                space_due = False
                last = OTHER
            if point == APOSTROPHE:
                found = found or _is_among(part, common)
            for place in range(begin, at):
                word, part = _hashed(data[place], word, part)
                out[end] = data[place]
                end += 1
            if point == APOSTROPHE:
                part = FNV_OFFSET
            chars += 1
            counts[LOWER, row] += 0x61 <= point <= 0x7A
            counts[OTHER_WORDS, row] += kind == WORD_LETTER and last != WORD_LETTER
            if kind >= HAN:
                counts[HANS + kind - HAN, row] += 1
            last = kind
        counts[CHARS, row] = chars
        if chars:
            counts[WORDS, row] += 1
            found = found or _is_among(part, common) or _is_among(word, common)
            counts[COMMON, row] += found
        out_offsets[row + 1] = end
