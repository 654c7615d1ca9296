"""The events that the store is measured with: what a W3 call that names a connector appends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from ocpi.identifiers import Party
from write_side.domain.changes import Changes
from write_side.events.evse import ConnectorStatusChanged, EvseStatusChanged
from write_side.events.ranges import Position
from write_side.ports import Origin, Submission

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

PARTY: Final = Party("PH", "ABC")
EVENTS_OF_A_COMMAND: Final = 2
ORIGIN: Final = Origin("3f0c9a52-7a40-4d0e-9c55-2b8de1f0a6c1", f"cpo:{PARTY}")


def two_events(stream: UUID, version: int) -> tuple[DomainEvent, ...]:
    """An EVSE and its connector begin to charge. version: of the first of the two."""
    at = datetime.now(UTC)
    return (
        EvseStatusChanged(stream, version, at, 4711, "PH-ABC-000123", "CHARGING"),
        ConnectorStatusChanged(stream, version + 1, at, 4711, "PH-ABC-000123", 1, "CHARGING"),
    )


def submission(events: Sequence[DomainEvent]) -> Submission:
    """These events as a command hands them to the store."""
    return Submission(uuid4(), ORIGIN, Changes(PARTY, tuple(events)), "SUCCESS", (), Position(0))
