"""What the log says by itself, up to a position: how many events, and how far each stream had come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from write_side.events.ranges import Recorded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import asyncpg

COUNTS: Final = """
    select topic, count(*) as events
      from es.events
     where pos <= $1
     group by topic
"""

LAST_POSITIONS: Final = """
    select coalesce(sum(pos), 0)::bigint
      from (
        select max(pos) as pos
          from es.events
         where topic = any($1)
           and pos <= $2
         group by originator_id) as streams
"""

STREAMS_UNTIL: Final = """
    select pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor
      from es.events
     where originator_id = any($1)
       and pos <= $2
     order by originator_id, originator_version
"""


async def counts(connection: asyncpg.Connection[Any], until: int) -> dict[str, int]:
    """How many events of each topic there are."""
    return {row["topic"]: row["events"] for row in await connection.fetch(COUNTS, until)}


async def last_positions(connection: asyncpg.Connection[Any], topics: Sequence[str], until: int) -> int:
    """The sum of the last positions of all streams that have events of these topics."""
    found: int = await connection.fetchval(LAST_POSITIONS, topics, until)
    return found


async def streams_until(
    connection: asyncpg.Connection[Any], streams: Sequence[UUID], until: int
) -> dict[UUID, list[Recorded]]:
    """The events of these streams; one without any is missing."""
    found: dict[UUID, list[Recorded]] = {}
    for row in await connection.fetch(STREAMS_UNTIL, streams, until):
        found.setdefault(row["originator_id"], []).append(Recorded(*row))
    return found
