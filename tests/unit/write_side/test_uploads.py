"""Rows become locations with EVSEs, and what a page of them registers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.support.builders import NOON, PARTY, location_registered
from tests.support.drafts import BY_ADDRESS, NOWHERE, a_connector_draft, a_location_draft, an_evse_draft
from write_side.commands.evses import evses_scope
from write_side.commands.locations import names_scope
from write_side.commands.upload_pages import Known, Page, RegisterFacts, faults_of, ignored_of, register
from write_side.domain import evse as evses
from write_side.domain import location as locations
from write_side.domain import pending
from write_side.domain.changes import Claim
from write_side.domain.drafts import EvseDraft, LocationDraft
from write_side.domain.errors import DuplicateEvseUid, Fault, LocationNameExists, LocationNotFound, TooManyEvses
from write_side.domain.uploads import (
    MAX_CONNECTORS,
    EvseOfRows,
    EvseRow,
    Folding,
    Group,
    Grouping,
    LocationOfRows,
    Row,
)
from write_side.events.streams import evse_stream

UPLOAD = UUID("0d9e4f0c-7a54-4b8a-9d3c-0f2f6a1a5f11")


def location(name: str = "Harbor Point", **spoiled: Any) -> LocationDraft:
    return a_location_draft(name, **{"evses": (), "parking_restrictions": (), **spoiled})


def evse(uid: str = "A1", **spoiled: Any) -> EvseDraft:
    return an_evse_draft(uid, **{"status": "OFFLINE", **spoiled})


def row(number: int, name: str = "Harbor Point", uid: str = "A1", **spoiled: Any) -> Row:
    of_location = {key: spoiled.pop(key) for key in ("address", "lat", "lng", "facilities") if key in spoiled}
    return Row(number, location(name, **of_location), evse(uid, **spoiled))


def grouped(new: list[LocationOfRows], rows: list[EvseRow]) -> tuple[list[Group], list[str]]:
    """Folded as the store brings them, one row at a time."""
    folding = Folding(new)
    for one in sorted(rows, key=lambda one: (one.location_nr, one.nr, one.row)):
        folding.add([one])
    return folding.groups(), folding.ignored


def read(*rows: Row, grouping: Grouping | None = None) -> list[Group]:
    """These rows as locations with their EVSEs, where nothing is wrong with them."""
    grouping = grouping or Grouping(500)
    groups, ignored = grouped(*grouping.add(rows))
    assert (grouping.faults, grouping.ignored, ignored) == ([], [], [])
    return groups


def wrong(*rows: Row, max_evses: int = 500) -> list[Fault]:
    grouping = Grouping(max_evses)
    grouping.add(rows)
    return grouping.faults


# --- rows


def test_rows_of_one_name_and_address_are_one_location_wherever_they_stand() -> None:
    groups = read(row(2, "Harbor", "A1"), row(3, "Mall", "B1"), row(4, "HARBOR", "A2"))
    assert [(group.location.row, group.location.draft.name) for group in groups] == [(2, "Harbor"), (3, "Mall")]
    assert [[one.draft.uid for one in group.evses] for group in groups] == [["A1", "A2"], ["B1"]]


def test_rows_of_one_uid_add_connectors_to_one_evse() -> None:
    ac, dc = a_connector_draft(), a_connector_draft(standard="CCS_2", power_type="DC")
    rows = (row(2, uid="A1", connectors=(ac,)), row(3, uid="B1"), row(4, uid="a1", connectors=(dc, dc)))
    (group,) = read(*rows)
    first, second = group.evses
    assert (first.row, first.draft.uid, first.draft.connectors) == (2, "A1", (ac, dc, dc))
    assert second.draft.uid == "B1"


def test_what_later_rows_say_otherwise_is_ignored_and_named() -> None:
    grouping = Grouping(500)
    rows = (
        row(2, kwh=7.4, facilities=("MALL",)),
        row(3, kwh=22.0, facilities=("WIFI",), meter_type="DC", capabilities=()),
        row(4, uid="A2", lat=None, lng=None, facilities=()),
    )
    (group,), ignored = grouped(*grouping.add(rows))
    assert (group.location.draft.facilities, group.evses[0].draft.kwh) == (("MALL",), 7.4)
    assert grouping.ignored == ["rows[3].facilities"]
    assert ignored == ["rows[3].kwh", "rows[3].power_type"]


def test_one_name_with_two_addresses_is_a_fault_of_the_second() -> None:
    assert wrong(row(2, address="Olongapo"), row(3, uid="A2", address="olongapo")) == []
    fault = LocationNameExists().at("address", row=3)
    assert wrong(row(2, address="Olongapo"), row(3, uid="A2", address="Makati")) == [fault]


def test_a_uid_at_two_locations_is_a_duplicate() -> None:
    assert wrong(row(2, "Harbor", "A1"), row(3, "Mall", "a1")) == [DuplicateEvseUid("a1").at("evse_sn", row=3)]


def test_more_evses_than_a_location_may_have_are_told_once() -> None:
    rows = [row(number, uid=f"A{number}") for number in range(2, 7)]
    assert wrong(*rows, max_evses=5) == []
    assert wrong(*rows, max_evses=3) == [TooManyEvses().at("evse_sn", row=5)]


def test_an_evse_has_a_bounded_number_of_connectors() -> None:
    half = (a_connector_draft(),) * (MAX_CONNECTORS // 2)
    assert wrong(row(2, connectors=half), row(3, connectors=half)) == []
    (fault,) = wrong(row(2, connectors=half), row(3, connectors=half), row(4))
    assert (fault.row, fault.field) == (4, "connectors")


def test_pages_hold_whole_locations() -> None:
    grouping = Grouping(500)
    sizes = (3, 1, 1, 7, 2)
    for nr, size in enumerate(sizes):
        grouping.add([row(2, f"L{nr}", f"{nr}-{number}") for number in range(size)])
    assert list(grouping.pages(4)) == [(1, 2), (3, 3), (4, 4), (5, 5)]
    assert list(grouping.pages(100)) == [(1, 5)]
    assert list(Grouping(500).pages(100)) == []


def test_another_upload_may_name_a_location_again_but_no_evse() -> None:
    grouping = Grouping(3)
    read(row(2, "Harbor", "A1"), row(3, "Mall", "B1"), grouping=grouping)
    grouping.next_upload()
    (group,) = read(row(2, "mall", "B2"), grouping=grouping)
    assert (group.location.nr, group.location.draft.name) == (1, "Mall")
    assert list(grouping.pages(100)) == [(1, 1)]
    grouping.add([row(3, "Mall", "B1"), row(4, "Harbor", "B1")])
    assert grouping.faults == [DuplicateEvseUid("B1").at("evse_sn", row=number) for number in (3, 4)]
    grouping.add([row(5, "Mall", "B3"), row(6, "Mall", "B4")])
    assert grouping.faults[2:] == [TooManyEvses().at("evse_sn", row=6)]


# --- a page of them


def a_group(name: str = "Harbor Point", *uids: str, placed: Any = BY_ADDRESS, **spoiled: Any) -> Group:
    found = tuple(EvseOfRows(number, evse(uid)) for number, uid in enumerate(uids or ("A1",), start=2))
    return Group(LocationOfRows(1, 2, location(name, **spoiled), placed), found)


def a_page(*groups: Group, known: dict[str, int] | None = None, uids: tuple[str, ...] = (), evses: int = 0) -> Page:
    """known: ids of locations that there are, by folded name, with that many evses; uids: of EVSEs that there are."""
    there = {
        name: locations.Location.from_registered(location_registered(location_id, name=name, parking_restrictions=[]))
        for name, location_id in (known or {}).items()
    }
    counts = {evses_scope(one.id): evses for one in there.values() if evses}
    return Page(PARTY, groups, Known(there, counts, {evse_stream(PARTY, uid) for uid in uids}), ())


def test_a_page_registers_its_locations_each_before_its_evses() -> None:
    page = a_page(a_group("Harbor", "A1", "A2"), a_group("Mall", "B1"))
    assert (faults_of(page, max_evses=500), len(page.new), page.connector_count) == ([], 2, 3)
    events, claims = register(page, RegisterFacts(NOON, 7, [11, 12], [101, 102, 103]))
    facts: Any = {"party": PARTY, "at": NOON}
    first, second = (
        locations.register(location(name), location_id=number, cpo_owner_id=7, placed=BY_ADDRESS, **facts)
        for name, number in (("Harbor", 11), ("Mall", 12))
    )
    registered = [
        evses.register(evse(uid), location_id=number, connector_ids=[connector], **facts)
        for uid, number, connector in (("A1", 11, 101), ("A2", 11, 102), ("B1", 12, 103))
    ]
    assert events == [first, *registered[:2], second, registered[2]]
    assert claims == [
        Claim(names_scope(PARTY), "harbor", "11"),
        Claim(evses_scope(11), "1", str(evse_stream(PARTY, "A1"))),
        Claim(evses_scope(11), "2", str(evse_stream(PARTY, "A2"))),
        Claim(names_scope(PARTY), "mall", "12"),
        Claim(evses_scope(12), "1", str(evse_stream(PARTY, "B1"))),
    ]


def test_a_known_location_gets_evses_and_stays_as_it_is() -> None:
    page = a_page(a_group("HARBOR", "A9", facilities=("WIFI",), lat=None, lng=None), known={"harbor": 5}, evses=3)
    assert (faults_of(page, max_evses=4), page.new) == ([], [])
    assert ignored_of(page) == ["rows[2].facilities"]
    (event,), (claim,) = register(page, RegisterFacts(NOON, 7, [], [101]))
    assert event == evses.register(evse("A9"), location_id=5, party=PARTY, connector_ids=[101], at=NOON)
    assert claim == Claim(evses_scope(5), "4", str(evse_stream(PARTY, "A9")))


def test_a_known_location_at_another_address_is_named_but_no_fault() -> None:
    page = a_page(a_group("Harbor", address="Somewhere else", placed=None), known={"harbor": 5})
    assert (faults_of(page, max_evses=500), ignored_of(page)) == ([], ["rows[2].address"])


def test_every_rule_that_a_page_breaks_is_told() -> None:
    page = a_page(
        a_group("Nowhere", "A1", placed=NOWHERE),
        a_group("Harbor", "A2", "A3", placed=None),
        known={"harbor": 5},
        uids=("a3",),
        evses=3,
    )
    assert faults_of(page, max_evses=4) == [
        LocationNotFound().at("address", row=2),
        TooManyEvses().at("location", row=2),
        DuplicateEvseUid("A3").at("evse_sn", row=3),
    ]


# --- staged


@pytest.mark.parametrize("coordinates", [{}, {"lat": None, "lng": None}])
def test_what_is_staged_comes_back_as_it_was(coordinates: dict[str, Any]) -> None:
    groups = read(row(2, "Harbor", "A1", **coordinates), row(3, "Harbor", "A2", **coordinates), row(4, "Mall", "B1"))
    event = pending.stage(groups, party=PARTY, upload_id=UPLOAD, version=3, at=NOON)
    assert (event.originator_version, event.upload_id) == (3, str(UPLOAD))
    again = read(*pending.rows_of(event))
    assert [replace(one, location=replace(one.location, nr=0)) for one in again] == [
        replace(one, location=replace(one.location, nr=0)) for one in groups
    ]
