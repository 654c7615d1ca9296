"""The demo's data: the same for a seed, valid by the contract, and as realistic as promised."""

from __future__ import annotations

from collections import Counter
from math import asin, cos, radians, sin, sqrt

import pytest

from api.demo.generator import SEED, DemoLocation, demo_cpos, demo_locations
from api.demo.places import cities
from ocpi import codes

CPOS = demo_cpos(SEED)
BY_CPO = {cpo.plan.username: demo_locations(SEED, cpo) for cpo in CPOS}
LOCATIONS = [location for locations in BY_CPO.values() for location in locations]
EVSES = [evse for location in LOCATIONS for evse in location.body["evses"]]
CONNECTORS = [connector for evse in EVSES for connector in evse["connectors"]]


def test_the_same_seed_makes_the_same_data() -> None:
    assert demo_cpos(SEED) == CPOS
    assert {cpo.plan.username: demo_locations(SEED, cpo) for cpo in CPOS} == BY_CPO


def test_another_seed_makes_other_data() -> None:
    assert demo_cpos(SEED + 1) != CPOS
    assert all(demo_locations(SEED + 1, cpo) != BY_CPO[cpo.plan.username] for cpo in CPOS)


def test_five_cpos_with_names_of_their_own_have_300_locations() -> None:
    assert len({cpo.plan.username for cpo in CPOS}) == 5
    assert len({cpo.plan.cpo_owner_name.casefold() for cpo in CPOS}) == 5
    assert {name: len(locations) for name, locations in BY_CPO.items()} == {
        cpo.plan.username: cpo.plan.locations for cpo in CPOS
    }
    assert len(LOCATIONS) == 300


def test_a_contact_number_is_one_that_registration_takes() -> None:
    numbers = [cpo.registration["contact_number"] for cpo in CPOS]
    assert all(number.startswith("+639") and len(number) == 13 and number[1:].isdigit() for number in numbers)


@pytest.mark.parametrize("seed", [SEED, 1, 2])
def test_location_names_and_evse_uids_are_unique_within_their_cpo(seed: int) -> None:
    for cpo in demo_cpos(seed):
        locations = demo_locations(seed, cpo)
        assert len({location.body["name"].casefold() for location in locations}) == len(locations)
        uids = [evse["uid"].casefold() for location in locations for evse in location.body["evses"]]
        assert len(set(uids)) == len(uids)


def test_every_code_is_one_of_the_contract() -> None:
    for location in LOCATIONS:
        assert all(code in codes.FACILITIES for code in location.body["facilities"])
        assert all(code in codes.PARKING_TYPES for code in location.body["parking_types"])
        assert all(code in codes.PARKING_RESTRICTIONS for code in location.body["parking_restrictions"])
    for evse in EVSES:
        assert evse["status"] in codes.EVSE_STATUSES
        assert evse["meter_type"] in codes.METER_TYPES
        assert all(code in codes.CAPABILITIES for code in evse["capabilities"])
        assert all(code in codes.PAYMENT_TYPES for code in evse["payment_types"])
    for connector in CONNECTORS:
        assert connector["standard"] in codes.CONNECTOR_TYPES
        assert connector["format"] in codes.CONNECTOR_FORMATS
        assert connector["power_type"] in codes.ACCEPTED_POWER_TYPES
        assert connector.get("status", "AVAILABLE") in codes.EVSE_STATUSES


def test_lists_of_codes_hold_no_code_twice() -> None:
    lists = [location.body["facilities"] for location in LOCATIONS]
    lists += [evse["capabilities"] for evse in EVSES]
    assert all(len(set(each)) == len(each) for each in lists)


def test_a_connector_gives_no_more_than_its_voltage_and_current_allow() -> None:
    for connector in CONNECTORS:
        phases = 1 if connector["power_type"] in {"DC", "AC_1_PHASE"} else 3
        most_w = connector["max_voltage"] * connector["max_amperage"] * phases
        assert 0 < connector["max_electric_power"] <= 1.01 * most_w
        assert (connector["standard"] == "TYPE_2") == (connector["power_type"] != "DC")


def test_evses_and_connectors_are_as_many_as_a_site_has() -> None:
    assert {len(location.body["evses"]) for location in LOCATIONS} == {1, 2, 3, 4, 5, 6}
    assert {len(evse["connectors"]) for evse in EVSES} == {1, 2}
    assert {connector["standard"] for connector in CONNECTORS} >= {"TYPE_2", "CCS_2", "CHADEMO", "GBT", "CCS_1"}


def test_statuses_are_mixed_and_one_evse_is_removed() -> None:
    statuses = Counter(evse["status"] for evse in EVSES)
    assert statuses["AVAILABLE"] > len(EVSES) / 2
    assert min(statuses["CHARGING"], statuses["OUTOFORDER"], statuses["OFFLINE"]) >= 5
    assert statuses["REMOVED"] == 1


def test_every_location_has_an_evse_that_is_not_removed() -> None:
    assert all(any(evse["status"] != "REMOVED" for evse in location.body["evses"]) for location in LOCATIONS)


def test_a_few_locations_are_not_published() -> None:
    assert 3 <= sum(not location.body.get("publish", True) for location in LOCATIONS) <= 15


def test_locations_are_in_all_regions_and_most_of_them_where_most_people_are() -> None:
    areas = Counter(location.city.area for location in LOCATIONS)
    assert len(areas) == 18
    assert set(areas) == {city.area for city in cities()}
    crowded = [areas[area] for area in ("NCR", "Calabarzon", "Central Luzon", "Central Visayas", "Davao")]
    assert sum(crowded) > 200


def test_coordinates_come_in_pairs_for_most_and_lie_near_their_city() -> None:
    placed = [location for location in LOCATIONS if "lat" in location.body]
    assert all(("lat" in location.body) == ("lng" in location.body) for location in LOCATIONS)
    assert 0.7 < len(placed) / len(LOCATIONS) < 0.9
    assert max(_km_from_centre(location) for location in placed) <= 2


def test_an_address_ends_with_city_and_province() -> None:
    for location in LOCATIONS:
        parts = location.body["address"].removesuffix(", Philippines").split(", ")
        assert parts[-1].lstrip("0123456789 ") == location.city.province
        assert parts[-2].removesuffix(" City") == location.city.name.removesuffix(" City")
        assert len(location.body["address"]) <= 500


def _km_from_centre(location: DemoLocation) -> float:
    lat, lng = radians(location.body["lat"]), radians(location.body["lng"])
    centre_lat, centre_lng = radians(location.city.lat), radians(location.city.lng)
    half = sin((lat - centre_lat) / 2) ** 2 + cos(lat) * cos(centre_lat) * sin((lng - centre_lng) / 2) ** 2
    return 2 * 6371 * asin(sqrt(half))
