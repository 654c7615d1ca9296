"""Whether an event could be appended now: it is tried, and taken back.

Positions do not tell: a head that stands still may be a quiet one, and while nothing can be written nothing lags.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Connect = Callable[[], Awaitable[asyncpg.Connection[Any]]]

APPEND_NOTHING: Final = """
    insert into es.events (
           pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor)
    select pos + 1, gen_random_uuid(), 1, 'probe', '', '', now(), gen_random_uuid(), '', ''
      from es.head
       for update
"""
"""As every command does; rolled back."""

WHO_BLOCKS: Final = """
    with recursive blocking (pid) as (
        select unnest(pg_blocking_pids($1))
         union
        select unnest(pg_blocking_pids(blocking.pid))
          from blocking
    )
    select pid, application_name, state, extract(epoch from now() - xact_start)::float as for_s
      from blocking
      join pg_stat_activity using (pid)
     where cardinality(pg_blocking_pids(pid)) = 0
"""
"""Who stands before all that wait, and waits for nobody."""


async def append_fault(connect: Connect, *, at_most_s: float) -> str | None:
    """Why no event can be appended, in one line; None where one can.

    connect: opens a session to the event store; at_most_s: who waits longer for the head of the log is held up
    """
    try:
        trying = await connect()
        try:
            return await _fault_of(trying, connect, at_most_s)
        finally:
            trying.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as trouble:
        return f"no event can be appended: {type(trouble).__name__}: {trouble}"


async def _fault_of(trying: asyncpg.Connection[Any], connect: Connect, at_most_s: float) -> str | None:
    pid = trying.get_server_pid()
    transaction = trying.transaction()
    await transaction.start()
    appending = asyncio.ensure_future(trying.execute(APPEND_NOTHING))
    done, _ = await asyncio.wait([appending], timeout=at_most_s)
    if done:
        appending.result()
        await transaction.rollback()
        return None
    looking = await connect()
    try:
        who = await looking.fetch(WHO_BLOCKS, pid)
    finally:
        looking.terminate()
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
    holders = ", ".join("pid {pid} ({application_name}, {state} for {for_s:.0f} s)".format(**row) for row in who)
    return f"the head of the log is held for more than {at_most_s:g} s by {holders or 'nobody any more'}"
