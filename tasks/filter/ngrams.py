"""Word n-grams of many texts as 64-bit hashes, and where they meet a sorted table of such hashes.

A token is a run of letters and digits; in scripts that put no spaces between words (Chinese,
Japanese, Thai, Lao, Khmer, Burmese) every character is a token. So in a mixed text each run of a
script is counted in its own way. Case, width and accents do not count, nor does punctuation
("C" and "C++" are one token). A sentence begins and ends at ``. ! ? : ;``, their
full-width forms, quotation marks, dashes, brackets, the marks of Markdown, or a line's end; what
stands in front of a round bracket does not end there. A block ends at a blank line.

The weight of a text is in half-words: a word weighs 2, a character that is a token weighs 1.

Hashes are compared as they are: at 2^20 table entries and 10^9 n-grams the chance of one false hit
is 2^20 * 10^9 / 2^64, about 6 in 100,000.
"""

import functools
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.fold import LAST_FOLDED, Bytes, Offsets, TextBuffers, code_point, fold_table
from tasks.kernel import Index, announce_compilation, kernel, kernel_part

Hashes = npt.NDArray[np.uint64]
Table = npt.NDArray[np.uint32]

# Entries of the token table that are no letter; letters are their folded code point.
SEPARATOR, SENTENCE_END, MARK, OPENER, LINE_END, APOSTROPHE, IGNORED = range(7)
ALONE = 1 << 31  # flags a letter that is a token of its own
# By the last pattern that a character matches.
SYMBOLS = {
    SENTENCE_END: r"[.!?;。！？；．｡…—–]",
    MARK: r"[:：\r\"“”„«»「」『』【】《》〈〉\[\]{}<>［］｛｝＜＞)）*_|#`~]",
    OPENER: r"[(（]",
    LINE_END: r"[\n\x{2028}\x{2029}]",
    APOSTROPHE: r"['‘’＇]",
}
# What may begin or end before a token; a label ends at a mark or a line's end.
BEGIN, END, LABEL, BLOCK = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8)
AFTER_SENTENCE, AFTER_OPENER = BEGIN | END, BEGIN | LABEL
AFTER_MARK, AFTER_BLOCK = BEGIN | END | LABEL, BEGIN | END | LABEL | BLOCK
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
LETTER = r"[\p{L}\p{N}\p{M}]"
ACCENTS = r"[\x{300}-\x{36f}]"
INVISIBLE = r"[\p{Cf}\x{300}-\x{36f}\x{fe00}-\x{fe0f}]"

# What a hash speaks of; it is mixed into the hash, so that one table serves all: a run of n tokens,
# a shorter text, one that is too short to be looked for inside a text, the first tokens of a text.
NGRAM, SENTENCE, WHOLE, OPENING = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
# ... or of a short question that stands alone in a part of a row: it is a block of the prompt, all
# of the response, or the last message before it.
PROMPT, RESPONSE, LAST_MESSAGE = np.uint64(5), np.uint64(6), np.uint64(7)
OPENING_TOKENS = 3
LABEL_TOKENS = 3  # "### Instruction:", "<|im_start|>user"

# Weights, in half-words, from which a text shorter than n tokens is looked for ...
MIN_RUN_WEIGHT = 16  # ... anywhere in a text: eight words
MIN_SENTENCE_WEIGHT = 10  # ... as whole sentences, anywhere: five words, ten Chinese characters
MIN_QUESTION_WEIGHT = 6  # ... if it is a question, as whole sentences of a prompt: "Why me?"
MIN_ALONE_WEIGHT = 4  # ... and as all of a block, or of a response if it ends with ?: "Why you?"

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
    for symbol, pattern in SYMBOLS.items():
        table[chars.str.contains(pattern).to_numpy()] = symbol
    table[chars.str.contains(INVISIBLE).to_numpy()] = IGNORED
    return table.astype(np.uint32)


def _points(chars: pl.Series) -> npt.NDArray[np.int64]:
    return np.array([ord(char) for char in chars.to_list()])


def item_hashes(
    texts: TextBuffers, ngram: int, asks: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]
) -> pl.DataFrame:
    """Every hash that stands for a text of the evaluation items.

    `asks`: the text is a question by its mark; `whole`: it is all that its item asks.

    Columns: `hash`, `kind` (what it speaks of), `text` (its row in `texts`), `weight` (of the
    text, in half-words) and `worded`, whether a third or more of the n-gram's tokens are words:
    primes in order, hexadecimal digits or a + b * c are nobody's own. One row per n-gram of a text
    of `ngram` tokens or more; for a shorter text one for the whole and, where it may be looked for
    inside a text, one for its opening, and where it may stand alone, one for each way; none for a
    text without tokens.
    """
    room = int(texts.offsets[-1] - texts.offsets[0]) + 4 * texts.rows
    hashes, kinds = np.empty(room, np.uint64), np.empty(room, np.uint64)
    rows, weights = np.empty(room, np.int64), np.empty(room, np.int64)
    worded = np.empty(room, np.bool_)
    announce_compilation(_hash_items)
    count = _hash_items(
        texts.offsets, texts.data, token_table(), ngram, asks, whole, hashes, kinds, rows, weights,
        worded,
    )  # fmt: skip
    columns = {"hash": hashes, "kind": kinds, "text": rows, "weight": weights, "worded": worded}
    return pl.DataFrame({name: column[:count] for name, column in columns.items()})


class Runs(NamedTuple):
    """What texts are looked through for: runs of `ngram` tokens of items, and shorter items whole.

    `hashes` is sorted; `owners[i]` is an item of `hashes[i]`, which stands there once for each of
    its items. `sieve` has a bit per possible low half of a hash: most texts are settled by it.
    """

    ngram: int
    hashes: Hashes
    owners: npt.NDArray[np.uint32]
    sieve: Bytes

    @classmethod
    def of(cls, ngram: int, hashes: pl.Series, owners: pl.Series) -> Self:
        """The same, of columns."""
        table = hashes.to_numpy()
        bits = max(16, len(table).bit_length() + 4)
        sieve = np.zeros(1 << (bits - 3), np.uint8)
        low = table & np.uint64((1 << bits) - 1)
        bit = np.uint8(1) << (low & np.uint64(7)).astype(np.uint8)
        np.bitwise_or.at(sieve, low >> np.uint64(3), bit)
        return cls(ngram, table, owners.to_numpy(), sieve)


def first_matches(texts: TextBuffers, runs: Runs, part: np.uint64) -> pl.DataFrame:
    """The first match of each text that has one, in their order; columns as `all_matches` has them.

    Consecutive n-grams of one item make one match.
    """
    return _matches(texts, runs, part, every=False, room=texts.rows)


def all_matches(texts: TextBuffers, runs: Runs, part: np.uint64) -> pl.DataFrame:
    """One row per place of a text where a hash of an item is met, and item.

    Columns: `text` (its row in `texts`), `item`, `kind`, `start` and `end` (the match's bytes in
    the text). `part`: what of a row the texts are; in a `PROMPT` shorter items count too, and of a
    `LAST_MESSAGE` nothing counts but that it is a question.
    """
    found = _matches(texts, runs, part, every=True, room=0)
    return _matches(texts, runs, part, every=True, room=found.height) if found.height else found


def _matches(
    texts: TextBuffers, runs: Runs, part: np.uint64, *, every: bool, room: int
) -> pl.DataFrame:
    """Matches, of which the first `room` are written and the others only counted."""
    numbers = np.zeros((4, room), np.int64)
    kinds = np.zeros(room, np.uint64)
    announce_compilation(_match)
    count = _match(
        texts.offsets, texts.data, token_table(), runs.ngram, runs.hashes, runs.owners, runs.sieve,
        part, every, numbers, kinds,
    )  # fmt: skip
    if count > room:
        return pl.DataFrame(schema={"text": pl.Int64}).clear(count)
    text, item, start, end = numbers[:, :count]
    return pl.DataFrame(
        {"text": text, "item": item, "kind": kinds[:count], "start": start, "end": end},
        schema_overrides={"item": pl.UInt32},
    )


@kernel_part
def _mixed(value: np.uint64, kind: np.uint64) -> np.uint64:
    value ^= kind * BASE
    value = (value ^ (value >> np.uint64(30))) * MIX_1
    value = (value ^ (value >> np.uint64(27))) * MIX_2
    return value ^ (value >> np.uint64(31))


@kernel_part
def _tokens(
    data: Bytes, start: int, end: int, table: Table, prefix: Hashes, starts: Offsets,
    ends: Offsets, opens: Bytes, words: Offsets, singles: Offsets,
) -> int:  # fmt: skip
    """Tokenise one text; returns the number of its tokens.

    `prefix[i]` is the polynomial hash of the first i tokens, so that any run of tokens i to j has
    prefix[j] - prefix[i] * BASE^(j - i). `opens[i]` says what may begin or end before token i, and
    the end of the text is like a block's. `words[i]` of the first i tokens are words: two letters
    or more that are no digits, or one that stands alone; `singles[i]` of them stand alone.
    """
    count = 0
    inside = touching = False  # a token is being read; a letter stood right before
    quoted = lined = False  # between tokens: an apostrophe that may be a mark; a line's end
    opening = AFTER_BLOCK
    word = np.uint64(0)
    prefix[0] = words[0] = singles[0] = 0
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
            count = _add_token(count, word, letters >= 2, False, prefix, words, singles)
            inside = False
        if not letter:
            opening |= _opened_by(symbol, quoted, touching, lined)
            quoted = symbol == APOSTROPHE and touching
            lined = lined or symbol == LINE_END
        else:
            if not inside:
                starts[count], opens[count], opening = here, opening, np.uint8(0)
                word = np.uint64(0)
                letters = 0
                quoted = lined = False
            if not 0x30 <= symbol <= 0x39:
                letters += 1
            word = (word ^ np.uint64(symbol)) * MIX_1 + np.uint64(1)
            ends[count] = at
            if alone:
                count = _add_token(count, word, True, True, prefix, words, singles)
            else:
                inside = True
        touching = bool(letter)
    if inside:
        count = _add_token(count, word, letters >= 2, False, prefix, words, singles)
    opens[count] = AFTER_BLOCK
    return count


@kernel_part
def _add_token(
    count: int, hashed: np.uint64, is_word: bool, is_alone: bool, prefix: Hashes, words: Offsets,
    singles: Offsets,
) -> int:  # fmt: skip
    """Take one more token into the sums; returns how many there are now."""
    prefix[count + 1] = prefix[count] * BASE + _mixed(hashed, np.uint64(0))
    words[count + 1] = words[count] + is_word
    singles[count + 1] = singles[count] + is_alone
    return count + 1


@kernel_part
def _opened_by(symbol: np.uint32, quoted: bool, touching: bool, lined: bool) -> np.uint8:
    """What may begin or end at a character that is no letter.

    An apostrophe is a quotation mark unless letters touch it on both sides: `quoted` says that one
    stood right before, after a letter. `touching`: a letter stands right before; `lined`: since the
    last letter a line has ended.
    """
    opened = AFTER_MARK if quoted else np.uint8(0)
    if symbol == LINE_END:
        opened |= AFTER_BLOCK if lined else AFTER_MARK
    elif symbol == MARK or (symbol == APOSTROPHE and not touching):
        opened |= AFTER_MARK
    elif symbol == SENTENCE_END:
        opened |= AFTER_SENTENCE
    elif symbol == OPENER:
        opened |= AFTER_OPENER
    return np.uint8(opened)


@kernel
def _powers(ngram: int) -> Hashes:
    powers = np.ones(ngram + 1, np.uint64)
    for exponent in range(ngram):
        powers[exponent + 1] = powers[exponent] * BASE
    return powers


@kernel_part
def _run(prefix: Hashes, first: int, length: int, powers: Hashes, kind: np.uint64) -> np.uint64:
    return _mixed(prefix[first + length] - prefix[first] * powers[length], kind)


@kernel_part
def _longest(offsets: Offsets) -> int:
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, int(offsets[row + 1] - offsets[row]))
    return longest


@kernel
def _hash_items(
    offsets: Offsets, data: Bytes, table: Table, ngram: int, asks: npt.NDArray[np.bool_],
    alone: npt.NDArray[np.bool_], hashes: Hashes, kinds: Hashes, rows: Offsets, weights: Offsets,
    worded: npt.NDArray[np.bool_],
) -> int:  # fmt: skip
    room = _longest(offsets) + 2
    prefix, opens = np.empty(room, np.uint64), np.empty(room, np.uint8)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    words, singles = np.empty(room, np.int64), np.empty(room, np.int64)
    powers = _powers(ngram)
    found = 0
    for row in range(len(offsets) - 1):
        count = _tokens(
            data, offsets[row], offsets[row + 1], table, prefix, starts, ends, opens, words, singles
        )
        weight = 2 * count - singles[count]
        before = found
        if 0 < count < ngram:
            questioned = asks[row] or alone[row]
            whole = weight < (MIN_QUESTION_WEIGHT if questioned else MIN_SENTENCE_WEIGHT)
            kinds[found] = WHOLE if whole else SENTENCE
            hashes[found] = _run(prefix, 0, count, powers, kinds[found])
            worded[found] = True
            found += 1
            if not whole:
                kinds[found] = OPENING
                hashes[found] = _run(prefix, 0, OPENING_TOKENS, powers, OPENING)
                worded[found] = True
                found += 1
            for part in (PROMPT, RESPONSE, LAST_MESSAGE):
                if alone[row] and _may_stand_alone(part, weight, words[count], asks[row]):
                    kinds[found] = part
                    hashes[found] = _run(prefix, 0, count, powers, part)
                    worded[found] = True
                    found += 1
        for first in range(count - ngram + 1):
            kinds[found] = NGRAM
            hashes[found] = _run(prefix, first, ngram, powers, NGRAM)
            worded[found] = 3 * (words[first + ngram] - words[first]) >= ngram
            found += 1
        rows[before:found] = row
        weights[before:found] = weight
    return found


@kernel_part
def _may_stand_alone(part: np.uint64, weight: int, words: int, asks: bool) -> bool:
    """Whether a short question is looked for as a whole in this part of a row."""
    if part == LAST_MESSAGE:
        return True
    if part == RESPONSE and not asks:
        return bool(weight >= MIN_QUESTION_WEIGHT and words > 0)
    return bool(weight >= MIN_ALONE_WEIGHT and words > 0)


@kernel_part
def _place(value: np.uint64, hashes: Hashes, sieve: Bytes) -> int:
    """The first place of a hash in the table, or -1."""
    low = value & np.uint64(8 * len(sieve) - 1)
    if not sieve[low >> np.uint64(3)] >> (low & np.uint64(7)) & 1:
        return -1
    at = np.searchsorted(hashes, value)
    return int(at) if at < len(hashes) and hashes[at] == value else -1


@kernel_part
def _note(
    place: int, hashes: Hashes, owners: Table, every: bool, row: int, start: int, end: int,
    kind: np.uint64, found: int, numbers: npt.NDArray[np.int64], kinds: Hashes,
) -> int:  # fmt: skip
    """Write a match for the first or for every item of a hash; returns how many there are now."""
    at = place
    while at == place or (every and at < len(hashes) and hashes[at] == hashes[place]):
        if found < len(kinds):
            numbers[0, found], numbers[1, found] = row, owners[at]
            numbers[2, found], numbers[3, found] = start, end
            kinds[found] = kind
        found += 1
        at += 1
    return found


@kernel
def _match(
    offsets: Offsets, data: Bytes, table: Table, ngram: int, hashes: Hashes, owners: Table,
    sieve: Bytes, part: np.uint64, every: bool, numbers: npt.NDArray[np.int64], kinds: Hashes,
) -> int:  # fmt: skip
    room = _longest(offsets) + 2
    prefix, opens = np.empty(room, np.uint64), np.empty(room, np.uint8)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    words, singles = np.empty(room, np.int64), np.empty(room, np.int64)
    powers = _powers(ngram)
    prompts, last = part == PROMPT, part == LAST_MESSAGE
    found = 0
    for row in range(len(offsets) - 1):
        count = _tokens(
            data, offsets[row], offsets[row + 1], table, prefix, starts, ends, opens, words, singles
        )
        starts[:count] -= offsets[row]
        ends[:count] -= offsets[row]
        before = found
        if not last:
            found = _match_runs(
                row, count, ngram, prefix, starts, ends, powers, hashes, owners, sieve, every,
                found, numbers, kinds,
            )  # fmt: skip
        if not last and (found == before or every):
            found = _match_shorter(
                row, count, ngram, prefix, starts, ends, opens, singles, powers, hashes, owners,
                sieve, prompts, every, found, numbers, kinds,
            )  # fmt: skip
        weight = 2 * count - singles[count]
        if prompts and found == before and 0 < weight < MIN_SENTENCE_WEIGHT and count < ngram:
            place = _place(_run(prefix, 0, count, powers, WHOLE), hashes, sieve)
            if place >= 0:
                found = _note(
                    place, hashes, owners, every, row, starts[0], ends[count - 1], WHOLE, found,
                    numbers, kinds,
                )  # fmt: skip
        if found == before:
            found = _match_alone(
                row, count, ngram, prefix, starts, ends, opens, powers, hashes, owners, sieve,
                part, every, found, numbers, kinds,
            )  # fmt: skip
    return found


@kernel_part
def _match_runs(
    row: int, count: int, ngram: int, prefix: Hashes, starts: Offsets, ends: Offsets,
    powers: Hashes, hashes: Hashes, owners: Table, sieve: Bytes, every: bool, found: int,
    numbers: npt.NDArray[np.int64], kinds: Hashes,
) -> int:  # fmt: skip
    """Note every n-gram of an item, or the first and those of the same item that follow it."""
    for first in range(count - ngram + 1):
        place = _place(_run(prefix, first, ngram, powers, NGRAM), hashes, sieve)
        if place < 0:
            continue
        last = first
        while not every and last + ngram < count:
            after = _place(_run(prefix, last + 1, ngram, powers, NGRAM), hashes, sieve)
            if after < 0 or owners[after] != owners[place]:
                break
            last += 1
        found = _note(
            place, hashes, owners, every, row, starts[first], ends[last + ngram - 1], NGRAM, found,
            numbers, kinds,
        )  # fmt: skip
        if not every:
            break
    return found


@kernel_part
def _match_shorter(
    row: int, count: int, ngram: int, prefix: Hashes, starts: Offsets, ends: Offsets, opens: Bytes,
    singles: Offsets, powers: Hashes, hashes: Hashes, owners: Table, sieve: Bytes, prompts: bool,
    every: bool, found: int, numbers: npt.NDArray[np.int64], kinds: Hashes,
) -> int:  # fmt: skip
    """Note every shorter text of an item that stands in a text, or the first."""
    lightest = MIN_QUESTION_WEIGHT if prompts else MIN_SENTENCE_WEIGHT
    for first in range(count - OPENING_TOKENS + 1):
        opening = _run(prefix, first, OPENING_TOKENS, powers, OPENING)
        if _place(opening, hashes, sieve) < 0:
            continue
        for length in range(OPENING_TOKENS, min(ngram, count - first + 1)):
            weight = 2 * length - (singles[first + length] - singles[first])
            alone = opens[first] & BEGIN and opens[first + length] & END
            if weight < (lightest if alone else MIN_RUN_WEIGHT):
                continue
            place = _place(_run(prefix, first, length, powers, SENTENCE), hashes, sieve)
            if place < 0:
                continue
            found = _note(
                place, hashes, owners, every, row, starts[first], ends[first + length - 1],
                SENTENCE, found, numbers, kinds,
            )  # fmt: skip
            if not every:
                return found
    return found


@kernel_part
def _match_alone(
    row: int, count: int, ngram: int, prefix: Hashes, starts: Offsets, ends: Offsets, opens: Bytes,
    powers: Hashes, hashes: Hashes, owners: Table, sieve: Bytes, part: np.uint64, every: bool,
    found: int, numbers: npt.NDArray[np.int64], kinds: Hashes,
) -> int:  # fmt: skip
    """Note every short question that stands alone in a part of a row, or the first.

    A label of at most `LABEL_TOKENS` tokens may stand before it and another one behind, but for a
    last message: there the question may be one word, and what is before it, what is asked of it.
    """
    label = 0 if part == LAST_MESSAGE else LABEL_TOKENS
    labelled = END | LABEL
    start = 0
    while start < count:
        stop = start + 1
        while stop < count and not (part == PROMPT and opens[stop] & BLOCK):
            stop += 1
        for first in range(start, min(start + label + 1, stop)):
            if first > start and not opens[first] & LABEL:
                continue
            for last in range(stop, max(stop - label - 1, first), -1):
                if last - first >= ngram or (last < stop and opens[last] & labelled != labelled):
                    continue
                place = _place(_run(prefix, first, last - first, powers, part), hashes, sieve)
                if place < 0:
                    continue
                found = _note(
                    place, hashes, owners, every, row, starts[first], ends[last - 1], part, found,
                    numbers, kinds,
                )  # fmt: skip
                if not every:
                    return found
        start = stop
    return found
