"""Locations: what may be pushed (W1) and changed (W4), and what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ocpi.identifiers import Party, folded
from tests.support.builders import (
    NOON,
    PARTY,
    a_connector,
    a_place,
    evse_registered,
    location_changed,
    location_registered,
)
from tests.support.drafts import (
    BY_ADDRESS,
    BY_COORDINATES,
    MAKATI,
    NOWHERE,
    OLONGAPO,
    a_connector_draft,
    a_location_draft,
    an_evse_draft,
)
from tests.support.spec import Spec, claims_of
from write_side.commands.evses import evses_scope
from write_side.commands.locations import (
    ChangeFacts,
    ChangeState,
    PushFacts,
    PushState,
    decide_change,
    decide_push,
    names_scope,
)
from write_side.commands.wishes import ChangeLocation, PushLocations
from write_side.domain import evse, location
from write_side.domain.changes import Claim
from write_side.domain.drafts import LocationDraft, LocationPatch
from write_side.domain.errors import (
    DuplicateEvseUid,
    Fault,
    LocationIdDoesNotExist,
    LocationNameExists,
    LocationNotFound,
    TooManyEvses,
)
from write_side.domain.place import Placed
from write_side.events.evse import EvseRegistered
from write_side.events.location import LocationChanged, LocationRegistered
from write_side.events.ranges import Position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventsourcing.domain import DomainEvent

    from write_side.events.location import LocationEvent

OTHER = Party("PH", "XYZ")
NAMES = names_scope(PARTY)


def locations_after(events: Iterable[DomainEvent]) -> dict[str, location.Location]:
    """Locations by every name that they ever had, as claims keep them."""
    by_id: dict[int, list[LocationEvent]] = {}
    for event in events:
        if isinstance(event, LocationRegistered | LocationChanged):
            by_id.setdefault(event.location_id, []).append(event)
    known: dict[str, location.Location] = {}
    for history in by_id.values():
        state = location.replay(history)
        assert state is not None
        for event in history:
            data = event.data if isinstance(event, LocationRegistered) else getattr(event, "changes", {})
            if "name" in data:
                known[folded(data["name"])] = state
    return known


def push_state(_command: PushLocations, events: tuple[DomainEvent, ...]) -> PushState:
    evses = {folded(event.uid): event for event in events if isinstance(event, EvseRegistered)}
    counts: dict[str, int] = {}
    for event in evses.values():
        scope = evses_scope(event.location_id)
        counts[scope] = counts.get(scope, 0) + 1
    states = {uid: evse.Evse.from_registered(event) for uid, event in evses.items()}
    return PushState(locations_after(events), states, counts)


def change_state(command: ChangeLocation, events: tuple[DomainEvent, ...]) -> ChangeState:
    known = locations_after(events)
    mine = next((one for one in known.values() if one.id == command.location_id and one.party == command.party), None)
    owner = known.get(folded(command.patch.name)) if command.patch.name is not None else None
    return ChangeState(mine, None if owner is None else str(owner.id), Position(len(events)))


pushing = Spec(decide_push, push_state)
changing = Spec(decide_change, change_state)


def push(*drafts: LocationDraft, faults: tuple[Fault, ...] = ()) -> PushLocations:
    return PushLocations(PARTY, 7, drafts, faults)


def facts(*placed: Placed, location_ids: tuple[int, ...] = (1, 2, 3), max_evses: int = 500) -> PushFacts:
    return PushFacts(NOON, [*placed] or [BY_ADDRESS] * 3, list(location_ids), list(range(101, 120)), max_evses)


def connector(number: int = 101, connector_id: int = 1) -> dict[str, Any]:
    return dict(a_connector(connector_id, id=number))


def registered(location_id: int = 1, **data: Any) -> LocationRegistered:
    return location_registered(location_id, **data)


def test_a_new_location_is_registered_with_its_evses() -> None:
    two_connectors = (a_connector_draft(), a_connector_draft())
    draft = a_location_draft(evses=(an_evse_draft("A1"), an_evse_draft("A2", connectors=two_connectors)))
    first = evse_registered("A1", connectors=[connector(101)])
    second = evse_registered("A2", connectors=[connector(102, 1), connector(103, 2)])
    decision = pushing.given().when(push(draft), facts()).then(registered(), first, second)
    assert decision.data == [{"location_id": 1}]
    assert decision.ignored == ()
    assert claims_of(decision) == (
        Claim(NAMES, "harbor point", "1"),
        Claim("evse_of/1", "1", str(first.originator_id)),
        Claim("evse_of/1", "2", str(second.originator_id)),
    )


def test_an_evse_of_a_name_that_is_known_in_any_case_is_added_to_that_location() -> None:
    added = evse_registered("A2", location_id=5, connectors=[connector()])
    draft = a_location_draft("HARBOR point", evses=(an_evse_draft("A2"),))
    given = pushing.given(registered(5), evse_registered("A1", location_id=5))
    decision = given.when(push(draft), facts()).then(added)
    assert decision.data == [{"location_id": 5}]
    assert claims_of(decision) == (Claim("evse_of/5", "2", str(added.originator_id)),)


def test_a_name_that_a_location_had_before_is_still_its_own() -> None:
    given = pushing.given(registered(5), location_changed(5, name="Harbor Mall"))
    decision = given.when(push(a_location_draft("Harbor Point")), facts()).then(
        evse_registered(location_id=5, connectors=[connector()])
    )
    assert decision.data == [{"location_id": 5}]


def test_other_fields_of_a_known_location_are_ignored_and_named() -> None:
    draft = a_location_draft(address="Elsewhere", lat=1.0, lng=120.2828, facilities=("MALL",), publish=False)
    decision = pushing.given(registered()).when(push(draft), facts()).then(evse_registered(connectors=[connector()]))
    assert decision.ignored == tuple(f"locations[0].{name}" for name in ("address", "lat", "facilities", "publish"))


def test_a_name_used_twice_in_one_call_is_one_location() -> None:
    drafts = (
        a_location_draft(evses=(an_evse_draft("A1"),)),
        a_location_draft("harbor POINT", parking_types=(), evses=(an_evse_draft("A2"),)),
    )
    decision = (
        pushing.given()
        .when(push(*drafts), facts())
        .then(
            registered(),
            evse_registered("A1", connectors=[connector(101)]),
            evse_registered("A2", connectors=[connector(102)]),
        )
    )
    assert decision.data == [{"location_id": 1}, {"location_id": 1}]
    assert decision.ignored == ("locations[1].parking_types",)


def test_coordinates_that_did_not_come_are_the_geocoders() -> None:
    event = registered(lat=OLONGAPO.lat, lng=OLONGAPO.lng, coordinates_by="geocoder")
    draft = a_location_draft(lat=None, lng=None)
    pushing.given().when(push(draft), facts()).then(event, evse_registered(connectors=[connector()]))


def test_an_address_that_can_not_be_placed_is_placed_by_its_coordinates() -> None:
    place = a_place(city="Makati", province="Metro Manila", region="NCR", postal_code=None, by="coordinates")
    pushing.given().when(push(a_location_draft()), facts(BY_COORDINATES)).then(
        registered(place=place), evse_registered(connectors=[connector()])
    )


def test_what_can_not_be_placed_is_refused() -> None:
    drafts = (a_location_draft(), a_location_draft("Nowhere", evses=(an_evse_draft("B1"),)))
    given = pushing.given().when(push(*drafts), facts(BY_ADDRESS, NOWHERE))
    assert given.refused(LocationNotFound().at("locations[1].address")) == "LOCATION_NOT_FOUND"


@pytest.mark.parametrize(("sent", "stored"), [(None, True), (True, True), (False, False)])
def test_a_location_is_published_unless_its_cpo_says_otherwise(*, sent: bool | None, stored: bool) -> None:
    pushing.given().when(push(a_location_draft(publish=sent)), facts()).then(
        registered(publish=stored), evse_registered(connectors=[connector()])
    )


def test_a_uid_that_the_cpo_has_in_any_case_is_refused() -> None:
    draft = a_location_draft("Another", evses=(an_evse_draft("a1"),))
    given = pushing.given(registered(), evse_registered("A1"))
    code = given.when(push(draft), facts()).refused(DuplicateEvseUid("a1").at("locations[0].evses[0].uid"))
    assert code == "DUPLICATE_EVSE_UID:a1"


def test_a_uid_used_twice_in_one_call_is_refused() -> None:
    drafts = (
        a_location_draft(evses=(an_evse_draft("A1"), an_evse_draft("a1"))),
        a_location_draft("Another", evses=(an_evse_draft("A1"),)),
    )
    code = (
        pushing.given()
        .when(push(*drafts), facts())
        .refused(
            DuplicateEvseUid("a1").at("locations[0].evses[1].uid"),
            DuplicateEvseUid("A1").at("locations[1].evses[0].uid"),
        )
    )
    assert code == "DUPLICATE_EVSE_UID"


def test_as_many_evses_as_a_location_may_have_are_taken() -> None:
    draft = a_location_draft(evses=(an_evse_draft("A2"),))
    pushing.given(registered(), evse_registered("A1")).when(push(draft), facts(max_evses=2)).then(
        evse_registered("A2", connectors=[connector()])
    )


def test_one_evse_too_many_is_refused() -> None:
    draft = a_location_draft(evses=(an_evse_draft("A2"), an_evse_draft("A3")))
    given = pushing.given(registered(), evse_registered("A1")).when(push(draft), facts(max_evses=2))
    assert given.refused(TooManyEvses().at("locations[0].evses")) == "TOO_MANY_EVSES"


def test_all_faults_are_told_at_once_those_of_the_door_too() -> None:
    unknown = Fault("locations[0].facilities[0]", "expected one of …", "INVALID_FACILITIES")
    drafts = (
        a_location_draft(evses=(an_evse_draft("B1"), an_evse_draft("A1"))),
        a_location_draft("Nowhere", evses=(an_evse_draft("B1"),)),
    )
    code = (
        pushing.given(evse_registered("A1", location_id=9))
        .when(push(*drafts, faults=(unknown,)), facts(BY_ADDRESS, NOWHERE))
        .refused(
            unknown,
            DuplicateEvseUid("A1").at("locations[0].evses[1].uid"),
            LocationNotFound().at("locations[1].address"),
            DuplicateEvseUid("B1").at("locations[1].evses[0].uid"),
        )
    )
    assert code == "VALIDATION_ERROR"


def test_a_refused_item_does_not_take_the_connector_ids_of_the_next() -> None:
    first = an_evse_draft("A1", connectors=(a_connector_draft(), a_connector_draft()))
    draft = a_location_draft(evses=(first, an_evse_draft("A2")))
    pushing.given().when(push(draft), facts()).then(
        registered(),
        evse_registered("A1", connectors=[connector(101, 1), connector(102, 2)]),
        evse_registered("A2", connectors=[connector(103, 1)]),
    )


def change(patch: LocationPatch, location_id: int = 1, faults: tuple[Fault, ...] = ()) -> ChangeLocation:
    return ChangeLocation(PARTY, location_id, patch, faults)


def found(placed: Placed = NOWHERE) -> ChangeFacts:
    return ChangeFacts(NOON + timedelta(hours=1), placed)


def test_fields_are_changed_and_lists_replaced() -> None:
    patch = LocationPatch(
        name="Harbor Mall",
        facilities=("CAFE",),
        parking_types=(),
        parking_restrictions=("PLUGGED", "EV_ONLY"),
        publish=False,
    )
    changed = location_changed(
        name="Harbor Mall",
        publish=False,
        facilities=["CAFE"],
        parking_types=[],
        parking_restrictions=["PLUGGED", "EV_ONLY"],
    )
    decision = changing.given(registered()).when(change(patch), found()).then(changed)
    assert decision.data == "SUCCESS"
    assert claims_of(decision) == (Claim(NAMES, "harbor mall", "1"),)


def test_only_what_is_new_is_in_the_event() -> None:
    patch = LocationPatch(name="Harbor Point", facilities=("MALL", "WIFI"), publish=False)
    changing.given(registered()).when(change(patch), found()).then(location_changed(publish=False))


def test_a_second_change_follows_the_first() -> None:
    again = replace(location_changed(publish=True), originator_version=3)
    given = changing.given(registered(), location_changed(publish=False))
    given.when(change(LocationPatch(publish=True)), found()).then(again)


def test_what_is_so_already_changes_nothing() -> None:
    patch = LocationPatch(
        name="Harbor Point",
        address="Rizal Highway, Olongapo",
        lat=14.8225,
        lng=120.2828,
        facilities=("MALL", "WIFI"),
        parking_types=("INDOOR",),
        parking_restrictions=("EV_ONLY",),
        publish=True,
    )
    assert changing.given(registered()).when(change(patch), found(BY_ADDRESS)).silent().data == "SUCCESS"


def test_the_same_address_again_needs_no_placing() -> None:
    given = changing.given(registered(place=a_place(by="coordinates")))
    given.when(change(LocationPatch(address="Rizal Highway, Olongapo")), found(NOWHERE)).silent()


def test_a_name_may_change_its_case() -> None:
    changing.given(registered()).when(change(LocationPatch(name="HARBOR Point")), found()).then(
        location_changed(name="HARBOR Point")
    )


@pytest.mark.parametrize("name", ["harbor mall", "Harbor Old"])
def test_a_name_that_another_location_has_or_had_is_refused(name: str) -> None:
    given = changing.given(registered(), registered(2, name="Harbor Old"), location_changed(2, name="Harbor Mall"))
    code = given.when(change(LocationPatch(name=name)), found()).refused(LocationNameExists().at("name"))
    assert code == "LOCATION_NAME_EXISTS"


def test_an_unknown_location_is_refused() -> None:
    changing.given().when(change(LocationPatch(publish=False), 9), found()).refused_outright(LocationIdDoesNotExist(9))


def test_another_cpos_location_is_as_unknown() -> None:
    given = changing.given(location_registered(9, OTHER))
    given.when(change(LocationPatch(publish=False), 9), found()).refused_outright(LocationIdDoesNotExist(9))


def test_a_new_address_is_placed_and_takes_the_geocoders_coordinates_along() -> None:
    moved = location_changed(
        address="Ayala Avenue, Makati",
        place=a_place(city="Makati", province="Metro Manila", region="NCR", postal_code=None),
        lat=MAKATI.lat,
        lng=MAKATI.lng,
    )
    given = changing.given(registered(coordinates_by="geocoder"))
    given.when(change(LocationPatch(address="Ayala Avenue, Makati")), found(Placed(MAKATI, None))).then(moved)


def test_a_new_address_leaves_the_cpos_coordinates_alone() -> None:
    moved = location_changed(
        address="Ayala Avenue, Makati",
        place=a_place(city="Makati", province="Metro Manila", region="NCR", postal_code=None),
    )
    given = changing.given(registered())
    given.when(change(LocationPatch(address="Ayala Avenue, Makati")), found(Placed(MAKATI, None))).then(moved)


def test_a_new_address_that_can_not_be_placed_is_placed_by_the_cpos_coordinates() -> None:
    moved = location_changed(
        address="Kilometre 9",
        place=a_place(city="Makati", province="Metro Manila", region="NCR", postal_code=None, by="coordinates"),
    )
    given = changing.given(registered())
    given.when(change(LocationPatch(address="Kilometre 9")), found(BY_COORDINATES)).then(moved)


def test_a_new_address_that_nothing_places_is_refused() -> None:
    given = changing.given(registered(coordinates_by="geocoder"))
    code = given.when(change(LocationPatch(address="Nowhere")), found()).refused(LocationNotFound().at("address"))
    assert code == "LOCATION_NOT_FOUND"


def test_new_coordinates_leave_a_place_that_the_address_gave() -> None:
    patch = LocationPatch(lat=14.55, lng=121.02)
    changing.given(registered(coordinates_by="geocoder")).when(change(patch), found(BY_COORDINATES)).then(
        location_changed(lat=14.55, lng=121.02, coordinates_by="cpo")
    )


def test_new_coordinates_place_anew_what_coordinates_had_placed() -> None:
    place = a_place(city="Makati", province="Metro Manila", region="NCR", postal_code=None, by="coordinates")
    given = changing.given(registered(place=a_place(by="coordinates")))
    given.when(change(LocationPatch(lat=14.55, lng=121.02)), found(BY_COORDINATES)).then(
        location_changed(lat=14.55, lng=121.02, place=place)
    )


def test_new_coordinates_that_can_not_be_placed_are_refused_where_nothing_else_places() -> None:
    given = changing.given(registered(place=a_place(by="coordinates")))
    given.when(change(LocationPatch(lat=0.0, lng=0.0)), found()).refused(LocationNotFound().at("lat"))


def test_all_faults_of_a_change_are_told_at_once() -> None:
    unknown = Fault("facilities[0]", "expected one of …", "INVALID_FACILITIES")
    given = changing.given(registered(coordinates_by="geocoder"), registered(2, name="Taken"))
    patch = LocationPatch(name="Taken", address="Nowhere")
    given.when(change(patch, faults=(unknown,)), found()).refused(
        unknown, LocationNameExists().at("name"), LocationNotFound().at("address")
    )


def test_the_state_is_what_the_events_say() -> None:
    state = location.replay([registered(), location_changed(publish=False, facilities=[])])
    assert state is not None
    assert (state.id, state.party, state.version) == (1, PARTY, 2)
    assert state.data == registered().data | {"publish": False, "facilities": []}
    assert location.replay([]) is None
