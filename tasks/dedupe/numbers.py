"""The numbers of a text: in instruction data they are the content (What is 3 + 4?)."""

import functools
import re

import numpy as np
import numpy.typing as npt

from tasks.dedupe.digest import mix
from tasks.fold import Bytes, Offsets, code_point
from tasks.kernel import kernel

LAST_DIGIT = 0x1FFFF  # no decimal digit of Unicode lies beyond
NOT_A_DIGIT = np.uint8(255)
POINT, COMMA, HYPHEN, MINUS = 0x2E, 0x2C, 0x2D, 0x2212
SPREAD = np.uint64(0x9E3779B97F4A7C15)


def number_digests(offsets: Offsets, data: Bytes) -> npt.NDArray[np.uint64]:
    """One number per text, equal where the multisets of its numbers are equal; uint64.

    A number is a run of decimal digits of any script, by their values, with single points and
    commas between digits (3.5, 1,000), and a minus before it that follows no a-z and no digit.
    Numbers in words, and 一二三, are text.
    """
    digests = np.empty(len(offsets) - 1, np.uint64)
    _digest_numbers(offsets, data, digit_table(), digests)
    return digests


@functools.cache
def digit_table() -> npt.NDArray[np.uint8]:
    """Code point to the value of the decimal digit it is, or `NOT_A_DIGIT`."""
    table = np.full(LAST_DIGIT + 1, NOT_A_DIGIT, np.uint8)
    points = [ord(char) for char in re.findall(r"\d", "".join(map(chr, range(LAST_DIGIT + 1))))]
    table[points] = [int(chr(point)) for point in points]
    return table


@kernel
def _digest_numbers(
    offsets: Offsets,
    data: Bytes,
    table: npt.NDArray[np.uint8],
    digests: npt.NDArray[np.uint64],
) -> None:
    for text in range(len(offsets) - 1):
        total = np.uint64(0)
        number = np.uint64(0)  # the number being read; 0 outside one
        sign = np.uint64(1)  # what a number that starts here begins with: 2 after a minus
        mark = np.uint64(0)  # the point or comma just read inside a number
        after_word = False
        at = offsets[text]
        while at < offsets[text + 1]:
            point, at = code_point(data, at)
            digit = table[point] if point <= LAST_DIGIT else NOT_A_DIGIT
            if digit != NOT_A_DIGIT:
                if number == np.uint64(0):
                    number = sign
                number = mix(number * SPREAD + np.uint64(digit) + mark)
                sign = np.uint64(1)
                mark = np.uint64(0)
                after_word = True
                continue
            if number != np.uint64(0):
                if mark == np.uint64(0) and point in (POINT, COMMA):
                    mark = np.uint64(point)
                    continue
                total += mix(number)
                number = np.uint64(0)
                after_word = mark == np.uint64(0)
                mark = np.uint64(0)
            minus = point in (HYPHEN, MINUS)
            sign = np.uint64(2) if minus and not after_word else np.uint64(1)
            after_word = bool(0x61 <= point | 0x20 <= 0x7A)
        if number != np.uint64(0):
            total += mix(number)
        digests[text] = total
