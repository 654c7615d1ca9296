"""Views databases for tests of the read side, filled by the projections' own functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import asyncpg
from eventsourcing.domain import DomainEvent

from api.sessions import Sessions
from ocpi.identifiers import Party
from projections.bulk_rows import copy
from projections.drawings import Drawings
from projections.migrate import create_views
from projections.projector import draw_recorded
from read_side.views import SESSION, Views
from tests.support.builders import (
    NOON,
    PARTY,
    a_connector,
    a_place,
    evse_registered,
    evse_status_changed,
    location_registered,
    recorded,
)

OTHER: Final = Party("PH", "XYZ")
MAKATI: Final = a_place(city="Makati", province="Metro Manila", region="NCR", postal_code="1200")


def registered_evse(uid: str, location_id: int, minutes: int, **spoiled: Any) -> DomainEvent:
    party = spoiled.pop("party", PARTY)
    return evse_registered(uid, location_id, party, NOON + timedelta(minutes=minutes), **spoiled)


DC: Final = [a_connector(1, standard="CCS_2", power_type="DC")]
AC: Final = [a_connector(1, standard="TYPE_2", power_type="AC_3_PHASE")]

SAMPLE: Final[tuple[DomainEvent, ...]] = (
    location_registered(1),
    registered_evse("A1", 1, 5, connectors=AC, capabilities=["QR_READER"], payment_types=["GCASH"]),
    registered_evse("a2", 1, 4, connectors=DC, capabilities=["CREDIT_DEBIT_PAYABLE"], payment_types=[]),
    registered_evse("A3", 1, 3, status="REMOVED"),
    location_registered(
        2,
        name="100% Makati_Hub",
        lat=14.5592,
        lng=121.0175,
        place=MAKATI,
        facilities=["CAFE"],
        parking_types=["OUTDOOR"],
    ),
    registered_evse("B1", 2, 2, connectors=[*AC, a_connector(2, standard="CCS_2", power_type="DC")]),
    location_registered(3, name="Hidden", publish=False),
    registered_evse("C1", 3, 1),
    location_registered(
        4, party=OTHER, name="Ünicode Plaza", lat=-16.5, lng=179.999, facilities=[], parking_restrictions=[]
    ),
    registered_evse("A1", 4, 0, party=OTHER, connectors=DC),
    location_registered(5, party=OTHER, name="All gone", lat=-16.5, lng=-179.999),
    registered_evse("Z9", 5, 0, party=OTHER),
    evse_status_changed("REMOVED", "Z9", 5, OTHER),
    location_registered(6, party=OTHER, name="Pole", lat=90.0, lng=33.0),
    registered_evse("P1", 6, 6, party=OTHER, capabilities=[], payment_types=[]),
)
"""Two CPOs. Of PARTY: 1 and 2 published, 3 not; of OTHER: 4 and 6 published, 5 without an EVSE that is left."""


async def fill(dsn: str, events: Sequence[DomainEvent] = SAMPLE) -> None:
    """Views of these events, in a database that has none."""
    drawings = Drawings()
    for event, one in zip(events, recorded(events), strict=True):
        draw_recorded(drawings, event, one)
    connection = await asyncpg.connect(dsn)
    try:
        await create_views(connection, database_id=uuid4())
        await connection.execute("set search_path to views, public")
        await copy(connection, drawings)
        await connection.execute("update checkpoint set pos = $1", len(events))
    finally:
        await connection.close()


class _Watched(Sessions):
    before_each: Callable[[Any], Coroutine[Any, Any, None]] | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Any]:
        async with super().one() as session:
            if self.before_each is not None:
                await self.before_each(session)
            yield session


@asynccontextmanager
async def views_of(
    dsn: str,
    *,
    is_listening: bool = False,
    before_each: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
    **settings: str,
) -> AsyncIterator[Views]:
    """The read side's views over that database. settings: of its sessions, beside the usual ones.

    before_each: called before a session is used for a request's statements
    """

    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(dsn)

    async def connect_to_read() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(dsn, server_settings=SESSION | settings)

    sessions = _Watched(connect_to_read, 4, wait_s=5.0)
    sessions.before_each = before_each
    views = Views(sessions, connect)
    listener = asyncio.create_task(views.run()) if is_listening else None
    yield views
    if listener is not None:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener
    await sessions.close()
