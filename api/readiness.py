"""What each role needs to do its work, as checks for `/readyz` (contract §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.handlers.health import Check
from projections.bus import AmqpBus, BrokerOutOfReach
from projections.generations import LIVE, generation_in
from projections.migrate import views_version
from write_side.store.probe import append_fault

if TYPE_CHECKING:
    from projections.consumer import ConsumerState
    from write_side.store.probe import Connect
    from write_side.store.publisher import PublisherState
    from write_side.store.writer import WriterState

HEAD: Final = "select pos from es.head"

WAITING_SINCE_S: Final = """
    select extract(epoch from now() - occurred_at)::float
      from es.events
     where pos = $1
"""

HELD_S: Final = 1.0
"""Nobody holds the head of the log for longer, but a large upload."""

OUT_OF_REACH: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


def store_check(pool: asyncpg.Pool[Any]) -> Check:
    """The event store answers."""

    async def fault() -> str | None:
        try:
            await pool.fetchval(HEAD)
        except OUT_OF_REACH as trouble:
            return f"event store: {type(trouble).__name__}"
        return None

    return Check("event_store", fault)


def append_check(state: WriterState, connect: Connect) -> Check:
    """Where the last append of this process failed: whether one could be done now. Nothing is tried in vain."""

    async def fault() -> str | None:
        return None if state.error is None else await append_fault(connect, at_most_s=HELD_S)

    return Check("append", fault)


def views_check(store: asyncpg.Pool[Any], views: asyncpg.Pool[Any], *, at_most_s: float) -> Check:
    """The views answer and are of this version, and the oldest event that they lack is not older than that."""

    async def fault() -> str | None:
        try:
            live = await generation_in(views, LIVE)
            if live is None:
                return "there are no views: run `emsp migrate`"
            if live.version != views_version():
                return f"the views are of another version, {live.version}: `emsp rebuild` builds them anew"
            lag_s = await store.fetchval(WAITING_SINCE_S, live.position + 1)
        except OUT_OF_REACH as trouble:
            return f"views: {type(trouble).__name__}"
        return f"the views are {lag_s:.0f} s behind" if lag_s is not None and lag_s > at_most_s else None

    return Check("views", fault)


def publisher_check(state: PublisherState) -> Check:
    """Nothing holds the publisher up."""

    async def fault() -> str | None:
        return state.error

    return Check("publisher", fault)


def consumer_check(state: ConsumerState) -> Check:
    """Nothing holds the projector up."""

    async def fault() -> str | None:
        return state.error

    return Check("projector", fault)


def parked_note(state: ConsumerState) -> Check:
    """How much is parked; all else is drawn."""

    async def fault() -> str | None:
        if not state.parked_keys:
            return None
        return f"{state.parked_keys} keys with {state.letters} events: `emsp dead-letters list`"

    return Check("parked", fault, is_note=True)


def broker_check(bus: AmqpBus) -> Check:
    """The broker is there."""

    async def fault() -> str | None:
        try:
            await bus.reach()
        except BrokerOutOfReach as trouble:
            return f"broker: {trouble}"
        return None if bus.is_connected else "the broker is out of reach"

    return Check("broker", fault)
