"""What the processes of a replay do: deal a share of the log, draw a bucket. Each call stands for itself."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from projections.bulk_rows import BulkRows
from projections.by_command import undrawable
from projections.courtesy import courteous, step_back, turn
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

BUCKET_DONE: Final = """
    insert into replay_bucket (number)
    values ($1)
        on conflict do nothing
 returning number
"""

FILLING: Final = """
    select set_config('search_path', $1, false),
           set_config('synchronous_commit', 'off', false),
           set_config('max_parallel_workers_per_gather', '0', false),
           set_config('max_parallel_maintenance_workers', '0', false)
"""
"""What a crash of the server takes back is done again; the switch waits for all of it. One process a session."""


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
    step_back()
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


class Share(NamedTuple):
    """A part of the log that is dealt by itself. places: how many events come before each of its events."""

    number: int
    places: range


def deal_share(connect: Connect, log: Log, buckets: Buckets, share: Share) -> None:
    """Deal a share of the log. raises: LogHasHole."""

    async def deal() -> None:
        session = await connect()
        try:
            async with courteous(session):
                await _deal(log, buckets, share)
        finally:
            await session.close()

    asyncio.run(deal())


async def _deal(log: Log, buckets: Buckets, share: Share) -> None:
    buckets.make(share.number)
    position = share.places.start
    async for events in log(position, share.places.stop):
        if events[0].position != position + 1 or events[-1].position != position + len(events):
            raise LogHasHole(f"behind position {position}")
        buckets.deal(share.number, events)
        position += len(events)
    if position != share.places.stop:
        raise LogHasHole(f"behind position {position}")


def fold_bucket(connect: Connect, schema: Schema, buckets: Buckets, number: int) -> None:
    """Draw the locations of one bucket and copy their rows, in one transaction; once, however often it is called.

    raises: Refused for an event that can't be drawn, naming it
    """

    async def fold_and_copy() -> None:
        session = await session_in(connect, schema)
        try:
            async with courteous(session):
                rows = _rows_of(buckets, number)
                # While one copies another folds: two that copy would wait for each other, and leave queries no core.
                async with turn(session), session.transaction():
                    if await session.fetch(BUCKET_DONE, number):
                        await rows.copy(session)
        finally:
            await session.close()

    asyncio.run(fold_and_copy())


def _rows_of(buckets: Buckets, number: int) -> BulkRows:
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
    return rows
