"""Makes the demo's five CPOs and their 300 locations out of a seed: the same seed, the same data, on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from math import cos, pi, radians, sin, sqrt
from random import Random
from typing import Final, NotRequired, TypedDict

from api.demo.equipment import EvseBody, make_evse, tell_connectors
from api.demo.places import KINDS, City, Kind, cities
from ocpi.codes import REMOVED

SEED: Final = 2026
EVSES_A_LOCATION: Final = (1, 2, 3, 4, 5, 6)
HOW_OFTEN: Final = (22, 34, 20, 14, 6, 4)
PLACED_SHARE: Final = 0.8
"""How many locations tell their coordinates; the others leave them to the geocoder."""
JITTER_KM: Final = 1.8
"""How far from its city's centre a location may be."""
KM_A_DEGREE: Final = 111.32
UNPUBLISHED_EVERY: Final = 25
RESTRICTIONS: Final = ("EV_ONLY", "CUSTOMERS", "PLUGGED", "DISABLED")
LUZON: Final = ("NCR", "Calabarzon", "Central Luzon", "Ilocos", "Cordillera", "Cagayan Valley")
SOUTH_ROAD: Final = ("Central Luzon", "Mimaropa", "Bicol")
VISAYAS: Final = ("Western Visayas", "Negros Island", "Central Visayas", "Eastern Visayas")
MINDANAO: Final = ("Zamboanga Peninsula", "Northern Mindanao", "Davao", "Soccsksargen", "Caraga", "Bangsamoro")
FIRST_NAMES: Final = ("Maria", "Jose", "Angelica", "Ramon", "Liza", "Paolo", "Teresa", "Miguel", "Carmela", "Dante")
LAST_NAMES: Final = ("Santos", "Reyes", "Bautista", "Villanueva", "Dimaculangan", "Macaraeg", "Salonga", "Uy", "Tan")


class LocationBody(TypedDict):
    """LOCATION as W1 takes it (contract §3). lat, lng: degrees, both or neither."""

    name: str
    address: str
    lat: NotRequired[float]
    lng: NotRequired[float]
    evses: list[EvseBody]
    facilities: list[str]
    parking_types: list[str]
    parking_restrictions: list[str]
    publish: NotRequired[bool]


class RegistrationBody(TypedDict):
    """The body of R1 (contract §2)."""

    username: str
    cpo_owner_name: str
    contact_name: str
    contact_number: str
    contact_email: str
    ocpp_ready: bool


@dataclass(frozen=True, slots=True)
class CpoPlan:
    """What a demo CPO is like. uid_prefix: of its EVSEs' uids. areas: where it works. kinds: weights beside KINDS.

    speaks_ocpi: it names phases (AC_3_PHASE) where others say AC. retires: one of its EVSEs is REMOVED.
    """

    username: str
    cpo_owner_name: str
    uid_prefix: str
    locations: int
    areas: tuple[str, ...]
    kinds: tuple[int, ...]
    speaks_ocpi: bool
    retires: bool = False


@dataclass(frozen=True, slots=True)
class DemoCpo:
    """A CPO with its registration and its plan."""

    registration: RegistrationBody
    plan: CpoPlan


@dataclass(frozen=True, slots=True)
class DemoLocation:
    """A location as W1 takes it, and the city where it is meant to be."""

    city: City
    body: LocationBody


PLANS: Final = (
    CpoPlan("luzonvolt", "Luzon Volt Network", "LVN", 100, LUZON, (5, 3, 3, 3, 2, 2), speaks_ocpi=True, retires=True),
    CpoPlan("metroamp", "Metro Amp Charging Corp.", "MAC", 60, LUZON[:2], (6, 1, 3, 2, 2, 2), speaks_ocpi=False),
    CpoPlan("visayasev", "Visayas EV Charge Co.", "VEC", 60, VISAYAS, (4, 3, 5, 3, 1, 2), speaks_ocpi=True),
    CpoPlan("agilacharge", "Agila Charge Mindanao", "ACM", 50, MINDANAO, (4, 4, 3, 3, 2, 2), speaks_ocpi=True),
    CpoPlan("bagongdaan", "Bagong Daan Fuel & Charge", "BDF", 30, SOUTH_ROAD, (1, 8, 1, 2, 0, 0), speaks_ocpi=False),
)


def demo_cpos(seed: int = SEED) -> tuple[DemoCpo, ...]:
    """The five CPOs; who answers their telephone is the seed's choice."""
    return tuple(DemoCpo(_registration(seed, plan), plan) for plan in PLANS)


def demo_locations(seed: int, cpo: DemoCpo) -> list[DemoLocation]:
    """The locations of one CPO, in the order in which it pushes them; names are unique among them, ignoring case."""
    plan = cpo.plan
    chance = Random(f"{seed}/{plan.username}/locations")  # noqa: S311 - demo data: the same for a seed
    names: set[str] = set()
    made = []
    for number, city in enumerate(_cities(chance, plan), start=1):
        kind = chance.choices(KINDS, plan.kinds)[0]
        made.append(DemoLocation(city, _location(chance, plan, (number, city, kind), names)))
    if plan.retires:
        # One of a larger site's, so that drivers still find the site.
        site = max(made, key=lambda location: len(location.body["evses"]))
        tell_connectors(site.body["evses"][-1], REMOVED)
    return made


def _registration(seed: int, plan: CpoPlan) -> RegistrationBody:
    chance = Random(f"{seed}/{plan.username}/contact")  # noqa: S311 - demo data: the same for a seed
    first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    return {
        "username": plan.username,
        "cpo_owner_name": plan.cpo_owner_name,
        "contact_name": f"{first} {last}",
        "contact_number": f"+63917{chance.randint(2_000_000, 8_999_999)}",
        "contact_email": f"{first}.{last}@{plan.username}.example".lower(),
        "ocpp_ready": True,
    }


def _cities(chance: Random, plan: CpoPlan) -> list[City]:
    """A city for each location: each city of its areas once, so that none is missing, then by weight."""
    known = [city for city in cities() if city.area in plan.areas]
    more = chance.choices(known, [city.weight for city in known], k=plan.locations - len(known))
    taken = [*known, *more]
    chance.shuffle(taken)
    return taken


def _location(chance: Random, plan: CpoPlan, site: tuple[int, City, Kind], names: set[str]) -> LocationBody:
    number, city, kind = site
    spot = chance.choice(city.spots)
    is_indoor = chance.random() < kind.is_indoor
    body: LocationBody = {
        "name": _name(chance.choice(kind.brands), city, spot, names),
        "address": _address(chance, city, spot),
        "evses": [
            make_evse(
                chance,
                f"{plan.uid_prefix}-{number:03}-{index:02}",
                is_dc=chance.random() < kind.fast,
                is_indoor=is_indoor,
                speaks_ocpi=plan.speaks_ocpi,
            )
            for index in range(1, chance.choices(EVSES_A_LOCATION, HOW_OFTEN)[0] + 1)
        ],
        "facilities": _codes(chance, kind.has, kind.may_have),
        "parking_types": ["INDOOR" if is_indoor else "OUTDOOR"],
        "parking_restrictions": _codes(chance, (), RESTRICTIONS),
    }
    if chance.random() < PLACED_SHARE:
        body["lat"], body["lng"] = _near(chance, city)
    if number % UNPUBLISHED_EVERY == 0:
        body["publish"] = False
    return body


def _name(brand: str, city: City, spot: str, names: set[str]) -> str:
    """A name that this CPO doesn't have yet: brand and city, else with the street, else with a branch number."""
    street = spot.partition(",")[0]
    wanted = chain((f"{brand} {city.name}", f"{brand} {street}, {city.name}"), _branches(f"{brand} {city.name}"))
    name = next(each for each in wanted if each.casefold() not in names)
    names.add(name.casefold())
    return name


def _branches(name: str) -> Iterator[str]:
    return (f"{name} Branch {number}" for number in count(2))


def _address(chance: Random, city: City, spot: str) -> str:
    """As people write it: street, barangay, city and province, at times with a house number or postal code."""
    street, barangay = spot.split(", ")
    written = city.name
    if not city.is_town and not written.endswith("City") and chance.random() < 0.4:
        written += " City"
    if chance.random() < 0.6 and "Highway" not in street:
        street = f"{chance.randint(1, 420)} {street}"
    if chance.random() < 0.3 and city.area != "NCR" and not barangay.startswith(("Barangay", "Clark", "Zone")):
        barangay = f"Brgy. {barangay}"
    province = f"{city.postal_code} {city.province}" if chance.random() < 0.3 else city.province
    ending = ", Philippines" if chance.random() < 0.15 else ""
    return f"{street}, {barangay}, {written}, {province}{ending}"


def _near(chance: Random, city: City) -> tuple[float, float]:
    """Latitude and longitude in degrees, at most JITTER_KM from the city's centre, evenly over that disk."""
    km, bearing = JITTER_KM * sqrt(chance.random()), 2 * pi * chance.random()
    lat = city.lat + km * cos(bearing) / KM_A_DEGREE
    lng = city.lng + km * sin(bearing) / (KM_A_DEGREE * cos(radians(city.lat)))
    return round(lat, 6), round(lng, 6)


def _codes(chance: Random, always: tuple[str, ...], perhaps: tuple[str, ...]) -> list[str]:
    return [*always, *(code for code in perhaps if chance.random() < 0.4)]
