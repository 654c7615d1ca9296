"""A long event log, the same at every run: locations with three EVSEs each, then statuses of EVSEs chosen at random."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg

from tests.support.builders import evse_registered, evse_status_changed, location_registered
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventsourcing.domain import DomainEvent

SEED: Final = 20_261_123
EVSES_OF_A_LOCATION: Final = 3
EVENTS_OF_A_LOCATION: Final = 10
"""Its registration, those of its EVSEs, and six changes of status."""
STATUSES: Final = ("CHARGING", "AVAILABLE", "BLOCKED", "OUTOFORDER")
PAGE: Final = 20_000
FROM: Final = datetime(2026, 1, 1, tzinfo=UTC)
COMMAND: Final = UUID("3f0c9a52-7a40-4d0e-9c55-2b8de1f0a6c1")
COLUMNS: Final = (
    "pos",
    "originator_id",
    "originator_version",
    "topic",
    "state",
    "party",
    "occurred_at",
    "command_id",
    "correlation_id",
    "actor",
)


def events(locations: int) -> Iterator[DomainEvent]:
    """Ten events for each location, in an order in which they may have happened."""
    for number in range(1, locations + 1):
        yield location_registered(number, name=f"Location {number}")
        for evse in range(EVSES_OF_A_LOCATION):
            yield evse_registered(_uid(number, evse), number)
    chance = random.Random(SEED)
    versions: dict[tuple[int, int], int] = {}
    for _ in range(locations * (EVENTS_OF_A_LOCATION - EVSES_OF_A_LOCATION - 1)):
        which = chance.randint(1, locations), chance.randrange(EVSES_OF_A_LOCATION)
        versions[which] = version = versions.get(which, 1) + 1
        yield evse_status_changed(STATUSES[version % len(STATUSES)], _uid(*which), which[0], version=version)


async def write_log(dsn: str, locations: int) -> int:
    """Copy them into the empty event store of that database. returns: how many."""
    codec = Codec()
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        position = 0
        for page in _pages(events(locations)):
            rows = []
            for event in page:
                position += 1
                stored = codec.encode(event)
                at = FROM + timedelta(milliseconds=position)
                told = (stored.originator_id, stored.originator_version, stored.topic, stored.state)
                rows.append((position, *told, "PH/ABC", at, COMMAND, "bench", "cpo:PH/ABC"))
            await connection.copy_records_to_table("events", schema_name="es", records=rows, columns=COLUMNS)
        await connection.execute("update es.head set pos = $1", position)
        await connection.execute("update es.publisher set pos = $1", position)
        # As a log is that has been there for a while.
        await connection.execute("vacuum analyze es.events")
        return position
    finally:
        await connection.close()


def _uid(location: int, evse: int) -> str:
    return f"PH-{location:06}-{evse}"


def _pages(all_events: Iterator[DomainEvent]) -> Iterator[tuple[DomainEvent, ...]]:
    while page := tuple(itertools.islice(all_events, PAGE)):
        yield page
