"""Folding: given events, when projected, then rows."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ocpi.codes import EVSE_STATUSES
from ocpi.facets import FACETS
from projections.drawings import Drawings
from projections.projector import PROJECTIONS, Ignored, draw
from projections.rows import EvseRow, LocationRow, connector_words, rows_of, unit_point
from projections.view_tables import _split
from tests.support.builders import (
    NOON,
    a_connector,
    connector_status_changed,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
)
from write_side.events.codec import EVENTS

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent

    from projections.locations import LocationDrawing


def drawn(*events: DomainEvent) -> LocationDrawing:
    drawings = Drawings()
    for position, event in enumerate(events, start=1):
        draw(drawings, event, position)
    (drawing,) = drawings.locations.values()
    return drawing


def rows(*events: DomainEvent) -> tuple[LocationRow, tuple[EvseRow, ...]]:
    return rows_of(drawn(*events))


def evses(row: LocationRow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(row.evses)
    return found


def test_every_event_is_projected_or_ignored_for_a_reason() -> None:
    assert set(PROJECTIONS) == set(EVENTS)
    assert all(one.because for one in PROJECTIONS.values() if isinstance(one, Ignored))


def test_a_location_and_its_evses_become_rows() -> None:
    location, (first, second) = rows(location_registered(), evse_registered("A1"), evse_registered("b2"))
    assert location._replace(head="", evses="", point=(0, 0, 0)) == LocationRow(
        id=1,
        country_code="PH",
        party_id="ABC",
        cpo_owner_id=7,
        name_key="harbor point",
        publish=True,
        is_public=True,
        city_key="olongapo",
        province_key="zambales",
        facets=location.facets,
        name_grams=location.name_grams,
        point=(0, 0, 0),
        head="",
        evses="",
        revision=3,
    )
    assert location.evses == f"[{first.document},{second.document}]"
    assert first._replace(document="") == EvseRow(
        country_code="PH",
        party_id="ABC",
        uid_key="a1",
        location_id=1,
        location_name_key="harbor point",
        created_at=NOON,
        registered_pos=2,
        is_removed=False,
        capabilities=["QR_READER"],
        payment_types=["GCASH", "MAYA"],
        connectors=[
            "*/AC",
            "*/AC_3_PHASE",
            "*/DC",
            "CCS_2/*",
            "CCS_2/DC",
            "TYPE_2/*",
            "TYPE_2/AC",
            "TYPE_2/AC_3_PHASE",
        ],
        document="",
        revision=2,
    )
    assert (second.uid_key, second.registered_pos, second.revision) == ("b2", 3, 3)


def test_a_location_without_evses_is_not_public() -> None:
    location, found = rows(location_registered())
    assert (location.is_public, location.publish, location.evses, found) == (False, True, "[]", ())


def test_an_unpublished_location_is_not_public() -> None:
    location, _ = rows(location_registered(publish=False), evse_registered())
    assert (location.is_public, location.publish) == (False, False)


def test_a_status_change_touches_its_evse_alone() -> None:
    before, (_, other_before) = rows(location_registered(), evse_registered("A1"), evse_registered("A2"))
    after, (changed, other) = rows(
        location_registered(), evse_registered("A1"), evse_registered("A2"), evse_status_changed("CHARGING", uid="a1")
    )
    assert orjson.loads(changed.document)["status"] == "CHARGING"
    assert (changed.revision, after.revision) == (4, 4)
    assert other == other_before
    assert after._replace(evses="", revision=0) == before._replace(evses="", revision=0)


@pytest.mark.parametrize("status", EVSE_STATUSES)
def test_a_status_comes_as_it_was_sent(status: str) -> None:
    location, (evse,) = rows(location_registered(), evse_registered(), evse_status_changed(status))
    assert orjson.loads(evse.document)["status"] == evses(location)[0]["status"] == status
    assert evse.is_removed is not location.is_public is (status != "REMOVED")


def test_a_removed_evse_takes_its_facets_with_it_and_brings_them_back() -> None:
    ccs = evse_registered("A2", connectors=[a_connector(standard="CCS_1", power_type="DC")], payment_types=[])
    before, _ = rows(location_registered(), evse_registered("A1"), ccs)
    removed = evse_status_changed("REMOVED", uid="A2")
    without, (_, gone) = rows(location_registered(), evse_registered("A1"), ccs, removed)
    assert FACETS["connector_types", "CCS_1"] in before.facets
    assert FACETS["connector_types", "CCS_1"] not in without.facets
    assert FACETS["capabilities", "QR_READER"] in without.facets
    assert (without.is_public, gone.is_removed) == (True, True)
    assert [evse["status"] for evse in evses(without)] == ["AVAILABLE", "REMOVED"]
    back = evse_status_changed("AVAILABLE", uid="A2", version=3)
    again, _ = rows(location_registered(), evse_registered("A1"), ccs, removed, back)
    assert again.facets == before.facets


def test_a_connector_status_moves_the_date_of_that_connector_alone() -> None:
    location, (evse,) = rows(location_registered(), evse_registered(), connector_status_changed("CHARGING", 2))
    first, second = orjson.loads(evse.document)["connectors"]
    assert (second["status"], second["date_modified"]) == ("CHARGING", "2026-11-23T12:02:00.250000Z")
    assert (first["status"], first["date_modified"]) == ("AVAILABLE", first["date_created"])
    assert second["date_created"] == first["date_created"]
    assert orjson.loads(location.head)["date_modified"] == "2026-11-23T12:00:00.250000Z"


def test_a_changed_location_has_another_date_name_and_place_on_the_sphere() -> None:
    at = NOON + timedelta(hours=1)
    location, (evse,) = rows(
        location_registered(), evse_registered(), location_changed(at=at, name="Straße 1", lat=0.0, lng=180.0)
    )
    head = orjson.loads(location.head)
    assert (head["name"], head["date_modified"]) == ("Straße 1", "2026-11-23T13:00:00.250000Z")
    assert (location.name_key, evse.location_name_key) == ("strasse 1", "strasse 1")
    assert location.point == pytest.approx((-1.0, 0.0, 0.0))
    assert (location.revision, evse.revision) == (3, 2)


def test_a_rename_is_told_to_the_rows_of_evses_that_are_there_already() -> None:
    assert drawn(location_registered(), location_changed(name="Other")).is_renamed
    assert not drawn(location_registered(), location_changed(publish=False)).is_renamed


@pytest.mark.parametrize(
    ("lat", "lng", "point"),
    [
        (0, 0, (1, 0, 0)),
        (0, 90, (0, 1, 0)),
        (90, 33, (0, 0, 1)),
        (-90, 0, (0, 0, -1)),
        (45, 0, (math.sqrt(0.5), 0, math.sqrt(0.5))),
    ],
)
def test_degrees_become_a_point_of_the_unit_sphere(lat: float, lng: float, point: tuple[float, ...]) -> None:
    assert unit_point(lat, lng) == pytest.approx(point)


def test_a_plain_ac_connector_does_not_claim_a_phase() -> None:
    evse = {"connectors": [a_connector(standard="TYPE_1", power_type="AC")]}
    assert connector_words(evse) == ["*/AC", "TYPE_1/*", "TYPE_1/AC"]


@pytest.mark.parametrize(
    "event",
    [
        evse_registered(),
        location_changed(name="x"),
        evse_status_changed("CHARGING"),
        connector_status_changed("CHARGING"),
    ],
)
def test_an_event_about_what_was_never_registered_is_an_error(event: DomainEvent) -> None:
    with pytest.raises(KeyError):
        draw(Drawings(), event, 1)


def test_a_connector_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        drawn(location_registered(), evse_registered(), connector_status_changed("CHARGING", 9))


@pytest.mark.parametrize("uid", ["A1", '"', "\\", '","evse_id":', ',{"uid":"A1"', "a,b]}", '\\\\"{', "[]"])
def test_evses_are_cut_apart_exactly_whatever_their_texts_hold(uid: str) -> None:
    nasty = evse_registered(uid, directions=f'],{{"uid":"{uid}","evse_id":"é', floor_level=',{"uid":')
    location, found = rows(location_registered(), evse_registered("first"), nasty, evse_registered("last"))
    assert dict(_split(location.evses)) == {row.uid_key: row.document for row in found}


def test_no_evses_are_cut_into_none() -> None:
    assert list(_split("[]")) == []
