"""Where demo locations stand: cities of every Philippine region, with streets and barangays that are there.

The cities are in `cities.csv`, their centres good to about a kilometre; `spots` there are separated by |.
The brands of the sites are invented.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final


@dataclass(frozen=True, slots=True)
class City:
    """A city or municipality, named as people say it.

    area: its region, as people call it. lat, lng: degrees of its centre. weight: how often it is taken beside others.
    is_town: a municipality, so nobody writes "City" behind its name. spots: "street, barangay or district".
    """

    area: str
    name: str
    province: str
    postal_code: str
    lat: float
    lng: float
    weight: int
    is_town: bool
    spots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of site. brands: invented names. facilities: codes it always has, and codes it may have (contract §6)."""

    brands: tuple[str, ...]
    has: tuple[str, ...]
    may_have: tuple[str, ...]
    fast: float
    """The share of its EVSEs that are DC, [0, 1]."""
    is_indoor: float
    """How likely its parking is indoors, [0, 1]."""


KINDS: Final = (
    Kind(
        ("Perlas Mall", "Robles Place", "Sampaguita Town Center", "Galeria Marikit", "The Habagat Walk", "Vela Mall"),
        ("MALL", "SHOPS", "RESTAURANTS", "RESTROOM", "PARKING_LOT"),
        ("BANKS/ATM", "CAFE", "CINEMA", "DRUGSTORE", "GROCERIES", "HARDWARE_SHOPS", "WIFI"),
        fast=0.4,
        is_indoor=0.8,
    ),
    Kind(
        ("Bayani Fuel", "Sulo Station", "Petro Agila", "Kalsada Energy", "Tanglaw Gas", "Luntian Stop"),
        ("GAS_STATION", "RESTROOM"),
        ("CAFE", "GROCERIES", "RESTAURANTS", "BANKS/ATM", "WIFI"),
        fast=0.85,
        is_indoor=0.0,
    ),
    Kind(
        ("Hotel Amihan", "Casa Ilustre", "Bahaghari Suites", "The Narra Hotel", "Hotel Dalisay", "Alon Residences"),
        ("HOTEL", "RESTROOM", "WIFI"),
        ("POOL", "RESTAURANTS", "CAFE", "PARKING_LOT", "WATER_SPORTS"),
        fast=0.15,
        is_indoor=0.5,
    ),
    Kind(
        ("Kusina ni Lola Ising", "Salo-Salo Grill", "Inasal sa Kanto", "Cafe Barako", "Lutong Bahay Haus"),
        ("RESTAURANTS", "RESTROOM"),
        ("CAFE", "WIFI", "PARKING_LOT", "SHOPS"),
        fast=0.35,
        is_indoor=0.05,
    ),
    Kind(
        ("Sagrada Medical Center", "Our Lady of Hope Hospital", "Mabuti Doctors Hospital", "Kalinga General Hospital"),
        ("DRUGSTORE", "RESTROOM", "PARKING_LOT"),
        ("CAFE", "BANKS/ATM", "WIFI", "RESTAURANTS"),
        fast=0.3,
        is_indoor=0.6,
    ),
    Kind(
        ("Hardin Homes Depot", "Palengke Fresh", "Bodega ng Bayan", "Tahanan Builders"),
        ("SHOPS", "PARKING_LOT", "RESTROOM"),
        ("HARDWARE_SHOPS", "GROCERIES", "BANKS/ATM", "CAFE", "DRUGSTORE"),
        fast=0.45,
        is_indoor=0.2,
    ),
)


@cache
def cities() -> tuple[City, ...]:
    """Every city of the demo, in the file's order; all eighteen regions are among their areas."""
    lines = files("api.demo").joinpath("cities.csv").read_text(encoding="utf-8").splitlines()
    return tuple(
        City(
            area=row["area"],
            name=row["city"],
            province=row["province"],
            postal_code=row["postal_code"],
            lat=float(row["lat"]),
            lng=float(row["lng"]),
            weight=int(row["weight"]),
            is_town=row["is_town"] == "yes",
            spots=tuple(row["spots"].split("|")),
        )
        for row in csv.DictReader(lines)
    )
