"""Whatever is searched for, the views answer what looking at every location would: the same, in its order, as far."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from math import atan2, cos, hypot, isclose, pi, radians, sin
from random import Random
from typing import Any, Final, NamedTuple

import pytest
from eventsourcing.domain import DomainEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocpi.codes import (
    ACCEPTED_POWER_TYPES,
    CAPABILITIES,
    CONNECTOR_TYPES,
    EVSE_STATUSES,
    FACILITIES,
    PARKING_RESTRICTIONS,
    PARKING_TYPES,
    PAYMENT_TYPES,
)
from read_side import evse_sql
from read_side.documents import document_of, matches
from read_side.plan import bind
from read_side.scope import PUBLIC, Own
from read_side.sql import render
from read_side.views import Views
from tests.support.builders import NOON, PARTY, a_connector, a_place, evse_registered, location_registered
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, fill, views_of

EARTH_RADIUS_KM: Final = 6371.0088
CAP: Final = 10_000
TOWNS: Final = ("Makati", "Cebu City", "Baguio")
PROVINCES: Final = ("Metro Manila", "Cebu")
NAMES: Final = ("volt", "VOLT 7", "Ünit", "a_b", "100%", "b\\a", "ab", "aba")
PLUGS: Final = tuple(one.code for one in CONNECTOR_TYPES.codes)[:4]
POWERS: Final = ("DC", "AC_3_PHASE", "AC_1_PHASE", "AC")


class Charger(NamedTuple):
    """An EVSE as it was registered."""

    uid: str
    minutes: int
    status: str
    capabilities: list[str]
    payment_types: list[str]
    connectors: list[tuple[str, str]]


class Site(NamedTuple):
    """A location as it was registered."""

    id: int
    is_own: bool
    data: dict[str, Any]
    chargers: list[Charger]


def some(chance: Random, known: Any) -> list[str]:
    return [one.code for one in known.codes if chance.random() < 0.3]


def place(chance: Random) -> tuple[float, float]:
    """Anywhere, but often where longitudes mean little or jump."""
    lat = chance.choice((90.0, -90.0, 89.9, 0.0, chance.uniform(-90, 90), chance.uniform(10, 10.5)))
    lng = chance.choice((180.0, -180.0, 179.95, -179.95, 0.0, chance.uniform(-180, 180), chance.uniform(120, 120.5)))
    return lat, lng


def a_site(number: int, chance: Random) -> Site:
    lat, lng = place(chance)
    chargers = [
        Charger(
            f"E{number}-{index}",
            chance.randrange(30),
            chance.choice((*EVSE_STATUSES, "AVAILABLE", "REMOVED")),
            some(chance, CAPABILITIES),
            some(chance, PAYMENT_TYPES),
            [(chance.choice(PLUGS), chance.choice(POWERS)) for _ in range(chance.choice((1, 1, 2)))],
        )
        for index in range(chance.choice((0, 1, 1, 2, 3)))
    ]
    data = {
        "name": f"{chance.choice(NAMES)} {chance.choice(TOWNS)} {number}",
        "lat": lat,
        "lng": lng,
        "place": a_place(city=chance.choice(TOWNS), province=chance.choice(PROVINCES)),
        "facilities": some(chance, FACILITIES),
        "parking_types": some(chance, PARKING_TYPES),
        "parking_restrictions": some(chance, PARKING_RESTRICTIONS),
        "publish": chance.random() < 0.9,
    }
    return Site(number, chance.random() < 0.6, data, chargers)


def sites() -> list[Site]:
    chance = Random(20261123)
    return [a_site(number, chance) for number in range(1, 401)]


SITES: Final = sites()


@pytest.fixture(scope="module")
async def views(fresh_database: Databases) -> AsyncIterator[Views]:
    dsn = await fresh_database()
    events: list[DomainEvent] = []
    for site in SITES:
        party = PARTY if site.is_own else OTHER
        events.append(location_registered(site.id, party, **site.data))
        events += [
            evse_registered(
                charger.uid,
                site.id,
                party,
                NOON + timedelta(minutes=charger.minutes),
                status=charger.status,
                capabilities=charger.capabilities,
                payment_types=charger.payment_types,
                connectors=[
                    a_connector(at, standard=standard, power_type=power)
                    for at, (standard, power) in enumerate(charger.connectors, start=1)
                ],
            )
            for charger in site.chargers
        ]
    await fill(dsn, events)
    async with views_of(dsn) as views:
        yield views
    await fresh_database.drop(dsn)


async def answered(views: Views, name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    scope = PUBLIC if name.startswith("find") else Own(PARTY)
    statement = bind(name, None, arguments, scope, cap=CAP)
    rows: list[Any] = (await views.ask([render(statement)])).rows[0]
    found, is_truncated = matches(rows, statement.filter)
    assert not is_truncated
    return [document_of(row, statement.filter) for row in found]


def vector(lat: float, lng: float) -> tuple[float, float, float]:
    phi, lam = radians(lat), radians(lng)
    return cos(phi) * cos(lam), cos(phi) * sin(lam), sin(phi)


def great_circle_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By the angle between two vectors: another way than chords and arcsines."""
    (a, b, c), (x, y, z) = vector(*one), vector(*other)
    across = (b * z - c * y, c * x - a * z, a * y - b * x)
    return atan2(hypot(*across), a * x + b * y + c * z) * EARTH_RADIUS_KM


def powers_of(sent: str) -> set[str]:
    return {sent, "AC"} if sent.startswith("AC_") else {sent}


def has_any(asked: list[str] | None, known: Any) -> bool:
    return not asked or bool(set(asked) & set(known))


def serves(charger: Charger, wanted: dict[str, Any]) -> bool:
    return (
        charger.status != "REMOVED"
        and has_any(wanted.get("capabilities"), charger.capabilities)
        and has_any(wanted.get("payment_types"), charger.payment_types)
        and any(
            has_any(wanted.get("connector_types"), [standard]) and has_any(wanted.get("power_types"), powers_of(power))
            for standard, power in charger.connectors
        )
    )


def is_found(site: Site, wanted: dict[str, Any]) -> bool:
    return (
        site.data["publish"]
        and any(serves(charger, wanted) for charger in site.chargers)
        and all(
            has_any(wanted.get(kind), site.data[kind])
            for kind in ("facilities", "parking_types", "parking_restrictions")
        )
        and wanted.get("city", site.data["place"]["city"]).casefold() == site.data["place"]["city"].casefold()
        and wanted.get("province", site.data["place"]["province"]).casefold()
        == site.data["place"]["province"].casefold()
    )


def lists(known: Any, most: int = 3) -> st.SearchStrategy[list[str]]:
    codes = [one if isinstance(one, str) else one.code for one in getattr(known, "codes", known)]
    return st.lists(st.sampled_from(codes), max_size=most)


FILTERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "city": st.sampled_from((*TOWNS, "MAKATI", "Nowhere")),
        "province": st.sampled_from((*PROVINCES, "cebu")),
        "facilities": lists(FACILITIES),
        "parking_types": lists(PARKING_TYPES),
        "parking_restrictions": lists(PARKING_RESTRICTIONS),
        "capabilities": lists(CAPABILITIES),
        "payment_types": lists(PAYMENT_TYPES),
        "connector_types": lists(CONNECTOR_TYPES),
        "power_types": lists(ACCEPTED_POWER_TYPES),
    },
)
PAGES: Final = st.fixed_dictionaries({}, optional={"limit": st.integers(0, 40), "offset": st.integers(0, 40)})
DEGREES: Final = st.tuples(
    st.floats(-90, 90) | st.sampled_from((90.0, -90.0, 10.2)),
    st.floats(-180, 180) | st.sampled_from((180.0, -180.0, 120.2)),
)
OFTEN: Final = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def page_of(found: list[Any], page: dict[str, int]) -> list[Any]:
    first = page.get("offset", 0)
    return found[first : first + page.get("limit", CAP)]


@OFTEN
@given(FILTERS, PAGES)
async def test_every_filter_finds_what_looking_at_all_finds(
    views: Views, wanted: dict[str, Any], page: dict[str, int]
) -> None:
    found = await answered(views, "find_ev_filter_locations", wanted | page)
    expected = [site.id for site in SITES if is_found(site, wanted)]
    assert [document["id"] for document in found] == page_of(expected, page)
    assert all(document.get("distance") is None for document in found)


@OFTEN
@given(FILTERS, PAGES, DEGREES, st.sampled_from((0.0, 1.0, 60.0, 2_000.0, 9_999.0, 20_015.0, 30_000.0)))
async def test_the_nearest_come_first_with_their_great_circle_distance(
    views: Views, wanted: dict[str, Any], page: dict[str, int], centre: tuple[float, float], radius_km: float
) -> None:
    near = {"lat": centre[0], "lng": centre[1], "distance": radius_km}
    found = await answered(views, "find_ev_filter_locations", wanted | near)
    km = {site.id: great_circle_km(centre, (site.data["lat"], site.data["lng"])) for site in SITES}
    expected = {
        site.id for site in SITES if is_found(site, wanted) and (radius_km == 0.0 or km[site.id] <= radius_km + 1e-6)
    }
    on_the_edge = {one for one in expected if radius_km and isclose(km[one], radius_km, abs_tol=1e-6)}
    ids = [document["id"] for document in found]
    assert expected - on_the_edge <= set(ids) <= expected
    assert len(ids) == len(set(ids))
    for document in found:
        # A chord near the diameter says little of its arc: 1e-16 of it are some metres on the ground.
        assert isclose(document["distance"], km[document["id"]], rel_tol=1e-9, abs_tol=1e-6) or (
            km[document["id"]] > 0.999 * pi * EARTH_RADIUS_KM and abs(document["distance"] - km[document["id"]]) < 0.5
        )
    distances = [document["distance"] for document in found]
    assert distances == sorted(distances)
    spots = [(document["address_lat"], document["address_lng"]) for document in found]
    assert all(ids[at] < ids[at + 1] for at in range(len(ids) - 1) if spots[at] == spots[at + 1])
    assert await answered(views, "find_ev_filter_locations", wanted | near | page) == page_of(found, page)


@pytest.mark.parametrize("bounds", [(4_000, 500), (3, 500), (3, 2), (50, 0)], ids=str)
@OFTEN
@given(
    part=st.sampled_from(
        ("volt", "v", "o", "lt", "a", "b", "ab", "aba", "%", "_", "a_", "\\", "ü", "ÜN", "Makati 1", "9")
    )
    | st.text(max_size=4).filter(lambda text: all(" " <= one != "\x7f" for one in text)),
    page=PAGES,
    is_by_location=st.booleans(),
    is_descending=st.booleans(),
    after=st.none() | st.integers(0, 500),
)
async def test_evses_whose_locations_name_contains_a_part(
    views: Views,
    bounds: tuple[int, int],
    *,
    part: str,
    page: dict[str, int],
    is_by_location: bool,
    is_descending: bool,
    after: int | None,
) -> None:
    known = [
        ((site.data["name"].casefold() if is_by_location else charger.minutes, site.id, index), site, charger)
        for site in SITES
        if site.is_own
        for index, charger in enumerate(site.chargers)
    ]
    known.sort(key=lambda one: one[0], reverse=is_descending)
    seen = None if after is None else known[after % len(known)]
    expected = [
        charger.uid
        for place_in_order, site, charger in known
        if part.casefold() in site.data["name"].casefold()
        and (seen is None or (place_in_order < seen[0] if is_descending else place_in_order > seen[0]))
    ]
    arguments = {
        "location_name": part,
        "order_by": "location" if is_by_location else "date_created",
        "order": "DESC" if is_descending else "ASC",
        "limit": page.get("limit", CAP),
        "offset": page.get("offset", 0),
        "after": None if seen is None else seen[2].uid,
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evse_sql, "WALKED", bounds[0])
        patched.setattr(evse_sql, "LOOKED_UP", bounds[1])
        found = await answered(views, "evse", arguments)
    assert [document["uid"] for document in found] == page_of(expected, page)
