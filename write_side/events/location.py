"""What can happen to a location."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypedDict

from eventsourcing.domain import DomainEvent

CoordinatesBy = Literal["cpo", "geocoder"]
PlacedBy = Literal["address", "coordinates"]


class PlaceData(TypedDict):
    """Where the geocoder put a location. by: what it was placed by; region: three letters (contract §3)."""

    city: str
    province: str
    region: str
    postal_code: str | None
    by: PlacedBy


class LocationData(TypedDict, total=False):
    """The fields of a location that its CPO may change.

    lat, lng: degrees, [-90, 90] and [-180, 180]; coordinates_by: who gave them.
    facilities, parking_types, parking_restrictions: codes of `ocpi.codes`, in the sender's order.
    """

    name: str
    address: str
    lat: float
    lng: float
    coordinates_by: CoordinatesBy
    place: PlaceData
    facilities: list[str]
    parking_types: list[str]
    parking_restrictions: list[str]
    publish: bool


class PhotoData(TypedDict):
    """One photo of a location. id: our global integer; name: of its stored image, `/images/<name>`."""

    id: int
    name: str


@dataclass(frozen=True)
class LocationRegistered(DomainEvent):
    """A CPO made a location known (W1). Always the first event of its stream.

    location_id, cpo_owner_id: our integers; data: every key of LocationData is there.
    """

    TOPIC: ClassVar[str] = "location.registered"
    location_id: int
    country_code: str
    party_id: str
    cpo_owner_id: int
    data: LocationData


@dataclass(frozen=True)
class LocationChanged(DomainEvent):
    """A CPO changed fields of its location (W4). changes: only the keys whose value is new; never empty."""

    TOPIC: ClassVar[str] = "location.changed"
    location_id: int
    changes: LocationData


@dataclass(frozen=True)
class LocationPhotosAdded(DomainEvent):
    """A CPO's user added photos to a location (R7). photos: at least one, in the order of their upload."""

    TOPIC: ClassVar[str] = "location.photos_added"
    location_id: int
    photos: list[PhotoData]


@dataclass(frozen=True)
class LocationPhotoReplaced(DomainEvent):
    """A CPO's user put another image in the place of a photo (R8). name: of the new stored image; the id stays."""

    TOPIC: ClassVar[str] = "location.photo_replaced"
    location_id: int
    photo_id: int
    name: str


LocationEvent = LocationRegistered | LocationChanged | LocationPhotosAdded | LocationPhotoReplaced
