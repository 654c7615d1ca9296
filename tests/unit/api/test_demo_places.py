"""The demo's addresses are placed by the offline geocoder where they are meant to be."""

from __future__ import annotations

from api.demo.generator import SEED, demo_cpos, demo_locations
from api.demo.places import cities
from write_side.adapters.geocoders import GazetteerGeocoder
from write_side.domain.place import Ask

LOCATIONS = [location for cpo in demo_cpos(SEED) for location in demo_locations(SEED, cpo)]


async def test_every_address_is_placed_in_its_city_and_province() -> None:
    asks = [Ask(location.body["address"], None, None) for location in LOCATIONS]
    placed = [each.by_address for each in await GazetteerGeocoder().place_many(asks)]
    found = [None if place is None else (place.city, place.province) for place in placed]
    assert found == [(location.city.name, location.city.province) for location in LOCATIONS]


async def test_every_spot_of_every_city_is_placed_there() -> None:
    spots = [(city, spot) for city in cities() for spot in city.spots]
    asks = [Ask(f"{spot}, {city.name}, {city.province}", None, None) for city, spot in spots]
    placed = [each.by_address for each in await GazetteerGeocoder().place_many(asks)]
    found = [None if place is None else (place.city, place.province) for place in placed]
    assert found == [(city.name, city.province) for city, _ in spots]
