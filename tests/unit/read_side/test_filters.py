"""Arguments → filters, and errors that name the argument."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from ocpi import codes
from ocpi.facets import FACETS, PAIRS
from read_side.errors import BadUserInput
from read_side.filters import (
    EvseWanted,
    OneLocation,
    OwnEvses,
    OwnLocations,
    Page,
    PublicLocations,
    understood,
)


def found(**arguments: Any) -> PublicLocations:
    wanted = understood("find_ev_filter_locations", arguments, cap=100)
    assert isinstance(wanted, PublicLocations)
    return wanted


def test_nothing_given_filters_nothing() -> None:
    nothing = PublicLocations(Page(101, 0, 100))
    assert found() == nothing
    assert understood("find_ev_locations", {"limit": None, "offset": None, "after": None}, cap=100) == nothing
    assert found(city="", province=None, distance=0.0, lat=None, parking_types=[None, ""], facilities=[]) == nothing


def test_own_queries_have_their_defaults() -> None:
    assert understood("locations", {}, cap=100) == OwnLocations(Page(10))
    assert understood("evse", {}, cap=100) == OwnEvses(Page(10), None, is_by_location=False, is_descending=False)
    assert understood("location", {}, cap=100) == OneLocation(None)
    assert understood("location", {"id": 3}, cap=100) == OneLocation(3)


@pytest.mark.parametrize(
    ("limit", "page"),
    [(0, Page(0)), (1, Page(1)), (100, Page(100)), (101, Page(101, 0, 100)), (2**31 - 1, Page(101, 0, 100))],
)
def test_a_limit_beyond_the_cap_is_the_cap(limit: int, page: Page) -> None:
    assert understood("locations", {"limit": limit}, cap=100) == OwnLocations(page)
    assert found(limit=limit).page == page


def test_texts_are_folded() -> None:
    wanted = understood("evse", {"location_name": "STRASSE Ü%", "order": "desc", "order_by": "LOCATION"}, cap=9)
    assert wanted == OwnEvses(Page(10, 0, 9), "strasse ü%", is_by_location=True, is_descending=True)
    assert understood("evse", {"after": "AbC"}, cap=100) == OwnEvses(
        Page(10, after="abc"), None, is_by_location=False, is_descending=False
    )
    assert found(city="MAKATI", province="Straße").city_key == "makati"


def test_codes_are_facets_of_the_view() -> None:
    wanted = found(
        facilities=["WIFI", None, "CAFE", "WIFI"], parking_types=["INDOOR"], parking_restrictions=["EV_ONLY"]
    )
    assert wanted.any_of == (
        (FACETS["facilities", "WIFI"], FACETS["facilities", "CAFE"]),
        (FACETS["parking_types", "INDOOR"],),
        (FACETS["parking_restrictions", "EV_ONLY"],),
    )
    assert wanted.evse == EvseWanted()


def test_one_list_of_an_evse_is_its_facets_and_two_are_their_pairs() -> None:
    assert found(connector_types=["CCS_2", "GBT"]).any_of == (
        (FACETS["connector_types", "CCS_2"], FACETS["connector_types", "GBT"]),
    )
    both = found(connector_types=["CCS_2", "GBT"], power_types=["DC"])
    kinds = ("connector_types", "power_types")
    assert both.any_of == ((PAIRS[kinds, "CCS_2", "DC"], PAIRS[kinds, "GBT", "DC"]),)
    assert both.evse == EvseWanted()


def test_three_lists_are_met_by_one_evse() -> None:
    wanted = found(capabilities=["QR_READER"], connector_types=["CCS_2", "GBT"], power_types=["DC", "AC"])
    assert wanted.evse == EvseWanted(("QR_READER",), (), ("CCS_2/DC", "CCS_2/AC", "GBT/DC", "GBT/AC"))
    assert len(wanted.any_of) == 3
    assert found(capabilities=["QR_READER"], payment_types=["MAYA"], power_types=["AC"]).evse == EvseWanted(
        ("QR_READER",), ("MAYA",), ("*/AC",)
    )


def test_every_known_code_is_taken() -> None:
    for known in codes.REFERENCE_LISTS:
        assert found(**{known.name: [one.code for one in known.codes]}).any_of


def test_a_radius_is_a_chord_and_too_large_a_one_is_none() -> None:
    near = found(lat=0.0, lng=180.0, distance=6371.0088).near
    assert near is not None
    assert near.point == pytest.approx((-1, 0, 0))
    assert near.chord == pytest.approx(0.958851077208406)
    everywhere = found(lat=90, lng=-180, distance=20015.2).near
    assert everywhere is not None
    assert everywhere.chord is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": -1}, "limit: must not be negative"),
        ({"offset": -1}, "offset: must not be negative"),
        ({"distance": -0.1, "lat": 1.0, "lng": 1.0}, "distance: must not be negative"),
        ({"distance": 5.0}, "distance: needs lat and lng"),
        ({"distance": inf, "lat": 1.0, "lng": 1.0}, "distance: must be a finite number"),
        ({"lat": 1.0}, "lat: needs lng"),
        ({"lng": 1.0, "distance": 5.0}, "lng: needs lat"),
        ({"lat": 90.1, "lng": 0.0}, "lat: must lie within ±90"),
        ({"lat": 0.0, "lng": -180.1}, "lng: must lie within ±180"),
        ({"lat": inf, "lng": 0.0}, "lat: must lie within ±90"),
        ({"facilities": ["WIFI", "wifi"]}, "facilities: 'wifi' is no code of this list"),
        ({"power_types": ["AC_9"]}, "power_types: 'AC_9' is no code of this list"),
        ({"capabilities": ["X" * 999]}, f"capabilities: '{'X' * 40}…' is no code of this list"),
        ({"city": "a\0"}, "city: must not hold control characters or lone surrogates"),
        ({"city": "\ud800"}, "city: must not hold control characters or lone surrogates"),
        ({"province": "p" * 256}, "province: must not be longer than 255 characters"),
    ],
)
def test_an_error_names_its_argument(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadUserInput) as refused:
        found(**arguments)
    assert refused.value.message == message


@pytest.mark.parametrize("name", ["order", "order_by"])
def test_an_unknown_order_is_refused(name: str) -> None:
    with pytest.raises(BadUserInput, match=f"^{name}: must be one of "):
        understood("evse", {name: "random()"}, cap=10)
