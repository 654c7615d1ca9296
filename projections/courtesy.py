"""How the views are built beside those who are served meanwhile: they go first.

The processes that draw can be given what others leave, PostgreSQL's sessions can't. Two of these at work on two cores
made the slowest queries five times as slow (docs/performance.md). So while queries are answered, one thing is done at a
time; while nobody asks, as much as goes.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

NICE: Final = 19
AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where the system groups processes by session, niceness says something within a session alone (sched(7))."""

TURN: Final = 0x454D53505455524E
"""Advisory lock: whoever has it works, while one thing is done at a time."""

ARE_QUERIES_ANSWERED: Final = """
    select exists (
        select
          from pg_stat_activity
         where datname = current_database()
           and application_name = 'emsp read'
           and query_start > clock_timestamp() - interval '500 ms')
"""
"""By the sessions of queries, named in read_side/views.py; those of another role can't be seen into."""

TAKE_TURN: Final = "select pg_advisory_lock($1)"
END_TURN: Final = "select pg_advisory_unlock($1)"


def step_back() -> None:
    """This process gets what others leave. A terminal's signals no longer reach it."""
    os.nice(NICE)
    with suppress(OSError):
        os.setsid()
        AUTOGROUP.write_text(str(NICE))


@asynccontextmanager
async def turn(session: asyncpg.Connection) -> AsyncIterator[None]:
    """Inside, nobody else is in such a turn."""
    await session.execute(TAKE_TURN, TURN)
    try:
        yield
    finally:
        await session.execute(END_TURN, TURN)


@asynccontextmanager
async def courteous(session: asyncpg.Connection) -> AsyncIterator[None]:
    """Inside, nobody else works, where queries are answered as it begins."""
    if not await session.fetchval(ARE_QUERIES_ANSWERED):
        yield
        return
    async with turn(session):
        yield
