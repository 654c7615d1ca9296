"""The event log without the write side: events appended by hand, at the next positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.support.builders import recorded
from write_side.store.publisher import events_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import asyncpg
    from eventsourcing.domain import DomainEvent

    from write_side.events.ranges import Recorded

APPEND: Final = """
    insert into es.events (
           pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""


async def append(connection: asyncpg.Connection[Any], events: Sequence[DomainEvent]) -> int:
    """Append in one transaction, tell listeners as the store does; answers the position of the last one."""
    async with connection.transaction():
        head: int = await connection.fetchval("select pos from es.head for update")
        log = recorded(events, head + 1)
        await connection.executemany(
            APPEND, [tuple(getattr(one, name) for name in one.__struct_fields__) for one in log]
        )
        await connection.execute("update es.head set pos = $1", log[-1].position)
        await connection.execute("select pg_notify('es_events', $1)", str(log[-1].position))
    return log[-1].position


def pulling(pool: asyncpg.Pool[Any]) -> Callable[[int, int], Awaitable[tuple[Recorded, ...]]]:
    """A consumer's `pull` from that log."""

    async def pull(after: int, limit: int) -> tuple[Recorded, ...]:
        return await events_after(pool, after, limit=limit)

    return pull
