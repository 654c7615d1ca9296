"""What Google's Geocoding web service answers, and the place that it means, by the names of our gazetteer. Pure."""

from __future__ import annotations

from dataclasses import replace
from math import cos, hypot, radians
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from write_side.adapters.address_words import key
from write_side.adapters.mentions import mention_in
from write_side.domain.place import Place

if TYPE_CHECKING:
    from write_side.adapters.gazetteer import Gazetteer, Town
    from write_side.adapters.mentions import Mention
    from write_side.adapters.nearest import PointIndex

GEOCODING_URL: Final = "https://maps.googleapis.com/maps/api/geocode/json"
COUNTRY: Final = "PH"
CITY_TYPES: Final = ("locality", "administrative_area_level_3")
PROVINCE_TYPES: Final = ("administrative_area_level_2", "administrative_area_level_1")
TOO_WIDE: Final = frozenset({"country", "administrative_area_level_1", "administrative_area_level_2", "plus_code"})
"""An answer of these types tells no city: `Cebu`, `Philippines`."""


class Component(msgspec.Struct):
    """A part of an address: `Olongapo` as `locality`."""

    long_name: str
    short_name: str = ""
    types: tuple[str, ...] = ()


class Point(msgspec.Struct):
    """Degrees."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lng: Annotated[float, msgspec.Meta(ge=-180, le=180)]


class Geometry(msgspec.Struct):
    """Where it lies."""

    location: Point


class Result(msgspec.Struct):
    """One place that was found. types: what it is; address_components: in any order."""

    geometry: Geometry
    address_components: tuple[Component, ...] = ()
    types: tuple[str, ...] = ()

    def named(self, *types: str) -> str | None:
        """The name of the first component of the first of these types."""
        return next((c.long_name for each in types for c in self.address_components if each in c.types), None)

    @property
    def is_philippine(self) -> bool:
        """Whether Google says that it lies in the Philippines."""
        return any("country" in c.types and c.short_name == COUNTRY for c in self.address_components)


class Answer(msgspec.Struct):
    """A whole answer. status: `OK`, `ZERO_RESULTS`, or why there is none."""

    status: str
    results: tuple[Result, ...] = ()


def answer_in(body: bytes) -> Answer:
    """The answer of a body. raises: msgspec.MsgspecError where it is none."""
    return msgspec.json.decode(body, type=Answer)


def place_in(answer: Answer, gazetteer: Gazetteer, points: PointIndex) -> Place | None:
    """The first answer that tells a Philippine city; None: none does."""
    told = (each for each in answer.results if each.is_philippine and not TOO_WIDE.intersection(each.types))
    return next((place for each in told if (place := _place(each, gazetteer, points)) is not None), None)


def _place(result: Result, gazetteer: Gazetteer, points: PointIndex) -> Place | None:
    """The city that is named, among several of that name the nearest; where we know no such name, by its point.

    source: contract §3 "Names as people say them"; both geocoders take them from one table
    """
    point = result.geometry.location
    named = result.named(*CITY_TYPES)
    towns = [] if named is None else _towns(named, result, gazetteer)
    if towns:
        place = min(towns, key=lambda town: _distance(town.place, point)).place
    elif (nearest := points.place_at(point.lat, point.lng)) is not None:
        place = nearest
    else:
        return None
    return replace(place, lat=point.lat, lng=point.lng, postal_code=result.named("postal_code") or place.postal_code)


def _towns(named: str, result: Result, gazetteer: Gazetteer) -> list[Town]:
    """The towns of that name, those of the province or region that is named too."""
    mention = _whole(named, gazetteer)
    if mention is None:
        return []
    areas = (_whole(name, gazetteer) for each in PROVINCE_TYPES if (name := result.named(each)) is not None)
    for area in areas:
        if area is not None and area.name.provinces:
            return [town for town in mention.name.towns if town.place.province in area.name.provinces]
    return list(mention.name.towns)


def _whole(name: str, gazetteer: Gazetteer) -> Mention | None:
    mention = mention_in(gazetteer, key(name).split())
    return None if mention is None or mention.before else mention


def _distance(place: Place, point: Point) -> float:
    return hypot(place.lat - point.lat, (place.lng - point.lng) * cos(radians(point.lat)))
