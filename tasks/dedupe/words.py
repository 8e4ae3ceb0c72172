"""Words that kernels know: looked up by a hash of their code points."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.dedupe.digest import mix
from tasks.kernel import Index, kernel, kernel_part

LETTER_SPREAD = np.uint64(0xD6E8FEB86659FD93)  # odd, so that no letter before is lost
GENERAL_PUNCTUATION = 0x2000


class WordTable(NamedTuple):
    """Words by their hashes, in open addressing; a word that is not there has the value 0."""

    hashes: npt.NDArray[np.uint64]
    """A power of two of them, 0 where there is no word."""
    values: npt.NDArray[np.uint64]


def word_table(values: Mapping[str, int]) -> WordTable:
    """A table of these words, folded."""
    slots = 64
    while slots < 4 * len(values):
        slots *= 2
    table = WordTable(np.zeros(slots, np.uint64), np.zeros(slots, np.uint64))
    for word, value in values.items():
        hashed = np.uint64(0)
        for letter in word:
            hashed = np.uint64(add_letter(hashed, ord(letter)))
        slot = int(mix(hashed)) % slots
        while table.hashes[slot]:
            slot = (slot + 1) % slots
        table.hashes[slot], table.values[slot] = hashed, value
    return table


@kernel
def add_letter(word: np.uint64, point: Index) -> np.uint64:
    """The hash of a word and one more code point, ASCII letters in lower case."""
    if 0x41 <= point <= 0x5A:
        point |= 0x20
    return (word + np.uint64(point)) * LETTER_SPREAD


@kernel_part
def continues_word(point: Index) -> bool:
    """Whether a code point is a letter of a script that puts spaces between words, roughly."""
    return bool(0x61 <= point | 0x20 <= 0x7A or 0xC0 <= point < GENERAL_PUNCTUATION)


@kernel_part
def look_up(table: WordTable, word: np.uint64) -> np.uint64:
    """The value of a word by its hash, 0 for one that is not there."""
    mask = np.uint64(len(table.hashes) - 1)
    slot = mix(word) & mask
    while table.hashes[slot] != np.uint64(0):
        if table.hashes[slot] == word:
            return np.uint64(table.values[slot])
        slot = (slot + np.uint64(1)) & mask
    return np.uint64(0)
