"""R7 and R8: who may add and replace photos, and how many there are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from ocpi.identifiers import Party
from tests.support.builders import NOON, PARTY, location_changed, location_registered, photo_replaced, photos_added
from tests.support.spec import Spec, claims_of
from write_side.commands.photos import AddFacts, PhotosState, ReplaceFacts, decide_add, decide_replace
from write_side.commands.wishes import AddLocationPhotos, ImageFile, ReplaceLocationPhoto
from write_side.domain import location
from write_side.domain.changes import Claim
from write_side.domain.errors import (
    Fault,
    LocationIsNotAssociated,
    LocationPhotoIsNotAssociated,
    LocationPhotoNotExists,
    TooManyFiles,
)
from write_side.events.location import LocationPhotoReplaced, LocationPhotosAdded, PhotoData
from write_side.events.ranges import Position
from write_side.events.streams import location_stream

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent

OTHER = Party("PH", "XYZ")
FILE = ImageFile("location_photo", "a.png", io.BytesIO())
REPLACING = ReplaceFacts(NOON, "new.jpg")


def the_location(_command: object, events: tuple[DomainEvent, ...]) -> PhotosState:
    history: Any = events
    return PhotosState(location.replay(history), Position(len(events)))


adding = Spec(decide_add, the_location)
replacing = Spec(decide_replace, the_location)


def photos(*ids: int) -> tuple[PhotoData, ...]:
    return tuple({"id": photo_id, "name": f"{photo_id}.png"} for photo_id in ids)


def add(*ids: int, max_photos: int = 50) -> tuple[AddLocationPhotos, AddFacts]:
    return AddLocationPhotos(PARTY, 7, 1, (FILE,) * len(ids)), AddFacts(NOON, photos(*ids), max_photos)


def replace(photo_id: int) -> ReplaceLocationPhoto:
    return ReplaceLocationPhoto(PARTY, 7, photo_id, FILE)


def added(*ids: int, version: int = 2) -> LocationPhotosAdded:
    return LocationPhotosAdded(location_stream(1), version, NOON, 1, list(photos(*ids)))


def test_photos_join_their_location_and_can_be_found_by_their_ids() -> None:
    decision = adding.given(location_registered()).when(*add(5, 6)).then(added(5, 6))
    assert decision.data == []
    assert claims_of(decision) == (Claim("photo", "5", "1"), Claim("photo", "6", "1"))
    assert decision.changes is not None
    assert (decision.changes.images_used, decision.changes.images_replaced) == (("5.png", "6.png"), ())


def test_they_are_counted_on_from_what_happened_before() -> None:
    given = adding.given(location_registered(), location_changed(name="New"), photos_added(1, 2, version=3))
    given.when(*add(3)).then(added(3, version=4))


def test_photos_of_an_unknown_location_are_refused() -> None:
    fault = Fault("location_id", "no such location", "LOCATION_NOT_FOUND")
    assert adding.given().when(*add(5)).refused(fault) == "LOCATION_NOT_FOUND"


def test_photos_of_another_cpos_location_are_refused() -> None:
    given = adding.given(location_registered(party=OTHER)).when(*add(5))
    code = given.refused(LocationIsNotAssociated(7).at("location_id"))
    assert code == "LOCATION_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID: 7"


def test_as_many_photos_as_allowed_and_no_more() -> None:
    given = adding.given(location_registered(), photos_added(1, 2))
    given.when(*add(3, max_photos=3)).then(added(3, version=3))
    assert given.when(*add(3, 4, max_photos=3)).refused(TooManyFiles().at("location_photos")) == "TOO_MANY_FILES"


def test_a_replaced_photo_keeps_its_id_and_its_old_image_has_to_go() -> None:
    given = replacing.given(location_registered(), photos_added(5, 6))
    decision = given.when(replace(5), REPLACING).then(
        LocationPhotoReplaced(location_stream(1), 3, NOON, 1, 5, "new.jpg")
    )
    assert decision.data == []
    assert decision.changes is not None
    assert (decision.changes.images_used, decision.changes.images_replaced) == (("new.jpg",), ("5.png",))


def test_a_photo_replaced_twice_drops_the_image_that_it_shows_now() -> None:
    given = replacing.given(location_registered(), photos_added(5), photo_replaced(5, "second.png"))
    decision = given.when(replace(5), REPLACING).then(
        LocationPhotoReplaced(location_stream(1), 4, NOON, 1, 5, "new.jpg")
    )
    assert decision.changes is not None
    assert decision.changes.images_replaced == ("second.png",)


@pytest.mark.parametrize("given", [(), (location_registered(),), (location_registered(), photos_added(6))])
def test_an_unknown_photo_is_refused(given: tuple[DomainEvent, ...]) -> None:
    replacing.given(*given).when(replace(5), REPLACING).refused_outright(LocationPhotoNotExists())


def test_another_cpos_photo_is_refused() -> None:
    refusal = LocationPhotoIsNotAssociated(7)
    assert refusal.code == "LOCATION_PHOTO_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID: 7"
    given = replacing.given(location_registered(party=OTHER), photos_added(5))
    given.when(replace(5), REPLACING).refused_outright(refusal)
