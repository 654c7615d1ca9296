"""The cache of fragments: by cut and document, for one revision, within its bytes."""

from __future__ import annotations

from typing import Final

from read_side.cut import Node
from read_side.encoding import Cut, shape_of
from read_side.fragments import CUT_BYTES, ENTRY_BYTES, Fragments

CUT: Final = Cut(lambda stored, _beside: (stored.encode(),))
OTHER_CUT: Final = Cut(lambda stored, _beside: (stored.encode(),))


def test_a_fragment_is_found_for_its_very_revision_alone() -> None:
    fragments = Fragments(100_000)
    fragments.keep(CUT, 1, (1, 7), (b"{}",))
    assert fragments.find(CUT, 1, 1, 7) == (b"{}",)
    assert fragments.find(CUT, 1, 1, 8) is None
    assert fragments.find(CUT, 1, 1, 6) is None
    assert fragments.find(CUT, 1, 2, 7) is None
    assert fragments.find(CUT, 2, 1, 7) is None
    assert fragments.find(OTHER_CUT, 1, 1, 7) is None
    assert (fragments.hits, fragments.misses) == (1, 5)


def test_another_revision_takes_its_place() -> None:
    fragments = Fragments(100_000)
    fragments.keep(CUT, 1, (1, 7), (b"longer",))
    fragments.keep(CUT, 1, (1, 8), (b"{}",))
    assert fragments.find(CUT, 1, 1, 7) is None
    assert (len(fragments), fragments.bytes) == (1, CUT_BYTES + ENTRY_BYTES + 2)


def test_the_longest_unused_leave_when_it_is_full() -> None:
    fragments = Fragments(CUT_BYTES + 3 * (ENTRY_BYTES + 2))
    for document in (1, 2, 3):
        fragments.keep(CUT, document, (1, 1), (b"{}",))
    fragments.find(CUT, 1, 1, 1)
    fragments.keep(CUT, 4, (1, 1), (b"{}",))
    assert [document for document in (1, 2, 3, 4) if fragments.find(CUT, document, 1, 1)] == [1, 3, 4]
    assert fragments.bytes == CUT_BYTES + 3 * (ENTRY_BYTES + 2)


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    fragments = Fragments(1_000)
    fragments.keep(CUT, 1, (1, 1), (b"{}",))
    fragments.keep(CUT, 2, (1, 1), (b" " * 1_000,))
    assert (len(fragments), fragments.bytes) == (0, 0)


def test_a_shape_is_warm_once_most_of_its_documents_were_known() -> None:
    fragments = Fragments(1_000)
    shape, other = shape_of((Node("id", "id"),), "LOCATIONS"), shape_of((Node("name", "name"),), "LOCATIONS")
    assert not fragments.is_warm(shape)
    fragments.tell(shape, 0.0)
    fragments.tell(shape, 0.9)
    assert not fragments.is_warm(shape)
    fragments.tell(shape, 0.9)
    assert fragments.is_warm(shape)
    assert not fragments.is_warm(other)
    fragments.tell(shape, 0.0)
    assert not fragments.is_warm(shape)


def test_ever_new_selections_are_charged_with_what_was_made_for_them() -> None:
    fragments = Fragments(10 * (CUT_BYTES + ENTRY_BYTES + 2))
    for _ in range(50):
        fragments.keep(Cut(lambda stored, _beside: (stored.encode(),)), 1, (1, 1), (b"{}",))
    assert len(fragments) == 10
    assert fragments.bytes == fragments.most_bytes
