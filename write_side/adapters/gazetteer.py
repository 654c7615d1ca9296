"""The cities, towns, provinces and regions of the Philippines, by every name that people call them.

`gazetteer.csv` is made by scripts/make_gazetteer.py, `gazetteer_names.csv` by hand; docs/data_sources.md tells of both.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final

from write_side.adapters.address_words import key
from write_side.domain.place import Place

_THOUSANDTH: Final = 0.001


@dataclass(frozen=True, slots=True)
class Town:
    """A city or municipality under one of its names.

    is_city:  it has a city's charter, so "City" may stand behind its name
    is_alone: the bare name tells it; other names need a province, a region or a postal code beside them
    codes:    its postal codes, as far as they are known
    """

    place: Place
    is_city: bool
    is_alone: bool
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Name:
    """What a name may mean. towns: all that are called so; provinces: those that it covers, empty for a mere town."""

    towns: tuple[Town, ...]
    provinces: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """All names by key, and the points by which coordinates are told.

    names:    by `address_words.key`
    by_code:  postal code → the towns that have it
    points:   (lat, lng, place): the centre of each town, the barangays that lie nearer to another's, and places in it
              such as a mall on new land
    """

    names: Mapping[str, Name]
    by_code: Mapping[str, tuple[Town, ...]]
    points: tuple[tuple[float, float, Place], ...]


@cache
def gazetteer() -> Gazetteer:
    """The gazetteer, read at the first call. source: docs/data_sources.md."""
    rows = list(_rows("gazetteer.csv"))
    other_names = list(_rows("gazetteer_names.csv"))
    towns = [_town(row) for row in rows]
    by_code: dict[str, list[Town]] = defaultdict(list)
    for town in towns:
        for code in town.codes:
            by_code[code].append(town)
    return Gazetteer(
        names=_names(rows, towns, other_names),
        by_code={code: tuple(having) for code, having in by_code.items()},
        points=(*_points(rows, towns), *_points_of_names(other_names, towns)),
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("write_side.adapters").joinpath(name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())


def _town(row: Mapping[str, str]) -> Town:
    codes = row["postal_codes"].split()
    place = Place(
        city=row["said"] or row["name"],
        province=row["province"],
        region=row["region"],
        # Where a city has many codes, none of them is the city's.
        postal_code=codes[0] if len(codes) == 1 else None,
        lat=float(row["lat"]),
        lng=float(row["lng"]),
    )
    return Town(place, row["kind"] == "city", row["alone"] == "yes", frozenset(codes))


def _names(rows: list[dict[str, str]], towns: list[Town], other_names: list[dict[str, str]]) -> dict[str, Name]:
    of_key: dict[str, list[Town]] = defaultdict(list)
    provinces: dict[str, set[str]] = defaultdict(set)
    by_said = _by_said(towns)
    for row, town in zip(rows, towns, strict=True):
        provinces[key(row["province"])].add(row["province"])
        for spelling in _spellings(row["name"]):
            of_key[spelling].append(town)
    for row in other_names:
        for spelling in _spellings(row["name"]):
            if row["kind"] == "area":
                provinces[spelling].update(row["means"].split("|"))
            else:
                of_key[spelling].append(_renamed(by_said[row["means"]], row))
    return {
        name: Name(_once(of_key.get(name, ())), frozenset(provinces.get(name, ())))
        for name in of_key.keys() | provinces.keys()
    }


def _spellings(name: str) -> set[str]:
    """The keys of a name: as it is, hyphened words joined (Lapulapu), and with the ñ lost on its way (Para?aque)."""
    spelled = {key(name)}
    if "-" in name:
        spelled.add(key(name.replace("-", "")))
    if "ñ" in name:
        spelled.add(key(name.replace("ñ", "?")))
    return spelled


def _renamed(town: Town, row: Mapping[str, str]) -> Town:
    place = town.place
    if row["postal_code"]:
        place = replace(place, postal_code=row["postal_code"])
    if row["lat"]:
        place = replace(place, lat=float(row["lat"]), lng=float(row["lng"]))
    return replace(town, place=place, is_alone=row["alone"] == "yes")


def _once(towns: Iterable[Town]) -> tuple[Town, ...]:
    """Each town once, be it listed under two spellings of the same key; what comes first is kept."""
    kept: dict[tuple[str, str], Town] = {}
    for town in towns:
        kept.setdefault((town.place.city, town.place.province), town)
    return tuple(kept.values())


def _points(rows: list[dict[str, str]], towns: list[Town]) -> Iterator[tuple[float, float, Place]]:
    for row, town in zip(rows, towns, strict=True):
        place = town.place
        yield place.lat, place.lng, place
        for shift in row["outposts"].split():
            up, _, right = shift.partition(",")
            yield place.lat + int(up) * _THOUSANDTH, place.lng + int(right) * _THOUSANDTH, place


def _points_of_names(rows: list[dict[str, str]], towns: list[Town]) -> Iterator[tuple[float, float, Place]]:
    by_said = _by_said(towns)
    for row in rows:
        if row["lat"]:
            yield float(row["lat"]), float(row["lng"]), by_said[row["means"]].place


def _by_said(towns: list[Town]) -> dict[str, Town]:
    return {f"{town.place.city}, {town.place.province}": town for town in towns}
