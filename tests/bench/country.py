"""A made-up country of charging locations, as large as asked for: the same number is always the same location.

Uneven as countries are: a few large CPOs and cities, facilities that are everywhere, rare ones, and one that only one
coast has. Each location has three EVSEs of two connectors.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ocpi.identifiers import Party
from projections.drawings import Drawings
from projections.projector import draw
from projections.rows import EvseRow, LocationRow, rows_of
from tests.support.builders import a_connector, a_place, evse_registered, location_registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from eventsourcing.domain import DomainEvent

EVSES_OF_A_LOCATION: Final = 3
EVENTS_OF_A_LOCATION: Final = 1 + EVSES_OF_A_LOCATION
OPENED: Final = datetime(2024, 1, 1, tzinfo=UTC)

PARTIES: Final = tuple(Party("PH", f"{letter}{letter}B") for letter in "ABCDEFGHIJKLMNOPQRST")
_OF_PARTIES: Final = tuple(1 / rank for rank in range(1, len(PARTIES) + 1))
LARGEST: Final = PARTIES[0]
"""Has 28 % of all locations."""

BRANDS: Final = ("Volt", "Bolt", "Surge", "Ampere", "Plug", "Current", "Spark", "Ohm")
PLACES: Final = ("Plaza", "Mall", "Square", "Terminal", "Park", "Hub", "Tower", "Market", "Commons", "Station")
STATUSES: Final = ("AVAILABLE", "CHARGING", "OUTOFORDER", "OFFLINE", "REMOVED")
_OF_STATUSES: Final = (60, 28, 5, 5, 2)

FACILITIES: Final = {
    "PARKING_LOT": 0.6,
    "WIFI": 0.4,
    "RESTROOM": 0.4,
    "CAFE": 0.25,
    "MALL": 0.2,
    "SHOPS": 0.15,
    "RESTAURANTS": 0.1,
    "HOTEL": 0.03,
    "DRUGSTORE": 0.01,
    "BANKS/ATM": 0.003,
    "CINEMA": 0.001,
    "HARDWARE_SHOPS": 0.0001,
}
"""How large a part of all locations has it."""

COASTAL: Final = "WATER_SPORTS"
"""One location in five has it in the last city, far in the south; nobody else has it."""

RESTRICTIONS: Final = {"EV_ONLY": 0.5, "CUSTOMERS": 0.3, "PLUGGED": 0.2, "DISABLED": 0.05, "MOTORCYCLES": 0.001}
CAPABILITIES: Final = {"QR_READER": 0.7, "CREDIT_DEBIT_PAYABLE": 0.3, "PRIVILEGE_AND_LOYALTY": 0.01}
PAYMENT_TYPES: Final = {"GCASH": 0.8, "MAYA": 0.5}

AC: Final = {"power_type": "AC_3_PHASE", "format": "SOCKET", "max_voltage": 400, "max_electric_power": 22_000}
DC: Final = {"power_type": "DC", "format": "CABLE", "max_voltage": 500, "max_electric_power": 60_000}
CONNECTORS: Final = (
    ({"standard": "TYPE_2"} | AC, {"standard": "TYPE_2"} | AC),
    ({"standard": "CCS_2"} | DC, {"standard": "CHADEMO"} | DC),
    ({"standard": "CCS_2"} | DC, {"standard": "TYPE_2"} | AC),
    ({"standard": "GBT"} | DC, {"standard": "TYPE_1"} | AC),
)
_OF_CONNECTORS: Final = (60, 25, 14, 1)


class City(NamedTuple):
    """Where locations are. lat, lng: of its middle, degrees."""

    name: str
    province: str
    lat: float
    lng: float


def _cities(count: int) -> tuple[City, ...]:
    chance = Random(20261123)
    syllables = ["ma", "ka", "ti", "lo", "bu", "san", "pa", "sig", "ta", "gui"]
    syllables += ["ba", "co", "lod", "ce", "da", "vao", "il", "ol", "nga", "po"]
    found: dict[str, City] = {}
    while len(found) < count:
        name = "".join(chance.sample(syllables, 3)).capitalize()
        province = f"Province {len(found) // 3}"
        found[name] = City(name, province, chance.uniform(8.0, 18.5), chance.uniform(119.5, 125.5))
    *others, last = found.values()
    return (*others, last._replace(lat=5.2, lng=119.9))


CITIES: Final = _cities(150)
_OF_CITIES: Final = tuple(1 / (rank + 5) for rank in range(len(CITIES)))


def drawings(numbers: Iterable[int]) -> Drawings:
    """Locations by the projections' own functions. numbers: their ids, from 1."""
    drawn = Drawings()
    for number in numbers:
        first = 1 + (number - 1) * EVENTS_OF_A_LOCATION
        for position, event in enumerate(events(number), start=first):
            draw(drawn, event, position)
    return drawn


def rows(number: int) -> tuple[LocationRow, tuple[EvseRow, ...]]:
    """The view rows of one location."""
    return rows_of(drawings([number]).locations[number])


def events(number: int) -> Iterator[DomainEvent]:
    """A location and its EVSEs."""
    chance = Random(number)
    (party,) = chance.choices(PARTIES, _OF_PARTIES)
    at = OPENED + timedelta(minutes=number)
    yield location_registered(number, party, at, **_location(number, chance))
    for index in range(EVSES_OF_A_LOCATION):
        yield evse_registered(uid_of(number, index), number, party, at, **_evse(number, index, chance))


def uid_of(number: int, index: int) -> str:
    """The uid of the EVSE at this index of that location."""
    return f"PH-{number:07}-{index}"


def _location(number: int, chance: Random) -> dict[str, Any]:
    (city,) = chance.choices(CITIES, _OF_CITIES)
    facilities = _some(FACILITIES, chance)
    if city is CITIES[-1] and chance.random() < 0.2:
        facilities.append(COASTAL)
    return {
        "name": f"{chance.choice(BRANDS)} {city.name} {chance.choice(PLACES)} {number}",
        "address": f"{number % 900} Rizal Avenue, {city.name}, {city.province}",
        "lat": city.lat + chance.gauss(0, 0.1),
        "lng": city.lng + chance.gauss(0, 0.1),
        "place": a_place(city=city.name, province=city.province, postal_code=str(1000 + number % 9000)),
        "facilities": facilities,
        "parking_types": [chance.choice(("INDOOR", "OUTDOOR"))],
        "parking_restrictions": _some(RESTRICTIONS, chance),
        "publish": chance.random() < 0.97,
    }


def _evse(number: int, index: int, chance: Random) -> dict[str, Any]:
    (pair,) = chance.choices(CONNECTORS, _OF_CONNECTORS)
    first = 1 + ((number - 1) * EVSES_OF_A_LOCATION + index) * len(pair)
    return {
        "status": chance.choices(STATUSES, _OF_STATUSES)[0],
        "meter_type": "DC" if pair[0]["power_type"] == "DC" else "AC",
        "kwh": chance.choice((7.4, 22, 60)),
        "connectors": [a_connector(at, id=first + at - 1, **connector) for at, connector in enumerate(pair, start=1)],
        "capabilities": _some(CAPABILITIES, chance),
        "payment_types": _some(PAYMENT_TYPES, chance),
        "floor_level": chance.choice((None, "B1", "1", "2")),
    }


def _some(parts: dict[str, float], chance: Random) -> list[str]:
    return [code for code, part in parts.items() if chance.random() < part]
