"""The cache of fragments: JSON of documents as selected, by cut and document, valid for one revision. Bounded in bytes.

Nothing has to be thrown away when a document changes: whoever asks says which revision the database has now.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from read_side.encoding import Cut, Fragment, Shape

ENTRY_BYTES: Final = 400
"""What an entry takes beside its JSON: key, numbers, places in the table; measured."""

CUT_BYTES: Final = 30_000
"""What a cut takes that only its fragments still know: the types that were made for it; measured."""

SHARE_OF_ONE: Final = 8
"""One answer may fill that part of the cache: a large one must not push out all others."""


WARM: Final = 0.5
"""Share of known documents from which on it pays to ask which there are before asking for those that are missing."""


class _Entry(NamedTuple):
    generation: int
    revision: int
    fragment: Fragment
    size: int


class Fragments:
    """Fragments of documents, the longest unused leave first. most_bytes: 0 keeps nothing.

    hits, misses: documents found here or not, since the start
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[tuple[Cut, int], _Entry] = OrderedDict()
        self._of_cut: Counter[Cut] = Counter()
        self._warmth: WeakKeyDictionary[Shape, float] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._entries)

    def is_warm(self, shape: Shape) -> bool:
        """Whether most documents of the last answers of that shape were known."""
        return self._warmth.get(shape, 0.0) >= WARM

    def tell(self, shape: Shape, known: float) -> None:
        """What share of an answer's documents was known: [0, 1]."""
        self._warmth[shape] = (self._warmth.get(shape, 0.0) + known) / 2

    def find(self, cut: Cut, document_id: int, generation: int, revision: int) -> Fragment | None:
        """The fragment of that very revision, or None."""
        key = (cut, document_id)
        entry = self._entries.get(key)
        if entry is None or entry.revision != revision or entry.generation != generation:
            self.misses += 1
            return None
        self._entries.move_to_end(key)
        self.hits += 1
        return entry.fragment

    def keep(self, cut: Cut, document_id: int, state: tuple[int, int], fragment: Fragment) -> int:
        """Keep it, in the place of another revision's. state: generation and revision. returns: its bytes."""
        size = sum(map(len, fragment)) + ENTRY_BYTES
        key = (cut, document_id)
        if replaced := self._entries.pop(key, None):
            self._forget(cut, replaced)
        self._entries[key] = _Entry(*state, fragment, size)
        self.bytes += size + (0 if self._of_cut[cut] else CUT_BYTES)
        self._of_cut[cut] += 1
        while self.bytes > self.most_bytes:
            (of, _), leaving = self._entries.popitem(last=False)
            self._forget(of, leaving)
        return size

    def _forget(self, cut: Cut, entry: _Entry) -> None:
        self.bytes -= entry.size
        self._of_cut[cut] -= 1
        if not self._of_cut[cut]:
            del self._of_cut[cut]
            self.bytes -= CUT_BYTES
