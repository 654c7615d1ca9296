"""Fills an empty schema of the views from the log, in bulk: deal, fold, copy, index. Can be stopped and gone on with.

What is done is written down in the schema itself (`replay`, `replay_bucket`, `replay_index`), in the transaction that
does it; the dealt files are temporary, and dealt again for those buckets that are missing.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg

from projections import by_command
from projections.buckets import NO_LOCATION, Buckets, bucket_count
from projections.bulk import BUCKET_DONE, WORKERS, Share, deal_share, fold_bucket, session_in, workers
from projections.by_command import only_projector
from projections.courtesy import courteous
from projections.migrate import SAY_VERSION, create_tables, views_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from projections.bulk import Connect, Log
    from projections.generations import Schema

Tell = Callable[[str, int, int], None]
"""tell(phase, done, total): how far it is."""
Run = Callable[[Callable[..., None], Sequence[tuple[object, ...]], Callable[[int], None]], Awaitable[None]]

EVENTS_A_SHARE: Final = 50_000
MAX_SHARES: Final = 32
"""Of the log, each dealt by itself."""

CREATE: Final[dict[Schema, str]] = {
    "views_next": "create schema views_next",
    "views_check": "create schema views_check",
}
"""The schemas that a replay may fill."""

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
INDEXES_MISSING: Final = """
    select definition
      from replay_index
     where to_regclass(quote_ident(name)) is null
     order by definition like '% USING gist %' desc, name
"""

END_REPLAY: Final = """
    drop table replay, replay_bucket, replay_index
"""

IS_REPLAYING: Final = "select to_regclass($1) is not null"
SET_POSITION: Final = "update checkpoint set pos = $1, at = now()"
MORE_MEMORY: Final = "set maintenance_work_mem = '256MB'"

MADE_MEANWHILE: Final = (asyncpg.DuplicateTableError, asyncpg.UniqueViolationError)
"""An index, by a session that outlived the rebuild that was stopped."""

TABLES: Final = """
    select quote_ident(tablename)
      from pg_tables
     where schemaname = current_schema()
"""


async def begin(connection: asyncpg.Connection, schema: Schema, *, head: int) -> None:
    """Make that schema with its tables, without their indexes. head: up to where the log will be replayed."""
    async with connection.transaction():
        await create(connection, schema)
        await connection.execute(START_REPLAY)
        await connection.execute(SAY_REPLAY, head, bucket_count(head, WORKERS))
        await connection.execute(DROP_INDEXES)


async def create(connection: asyncpg.Connection, schema: Schema) -> None:
    """Make that schema with its tables, empty."""
    async with connection.transaction():
        await connection.execute(CREATE[schema])
        await create_tables(connection, schema)
        await connection.execute(SAY_VERSION, views_version())


async def is_filled(connection: asyncpg.Connection, schema: Schema) -> bool:
    """Whether nothing is left to do of the replay into that schema."""
    is_replaying: bool = await connection.fetchval(IS_REPLAYING, f"{schema}.replay")
    return not is_replaying


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay that was begun. connect: opens a session, and is picklable; log: all of it; tell: how far it is."""

    schema: Schema
    connect: Connect
    log: Log
    tell: Tell

    async def fill(self, folder: Path) -> None:
        """Do what is left. folder: an empty one, for the dealt log.

        raises: Refused for an event that can't be drawn, naming it, and where another process draws that schema;
                LogHasHole; what asyncpg and the disk raise. What is done stays done.
        """
        connection = await session_in(self.connect, self.schema)
        try:
            ((head, count),) = await connection.fetch(REPLAY)
            missing = {*range(count), NO_LOCATION} - {row["number"] for row in await connection.fetch(BUCKETS_DONE)}
            starts = range(0, head if missing else 0, max(EVENTS_A_SHARE, -(-head // MAX_SHARES)))
            buckets = Buckets(folder, count, missing, len(starts))
            numbers = sorted(missing - {NO_LOCATION})
            shares = [
                (self.connect, self.log, buckets, Share(number, range(at, min(at + starts.step, head))))
                for number, at in enumerate(starts)
            ]
            drawings = [(self.connect, self.schema, buckets, number) for number in numbers]
            async with self._workers(is_little=count == 1) as run:
                await run(deal_share, shares, partial(self._tell, "read the log", head, len(shares)))
                await run(fold_bucket, drawings, partial(self._tell, "draw the locations", head, count))
            if NO_LOCATION in missing:
                await self._apply_others(buckets)
                await connection.fetch(BUCKET_DONE, NO_LOCATION)
            await connection.execute(SET_POSITION, head)
            await self._each("make the indexes", [row["definition"] for row in await connection.fetch(INDEXES_MISSING)])
            await self._each("analyze", [f"analyze {row[0]}" for row in await connection.fetch(TABLES)])
            await connection.execute(END_REPLAY)
        finally:
            await connection.close()

    @asynccontextmanager
    async def _workers(self, *, is_little: bool) -> AsyncIterator[Run]:
        """run(function, calls, tell): these calls, in other processes; tell: called with how many are left."""
        loop = asyncio.get_running_loop()
        pool = workers(is_little=is_little)

        async def run(
            function: Callable[..., None], calls: Sequence[tuple[object, ...]], tell: Callable[[int], None]
        ) -> None:
            running = [loop.run_in_executor(pool, function, *call) for call in calls]
            tell(len(calls))
            for done, next_one in enumerate(asyncio.as_completed(running), start=1):
                await next_one
                tell(len(calls) - done)

        try:
            yield run
        finally:
            # What is under way ends before its files are removed.
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    def _tell(self, phase: str, events: int, parts: int, left: int) -> None:
        """How far a phase is that goes through all events. left: of as many parts of them."""
        self.tell(phase, events * (parts - left) // parts if left else events, events)

    async def _apply_others(self, buckets: Buckets) -> None:
        """What belongs to no location is little, and drawn as it always is."""
        async with only_projector(self.connect, self.schema) as projector:
            for events in buckets.others():
                if rest := [event for event in events if event.position > projector.checkpoint]:
                    await by_command.apply(projector, rest)

    async def _each(self, phase: str, statements: Sequence[str]) -> None:
        """Each of them once, on as many sessions as there are workers."""
        waiting = iter(statements)
        done = itertools.count(1)

        async def work() -> None:
            session = await session_in(self.connect, self.schema)
            try:
                await session.execute(MORE_MEMORY)
                for statement in waiting:
                    async with courteous(session):
                        with suppress(*MADE_MEANWHILE):
                            await session.execute(statement)
                    self.tell(phase, next(done), len(statements))
            finally:
                await session.close()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(WORKERS):
                    group.create_task(work())
        except ExceptionGroup as troubles:
            raise troubles.exceptions[0] from troubles
