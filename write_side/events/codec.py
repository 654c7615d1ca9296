"""Turns events into what the store keeps and back. EVENTS is the one list of all that can ever happen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from eventsourcing.persistence import Mapper, StoredEvent, Transcoder
from eventsourcing.utils import register_topic

from write_side.events.cpo import (
    CpoEvent,
    CpoForgotten,
    CpoLogoChanged,
    CpoPasswordReset,
    CpoRegistered,
    CpoTokenCRotated,
)
from write_side.events.evse import ConnectorStatusChanged, EvseEvent, EvseRegistered, EvseStatusChanged
from write_side.events.location import (
    LocationChanged,
    LocationEvent,
    LocationPhotoReplaced,
    LocationPhotosAdded,
    LocationRegistered,
)
from write_side.events.pending import LocationsStaged, PendingEvent, StagedLocationsApproved, StagedLocationsRejected

if TYPE_CHECKING:
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

    from write_side.events.ranges import Recorded

Event = CpoEvent | LocationEvent | EvseEvent | PendingEvent

EVENTS: Final[tuple[type[Event], ...]] = (
    CpoRegistered,
    CpoLogoChanged,
    CpoTokenCRotated,
    CpoPasswordReset,
    CpoForgotten,
    LocationRegistered,
    LocationChanged,
    LocationPhotosAdded,
    LocationPhotoReplaced,
    EvseRegistered,
    EvseStatusChanged,
    ConnectorStatusChanged,
    LocationsStaged,
    StagedLocationsApproved,
    StagedLocationsRejected,
)


class PlainJson(Transcoder):
    """Events are plain JSON data but for `timestamp`, the one value that needs a type of its own."""

    def encode(self, obj: Any) -> bytes:  # noqa: ANN401 - the library's signature
        """The state of an event as JSON; datetimes in ISO 8601."""
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:  # noqa: ANN401 - the library's signature
        """The state of an event, its timestamp a datetime again."""
        state = orjson.loads(data)
        state["timestamp"] = datetime.fromisoformat(state["timestamp"])
        return state


class Codec:
    """Event ↔ StoredEvent, over the library's Mapper, so that its upcasting works.

    Topics are registered here: a process that has not built a codec can't read the store.
    """

    def __init__(self) -> None:
        for event in EVENTS:
            register_topic(event.TOPIC, event)
        self._mapper: Mapper[UUID] = Mapper(PlainJson())

    def encode(self, event: DomainEvent) -> StoredEvent:
        """What the store keeps of an event: stream, version, topic, JSON."""
        return self._mapper.to_stored_event(event)

    def decode(self, recorded: Recorded) -> DomainEvent:
        """The event that was recorded, upcast to today's class.

        raises: eventsourcing.utils.TopicError for an unknown topic, MapperDeserialisationError for broken JSON
        """
        stored = StoredEvent(recorded.stream, recorded.version, recorded.topic, recorded.state)
        return self._mapper.to_domain_event(stored)  # type: ignore[return-value]  # EVENTS are DomainEvents
