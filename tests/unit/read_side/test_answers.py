"""Whole answers: for their very state, within their bytes, and no longer than the root field that they answer."""

from __future__ import annotations

import gc
from typing import Final

from ocpi.identifiers import Party
from read_side.answers import Answers
from read_side.cut import Node
from read_side.encoding import shape_of
from read_side.filters import OwnLocations, Page
from read_side.fragments import SHARE_OF_ONE
from read_side.reading import Bound
from read_side.scope import Own
from read_side.selection import Selected
from read_side.sql import Statement

ANSWER: Final = (b"[", b"{}", b"]")
BYTES: Final = 4


def a_bound() -> Bound:
    statement = Statement(OwnLocations(Page(10)), Own(Party("PH", "ABC")), frozenset())
    return Bound(Selected("locations", "locations"), shape_of((Node("id", "id"),), "LOCATIONS"), statement)


def test_an_answer_is_found_for_its_very_state_alone() -> None:
    answers, bound = Answers(1_000), a_bound()
    assert answers.state_of(bound) is None
    answers.keep(bound, (1, 7), ANSWER)
    assert answers.state_of(bound) == (1, 7)
    assert answers.find(bound, (1, 7)) == ANSWER
    assert answers.find(bound, (1, 8)) is None
    assert answers.find(bound, (2, 7)) is None
    assert answers.find(a_bound(), (1, 7)) is None
    assert answers.hits == 1


def test_it_goes_with_its_root_field() -> None:
    answers, bound = Answers(1_000), a_bound()
    answers.keep(bound, (1, 7), ANSWER)
    assert len(answers) == 1
    del bound
    gc.collect()
    assert len(answers) == 0


def test_one_too_many_and_all_others_are_forgotten() -> None:
    answers = Answers(SHARE_OF_ONE * BYTES)
    bounds = [a_bound() for _ in range(SHARE_OF_ONE + 1)]
    for bound in bounds[:-1]:
        answers.keep(bound, (1, 1), ANSWER)
        answers.keep(bound, (1, 2), ANSWER)
    assert len(answers) == SHARE_OF_ONE
    answers.keep(bounds[-1], (1, 2), ANSWER)
    assert [answers.state_of(bound) for bound in bounds] == [None] * SHARE_OF_ONE + [(1, 2)]


def test_what_went_makes_room() -> None:
    answers = Answers(SHARE_OF_ONE * BYTES)
    staying = a_bound()
    answers.keep(staying, (1, 1), ANSWER)
    for _ in range(10 * SHARE_OF_ONE):
        answers.keep(a_bound(), (1, 1), ANSWER)
    assert answers.find(staying, (1, 1)) == ANSWER


def test_what_is_too_large_is_not_kept() -> None:
    answers, bound = Answers(SHARE_OF_ONE * BYTES), a_bound()
    answers.keep(bound, (1, 1), (b"12345",))
    assert len(answers) == 0
