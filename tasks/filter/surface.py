"""Compiled measures of a text's surface: repeated words, lines and characters, symbols.

Each takes whole columns at the speed of reading them; what they point out, the rules read closely.
"""

import functools

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.filter.ngrams import ALONE, BASE, IGNORED, MIX_1, Hashes, Table, token_table
from tasks.fold import Bytes, Offsets, TextBuffers, code_point, text_buffers
from tasks.kernel import Index, announce_compilation, kernel, kernel_part

Shares = npt.NDArray[np.float64]

MAX_UNIT_BYTES = 24  # eight Chinese characters
STRIDE_BYTES = 16
# A run of as many bytes holds a multiple of STRIDE_BYTES at least MAX_UNIT_BYTES after its start.
MIN_RUN_BYTES = MAX_UNIT_BYTES + STRIDE_BYTES

# Entries of the table of signs.
OTHER, LETTER, SYMBOL, MARK = 0, 1, 2, 3
LAST_SIGN = 0x1FBFF  # symbols for legacy computing; no block of symbols lies above
SYMBOLS = r"[\p{So}\p{Sk}\p{Co}\p{Cn}--[\x00-\x7f]]"
MAX_MARKS = 3  # on one letter: Hebrew and Vietnamese written apart need as many


def repeated_shares(texts: pl.Series, words: int, characters: int) -> pl.DataFrame:
    """One row per text: `words`, its number of them, and `share`, of them in repeated n-grams.

    A word is in a repeated n-gram where a run of `words` words with it stood before (`characters`
    where most words are single characters of a script without spaces). Case, width, accents and
    punctuation do not count. The first occurrence is not repeated.
    """
    buffers = _buffers(texts)
    share, count = np.zeros(buffers.rows), np.zeros(buffers.rows, np.int64)
    announce_compilation(_repeated_shares)
    _repeated_shares(buffers.offsets, buffers.data, token_table(), words, characters, share, count)
    return pl.DataFrame({"words": count, "share": share})


def repeated_lines(texts: pl.Series, min_lines: int) -> pl.DataFrame:
    """One row per text: `lines` with two letters or more, and `share`, of them that stood before.

    Zeros where the text has fewer than `min_lines` lines.
    """
    buffers = _buffers(texts)
    lines, repeated = (np.zeros(buffers.rows, np.int64) for _ in range(2))
    announce_compilation(_repeated_lines)
    _repeated_lines(buffers.offsets, buffers.data, token_table(), min_lines, lines, repeated)
    return pl.DataFrame({"lines": lines, "share": repeated / np.maximum(lines, 1)})


def longest_runs(texts: pl.Series) -> pl.DataFrame:
    """One row per text: `start`, `unit_bytes` and `repeats` of its longest run of one unit.

    `start` is in bytes. Zeros where no unit of at most `MAX_UNIT_BYTES` fills `MIN_RUN_BYTES` in a
    row. White space and ASCII punctuation alone are no unit: they draw lines and fill tables.
    """
    buffers = _buffers(texts)
    start, unit, run = (np.zeros(buffers.rows, np.int64) for _ in range(3))
    announce_compilation(_longest_runs)
    _longest_runs(buffers.offsets, buffers.data, start, unit, run)
    return pl.DataFrame({"start": start, "unit_bytes": unit, "repeats": run // np.maximum(unit, 1)})


def count_signs(texts: pl.Series) -> pl.DataFrame:
    """One row per text: its `letters` (and digits) and `symbols`.

    Symbols are emoji, boxes, dingbats, private and unassigned code points, and accents beyond the
    third on one letter; ASCII and punctuation are none.
    """
    buffers = _buffers(texts)
    letters, symbols = (np.zeros(buffers.rows, np.int64) for _ in range(2))
    announce_compilation(_count_signs)
    _count_signs(buffers.offsets, buffers.data, sign_table(), letters, symbols)
    return pl.DataFrame({"letters": letters, "symbols": symbols})


def _buffers(texts: pl.Series) -> TextBuffers:
    """Arrays that may only be read: numba would compile once more for those of an empty column."""
    buffers = text_buffers(texts)
    for array in (buffers.offsets, buffers.data):
        array.flags.writeable = False
    return buffers


@functools.cache
def sign_table() -> Bytes:
    """Code point to one of `OTHER`, `LETTER`, `SYMBOL`, `MARK`; letters include digits."""
    points = range(LAST_SIGN + 1)
    chars = pl.Series([chr(p) if not 0xD800 <= p < 0xE000 else " " for p in points])
    table = np.where(chars.str.contains(r"[\p{L}\p{N}]").to_numpy(), LETTER, OTHER)
    table[chars.str.contains(SYMBOLS).to_numpy()] = SYMBOL
    table[chars.str.contains(r"\p{M}").to_numpy()] = MARK
    return table.astype(np.uint8)


@kernel_part
def _seen(value: np.uint64, stamp: int, mask: np.uint64, keys: Hashes, stamps: Offsets) -> bool:
    """Whether the table of this stamp holds the value, which it holds from now on."""
    at = (value ^ (value >> np.uint64(29))) & mask
    while stamps[at] == stamp:
        if keys[at] == value:
            return True
        at = (at + np.uint64(1)) & mask
    stamps[at], keys[at] = stamp, value
    return False


@kernel_part
def _mask(entries: int) -> np.uint64:
    """Of the low bits that give at least twice as many places."""
    mask = np.uint64(63)
    while mask < np.uint64(2 * entries):
        mask = mask * np.uint64(2) + np.uint64(1)
    return mask


@kernel_part
def _room(offsets: Offsets) -> int:
    """A power of two, at least twice the bytes of the longest text."""
    room = 1024
    for row in range(len(offsets) - 1):
        while room < 2 * (offsets[row + 1] - offsets[row]):
            room *= 2
    return room


@kernel
def _repeated_shares(
    offsets: Offsets, data: Bytes, table: Table, ngram_words: int, ngram_characters: int,
    shares: Shares, words: Offsets,
) -> None:  # fmt: skip
    room = _room(offsets)
    keys, stamps = np.empty(room, np.uint64), np.full(room, -1, np.int64)
    prefix = np.empty(room, np.uint64)
    for row in range(len(offsets) - 1):
        count = 0
        alone_count = 0
        inside = False
        word = np.uint64(0)
        prefix[0] = np.uint64(0)
        at: Index = offsets[row]
        end = offsets[row + 1]
        while at < end:
            point, at = code_point(data, at)
            symbol = table[point] if point < len(table) else np.uint32(0)
            if symbol == IGNORED:
                continue
            letter = symbol > IGNORED
            alone = symbol >= ALONE
            if inside and (alone or not letter):
                prefix[count + 1] = prefix[count] * BASE + (word ^ (word >> np.uint64(31)))
                count += 1
                inside = False
            if not letter:
                continue
            if not inside:
                word = np.uint64(0)
            word = (word ^ np.uint64(symbol)) * MIX_1 + np.uint64(1)
            if alone:
                prefix[count + 1] = prefix[count] * BASE + (word ^ (word >> np.uint64(31)))
                count += 1
                alone_count += 1
            inside = not alone
        if inside:
            prefix[count + 1] = prefix[count] * BASE + (word ^ (word >> np.uint64(31)))
            count += 1
        words[row] = count
        ngram = ngram_characters if 2 * alone_count > count else ngram_words
        if count <= ngram:
            continue
        power = np.uint64(1)
        for _ in range(ngram):
            power *= BASE
        mask = _mask(count)
        covered = 0
        covered_until = 0
        for first in range(count - ngram + 1):
            value = (prefix[first + ngram] - prefix[first] * power) * MIX_1
            if _seen(value, row, mask, keys, stamps):
                covered += first + ngram - max(first, covered_until)
                covered_until = first + ngram
        shares[row] = covered / count


@kernel
def _repeated_lines(
    offsets: Offsets, data: Bytes, table: Table, min_lines: int, lines: Offsets, repeated: Offsets
) -> None:
    room = _room(offsets)
    keys, stamps = np.empty(room, np.uint64), np.full(room, -1, np.int64)
    for row in range(len(offsets) - 1):
        at: Index = offsets[row]
        end = offsets[row + 1]
        breaks = 0
        for place in range(at, end):
            breaks += data[place] == 0x0A
        if breaks + 1 < min_lines:
            continue
        mask = _mask(breaks + 1)
        letters = 0
        value = np.uint64(0)
        while at <= end:
            if at == end or data[at] == 0x0A:
                if letters >= 2:
                    lines[row] += 1
                    repeated[row] += _seen(value, row, mask, keys, stamps)
                letters = 0
                value = np.uint64(0)
                at += 1
                continue
            point, at = code_point(data, at)
            symbol = table[point] if point < len(table) else np.uint32(0)
            if symbol > IGNORED:
                value = (value ^ np.uint64(symbol)) * MIX_1 + np.uint64(1)
                letters += 1


@kernel
def _longest_runs(
    offsets: Offsets, data: Bytes, start: Offsets, unit: Offsets, run: Offsets
) -> None:
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        here = begin + MAX_UNIT_BYTES
        while here < end:
            beyond = here + STRIDE_BYTES
            for period in range(1, MAX_UNIT_BYTES + 1):
                if data[here] != data[here - period]:
                    continue
                first = here
                while first - period > begin and data[first - 1] == data[first - 1 - period]:
                    first -= 1
                last = here
                while last + 1 < end and data[last + 1] == data[last + 1 - period]:
                    last += 1
                first -= period
                while data[first] & 0xC0 == 0x80:  # a unit starts with a whole character
                    first += 1
                size = last + 1 - first
                if size < MIN_RUN_BYTES:
                    continue
                # Farther on it is the same run, or its remainder.
                beyond = max(beyond, last + 1)
                if size // period > run[row] // max(unit[row], 1) and _says(data, first, period):
                    start[row], unit[row], run[row] = first - begin, period, size
            here = beyond


@kernel_part
def _says(data: Bytes, first: int, size: int) -> bool:
    """Whether a letter, a digit or something beyond ASCII is among the bytes."""
    for at in range(first, first + size):
        byte = data[at]
        lower = byte | 0x20
        if byte >= 0x80 or 0x30 <= byte <= 0x39 or 0x61 <= lower <= 0x7A:
            return True
    return False


@kernel
def _count_signs(
    offsets: Offsets, data: Bytes, table: Bytes, letters: Offsets, symbols: Offsets
) -> None:
    for row in range(len(offsets) - 1):
        at: Index = offsets[row]
        end = offsets[row + 1]
        letter_count = 0
        symbol_count = 0
        marks = 0
        while at < end:
            byte = data[at]
            if byte < 0x80:
                letter_count += table[byte] == LETTER
                marks = 0
                at += 1
                continue
            point, at = code_point(data, at)
            sign = table[point] if point < len(table) else np.uint8(LETTER)
            marks = marks + 1 if sign == MARK else 0
            letter_count += sign == LETTER
            symbol_count += sign == SYMBOL or marks > MAX_MARKS
        letters[row], symbols[row] = letter_count, symbol_count
