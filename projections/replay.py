"""Fills an empty schema of the views from the log, in bulk: deal, fold, copy, index. Can be stopped and gone on with.

What is done is written down in the schema itself (`replay`, `replay_bucket`, `replay_index`), in the transaction that
does it; the dealt files are temporary, and dealt again for those buckets that are missing.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from projections import view_tables
from projections.buckets import NO_LOCATION, Buckets, bucket_count
from projections.drawings import Drawings
from projections.migrate import SAY_VERSION, create_tables, views_version
from projections.projector import Projector, draw_recorded
from projections.rows import rows_of
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import asyncpg

    from projections.generations import Schema
    from projections.history import HistoryRow
    from projections.rows import EvseRow, LocationRow
    from write_side.events.ranges import Recorded

    Connect = Callable[[], Awaitable[asyncpg.Connection[Any]]]
    Pull = Callable[[int, int], Awaitable[tuple[Recorded, ...]]]
    Tell = Callable[[str, int, int], None]
    """tell(phase, done, total): how far it is."""

PAGE: Final = 2_000
WORKERS: Final = 2

CREATE: Final[dict[Schema, str]] = {
    "views_next": "create schema views_next",
    "views_check": "create schema views_check",
}
"""The schemas that a replay may fill."""

SEARCH: Final = "select set_config('search_path', $1, false)"

START_REPLAY: Final = """
    create table replay (head bigint not null, buckets integer not null);
    create table replay_bucket (number integer primary key);
    create table replay_index (name text primary key, definition text not null);
    insert into replay_index
    select indexname, indexdef
      from pg_indexes
     where schemaname = current_schema()
       and tablename not like 'replay%'
       and not exists (
           select
             from pg_constraint
            where conname = indexname
              and connamespace = current_schema()::regnamespace)
"""

SAY_REPLAY: Final = "insert into replay values ($1, $2)"

DROP_INDEXES: Final = """
    do $$
    declare
        one record;
    begin
        for one in select name from replay_index loop
            execute format('drop index %I', one.name);
        end loop;
    end
    $$
"""

REPLAY: Final = "select head, buckets from replay"
BUCKETS_DONE: Final = "select number from replay_bucket"
BUCKET_DONE: Final = """
    insert into replay_bucket (number)
    values ($1)
        on conflict do nothing
 returning number
"""

INDEXES_MISSING: Final = """
    select definition
      from replay_index
     where to_regclass(name) is null
     order by name
"""

END_REPLAY: Final = """
    drop table replay, replay_bucket, replay_index
"""

IS_REPLAYING: Final = "select to_regclass($1) is not null"
SET_POSITION: Final = "update checkpoint set pos = $1, at = now()"
MORE_MEMORY: Final = "set maintenance_work_mem = '256MB'"

TABLES: Final = """
    select quote_ident(tablename)
      from pg_tables
     where schemaname = current_schema()
"""


async def begin(connection: asyncpg.Connection, schema: Schema, *, head: int) -> None:
    """Make that schema with its tables, without their indexes. head: up to where the log will be replayed."""
    async with connection.transaction():
        await connection.execute(CREATE[schema])
        await create_tables(connection, schema)
        await connection.execute(SAY_VERSION, views_version())
        await connection.execute(START_REPLAY)
        await connection.execute(SAY_REPLAY, head, bucket_count(head))
        await connection.execute(DROP_INDEXES)


async def is_filled(connection: asyncpg.Connection, schema: Schema) -> bool:
    """Whether nothing is left to do of the replay into that schema."""
    is_replaying: bool = await connection.fetchval(IS_REPLAYING, f"{schema}.replay")
    return not is_replaying


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay that was begun. connect: opens a session, and is picklable; pull: the log; tell: how far it is."""

    schema: Schema
    connect: Connect
    pull: Pull
    tell: Tell

    async def fill(self, folder: Path) -> None:
        """Do what is left. folder: an empty one, for the dealt log.

        raises: KeyError and what else a projection raises at an event that it can't draw; what asyncpg and the disk
                raise. What is done stays done.
        """
        connection = await _session(self.connect, self.schema)
        try:
            ((head, count),) = await connection.fetch(REPLAY)
            buckets = Buckets(folder, count)
            done = {row["number"] for row in await connection.fetch(BUCKETS_DONE)}
            missing = {*range(count), NO_LOCATION} - done
            buckets.make(missing)
            if missing:
                async for events in self._until(head):
                    buckets.deal(events, missing)
            await self._fold(buckets, sorted(missing - {NO_LOCATION}))
            if NO_LOCATION in missing:
                await self._apply_others(buckets)
                await connection.fetch(BUCKET_DONE, NO_LOCATION)
            await connection.execute(SET_POSITION, head)
            await self._index(connection)
            await connection.execute(END_REPLAY)
        finally:
            await connection.close()

    async def _until(self, head: int) -> AsyncIterator[tuple[Recorded, ...]]:
        """The log from its first event to that one."""
        position = 0
        while position < head:
            events = await self.pull(position, min(PAGE, head - position))
            yield events
            position = events[-1].position
            self.tell("read the log", position, head)

    async def _fold(self, buckets: Buckets, numbers: list[int]) -> None:
        """Each bucket in one of a few processes: folding is what takes the time, and a process folds on one core."""
        if len(numbers) <= 1:
            # Starting a process takes longer than folding a little.
            for number in numbers:
                await asyncio.to_thread(fold_bucket, self.connect, self.schema, buckets, number)
            return
        loop = asyncio.get_running_loop()
        pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
        running = [
            loop.run_in_executor(pool, fold_bucket, self.connect, self.schema, buckets, number) for number in numbers
        ]
        try:
            for count, folded in enumerate(asyncio.as_completed(running), start=1):
                await folded
                self.tell("draw the locations", count, len(numbers))
        finally:
            # What is being folded ends before its files are removed.
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def _apply_others(self, buckets: Buckets) -> None:
        """What belongs to no location is little, and drawn as it always is."""
        projector = Projector(self.connect, Codec(), schema=self.schema)
        try:
            await projector.lead()
            for events in buckets.read(NO_LOCATION):
                if rest := [event for event in events if event.position > projector.checkpoint]:
                    await projector.apply(rest)
        finally:
            projector.close()

    async def _index(self, connection: asyncpg.Connection) -> None:
        await connection.execute(MORE_MEMORY)
        missing = await connection.fetch(INDEXES_MISSING)
        for count, row in enumerate(missing, start=1):
            await connection.execute(row["definition"])
            self.tell("make the indexes", count, len(missing))
        for row in await connection.fetch(TABLES):
            await connection.execute(f"analyze {row[0]}")


async def _session(connect: Connect, schema: Schema) -> asyncpg.Connection[Any]:
    connection = await connect()
    await connection.execute(SEARCH, f"{schema}, public")
    return connection


def fold_bucket(connect: Connect, schema: Schema, buckets: Buckets, number: int) -> None:
    """Draw the locations of one bucket and copy their rows, in one transaction; once, however often it is called."""
    codec = Codec()
    drawings = Drawings()
    for events in buckets.read(number):
        for recorded in events:
            draw_recorded(drawings, codec.decode(recorded), recorded)
    in_order = [drawing for _, drawing in sorted(drawings.locations.items())]
    drawn = [rows_of(drawing) for drawing in in_order]
    rows = (
        [row for row, _ in drawn],
        [evse for _, of_one in drawn for evse in of_one],
        [row for drawing in in_order for row in drawing.history],
    )

    async def copy() -> None:
        connection = await _session(connect, schema)
        try:
            await _copy(connection, number, rows)
        finally:
            await connection.close()

    asyncio.run(copy())


async def _copy(
    connection: asyncpg.Connection,
    number: int,
    rows: tuple[list[LocationRow], list[EvseRow], list[HistoryRow]],
) -> None:
    async with connection.transaction():
        if await connection.fetch(BUCKET_DONE, number):
            await view_tables.copy(connection, *rows)
