"""What the processes of a replay do: deal a share of the log, draw a bucket. Each call stands for itself."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Any, Final

from projections.bulk_rows import BulkRows
from projections.by_command import undrawable
from projections.drawings import Drawings
from projections.projector import draw_recorded
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg

    from projections.buckets import Buckets
    from projections.generations import Schema
    from write_side.events.ranges import Recorded

    Connect = Callable[[], Awaitable[asyncpg.Connection[Any]]]
    Log = Callable[[int, int], AsyncIterator[tuple[Recorded, ...]]]
    """log(after, until): the events behind a position and up to another, some at a time; picklable."""

WORKERS: Final = 2
NICE: Final = 10
"""Who serves queries on the same machine goes first."""

BUCKET_DONE: Final = """
    insert into replay_bucket (number)
    values ($1)
        on conflict do nothing
 returning number
"""

FILLING: Final = "select set_config('search_path', $1, false), set_config('synchronous_commit', 'off', false)"
"""What a crash of the server takes back is done again; the switch waits for all of it."""


class LogHasHole(Exception):
    """The log gave other positions than those that follow the last one."""


def workers(*, is_little: bool) -> Executor:
    """Where the calls run: in a few processes, or in a thread, since starting a process takes longer than a little."""
    if is_little:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(WORKERS, get_context("spawn"), _begin)


def _begin() -> None:
    """A process of its own begins. Looking for garbage, of which folding makes none, took a third of its time."""
    gc.disable()
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    os._exit(1)


async def session_in(connect: Connect, schema: Schema) -> asyncpg.Connection[Any]:
    """A session that fills that schema."""
    session = await connect()
    await session.execute(FILLING, f"{schema}, public")
    return session


def deal_share(log: Log, buckets: Buckets, share: int, places: range) -> None:
    """Deal a share of the log. places: how many events come before each of its events. raises: LogHasHole."""
    buckets.make(share)

    async def deal() -> None:
        position = places.start
        async for events in log(places.start, places.stop):
            if events[0].position != position + 1 or events[-1].position != position + len(events):
                raise LogHasHole(f"behind position {position}")
            buckets.deal(share, events)
            position += len(events)
        if position != places.stop:
            raise LogHasHole(f"behind position {position}")

    asyncio.run(deal())


def fold_bucket(connect: Connect, schema: Schema, buckets: Buckets, number: int) -> None:
    """Draw the locations of one bucket and copy their rows, in one transaction; once, however often it is called.

    raises: Refused for an event that can't be drawn, naming it
    """
    codec = Codec()
    rows = BulkRows()
    for events in buckets.locations(number):
        drawings = Drawings()
        for recorded in events:
            try:
                draw_recorded(drawings, codec.decode(recorded), recorded)
            except Exception as trouble:
                raise undrawable(recorded, trouble) from trouble
        for drawing in drawings.locations.values():
            rows.add(drawing)

    async def copy() -> None:
        session = await session_in(connect, schema)
        try:
            async with session.transaction():
                if await session.fetch(BUCKET_DONE, number):
                    await rows.copy(session)
        finally:
            await session.close()

    asyncio.run(copy())
