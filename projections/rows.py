"""The rows of location_view and evse_view, made from drawings. Pure: what a transaction or a COPY writes."""

from __future__ import annotations

from functools import lru_cache
from math import cos, radians, sin
from typing import TYPE_CHECKING, NamedTuple

from ocpi.codes import REMOVED
from ocpi.facets import grams_of
from ocpi.identifiers import Party, folded
from projections.facets import EQUIPMENTS, facets_of, powers_of
from projections.locations import evses_of, head_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from projections.documents import Document
    from projections.locations import LocationDrawing


class LocationRow(NamedTuple):
    """One row of location_view, its columns in their order. point: x, y, z on the unit sphere; head, evses: JSON."""

    id: int
    country_code: str
    party_id: str
    cpo_owner_id: int
    name_key: str
    publish: bool
    is_public: bool
    city_key: str
    province_key: str
    facets: list[int]
    name_grams: list[int]
    point: tuple[float, float, float]
    head: str
    evses: str
    revision: int


class EvseRow(NamedTuple):
    """One row of evse_view, its columns in their order. document: JSON."""

    country_code: str
    party_id: str
    uid_key: str
    location_id: int
    location_name_key: str
    created_at: datetime
    registered_pos: int
    is_removed: bool
    capabilities: list[str]
    payment_types: list[str]
    connectors: list[str]
    document: str
    revision: int


def unit_point(lat: float, lng: float) -> tuple[float, float, float]:
    """Degrees → the point of the unit sphere, whose chords have the order of great-circle distances."""
    phi, lam = radians(lat), radians(lng)
    return (cos(phi) * cos(lam), cos(phi) * sin(lam), sin(phi))


def connector_words(evse: Document) -> list[str]:
    """`standard/power` of each connector, with `*` for any and `AC` for every AC_… of OCPI; sorted."""
    return _words_of(tuple((connector["standard"], connector["power_type"]) for connector in evse["connectors"]))


@lru_cache(EQUIPMENTS)
def _words_of(connectors: tuple[tuple[str, str], ...]) -> list[str]:
    words: set[str] = set()
    for standard, sent in connectors:
        words.add(f"{standard}/*")
        for power in powers_of(sent):
            words.update((f"{standard}/{power}", f"*/{power}"))
    return sorted(words)


def codes_of(entries: Iterable[Document]) -> list[str]:
    """The codes of a document's list of reference values, in its order."""
    return [entry["code"] for entry in entries]


def is_removed(evse: Document) -> bool:
    """Whether the public no longer sees this EVSE."""
    return bool(evse["status"] == REMOVED)


def evses_text(drawing: LocationDrawing) -> str:
    """The JSON array of a location's EVSEs, each the same text as in its own row."""
    return f"[{','.join(drawing.evses.values())}]"


def location_row(drawing: LocationDrawing) -> LocationRow:
    """The whole row of a location whose changes are written back."""
    head = head_of(drawing)
    name_key = folded(head["name"])
    shown = [evse for evse in evses_of(drawing) if not is_removed(evse)]
    return LocationRow(
        id=drawing.location_id,
        country_code=drawing.country_code,
        party_id=drawing.party_id,
        cpo_owner_id=head["cpo_owner_id"],
        name_key=name_key,
        publish=head["publish"],
        is_public=head["publish"] and bool(shown),
        city_key=folded(head["city"]),
        province_key=folded(head["province"]),
        facets=facets_of(head, shown),
        name_grams=grams_of(Party(drawing.country_code, drawing.party_id), name_key),
        point=unit_point(head["address_lat"], head["address_lng"]),
        head=drawing.head,
        evses=evses_text(drawing),
        revision=drawing.revision,
    )


def evse_row(drawing: LocationDrawing, uid_key: str) -> EvseRow:
    """The whole row of an EVSE that this batch registers, its changes written back.

    raises: ValueError for one that was registered earlier: its row keeps what the document does not say
    """
    evse = drawing.open_evses[uid_key]
    if evse.created_at is None or evse.registered_pos is None:
        raise ValueError(uid_key)
    return EvseRow(
        country_code=drawing.country_code,
        party_id=drawing.party_id,
        uid_key=uid_key,
        location_id=drawing.location_id,
        location_name_key=folded(head_of(drawing)["name"]),
        created_at=evse.created_at,
        registered_pos=evse.registered_pos,
        is_removed=is_removed(evse.document),
        capabilities=codes_of(evse.document["capabilities"]),
        payment_types=codes_of(evse.document["payment_types"]),
        connectors=connector_words(evse.document),
        document=drawing.evses[uid_key],
        revision=evse.revision,
    )


def rows_of(drawing: LocationDrawing) -> tuple[LocationRow, tuple[EvseRow, ...]]:
    """All rows of a location whose whole history was folded: what a bulk fill writes."""
    drawing.write_back()
    row = location_row(drawing)
    return row, tuple(evse_row(drawing, uid_key) for uid_key in drawing.evses)
