"""Which rows have a key in common: equal numbers among many that are mostly different."""

import numpy as np
import numpy.typing as npt

from tasks.kernel import kernel, kernel_part

Indices = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint32]

NO_GROUP = np.uint32(0xFFFFFFFF)


def group_equal(
    keys: Hashes,
) -> tuple[Indices, Rows, Rows]:
    """The rows whose key occurs twice or more, ascending; the group of each; the size of each.

    Two bits for every key, in a table that fits the processor's cache, tell most lone keys first.
    """
    repeated = _repeated(keys)
    table = empty_table(len(repeated))
    group = np.empty(len(repeated), np.uint32)
    sizes = np.empty(len(repeated) // 2, np.uint32)
    sizes = sizes[: _group_repeated(keys, repeated, table, group, sizes)]
    met = group != NO_GROUP
    return repeated[met].astype(np.int64), group[met], sizes


def first_equal(keys: Hashes) -> Indices:
    """For each row the index of the first row with the same keys; `keys` is rows x any number."""
    first = np.arange(len(keys))
    repeated = _repeated(np.ascontiguousarray(keys[:, 0]))
    _find_first(keys, repeated, empty_table(len(repeated)), first)
    return first


def _repeated(keys: Hashes) -> Rows:
    """The rows whose key occurs twice or more, and a few others; ascending."""
    words = 1 << (len(keys) // 4).bit_length()
    repeated = np.empty(len(keys), np.uint32)
    return repeated[: _find_repeated(keys, np.zeros(words, np.uint64), repeated)]


def empty_table(rows: int) -> Rows:
    """Slots for open addressing: a power of two of them, at most half to be filled."""
    return np.full(1 << (2 * rows).bit_length(), NO_GROUP, np.uint32)


@kernel
def _find_repeated(keys: Hashes, twice: Hashes, repeated: Rows) -> int:
    """Note the rows whose key may occur twice; returns how many. `twice` is a power of two zeros.

    The low bits of a key name a word of it and five more bits two of the word's: whether the key
    was seen, and whether it was seen again.
    """
    mask = np.uint64(len(twice) - 1)
    for row in range(len(keys)):
        seen = np.uint64(1) << (keys[row] >> np.uint64(58) & np.uint64(62))
        word = twice[keys[row] & mask]
        twice[keys[row] & mask] = word | seen | (word & seen) << np.uint64(1)
    count = 0
    for row in range(len(keys)):
        again = np.uint64(2) << (keys[row] >> np.uint64(58) & np.uint64(62))
        repeated[count] = row
        count += twice[keys[row] & mask] & again != np.uint64(0)
    return count


@kernel
def _group_repeated(
    keys: Hashes,
    rows: Rows,
    table: Rows,
    group: Rows,
    sizes: Rows,
) -> int:
    """Number the keys that two or more of `rows` have; returns how many. `table` is empty.

    `group`, of each of `rows`: the number of its key, `NO_GROUP` for a lone one. `sizes` gets the
    rows of each.
    """
    mask = np.uint64(len(table) - 1)
    groups = 0
    for index in range(len(rows)):
        key = keys[rows[index]]
        slot = key & mask
        while table[slot] != NO_GROUP and keys[rows[table[slot]]] != key:
            slot = (slot + np.uint64(1)) & mask
        group[index] = NO_GROUP
        leader = table[slot]
        if leader == NO_GROUP:
            table[slot] = index
            continue
        if group[leader] == NO_GROUP:
            group[leader] = groups
            sizes[groups] = 1
            groups += 1
        group[index] = group[leader]
        sizes[group[leader]] += np.uint32(1)
    return groups


@kernel_part
def _are_equal(keys: Hashes, one: np.uint32, other: np.uint32) -> bool:
    for key in range(keys.shape[1]):  # noqa: SIM110 (kernels know no generators)
        if keys[one, key] != keys[other, key]:
            return False
    return True


@kernel
def _find_first(keys: Hashes, rows: Rows, table: Rows, first: Indices) -> None:
    """Put the first of `rows` with the same keys beside each of them."""
    mask = np.uint64(len(table) - 1)
    for row in rows:
        slot = keys[row, 0] & mask
        while table[slot] != NO_GROUP and not _are_equal(keys, table[slot], row):
            slot = (slot + np.uint64(1)) & mask
        if table[slot] == NO_GROUP:
            table[slot] = row
        first[row] = table[slot]
