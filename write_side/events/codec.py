"""Turns events into what the store keeps and back. EVENTS is the one list of all that can ever happen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
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


CLASS_VERSIONS: Final = {event.TOPIC: getattr(event, "class_version", 1) for event in EVENTS}
"""The newest version of each topic's state that this code can read; the library adds `class_version` from 2 on."""


class NewerEvent(Exception):
    """The state of an event is of a later version than this code knows: this code is older than the log."""


class _Versioned(msgspec.Struct):
    class_version: int = 1


_VERSIONED: Final = msgspec.json.Decoder(_Versioned)


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

        raises: eventsourcing.utils.TopicError for an unknown topic, MapperDeserialisationError for broken JSON;
                NewerEvent, which the library would take for one of today's
        """
        # It has all that is read of a StoredEvent; making one of each took a sixteenth of a replay.
        event = self._mapper.to_domain_event(cast("StoredEvent", recorded))
        # Most states are of the first version, and need not be read twice.
        if b'"class_version"' in recorded.state:
            version = _VERSIONED.decode(recorded.state).class_version
            if version > CLASS_VERSIONS[recorded.topic]:
                raise NewerEvent(f"{recorded.topic}, version {version}")
        return event  # type: ignore[return-value]  # EVENTS are DomainEvents
