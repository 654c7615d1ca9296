"""`emsp events`: the log itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg
import orjson
from rich.console import Console

from api.command_faults import UnknownPlace, UnknownStream
from api.connections import CONNECT_TIMEOUT_S, databases
from ocpi.identifiers import Party
from write_side.events.ranges import Recorded
from write_side.events.streams import cpo_stream, evse_stream, location_stream
from write_side.store.event_store import stream_after
from write_side.store.publisher import events_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from api.settings import Settings

PAGE: Final = 500
TICK_S: Final = 0.5


def stream_named(name: str) -> UUID:
    """The stream of `location/ID`, `evse/COUNTRY/PARTY/UID` or `cpo/COUNTRY/PARTY`. raises: UnknownStream."""
    match name.split("/", 3):
        case ["location", number] if number.isdecimal():
            return location_stream(int(number))
        case ["evse", country_code, party_id, uid]:
            return evse_stream(Party(country_code, party_id), uid)
        case ["cpo", country_code, party_id]:
            return cpo_stream(Party(country_code, party_id))
    raise UnknownStream(f"{name}: expected location/ID, evse/COUNTRY/PARTY/UID or cpo/COUNTRY/PARTY")


Place: TypeAlias = datetime | int
"""A moment, or a position of the log."""


def place_named(text: str) -> Place:
    """The position, or the moment of ISO 8601 with its offset from UTC. raises: UnknownPlace."""
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        """As one without an offset."""
    raise UnknownPlace(f"{text}: expected a position, or a moment like 2026-11-23T01:02:03Z")


def is_behind(event: Recorded, place: Place | None) -> bool:
    """Whether an event comes after that place."""
    if place is None:
        return False
    return event.position > place if isinstance(place, int) else event.at > place


def line_of(event: Recorded) -> str:
    """One event as a JSON line."""
    return orjson.dumps(
        {
            "position": event.position,
            "at": event.at,
            "topic": event.topic,
            "party": event.party,
            "stream": str(event.stream),
            "version": event.version,
            "actor": event.actor,
            "command_id": str(event.command_id),
            "correlation_id": event.correlation_id,
            "state": orjson.Fragment(event.state),
        }
    ).decode()


async def print_events(settings: Settings, stream: str | None, at: str | None, *, follow: bool) -> None:
    """The log, or one stream, from its first event to the last one until that place, a JSON line an event.

    raises: UnknownStream, UnknownPlace
    """
    wanted = None if stream is None else stream_named(stream)
    until = None if at is None else place_named(at)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    async with databases(settings) as urls:
        store = await asyncpg.connect(urls.event_store, timeout=CONNECT_TIMEOUT_S)
        try:
            async for event in _events(store, wanted, follow=follow):
                if is_behind(event, until):
                    break
                console.print(line_of(event))
        finally:
            await store.close()


async def _events(store: asyncpg.Connection[Any], stream: UUID | None, *, follow: bool) -> AsyncIterator[Recorded]:
    position = version = 0
    while True:
        if stream is None:
            found = await events_after(store, position, limit=PAGE)
        else:
            found = await stream_after(store, stream, version, limit=PAGE)
        for event in found:
            position, version = event.position, event.version
            yield event
        if not found and not follow:
            return
        if not found:
            await asyncio.sleep(TICK_S)
