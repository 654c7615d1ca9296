"""A location: what it is after its events, and what may be decided about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ocpi.identifiers import Party
from write_side.domain.errors import LocationNotFound
from write_side.events.location import (
    LocationChanged,
    LocationData,
    LocationEvent,
    LocationPhotoReplaced,
    LocationPhotosAdded,
    LocationRegistered,
    PlaceData,
)
from write_side.events.streams import location_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from write_side.domain.drafts import LocationDraft, LocationPatch
    from write_side.domain.place import Place, Placed
    from write_side.events.location import CoordinatesBy, PhotoData, PlacedBy


@dataclass(frozen=True, slots=True)
class Location:
    """The state of a location. version: of its stream; data: every key of LocationData.

    photos: the name of each photo's stored image by the photo's id, in upload order.
    """

    id: int
    party: Party
    version: int
    data: LocationData
    photos: dict[int, str] = field(default_factory=dict)

    @classmethod
    def from_registered(cls, event: LocationRegistered) -> Location:
        """The state that the first event makes."""
        return cls(event.location_id, Party(event.country_code, event.party_id), 1, event.data)


def evolve(location: Location, event: LocationEvent) -> Location:
    """The state after one more event."""
    match event:
        case LocationRegistered():
            return Location.from_registered(event)
        case LocationChanged(changes=changes):
            return replace(location, version=event.originator_version, data={**location.data, **changes})
        case LocationPhotosAdded(photos=photos):
            added = {photo["id"]: photo["name"] for photo in photos}
            return replace(location, version=event.originator_version, photos={**location.photos, **added})
        case LocationPhotoReplaced(photo_id=photo_id, name=name):
            return replace(location, version=event.originator_version, photos={**location.photos, photo_id: name})


def replay(events: Iterable[LocationEvent]) -> Location | None:
    """The state after these events of one stream; None where there is none."""
    location: Location | None = None
    for event in events:
        if isinstance(event, LocationRegistered):
            location = Location.from_registered(event)
        elif location is not None:
            location = evolve(location, event)
    return location


def place_data(place: Place, by: PlacedBy) -> PlaceData:
    """A geocoder's place as the event keeps it."""
    return {
        "city": place.city,
        "province": place.province,
        "region": place.region,
        "postal_code": place.postal_code,
        "by": by,
    }


def where(placed: Placed) -> tuple[Place, PlacedBy]:
    """Where it lies: by its address; where that can't be placed, by its coordinates (contract §3).

    raises: LocationNotFound  neither can be placed
    """
    if placed.by_address is not None:
        return placed.by_address, "address"
    if placed.by_coordinates is not None:
        return placed.by_coordinates, "coordinates"
    raise LocationNotFound


def register(
    draft: LocationDraft, *, location_id: int, party: Party, cpo_owner_id: int, placed: Placed, at: datetime
) -> LocationRegistered:
    """The event that makes a location known.

    raises: LocationNotFound  it can't be placed
    """
    place, by = where(placed)
    came = draft.lat is not None and draft.lng is not None
    coordinates_by: CoordinatesBy = "cpo" if came else "geocoder"
    data: LocationData = {
        "name": draft.name,
        "address": draft.address,
        "lat": draft.lat if draft.lat is not None and came else place.lat,
        "lng": draft.lng if draft.lng is not None and came else place.lng,
        "coordinates_by": coordinates_by,
        "place": place_data(place, by),
        "facilities": list(draft.facilities),
        "parking_types": list(draft.parking_types),
        "parking_restrictions": list(draft.parking_restrictions),
        "publish": draft.publish is not False,
    }
    return LocationRegistered(
        location_stream(location_id), 1, at, location_id, party.country_code, party.party_id, cpo_owner_id, data
    )


def change(location: Location, patch: LocationPatch, *, placed: Placed, at: datetime) -> LocationChanged | None:
    """The event that changes what the patch names; None where all is so already.

    What the CPO sent stays until it sends otherwise; what was derived from it is derived anew.
    placed: of the patch's address and of the CPO's coordinates after the change
    raises: LocationNotFound  the new address, or the coordinates that placed it, can't be placed
    """
    wished: LocationData = {}
    if patch.name is not None:
        wished["name"] = patch.name
    if patch.publish is not None:
        wished["publish"] = patch.publish
    if patch.facilities is not None:
        wished["facilities"] = list(patch.facilities)
    if patch.parking_types is not None:
        wished["parking_types"] = list(patch.parking_types)
    if patch.parking_restrictions is not None:
        wished["parking_restrictions"] = list(patch.parking_restrictions)
    wished = {**wished, **_moved(location, patch, placed)}
    changes = LocationData(**{k: v for k, v in wished.items() if v != location.data[k]})  # type: ignore[literal-required, typeddict-item]
    if not changes:
        return None
    return LocationChanged(location_stream(location.id), location.version + 1, at, location.id, changes)


def _moved(location: Location, patch: LocationPatch, placed: Placed) -> LocationData:
    moved: LocationData = {}
    address = None if patch.address == location.data["address"] else patch.address
    if address is not None:
        place, by = where(placed)
        moved = {"address": address, "place": place_data(place, by)}
        if location.data["coordinates_by"] == "geocoder":
            moved["lat"], moved["lng"] = place.lat, place.lng
    if patch.lat is not None and patch.lng is not None:
        moved["lat"], moved["lng"], moved["coordinates_by"] = patch.lat, patch.lng, "cpo"
        if address is None and location.data["place"]["by"] == "coordinates":
            if placed.by_coordinates is None:
                raise LocationNotFound
            moved["place"] = place_data(placed.by_coordinates, "coordinates")
    return moved


def add_photos(location: Location, photos: Sequence[PhotoData], *, at: datetime) -> LocationPhotosAdded:
    """The event that adds photos behind those that are there; at least one."""
    return LocationPhotosAdded(location_stream(location.id), location.version + 1, at, location.id, list(photos))


def replace_photo(location: Location, photo_id: int, name: str, *, at: datetime) -> LocationPhotoReplaced:
    """The event that puts another image in the place of a photo of the location."""
    return LocationPhotoReplaced(location_stream(location.id), location.version + 1, at, location.id, photo_id, name)


def differing(location: LocationData, draft: LocationDraft) -> tuple[str, ...]:
    """Names of the draft's fields that say something else than the location they are sent for (contract §3)."""
    said: dict[str, object] = {
        "address": draft.address,
        "lat": draft.lat,
        "lng": draft.lng,
        "facilities": list(draft.facilities),
        "parking_types": list(draft.parking_types),
        "parking_restrictions": list(draft.parking_restrictions),
        "publish": draft.publish,
    }
    known: dict[str, object] = dict(location)
    return tuple(name for name, value in said.items() if value is not None and value != known[name])
