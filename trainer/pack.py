"""Packing: several conversations to a row of `max_tokens`, none of which sees another.

Best-fit decreasing over the *histogram* of lengths (what rows of one length are put together with
depends on the length alone), so its time grows with `max_tokens` and not with the corpus. Which
conversation takes which place of its length is drawn anew for each epoch.
"""

import bisect
import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Pattern = tuple[int, ...]
"""The lengths of the conversations of one pack, descending."""


@dataclass(frozen=True)
class Packing:
    """How a split is packed: how often each pattern is used."""

    capacity: int
    patterns: tuple[tuple[Pattern, int], ...]

    @property
    def packs(self) -> int:
        """Rows after packing."""
        return sum(count for _, count in self.patterns)

    @property
    def efficiency(self) -> float:
        """The share of all the packs' tokens that are some conversation's; 1 for no packs."""
        room = self.packs * self.capacity
        return sum(sum(pattern) * count for pattern, count in self.patterns) / room if room else 1.0

    def draw(self, lengths: Ints, seed: Sequence[int]) -> Iterator[list[int]]:
        """The packs of one epoch, each the numbers of its rows, in an order of `seed`.

        `lengths` are those that the packing was made for; every row is in one pack.
        """
        random = np.random.default_rng(seed)
        shuffled = random.permutation(len(lengths))
        by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
        places = np.concatenate(
            [np.tile(np.array(pattern, np.int64), count) for pattern, count in self.patterns]
            or [np.zeros(0, np.int64)]
        )
        rows = np.empty(len(places), np.int64)
        rows[np.argsort(places, kind="stable")] = by_length
        sizes = np.repeat(
            np.array([len(pattern) for pattern, _ in self.patterns], np.int64),
            np.array([count for _, count in self.patterns], np.int64),
        )
        packs = np.split(rows, np.cumsum(sizes)[:-1]) if len(sizes) else []
        return (packs[index].tolist() for index in random.permutation(len(packs)))


def pack(lengths: Ints, capacity: int) -> Packing:
    """Best-fit decreasing: each length, longest first, goes where the least room is left over.

    Args:
        lengths: tokens of each row, from 1 to `capacity`.
        capacity: tokens of a pack, at most.
    """
    found, counts = np.unique(lengths, return_counts=True)
    packs = _OpenPacks(capacity)
    for length, count in zip(found[::-1].tolist(), counts[::-1].tolist(), strict=True):
        packs.place(length, count)
    return Packing(capacity, packs.patterns())


class _OpenPacks:
    """Packs by the room that is left in them: how often each pattern is there."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rooms: list[int] = []
        self._packs: dict[int, dict[Pattern, int]] = {}

    def place(self, length: int, count: int) -> None:
        """Put `count` rows of one length where they fit best, the rest into new packs."""
        while count:
            place = bisect.bisect_left(self._rooms, length)
            if place == len(self._rooms):
                break
            room = self._rooms[place]
            pattern, there = self._packs[room].popitem()
            taken = min(there, count)
            if there > taken:
                self._packs[room][pattern] = there - taken
            elif not self._packs[room]:
                self._close(room)
            self._add(room - length, (*pattern, length), taken)
            count -= taken
        each = self._capacity // length
        whole, left = divmod(count, each)
        for rows, packs in ((each, whole), (left, 1)):
            if rows and packs:
                self._add(self._capacity - rows * length, (length,) * rows, packs)

    def patterns(self) -> tuple[tuple[Pattern, int], ...]:
        """Every pattern with how often it is used, in an order that depends on nothing else."""
        found: collections.Counter[Pattern] = collections.Counter()
        for packs in self._packs.values():
            found.update(packs)
        return tuple(sorted(found.items(), reverse=True))

    def _add(self, room: int, pattern: Pattern, count: int) -> None:
        if room not in self._packs:
            self._packs[room] = {}
            bisect.insort(self._rooms, room)
        self._packs[room][pattern] = self._packs[room].get(pattern, 0) + count

    def _close(self, room: int) -> None:
        del self._packs[room]
        del self._rooms[bisect.bisect_left(self._rooms, room)]
