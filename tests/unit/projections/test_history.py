"""What each event leaves in the history of its location."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from projections.drawings import Drawings
from projections.history import HistoryRow
from projections.projector import draw_recorded
from tests.support.builders import (
    NOON,
    connector_status_changed,
    cpo_registered,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    photo_replaced,
    photos_added,
    recorded,
)

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent


def history(*events: DomainEvent) -> list[HistoryRow]:
    drawings = Drawings()
    for event, one in zip(events, recorded(events), strict=True):
        draw_recorded(drawings, event, one)
    return [row for drawing in drawings.locations.values() for row in drawing.history]


def change(row: HistoryRow) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    return None if row.before is None else orjson.loads(row.before), orjson.loads(row.after)


def test_a_row_tells_who_when_and_from_where() -> None:
    (event,) = events = (location_registered(),)
    (said,) = recorded(events)
    (row,) = history(event)
    whence = (said.command_id, said.correlation_id, said.actor)
    assert row[:-2] == (1, 1, NOON, NOON, "location.registered", *whence, "", 0)


def test_what_is_new_is_told_whole() -> None:
    location, evse = history(location_registered(), evse_registered("A1", status="PLANNED"))
    before, after = change(location)
    assert (before, after["name"], after["photos"]) == (None, "Harbor Point", [])
    before, after = change(evse)
    assert (evse.uid, evse.connector_id, before, after["status"]) == ("A1", 0, None, "PLANNED")


def test_a_status_tells_what_it_was() -> None:
    _, _, evse, connector = history(
        location_registered(),
        evse_registered("A1"),
        evse_status_changed("CHARGING", "a1"),
        connector_status_changed("BLOCKED", 2, "A1", version=3),
    )
    assert (evse.uid, evse.connector_id) == ("A1", 0)
    assert change(evse) == ({"status": "AVAILABLE"}, {"status": "CHARGING"})
    assert (connector.uid, connector.connector_id) == ("A1", 2)
    assert change(connector) == (
        {"status": "AVAILABLE", "date_modified": "2026-11-23T12:00:00.250000Z"},
        {"status": "BLOCKED", "date_modified": "2026-11-23T12:03:00.250000Z"},
    )


def test_a_changed_location_is_told_whole_beside_the_fields_that_were_others() -> None:
    rows = history(
        location_registered(), photos_added(5, 6), photo_replaced(5, "7.png"), location_changed(1, name="Mall")
    )
    (_, new), (was_empty, two), (was_two, replaced), (was, renamed) = map(change, rows)
    assert was_empty == {"images": [], "photos": [], "date_modified": new["date_modified"]}
    assert [photo["id"] for photo in two["photos"]] == [5, 6]
    assert was_two == {key: two[key] for key in ("images", "photos", "date_modified")}
    assert replaced["images"] == ["/images/7.png", "/images/6.png"]
    assert was == {"name": "Harbor Point", "date_modified": replaced["date_modified"]}
    assert renamed == replaced | {"name": "Mall", "date_modified": "2026-11-23T13:00:00.250000Z"}


def test_the_time_that_as_of_compares_never_goes_back() -> None:
    late = replace(evse_status_changed("CHARGING"), timestamp=NOON + timedelta(minutes=9))
    rows = history(location_registered(), evse_registered(), late, evse_status_changed("AVAILABLE", version=3))
    assert [row.at for row in rows] == [NOON, NOON, NOON + timedelta(minutes=9), NOON + timedelta(minutes=3)]
    assert [row.since for row in rows] == [NOON, NOON, NOON + timedelta(minutes=9), NOON + timedelta(minutes=9)]


def test_a_cpo_has_no_part_in_it() -> None:
    assert history(cpo_registered()) == []
