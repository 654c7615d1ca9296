"""What is asked: each query of the contract, with arguments that differ from request to request as clients' do.

Callers are the CPOs of the country in turns, and drivers' apps. The same size gives the same requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, NamedTuple, TypeAlias

from ocpi.identifiers import Party
from tests.bench import country
from tests.support.queries import every_field

REQUESTS: Final = 200
"""Different ones of a query, where its arguments or callers allow so many."""


class Request(NamedTuple):
    """Who asks with which variables. party: None for a driver's app."""

    party: Party | None
    variables: dict[str, Any]


Arguments: TypeAlias = Callable[[Random, int], Request]
"""Of one request. The number: how many locations there are."""


@dataclass(frozen=True, slots=True)
class Query:
    """One line of the tables. is_deep: what it costs may grow with the table."""

    name: str
    text: str
    arguments: Arguments
    is_deep: bool = False

    def requests(self, size: int) -> list[Request]:
        """Different ones, as many as there are."""
        made: list[Request] = []
        chance = Random(size)
        for _ in range(REQUESTS):
            request = self.arguments(chance, size)
            if request not in made:
                made.append(request)
        return made


LOCATION: Final = every_field("LOCATIONS")
EVSE: Final = every_field("EVSE")


def _a_cpo(chance: Random, _size: int) -> Request:
    return Request(chance.choice(country.PARTIES), {})


def _an_app(_chance: Random, _size: int) -> Request:
    return Request(None, {})


def _own_after(chance: Random, size: int) -> Request:
    return Request(chance.choice(country.PARTIES), {"after": _in_the_middle(chance, size)})


def _evse_after(chance: Random, size: int) -> Request:
    location, evses = country.rows(_in_the_middle(chance, size))
    return Request(Party(location.country_code, location.party_id), {"after": chance.choice(evses).uid_key.upper()})


def _named(chance: Random, _size: int) -> Request:
    """A word that a tenth of the names has, or a town's name."""
    words = country.PLACES if chance.random() < 0.5 else [city.name for city in country.CITIES[:30]]
    return Request(chance.choice(country.PARTIES), {"name": chance.choice(words).lower()})


def _one(chance: Random, size: int) -> Request:
    return Request(chance.choice(country.PARTIES), {"id": chance.randint(1, size)})


def _after(chance: Random, size: int) -> Request:
    return Request(None, {"after": _in_the_middle(chance, size)})


def _deep(chance: Random, size: int) -> Request:
    return Request(None, {"offset": _in_the_middle(chance, size) * 9 // 10})


def _near(chance: Random, _size: int) -> Request:
    """Around a town, a radius in which the smallest country has twenty, too."""
    city = chance.choice(country.CITIES[:100])
    return Request(
        None,
        {
            "lat": round(city.lat + chance.gauss(0, 0.1), 5),
            "lng": round(city.lng + chance.gauss(0, 0.1), 5),
            "distance": chance.choice((100, 150, 200)),
            "facilities": [chance.choice(("PARKING_LOT", "WIFI", "RESTROOM", "CAFE", "MALL"))],
            "connector_types": [chance.choice(("TYPE_2", "CCS_2"))],
        },
    )


def _in_the_middle(chance: Random, size: int) -> int:
    return chance.randint(size * 2 // 5, size * 3 // 5)


NEAR: Final = Query(
    "find_ev_filter_locations, near",
    "query ($lat: Float, $lng: Float, $distance: Float, $facilities: [String], $connector_types: [String])"
    " { find_ev_filter_locations(lat: $lat, lng: $lng, distance: $distance, facilities: $facilities,"
    f" connector_types: $connector_types, limit: 20) {{ {LOCATION} }} }}",
    _near,
)

PAGE: Final = Query("locations(limit: 10), every field", f"{{ locations(limit: 10) {{ {LOCATION} }} }}", _a_cpo)

BESIDE_PEERS: Final = (
    PAGE,
    Query("locations(limit: 10), one field", "{ locations(limit: 10) { name } }", _a_cpo),
    Query("evse(limit: 10), every field", f"{{ evse(limit: 10) {{ {EVSE} }} }}", _a_cpo),
    NEAR,
)
"""What peers answer too."""

OVER_SIZES: Final = (
    Query("locations, first page", f"{{ locations(limit: 20) {{ {LOCATION} }} }}", _a_cpo),
    Query(
        "locations, after",
        f"query ($after: Int) {{ locations(limit: 20, after: $after) {{ {LOCATION} }} }}",
        _own_after,
    ),
    Query("evse, first page", f"{{ evse(limit: 20) {{ {EVSE} }} }}", _a_cpo),
    Query(
        "evse, after",
        f"query ($after: String) {{ evse(limit: 20, after: $after) {{ {EVSE} }} }}",
        _evse_after,
    ),
    Query(
        "evse, name contains",
        f"query ($name: String) {{ evse(limit: 20, location_name: $name) {{ {EVSE} }} }}",
        _named,
    ),
    Query("location(id)", f"query ($id: Int) {{ location(id: $id) {{ {LOCATION} }} }}", _one),
    Query("find_ev_locations, first page", f"{{ find_ev_locations(limit: 20) {{ {LOCATION} }} }}", _an_app),
    Query(
        "find_ev_locations, after",
        f"query ($after: Int) {{ find_ev_locations(limit: 20, after: $after) {{ {LOCATION} }} }}",
        _after,
    ),
    NEAR,
    Query(
        "find_ev_locations, deep offset",
        f"query ($offset: Int) {{ find_ev_locations(limit: 20, offset: $offset) {{ {LOCATION} }} }}",
        _deep,
        is_deep=True,
    ),
)
"""Twenty rows out (one of `location`), among few and among many."""
