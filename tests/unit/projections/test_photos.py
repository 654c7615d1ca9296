"""Photos of locations and logos of CPOs in the views' documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ocpi.identifiers import Party
from projections.documents import iso
from projections.drawings import Drawings
from projections.projector import draw
from projections.rows import rows_of
from tests.support.builders import (
    PARTY,
    cpo_logo_changed,
    cpo_registered,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    photo_replaced,
    photos_added,
)

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent


def drawn(*events: DomainEvent) -> Drawings:
    drawings = Drawings()
    for position, event in enumerate(events, start=1):
        draw(drawings, event, position)
    return drawings


def head_after(*events: DomainEvent) -> dict[str, Any]:
    (location, _) = rows_of(drawn(*events).locations[1])
    head: dict[str, Any] = orjson.loads(location.head)
    return head


def test_photos_stand_in_the_order_of_their_upload() -> None:
    first, second = photos_added(5, 6), photos_added(3, version=3)
    head = head_after(location_registered(), first, second)
    assert head["images"] == ["/images/5.png", "/images/6.png", "/images/3.png"]
    assert head["photos"] == [
        {
            "id": photo_id,
            "location_id": 1,
            "url": f"/images/{photo_id}.png",
            "date_created": iso(event.timestamp),
            "date_modified": iso(event.timestamp),
        }
        for photo_id, event in ((5, first), (6, first), (3, second))
    ]
    assert head["date_modified"] == iso(second.timestamp)


def test_a_replaced_photo_keeps_its_id_its_place_and_its_date_of_creation() -> None:
    added, replaced = photos_added(5, 6), photo_replaced(5, "other.jpg")
    head = head_after(location_registered(), added, replaced)
    assert head["images"] == ["/images/other.jpg", "/images/6.png"]
    assert head["photos"][0] == {
        "id": 5,
        "location_id": 1,
        "url": "/images/other.jpg",
        "date_created": iso(added.timestamp),
        "date_modified": iso(replaced.timestamp),
    }
    assert head["photos"][1]["date_modified"] == iso(added.timestamp)
    assert head["date_modified"] == iso(replaced.timestamp)


def test_other_changes_leave_photos_alone() -> None:
    head = head_after(location_registered(), photos_added(5), location_changed(name="Renamed"))
    assert (head["name"], head["images"]) == ("Renamed", ["/images/5.png"])


def test_photos_and_statuses_of_one_batch_are_both_drawn() -> None:
    drawings = drawn(location_registered(), evse_registered(), photos_added(5), evse_status_changed("CHARGING"))
    location, (evse,) = rows_of(drawings.locations[1])
    assert orjson.loads(location.head)["images"] == ["/images/5.png"]
    assert orjson.loads(evse.document)["status"] == "CHARGING"
    assert location.revision == 4


def test_a_photo_that_was_never_added_is_an_error() -> None:
    with pytest.raises(KeyError):
        drawn(location_registered(), photo_replaced(5, "other.jpg"))


def test_a_logo_is_the_one_that_came_last() -> None:
    other = Party("PH", "XYZ")
    drawings = drawn(
        cpo_registered(),
        cpo_registered(other),
        cpo_logo_changed("one.png"),
        cpo_logo_changed("two.svg", version=3),
    )
    assert (drawings.cpos[PARTY].details["logo"], drawings.cpos[PARTY].revision) == ("two.svg", 4)
    assert drawings.cpos[other].details["logo"] is None
