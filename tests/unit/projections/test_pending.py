from __future__ import annotations

import orjson

from projections.drawings import Drawings
from projections.pending_table import settled_rows, staged_rows
from projections.projector import draw
from tests.support.builders import (
    PARTY,
    locations_staged,
    pending_evse,
    pending_location,
    staged_approved,
    staged_rejected,
)
from tests.support.filled_views import OTHER


def test_staged_locations_wait_in_the_order_of_their_upload() -> None:
    drawings = Drawings()
    two = pending_location("Mall", pending_evse("B1"), pending_evse("B2"))
    draw(drawings, locations_staged(pending_location("Harbor"), two), 5)
    rows = staged_rows(drawings.pending)
    assert [row[:5] for row in rows] == [("PH", "ABC", "harbor", 5, 0), ("PH", "ABC", "mall", 5, 1)]
    assert orjson.loads(rows[1][5]) | {"evses": orjson.loads(f"[{rows[1][7]}]")} == two  # type: ignore[arg-type]
    assert [row[6] for row in rows] == [1, 2]
    assert settled_rows(drawings.pending) == []


def test_a_location_that_comes_again_keeps_its_place_and_gets_more_evses() -> None:
    drawings = Drawings()
    draw(drawings, locations_staged(pending_location("Harbor", pending_evse("A1"))), 5)
    draw(drawings, locations_staged(pending_location("HARBOR", pending_evse("A2")), version=2), 6)
    (row,) = staged_rows(drawings.pending)
    assert (row[2:5], row[6]) == (("harbor", 5, 0), 2)
    assert [one["uid"] for one in orjson.loads(f"[{row[7]}]")] == ["A1", "A2"]


def test_approval_and_rejection_end_what_was_staged_before_and_not_what_comes_after() -> None:
    for settled in (staged_approved(2), staged_rejected(2)):
        drawings = Drawings()
        draw(drawings, locations_staged(), 5)
        draw(drawings, settled, 6)
        assert (settled_rows(drawings.pending), staged_rows(drawings.pending)) == ([("PH", "ABC")], [])
        draw(drawings, locations_staged(pending_location("Mall"), version=3), 7)
        assert settled_rows(drawings.pending) == [("PH", "ABC")]
        assert [row[2] for row in staged_rows(drawings.pending)] == ["mall"]


def test_each_cpo_has_its_own() -> None:
    drawings = Drawings()
    draw(drawings, locations_staged(), 5)
    draw(drawings, locations_staged(party=OTHER), 6)
    draw(drawings, staged_rejected(2, OTHER), 7)
    assert settled_rows(drawings.pending) == [("PH", "XYZ")]
    assert [row[:2] for row in staged_rows(drawings.pending)] == [(PARTY.country_code, PARTY.party_id)]
