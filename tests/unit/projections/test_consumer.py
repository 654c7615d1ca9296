"""Ranges in any order → the events that follow a position."""

from __future__ import annotations

import pytest

from projections.consumer import events_behind
from tests.support.builders import evse_status_changed, recorded
from write_side.events.ranges import Range, range_of
from write_side.store.publisher import RANGE_BYTES, RANGE_EVENTS, ranges_of

LOG = recorded([evse_status_changed("CHARGING", version=2 + nr) for nr in range(20)])


def run(first: int, last: int) -> Range:
    return range_of(LOG[first - 1 : last])


@pytest.mark.parametrize(
    ("position", "ranges", "expected"),
    [
        (0, [(1, 3), (4, 6)], range(1, 7)),
        (3, [(1, 3), (4, 6)], range(4, 7)),
        (6, [(1, 3), (4, 6)], range(0)),
        (2, [(1, 5), (4, 9)], range(3, 10)),
        (0, [(4, 6), (1, 3), (7, 7)], range(1, 8)),
        (0, [(1, 3), (1, 3), (2, 3)], range(1, 4)),
        (0, [(1, 3), (5, 6)], range(1, 4)),
        (0, [(2, 3)], range(0)),
        (5, [(1, 20), (3, 4)], range(6, 21)),
        (0, [], range(0)),
    ],
)
def test_repeats_are_dropped_overlaps_cut_and_nothing_is_taken_behind_a_hole(
    position: int, ranges: list[tuple[int, int]], expected: range
) -> None:
    events = events_behind(position, [run(*one) for one in ranges])
    assert [event.position for event in events] == list(expected)


def test_ranges_hold_all_events_in_order_within_both_limits() -> None:
    events = recorded([evse_status_changed("X" * (nr * 37 % 4_000)) for nr in range(1_000)])
    ranges = list(ranges_of(events))
    assert [event for one in ranges for event in one.events] == list(events)
    assert all(one.first == one.events[0].position and one.last == one.events[-1].position for one in ranges)
    assert max(len(one.events) for one in ranges) <= RANGE_EVENTS
    assert max(sum(len(event.state) for event in one.events) for one in ranges) <= RANGE_BYTES


def test_an_event_that_is_too_large_has_a_range_of_its_own() -> None:
    events = recorded([evse_status_changed(status) for status in ("A", "B" * (RANGE_BYTES + 1), "C")])
    assert [(one.first, one.last) for one in ranges_of(events)] == [(1, 1), (2, 2), (3, 3)]


def test_no_events_make_no_range() -> None:
    assert list(ranges_of(())) == []
