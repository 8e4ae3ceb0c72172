"""The numbers of a text: in instruction data they are the content (What is 3 + 4?)."""

import functools
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.digest import mix
from tasks.dedupe.words import WordTable, add_letter, continues_word, look_up, word_table
from tasks.fold import Bytes, Offsets, code_point
from tasks.kernel import Index, kernel, kernel_part

LAST_DIGIT = 0x1FFFF  # no decimal digit of Unicode lies beyond
NOT_A_DIGIT = np.uint8(255)
OTHER, LETTER, MAY_BE_A_NUMBER = 0, 1, 2
POINT, COMMA, HYPHEN, MINUS = 0x2E, 0x2C, 0x2D, 0x2212
SPREAD = np.uint64(0x9E3779B97F4A7C15)

# Not "one", which is a pronoun more often than a number: "one more" and "two more" differ by "two".
# fmt: off
ENGLISH = {
    "zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "dozen": 12,
}
CHINESE = {
    "零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7,
    "八": 8, "九": 9, "十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8,
}
# fmt: on
# What follows a numeral that counts (三个, 十二月, 三加四) and goes before one (第三, 等于七).
# Without 分, 处, 方, 周, 里 and 者, which make other words with numerals (十分, 四处, 四方).
MEASURES = (
    "个只条张本位名种类次天年月日号岁元块米克吨杯瓶斤倍点章节段行句字步篇首题项部件层座支"
    "人家匹头辆台封碗"
)
ARITHMETIC = "加减乘除等"
BEFORE = "第加减乘以于"
ROLE_BEFORE, ROLE_MEASURE, ROLE_ARITHMETIC = 1, 2, 4
FIRST_HAN, LAST_HAN = 0x3007, 0x9FFF


class NumberTables(NamedTuple):
    """What the kernel knows of numbers."""

    digits: npt.NDArray[np.uint8]
    """Code point to the value of the decimal digit it is, or `NOT_A_DIGIT`."""
    bytes: npt.NDArray[np.uint8]
    """What a byte outside a number is: `OTHER`, a `LETTER`, or `MAY_BE_A_NUMBER`."""
    english: WordTable
    """Each number word with the digest of the digits it stands for."""
    numerals: npt.NDArray[np.int64]
    """Code point from `FIRST_HAN` on: the value of the Chinese numeral it is, or -1."""
    roles: npt.NDArray[np.uint8]
    """The same: what it says of a numeral beside it, a sum of ROLE_*."""


def number_digests(offsets: Offsets, data: Bytes) -> npt.NDArray[np.uint64]:
    """One number per text, equal where the multisets of its numbers are equal; uint64.

    A number is a run of decimal digits of any script, by their values, with single points and
    commas between digits (3.5, 1,000), and a minus before it that follows no a-z and no digit.

    An English number word counts as its digits, each word by itself: "three" is 3, "twenty-one" is
    20 and 1. A run of Chinese numerals counts as its value where a measure word or a sum follows
    or an ordinal or a sum goes before it (三个, 第三, 三加四), and 一 only in the latter cases.
    Other words (one, first, 三明治, 一些) are text.
    """
    digests = np.empty(len(offsets) - 1, np.uint64)
    _digest_numbers(offsets, data, number_tables(), digests)
    return digests


@functools.cache
def number_tables() -> NumberTables:
    """Made once per process."""
    numerals = np.full(LAST_HAN - FIRST_HAN + 1, -1, np.int64)
    roles = np.zeros(LAST_HAN - FIRST_HAN + 1, np.uint8)
    for numeral, value in CHINESE.items():
        numerals[ord(numeral) - FIRST_HAN] = value
    for role, points in (
        (ROLE_BEFORE, BEFORE),
        (ROLE_MEASURE, MEASURES),
        (ROLE_ARITHMETIC, ARITHMETIC),
    ):
        roles[[ord(point) - FIRST_HAN for point in points]] |= np.uint8(role)
    english = word_table({word: int(_value_digest(value)) for word, value in ENGLISH.items()})
    return NumberTables(digit_table(), byte_table(), english, numerals, roles)


def digit_table() -> npt.NDArray[np.uint8]:
    """Code point to the value of the decimal digit it is, or `NOT_A_DIGIT`."""
    table = np.full(LAST_DIGIT + 1, NOT_A_DIGIT, np.uint8)
    points = [ord(char) for char in re.findall(r"\d", "".join(map(chr, range(LAST_DIGIT + 1))))]
    table[points] = [int(chr(point)) for point in points]
    return table


def byte_table() -> npt.NDArray[np.uint8]:
    """Byte to what it is outside a number; all but ASCII may be one."""
    table = np.full(256, MAY_BE_A_NUMBER, np.uint8)
    for byte in range(0x80):
        char = chr(byte)
        if char.isalpha():
            table[byte] = LETTER
        elif not char.isdigit() and byte != HYPHEN:
            table[byte] = OTHER
    return table


@kernel
def _value_digest(value: Index) -> np.uint64:
    """What the digits of a whole number add to a text's digest."""
    highest = 1
    while value // highest >= 10:
        highest *= 10
    number = np.uint64(1)
    while highest > 0:
        number = mix(number * SPREAD + np.uint64(value // highest % 10))
        highest //= 10
    return mix(number)


@kernel
def _digest_numbers(
    offsets: Offsets, data: Bytes, tables: NumberTables, digests: npt.NDArray[np.uint64]
) -> None:
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        digests[text] = _digits(data, begin, end, tables)
        digests[text] += _words(data, begin, end, tables)


@kernel_part
def _digits(data: Bytes, at: Index, end: Index, tables: NumberTables) -> np.uint64:
    """The sum over the numbers that are written in digits."""
    total = np.uint64(0)
    number = np.uint64(0)  # the number being read; 0 outside one
    sign = np.uint64(1)  # what a number that starts here begins with: 2 after a minus
    mark = np.uint64(0)  # the point or comma just read inside a number
    after_word = False
    while at < end:
        seen = tables.bytes[data[at]]
        if number == np.uint64(0) and seen < MAY_BE_A_NUMBER:  # the usual case
            sign = np.uint64(1)
            after_word = seen == LETTER
            at += 1
            continue
        point, at = code_point(data, at)
        digit = tables.digits[point] if point <= LAST_DIGIT else NOT_A_DIGIT
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
    return total


@kernel_part
def _words(data: Bytes, at: Index, end: Index, tables: NumberTables) -> np.uint64:
    """The sum over the numbers that are written in words."""
    total = np.uint64(0)
    word = np.uint64(0)  # the word being read; 0 outside one
    role: Index = np.int64(0)  # of the last code point that is no numeral
    points: Index = np.int64(0)  # numerals of the run being read
    largest: Index = np.int64(0)  # of its values below ten; 0 where it has none
    whole: Index = np.int64(0)  # the run's value is whole + section + digit
    section: Index = np.int64(0)
    digit: Index = np.int64(0)
    while at < end:
        byte = data[at]
        if tables.bytes[byte] == LETTER:  # the usual case, without decoding
            word = add_letter(word, np.int64(byte))
            at += 1
            continue
        point, at = code_point(data, at)
        if continues_word(point):
            word = add_letter(word, point)
            continue
        if word != np.uint64(0):
            total += look_up(tables.english, word)
            word = np.uint64(0)
        han = FIRST_HAN <= point <= LAST_HAN
        value = tables.numerals[point - FIRST_HAN] if han else np.int64(-1)
        if value < 0:
            next_role = np.int64(tables.roles[point - FIRST_HAN]) if han else np.int64(0)
            if points > 0:
                if _counts(points, largest, section, role, next_role):
                    total += _value_digest(whole + section + digit)
                points = largest = whole = section = digit = np.int64(0)
            role = next_role
            continue
        points += 1
        if value < 10:
            largest = max(largest, value)
            digit = digit * 10 + value
        elif value < 10**4:
            section += max(digit, 1) * value
            digit = np.int64(0)
        else:
            whole = (whole + section + digit) * value
            section = digit = np.int64(0)
    if points > 0 and _counts(points, largest, section, role, np.int64(0)):
        total += _value_digest(whole + section + digit)
    return total + look_up(tables.english, word)


@kernel_part
def _counts(points: Index, largest: Index, section: Index, before: Index, after: Index) -> bool:
    """Whether a run of Chinese numerals between two others is a number, and no other word."""
    if before & ROLE_BEFORE or after & ROLE_ARITHMETIC:
        return True
    lone_one = points == 1 and largest == 1
    return bool(after & ROLE_MEASURE) and (largest > 0 or section == 10) and not lone_one
