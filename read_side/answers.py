"""Whole answers of root fields, each for one generation and position of the views. Bounded in bytes.

They live no longer than the root field that was bound: what nobody can ask again is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from read_side.fragments import SHARE_OF_ONE

if TYPE_CHECKING:
    from read_side.reading import Bound

State = tuple[int, int]
"""Generation and position of the views."""


class _Answer(NamedTuple):
    state: State
    parts: tuple[bytes, ...]
    size: int


class Answers:
    """The last answer of each root field. most_bytes: 0 keeps nothing. One too many, and all are forgotten.

    hits: root fields that were answered by what is kept here, since the start
    """

    def __init__(self, most_bytes: int) -> None:
        self.hits = 0
        self._most_bytes = most_bytes
        self._bytes = 0  # at least what is kept: what went with its root field still counts
        self._kept: WeakKeyDictionary[Bound, _Answer] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._kept)

    def state_of(self, bound: Bound) -> State | None:
        """For which state there is an answer; None where there is none."""
        kept = self._kept.get(bound)
        return None if kept is None else kept.state

    def find(self, bound: Bound, state: State) -> tuple[bytes, ...] | None:
        """The answer of that very state, or None."""
        kept = self._kept.get(bound)
        if kept is None or kept.state != state:
            return None
        self.hits += 1
        return kept.parts

    def keep(self, bound: Bound, state: State, parts: tuple[bytes, ...]) -> None:
        """Keep it in the place of another state's."""
        size = sum(map(len, parts))
        if size > self._most_bytes // SHARE_OF_ONE:
            return
        replaced = self._kept.get(bound)
        self._bytes += size - (0 if replaced is None else replaced.size)
        if self._bytes > self._most_bytes:
            self._bytes = size + sum(kept.size for kept in self._kept.values())
            if self._bytes > self._most_bytes:
                self._kept.clear()
                self._bytes = size
        self._kept[bound] = _Answer(state, parts, size)
