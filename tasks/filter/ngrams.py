"""Word n-grams of many texts as 64-bit hashes, and where they meet a sorted table of such hashes.

A token is a run of letters and digits; in scripts that put no spaces between words (Chinese,
Japanese, Thai, Lao, Khmer, Burmese) every character is a token. Case, width and accents do not
count, nor does punctuation. A sentence ends at ``. ! ? : ;``, their full-width forms, or a line's
end.

Hashes are compared as they are: at 2^20 table entries and 10^9 n-grams the chance of one false hit
is 2^20 * 10^9 / 2^64, about 6 in 100,000.
"""

import functools

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.fold import LAST_FOLDED, Bytes, Offsets, TextBuffers, code_point, fold_table
from tasks.kernel import Index, announce_compilation, kernel

Hashes = npt.NDArray[np.uint64]
Table = npt.NDArray[np.uint32]

# Entries of the token table that are no letter; letters are their folded code point.
SEPARATOR, SENTENCE_END, IGNORED = 0, 1, 2
ALONE = 1 << 31  # flags a letter that is a token of its own

SENTENCE_ENDS = r"[.!?:;。！？：；．｡\n\r\x{2028}\x{2029}…]"
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
LETTER = r"[\p{L}\p{N}\p{M}]"
ACCENTS = r"[\x{300}-\x{36f}]"
INVISIBLE = r"[\p{Cf}\x{300}-\x{36f}\x{fe00}-\x{fe0f}]"

# How much of a text a hash speaks of; it is mixed into the hash, so that one table serves all.
NGRAM, SENTENCES, WHOLE = np.uint64(1), np.uint64(2), np.uint64(3)
# Shorter texts are compared with whole prompts only: "Yes." is a sentence of too many rows.
MIN_SENTENCE_TOKENS = 5

BASE = np.uint64(0x9E3779B97F4A7C15)  # odd; 2^64 / golden ratio (Knuth 6.4)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # SplitMix64


@functools.cache
def token_table() -> Table:
    """Code point to folded letter, flagged `ALONE` or not, or to one of the three non-letters."""
    points = np.arange(LAST_FOLDED + 1)
    chars = pl.Series([chr(p) if not 0xD800 <= p < 0xE000 else " " for p in points.tolist()])
    plain = chars.str.normalize("NFKD").str.replace_all(ACCENTS, "")
    plain = pl.select(
        pl.when((plain.str.len_chars() == 1) & (chars.str.len_chars() == 1))
        .then(plain)
        .otherwise(chars)
    ).to_series()
    folded = fold_table()[_points(plain)].astype(np.uint32)
    table = np.where(chars.str.contains(LETTER).to_numpy(), folded, np.uint32(SEPARATOR))
    table[chars.str.contains(UNSPACED).to_numpy() & (table != SEPARATOR)] |= np.uint32(ALONE)
    table[chars.str.contains(SENTENCE_ENDS).to_numpy()] = SENTENCE_END
    table[chars.str.contains(INVISIBLE).to_numpy()] = IGNORED
    return table.astype(np.uint32)


def _points(chars: pl.Series) -> npt.NDArray[np.int64]:
    return np.array([ord(char) for char in chars.to_list()])


def item_hashes(texts: TextBuffers, ngram: int) -> pl.DataFrame:
    """Every hash that stands for a text of the evaluation items.

    Columns: `hash`, `text` (its row in `texts`) and `worded`, whether a third or more of the
    n-gram's tokens are words: primes in order, hexadecimal digits or a + b * c are nobody's own.
    One row per n-gram of a text of `ngram` tokens or more; one for the whole of a shorter text;
    none for a text without tokens.
    """
    room = int(texts.offsets[-1] - texts.offsets[0]) + texts.rows
    hashes, rows = np.empty(room, np.uint64), np.empty(room, np.int64)
    worded = np.empty(room, np.bool_)
    announce_compilation(_hash_items)
    count = _hash_items(texts.offsets, texts.data, token_table(), ngram, hashes, rows, worded)
    return pl.DataFrame({"hash": hashes[:count], "text": rows[:count], "worded": worded[:count]})


def first_matches(
    texts: TextBuffers, ngram: int, table: Hashes, owners: npt.NDArray[np.uint32], whole: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each text the owner of its first match, or -1, and the match's bytes (start, end).

    `table` is sorted; `owners[i]` is the item of `table[i]`. Consecutive n-grams of one item make
    one match. `whole`: the texts are prompts, so that the shortest items count.
    """
    owner = np.full(texts.rows, -1, np.int64)
    start, end = np.zeros(texts.rows, np.int64), np.zeros(texts.rows, np.int64)
    announce_compilation(_match)
    _match(
        texts.offsets, texts.data, token_table(), ngram, table, owners,
        _sieve(table), whole, owner, start, end,
    )  # fmt: skip
    return owner, start, end


def _sieve(table: Hashes) -> Bytes:
    """A bit per possible low half of a hash: most texts are settled without a search."""
    bits = max(16, len(table).bit_length() + 4)
    sieve = np.zeros(1 << (bits - 3), np.uint8)
    low = table & np.uint64((1 << bits) - 1)
    np.bitwise_or.at(
        sieve, low >> np.uint64(3), np.uint8(1) << (low & np.uint64(7)).astype(np.uint8)
    )
    return sieve


@kernel
def _mixed(value: np.uint64, kind: np.uint64) -> np.uint64:
    value ^= kind * BASE
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


@kernel
def _tokens(
    data: Bytes, start: int, end: int, table: Table, prefix: Hashes, starts: Offsets,
    ends: Offsets, opens: Bytes, words: Offsets,
) -> int:  # fmt: skip
    """Tokenise one text; returns the number of its tokens.

    `prefix[i]` is the polynomial hash of the first i tokens, so that any run of tokens i to j has
    prefix[j] - prefix[i] * BASE^(j - i). `opens[i]` is 1 where token i begins a sentence, and the
    end of the text begins one too. `words[i]` of the first i tokens are words: two letters or more
    that are no digits, or one that stands alone.
    """
    count = 0
    inside = False
    opening = np.uint8(1)
    word = np.uint64(0)
    prefix[0] = words[0] = 0
    letters = 0
    at: Index = start
    while at < end:
        here = at
        point, at = code_point(data, at)
        symbol = np.uint32(SEPARATOR)
        if point < len(table):
            symbol = table[point]
        if symbol == IGNORED:
            continue
        letter = symbol > IGNORED
        alone = symbol >= ALONE
        if inside and (alone or not letter):
            prefix[count + 1] = prefix[count] * BASE + _mixed(word, np.uint64(0))
            words[count + 1] = words[count] + (letters >= 2)
            count += 1
            inside = False
        if letter:
            if not inside:
                starts[count], opens[count], opening = here, opening, np.uint8(0)
                word = np.uint64(0)
                letters = 0
            if not 0x30 <= symbol <= 0x39:
                letters += 1
            word = (word ^ np.uint64(symbol)) * MIX_1 + np.uint64(1)
            ends[count] = at
            if alone:
                prefix[count + 1] = prefix[count] * BASE + _mixed(word, np.uint64(0))
                words[count + 1] = words[count] + 1
                count += 1
            else:
                inside = True
        elif symbol == SENTENCE_END:
            opening = np.uint8(1)
    if inside:
        prefix[count + 1] = prefix[count] * BASE + _mixed(word, np.uint64(0))
        words[count + 1] = words[count] + (letters >= 2)
        count += 1
    opens[count] = 1
    return count


@kernel
def _powers(ngram: int) -> Hashes:
    powers = np.ones(ngram + 1, np.uint64)
    for exponent in range(ngram):
        powers[exponent + 1] = powers[exponent] * BASE
    return powers


@kernel
def _run(prefix: Hashes, first: int, length: int, powers: Hashes, kind: np.uint64) -> np.uint64:
    return _mixed(prefix[first + length] - prefix[first] * powers[length], kind)


@kernel
def _longest(offsets: Offsets) -> int:
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, int(offsets[row + 1] - offsets[row]))
    return longest


@kernel
def _hash_items(
    offsets: Offsets, data: Bytes, table: Table, ngram: int, hashes: Hashes, rows: Offsets,
    worded: npt.NDArray[np.bool_],
) -> int:  # fmt: skip
    room = _longest(offsets) + 2
    prefix, opens = np.empty(room, np.uint64), np.empty(room, np.uint8)
    starts, ends, words = (
        np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    )  # fmt: skip
    powers = _powers(ngram)
    found = 0
    for row in range(len(offsets) - 1):
        count = _tokens(
            data, offsets[row], offsets[row + 1], table, prefix, starts, ends, opens, words
        )
        if count == 0:
            continue
        if count < ngram:
            kind = WHOLE if count < MIN_SENTENCE_TOKENS else SENTENCES
            hashes[found], rows[found] = _run(prefix, 0, count, powers, kind), row
            worded[found] = True
            found += 1
        for first in range(count - ngram + 1):
            hashes[found], rows[found] = _run(prefix, first, ngram, powers, NGRAM), row
            worded[found] = 3 * (words[first + ngram] - words[first]) >= ngram
            found += 1
    return found


@kernel
def _owner(value: np.uint64, table: Hashes, owners: Table, sieve: Bytes) -> int:
    """The item of a hash, or -1."""
    low = value & np.uint64(8 * len(sieve) - 1)
    if not sieve[low >> np.uint64(3)] >> (low & np.uint64(7)) & 1:
        return -1
    at = np.searchsorted(table, value)
    return int(owners[at]) if at < len(table) and table[at] == value else -1


@kernel
def _match(
    offsets: Offsets, data: Bytes, table: Table, ngram: int, hashes: Hashes, owners: Table,
    sieve: Bytes, whole: bool, owner: Offsets, start: Offsets, end: Offsets,
) -> None:  # fmt: skip
    room = _longest(offsets) + 2
    prefix, opens = np.empty(room, np.uint64), np.empty(room, np.uint8)
    starts, ends, words = (
        np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    )  # fmt: skip
    powers = _powers(ngram)
    for row in range(len(offsets) - 1):
        at = offsets[row]
        count = _tokens(data, at, offsets[row + 1], table, prefix, starts, ends, opens, words)
        for first in range(count - ngram + 1):
            item = _owner(_run(prefix, first, ngram, powers, NGRAM), hashes, owners, sieve)
            if item < 0:
                continue
            last = first
            while last + ngram < count and item == _owner(
                _run(prefix, last + 1, ngram, powers, NGRAM), hashes, owners, sieve
            ):
                last += 1
            owner[row], start[row], end[row] = item, starts[first] - at, ends[last + ngram - 1] - at
            break
        for first in range(count):
            if owner[row] >= 0:
                break
            if not opens[first]:
                continue
            for length in range(MIN_SENTENCE_TOKENS, min(ngram, count - first + 1)):
                if not opens[first + length]:
                    continue
                item = _owner(_run(prefix, first, length, powers, SENTENCES), hashes, owners, sieve)
                if item >= 0:
                    owner[row], start[row], end[row] = (
                        item,
                        starts[first] - at,
                        ends[first + length - 1] - at,
                    )
                    break
        if whole and owner[row] < 0 and 0 < count < min(MIN_SENTENCE_TOKENS, ngram):
            item = _owner(_run(prefix, 0, count, powers, WHOLE), hashes, owners, sieve)
            if item >= 0:
                owner[row], start[row], end[row] = item, starts[0] - at, ends[count - 1] - at
