"""The JSON documents that the views hold: the contract's names, in the contract's order (contract §5). Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ocpi import codes
from ocpi.identifiers import Party, evse_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocpi.codes import CodeList
    from write_side.events.evse import ConnectorData, EvseRegistered
    from write_side.events.location import (
        LocationData,
        LocationPhotoReplaced,
        LocationPhotosAdded,
        LocationRegistered,
    )

Document: TypeAlias = dict[str, Any]
"""A JSON object of the contract."""


def _entries(known: CodeList) -> dict[str, Document]:
    return {one.code: {"id": one.id, "code": one.code, "description": one.description} for one in known.codes}


IMAGES: Final = "/images/"
"""Where stored images are served (contract §2)."""

_FACILITIES: Final = _entries(codes.FACILITIES)
_PARKING_RESTRICTIONS: Final = _entries(codes.PARKING_RESTRICTIONS)
_PARKING_TYPES: Final = _entries(codes.PARKING_TYPES)
_CAPABILITIES: Final = _entries(codes.CAPABILITIES)
_PAYMENT_TYPES: Final = _entries(codes.PAYMENT_TYPES)


def iso(at: datetime) -> str:
    """The one form of our dates: ISO 8601, UTC, always six digits, `2026-11-23T01:02:03.123456Z`."""
    in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return in_utc.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


@lru_cache
def rate_setting(kwh: float) -> str:
    """The rating for people: its shortest decimal, never an exponent: `7 KW-H`, `7.4 KW-H` (contract §3)."""
    return f"{Decimal(repr(kwh)).normalize():f} KW-H"


def head_document(event: LocationRegistered) -> Document:
    """LOCATION_IN_EVSE of a new location."""
    at = iso(event.timestamp)
    head: Document = {
        "id": event.location_id,
        "cpo_owner_id": event.cpo_owner_id,
        "name": None,
        "address": None,
        "address_lat": None,
        "address_lng": None,
        "city": None,
        "province": None,
        "region": None,
        "postal_code": None,
        "country_code": event.country_code,
        "images": [],
        "photos": [],
        "publish": True,
        "date_created": at,
        "date_modified": at,
        "facilities": [],
        "parking_restrictions": [],
        "parking_types": [],
    }
    change_head(head, event.data)
    return head


def change_head(head: Document, changes: LocationData) -> None:
    """Puts these fields of a location into its document; the others stay.

    raises: KeyError for a code that is not in `ocpi.codes`
    """
    for key, value in changes.items():
        match key:
            case "name" | "address" | "publish":
                head[key] = value
            case "lat" | "lng":
                head[f"address_{key}"] = value
            case "facilities":
                head[key] = _described(_FACILITIES, changes["facilities"])
            case "parking_types":
                head[key] = _described(_PARKING_TYPES, changes["parking_types"])
            case "parking_restrictions":
                head[key] = _described(_PARKING_RESTRICTIONS, changes["parking_restrictions"])
            case "place":
                place = changes["place"]
                head["city"] = place["city"]
                head["province"] = place["province"]
                head["region"] = place["region"]
                head["postal_code"] = place["postal_code"]
            case _:
                """`coordinates_by`: who gave the coordinates is the write side's own business."""


def add_photos(head: Document, event: LocationPhotosAdded) -> None:
    """Puts new photos behind those of a location's document, as LOCATION_IMAGE and in `images`; both are new lists."""
    at = iso(event.timestamp)
    added = [
        {
            "id": photo["id"],
            "location_id": event.location_id,
            "url": IMAGES + photo["name"],
            "date_created": at,
            "date_modified": at,
        }
        for photo in event.photos
    ]
    head["photos"] = head["photos"] + added
    head["images"] = head["images"] + [photo["url"] for photo in added]


def replace_photo(head: Document, event: LocationPhotoReplaced) -> None:
    """Puts another image in a photo's place, in new lists. raises: KeyError where the document has no such photo."""
    if all(photo["id"] != event.photo_id for photo in head["photos"]):
        raise KeyError(event.photo_id)
    changed = {"url": IMAGES + event.name, "date_modified": iso(event.timestamp)}
    head["photos"] = [photo | changed if photo["id"] == event.photo_id else photo for photo in head["photos"]]
    head["images"] = [photo["url"] for photo in head["photos"]]


def evse_document(event: EvseRegistered) -> Document:
    """EVSE_WITHOUT_LOCATIONS of a new EVSE. raises: KeyError for a code that is not in `ocpi.codes`."""
    at = iso(event.timestamp)
    return {
        "uid": event.uid,
        "evse_id": evse_id_of(Party(event.country_code, event.party_id), event.uid),
        "serial_number": event.uid,
        "meter_type": event.meter_type,
        "status": event.status,
        "cpo_location_id": event.location_id,
        "current_ws_connection_id": None,
        "server_id": None,
        "date_created": at,
        "floor_level": event.floor_level,
        "directions": event.directions,
        "connectors": [_connector_document(event, connector, at) for connector in event.connectors],
        "capabilities": _described(_CAPABILITIES, event.capabilities),
        "payment_types": _described(_PAYMENT_TYPES, event.payment_types),
    }


def _connector_document(event: EvseRegistered, connector: ConnectorData, at: str) -> Document:
    return {
        "id": connector["id"],
        "evse_uid": event.uid,
        "connector_id": connector["connector_id"],
        "standard": connector["standard"],
        "format": connector["format"],
        "power_type": connector["power_type"],
        "max_voltage": connector["max_voltage"],
        "max_amperage": connector["max_amperage"],
        "max_electric_power": connector["max_electric_power"],
        "connector_type": connector["standard"],
        "rate_setting": rate_setting(event.kwh),
        "status": connector["status"],
        "date_created": at,
        "date_modified": at,
    }


def _described(entries: dict[str, Document], chosen: Iterable[str]) -> list[Document]:
    return [entries[code] for code in chosen]
