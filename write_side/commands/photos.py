"""R7 and R8: photos of a location are added, and one is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from write_side.commands.images import checked, stored
from write_side.domain import location as locations
from write_side.domain.changes import Changes, Claim, Decision
from write_side.domain.errors import (
    Fault,
    Faults,
    LocationIsNotAssociated,
    LocationNotFound,
    LocationPhotoIsNotAssociated,
    LocationPhotoNotExists,
    TooManyFiles,
)
from write_side.domain.location import Location
from write_side.events.ranges import Position
from write_side.events.streams import location_stream

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from write_side.commands.wishes import AddLocationPhotos, ReplaceLocationPhoto
    from write_side.events.location import PhotoData
    from write_side.ports import World

LOCATION_OF_PHOTO = "photo"
"""The scope of claims by which a photo's location is found."""


@dataclass(frozen=True, slots=True)
class PhotosState:
    """location None: there is none. position: of its last event."""

    location: Location | None
    position: Position


@dataclass(frozen=True, slots=True)
class AddFacts:
    """photos: stored already, each with its new id."""

    at: datetime
    photos: tuple[PhotoData, ...]
    max_photos: int


async def prepare_add(command: AddLocationPhotos, world: World, _command_id: UUID) -> AddFacts:
    """The photos, stored, and their ids. Refuses what can be refused before anything is stored.

    raises: Faults, StoreOutOfReach, ImagesOutOfReach
    """
    at_most = world.rules.max_photos_per_location
    location = _own_location(command, await load_add(command, None, world))
    _refuse_too_many(location, len(command.files), at_most)
    pictures = await checked(command.files, world)
    ids = await world.events.take_ids("photo", len(pictures))
    names = await stored(pictures, world)
    photos: tuple[PhotoData, ...] = tuple(
        {"id": photo_id, "name": name} for photo_id, name in zip(ids, names, strict=True)
    )
    return AddFacts(world.clock(), photos, at_most)


async def load_add(command: AddLocationPhotos, _facts: AddFacts | None, world: World) -> PhotosState:
    """The location as it is, whoever's it is."""
    return await _loaded(command.location_id, world)


def decide_add(command: AddLocationPhotos, facts: AddFacts, state: PhotosState) -> Decision:
    """The photos join their location.

    raises: Faults  LOCATION_NOT_FOUND, LOCATION_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID or TOO_MANY_FILES
    """
    location = _own_location(command, state)
    _refuse_too_many(location, len(facts.photos), facts.max_photos)
    event = locations.add_photos(location, facts.photos, at=facts.at)
    claims = tuple(Claim(LOCATION_OF_PHOTO, str(photo["id"]), str(location.id)) for photo in facts.photos)
    changes = Changes(command.party, (event,), claims, images_used=tuple(photo["name"] for photo in facts.photos))
    return Decision(changes, [])


async def abandon_add(_command: AddLocationPhotos, facts: AddFacts, world: World) -> None:
    """The stored photos have to go."""
    await world.loose_images.let_go([photo["name"] for photo in facts.photos])


def _own_location(command: AddLocationPhotos, state: PhotosState) -> Location:
    if state.location is None:
        raise Faults([Fault("location_id", "no such location", LocationNotFound.rule)])
    if state.location.party != command.party:
        raise Faults([LocationIsNotAssociated(command.cpo_owner_id).at("location_id")])
    return state.location


def _refuse_too_many(location: Location, count: int, at_most: int) -> None:
    if len(location.photos) + count > at_most:
        raise Faults([TooManyFiles().at("location_photos")])


@dataclass(frozen=True, slots=True)
class ReplaceFacts:
    """name: of the new image, stored already."""

    at: datetime
    name: str


async def prepare_replace(command: ReplaceLocationPhoto, world: World, _command_id: UUID) -> ReplaceFacts:
    """The new image, stored. Refuses what can be refused before anything is stored.

    raises: DomainError, Faults, StoreOutOfReach, ImagesOutOfReach
    """
    _location_of_photo(command, await load_replace(command, None, world))
    pictures = await checked([command.file], world)
    (name,) = await stored(pictures, world)
    return ReplaceFacts(world.clock(), name)


async def load_replace(command: ReplaceLocationPhoto, _facts: ReplaceFacts | None, world: World) -> PhotosState:
    """The location of the photo, whoever's it is."""
    photo = (LOCATION_OF_PHOTO, str(command.photo_id))
    owner = (await world.events.claim_owners([photo])).get(photo)
    return PhotosState(None, Position(0)) if owner is None else await _loaded(int(owner), world)


def decide_replace(command: ReplaceLocationPhoto, facts: ReplaceFacts, state: PhotosState) -> Decision:
    """Another image in the photo's place; the old one goes once this is stored.

    raises: LocationPhotoNotExists, LocationPhotoIsNotAssociated
    """
    location = _location_of_photo(command, state)
    event = locations.replace_photo(location, command.photo_id, facts.name, at=facts.at)
    old = location.photos[command.photo_id]
    return Decision(Changes(command.party, (event,), images_used=(facts.name,), images_replaced=(old,)), [])


async def abandon_replace(_command: ReplaceLocationPhoto, facts: ReplaceFacts, world: World) -> None:
    """The stored image has to go."""
    await world.loose_images.let_go([facts.name])


def _location_of_photo(command: ReplaceLocationPhoto, state: PhotosState) -> Location:
    if state.location is None or command.photo_id not in state.location.photos:
        raise LocationPhotoNotExists
    if state.location.party != command.party:
        raise LocationPhotoIsNotAssociated(command.cpo_owner_id)
    return state.location


async def _loaded(location_id: int, world: World) -> PhotosState:
    stream = location_stream(location_id)
    history = await world.events.load([stream])
    location = history.of(stream)
    if not isinstance(location, Location):
        return PhotosState(None, Position(0))
    return PhotosState(location, history.positions[stream])
