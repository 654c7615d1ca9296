"""The port Geocoder: one suite for the gazetteer and for Google, here a server that speaks as Google does."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest

from tests.support.google import KEY, Google, Spot, spot
from write_side.adapters.geocoders import GazetteerGeocoder
from write_side.adapters.google import GeocodingState, GoogleAccount, GoogleGeocoder
from write_side.domain.place import Ask, Place, Placed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from write_side.ports import Geocoder

# address, what Google tells of it, and the city, province and region that both geocoders must say
ADDRESSES: Final[list[tuple[str, Spot, tuple[str, str, str]]]] = [
    (
        "SM City Olongapo, Rizal Avenue, Olongapo City, Zambales",
        spot(14.8292, 120.2828, locality="Olongapo", province="Zambales", region="Central Luzon", postal_code="2200"),
        ("Olongapo", "Zambales", "CEN"),
    ),
    (
        "Brgy. Pulo, Cabuyao, Laguna",
        spot(14.2471, 121.1367, locality="Cabuyao City", province="Laguna", region="Calabarzon", postal_code="4025"),
        ("Cabuyao", "Laguna", "CAL"),
    ),
    (
        "6750 Ayala Avenue, Makati City",
        spot(14.5528, 121.0240, locality="Makati City", region="Metro Manila"),
        ("Makati", "Metro Manila", "NCR"),
    ),
    (
        "Cebu Avenue, Quezon City",
        spot(14.6560, 121.0290, locality="Quezon City", region="National Capital Region"),
        ("Quezon City", "Metro Manila", "NCR"),
    ),
    (
        "Cardinal Rosales Ave., Cebu City",
        spot(10.3187, 123.9054, locality="Cebu City", province="Cebu", region="Central Visayas"),
        ("Cebu City", "Cebu", "CEN"),
    ),
    (
        "Rizal Avenue, Puerto Princesa, Palawan",
        spot(9.7392, 118.7353, locality="Puerto Princesa", province="Palawan", region="Mimaropa"),
        ("Puerto Princesa", "Palawan", "MIM"),
    ),
    (
        "J.P. Laurel Ave., Davao City",
        spot(7.0983, 125.6308, locality="Davao City", province="Davao del Sur", region="Davao Region"),
        ("Davao City", "Davao del Sur", "DAV"),
    ),
    (
        "MacArthur Highway, San Fernando, Pampanga",
        spot(15.0305, 120.6845, locality="San Fernando", province="Pampanga", region="Central Luzon"),
        ("San Fernando", "Pampanga", "CEN"),
    ),
    (
        "Quezon Ave., San Fernando City, La Union",
        spot(16.6159, 120.3209, locality="San Fernando City", province="La Union", region="Ilocos Region"),
        ("San Fernando", "La Union", "ILO"),
    ),
    (
        "Paseo de Santa Rosa, Sta. Rosa, Laguna",
        spot(14.2300, 121.0600, locality="Santa Rosa", province="Laguna", region="Calabarzon"),
        ("Santa Rosa", "Laguna", "CAL"),
    ),
    (
        "SM City Dasmariñas, Cavite",
        spot(14.3010, 120.9560, locality="Dasmariñas", province="Cavite", region="Calabarzon"),
        ("Dasmariñas", "Cavite", "CAL"),
    ),
    (
        "Sinsuat Ave., Cotabato City",
        spot(7.2231, 124.2464, locality="Cotabato City", region="Bangsamoro Autonomous Region in Muslim Mindanao"),
        ("Cotabato City", "Maguindanao del Norte", "BAN"),
    ),
    (
        "Station 2, Boracay Island, Malay, Aklan",
        spot(11.9600, 121.9270, locality="Malay", province="Aklan", region="Western Visayas"),
        ("Malay", "Aklan", "WES"),
    ),
    (
        "Taft Avenue, Malate, Manila",
        spot(14.5690, 120.9920, locality="Manila", region="Metro Manila", sublocality="Malate", postal_code="1004"),
        ("Manila", "Metro Manila", "NCR"),
    ),
]
ABROAD: Final = {
    "1600 Amphitheatre Parkway, Mountain View, CA 94043": spot(
        37.42, -122.08, country=("United States", "US"), locality="Mountain View", region="California"
    ),
    "Toledo, Spain": spot(39.86, -4.02, country=("Spain", "ES"), locality="Toledo", kind="locality"),
    "Philippines": spot(12.9, 121.8, kind="country"),
    "Metro Manila": spot(14.6, 121.0, kind="administrative_area_level_1", region="Metro Manila"),
}
NOWHERE: Final = ("asdfgh", "?", ",,,,", "Level 2 parking", "東京都千代田区")
POINTS: Final[list[tuple[float, float, Spot, tuple[str, str, str]]]] = [
    (
        14.559192,
        121.017516,
        spot(14.5592, 121.0175, locality="Makati City", region="Metro Manila"),
        ("Makati", "Metro Manila", "NCR"),
    ),
    (
        14.2471,
        121.1367,
        spot(14.2471, 121.1367, locality="Cabuyao City", province="Laguna", region="Calabarzon"),
        ("Cabuyao", "Laguna", "CAL"),
    ),
    (
        10.3187,
        123.9054,
        spot(10.3187, 123.9054, locality="Cebu City", province="Cebu", region="Central Visayas"),
        ("Cebu City", "Cebu", "CEN"),
    ),
]
AT_SEA: Final = [(0.0, 0.0), (14.6, 130.0), (51.5, -0.1), (90.0, 180.0)]


def latlng(lat: float, lng: float) -> str:
    return f"{lat:.7f},{lng:.7f}"


@asynccontextmanager
async def asking(google: Google) -> AsyncIterator[GoogleGeocoder]:
    """A geocoder that asks that server."""
    async with aiohttp.ClientSession() as session:
        yield GoogleGeocoder(session, GoogleAccount(KEY, google.url, per_second=1_000), GeocodingState())


@pytest.fixture(params=["gazetteer", "google"])
async def geocoder(request: pytest.FixtureRequest) -> AsyncIterator[Geocoder]:
    if request.param == "gazetteer":
        yield GazetteerGeocoder()
        return
    async with Google() as google, asking(google) as asked:
        google.by_address = {address: [found] for address, found, _ in ADDRESSES} | {
            address: [found] for address, found in ABROAD.items()
        }
        google.by_point = {latlng(lat, lng): [found] for lat, lng, found, _ in POINTS}
        yield asked


def names(place: Place | None) -> tuple[str, str, str] | None:
    return None if place is None else (place.city, place.province, place.region)


@pytest.mark.parametrize(("address", "expected"), [(address, expected) for address, _, expected in ADDRESSES])
async def test_an_address_has_the_names_that_people_say(
    geocoder: Geocoder, address: str, expected: tuple[str, str, str]
) -> None:
    (placed,) = await geocoder.place_many([Ask(address, None, None)])
    assert names(placed.by_address) == expected
    assert placed.by_coordinates is None


@pytest.mark.parametrize("address", [*ABROAD, *NOWHERE, "", " "])
async def test_what_is_abroad_or_no_city_is_not_placed(geocoder: Geocoder, address: str) -> None:
    assert await geocoder.place_many([Ask(address, None, None)]) == [Placed(None, None)]


@pytest.mark.parametrize("address", ["asdfgh", "Toledo, Spain", ""])
@pytest.mark.parametrize(("lat", "lng", "expected"), [(lat, lng, expected) for lat, lng, _, expected in POINTS])
async def test_where_the_address_tells_nothing_coordinates_do(
    geocoder: Geocoder, lat: float, lng: float, expected: tuple[str, str, str], address: str
) -> None:
    (placed,) = await geocoder.place_many([Ask(address, lat, lng)])
    assert placed.by_address is None
    assert names(placed.by_coordinates) == expected


@pytest.mark.parametrize(("lat", "lng"), AT_SEA)
async def test_coordinates_abroad_or_at_sea_are_not_placed(geocoder: Geocoder, lat: float, lng: float) -> None:
    assert await geocoder.place_many([Ask("asdfgh", lat, lng)]) == [Placed(None, None)]


async def test_half_a_pair_of_coordinates_is_none(geocoder: Geocoder) -> None:
    asked = [Ask("asdfgh", 14.559192, None), Ask("asdfgh", None, 121.017516)]
    assert await geocoder.place_many(asked) == [Placed(None, None)] * 2


async def test_each_answer_stands_where_its_question_stood(geocoder: Geocoder) -> None:
    asked = [Ask(address, None, None) for address, _, _ in ADDRESSES] * 3
    placed = await geocoder.place_many(asked)
    assert [names(each.by_address) for each in placed] == [expected for _, _, expected in ADDRESSES] * 3
    assert await geocoder.place_many([]) == []


async def test_a_postal_code_is_the_one_that_is_told_or_the_only_one_of_the_city(geocoder: Geocoder) -> None:
    placed = await geocoder.place_many(
        [Ask("Brgy. Pulo, Cabuyao, Laguna", None, None), Ask("6750 Ayala Avenue, Makati City", None, None)]
    )
    assert [each.by_address and each.by_address.postal_code for each in placed] == ["4025", None]


async def test_coordinates_that_did_not_come_are_in_the_city(geocoder: Geocoder) -> None:
    (placed,) = await geocoder.place_many([Ask("6750 Ayala Avenue, Makati City", None, None)])
    assert placed.by_address is not None
    assert placed.by_address.lat == pytest.approx(14.55, abs=0.03)
    assert placed.by_address.lng == pytest.approx(121.02, abs=0.03)
