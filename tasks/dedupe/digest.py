"""128-bit digests of folded texts and conversations: MurmurHash3 x64 (Appleby 2011)."""

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.record import ROLES
from tasks.fold import Bytes, Offsets, fold_buffers
from tasks.kernel import kernel, kernel_part

Digests = npt.NDArray[np.uint64]

MULTIPLIER_1 = np.uint64(0x87C37B91114253D5)
MULTIPLIER_2 = np.uint64(0x4CF5AD432745937F)
UNKNOWN_ROLE = len(ROLES)


def conversation_digests(rows: pl.DataFrame, *, strict: bool) -> Digests:
    """What a row says, as two 64-bit numbers: equal for equal conversations, folded.

    `rows` has the columns messages and tools, one row per record. Every message's role and folded
    content count, in their order, and where one ends; tools count strictly, none as empty.
    uint64, rows x 2.
    """
    turns = rows["messages"].explode(empty_as_null=False, keep_nulls=False).struct
    contents = fold_buffers(turns.field("content"), strict=strict)
    known = pl.DataFrame({"role": ROLES, "code": range(UNKNOWN_ROLE)})
    codes = turns.field("role").replace_strict(
        known["role"], known["code"], default=UNKNOWN_ROLE, return_dtype=pl.UInt64
    )
    lengths = rows["messages"].list.len().fill_null(0).to_numpy()
    first_turn = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    tools = fold_buffers(rows["tools"], strict=True)
    digests = np.empty((rows.height, 2), np.uint64)
    _digest_conversations(
        first_turn,
        codes.to_numpy().astype(np.uint64),
        contents.offsets,
        contents.data,
        tools.offsets,
        tools.data,
        digests,
    )
    return digests


def text_digests(offsets: Offsets, data: Bytes) -> Digests:
    """The digest of each text; uint64, texts x 2."""
    digests = np.empty((len(offsets) - 1, 2), np.uint64)
    _digest_texts(offsets, data, digests)
    return digests


@kernel_part
def _word(data: Bytes, at: int, end: int) -> np.uint64:
    """Up to eight bytes as a little-endian number."""
    word = np.uint64(0)
    for byte in range(min(8, end - at)):
        word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
    return word


@kernel_part
def _rotate(value: np.uint64, bits: np.uint64) -> np.uint64:
    return value << bits | value >> (np.uint64(64) - bits)


@kernel
def mix(value: np.uint64) -> np.uint64:
    """A 64-bit number with every bit spread over all of it (MurmurHash3's finaliser)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ value >> np.uint64(33)


@kernel_part
def murmur3(
    data: Bytes, begin: int, end: int, low: np.uint64, high: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """MurmurHash3 x64 128 of a run of bytes, continued from `low` and `high` (0, 0 to begin)."""
    at = begin
    while at + 16 <= end:
        word = _word(data, at, at + 8) * MULTIPLIER_1
        low ^= _rotate(word, np.uint64(31)) * MULTIPLIER_2
        low = (_rotate(low, np.uint64(27)) + high) * np.uint64(5) + np.uint64(0x52DCE729)
        word = _word(data, at + 8, at + 16) * MULTIPLIER_2
        high ^= _rotate(word, np.uint64(33)) * MULTIPLIER_1
        high = (_rotate(high, np.uint64(31)) + low) * np.uint64(5) + np.uint64(0x38495AB5)
        at += 16
    if at + 8 < end:
        high ^= _rotate(_word(data, at + 8, end) * MULTIPLIER_2, np.uint64(33)) * MULTIPLIER_1
    if at < end:
        low ^= _rotate(_word(data, at, end) * MULTIPLIER_1, np.uint64(31)) * MULTIPLIER_2
    size = np.uint64(end - begin)
    low ^= size
    high ^= size
    low += high
    high += low
    low = mix(low)
    high = mix(high)
    low += high
    return low, high + low


@kernel
def _digest_texts(offsets: Offsets, data: Bytes, digests: Digests) -> None:
    for text in range(len(offsets) - 1):
        low, high = murmur3(data, offsets[text], offsets[text + 1], np.uint64(0), np.uint64(0))
        digests[text, 0] = low
        digests[text, 1] = high


@kernel
def _digest_conversations(
    first_turn: Offsets,
    roles: npt.NDArray[np.uint64],
    offsets: Offsets,
    data: Bytes,
    tools_offsets: Offsets,
    tools: Bytes,
    digests: Digests,
) -> None:
    for row in range(len(first_turn) - 1):
        low, high = murmur3(
            tools, tools_offsets[row], tools_offsets[row + 1], np.uint64(0), np.uint64(0)
        )
        for turn in range(first_turn[row], first_turn[row + 1]):
            low ^= roles[turn] + np.uint64(1)
            low, high = murmur3(data, offsets[turn], offsets[turn + 1], low, high)
        digests[row, 0] = low
        digests[row, 1] = high
