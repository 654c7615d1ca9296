"""The generations of the views: the live schema, the next one beside it, the one before, and one to compare with.

Each says in its checkpoint which code made it (`version`), which generation it is, and how far it is. A generation
becomes live by renaming schemas, in one transaction and at a checkpoint that is not behind the live one: no statement
sees two of them (docs/operations.md, "Build the views anew").
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import asyncpg
import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Schema: TypeAlias = Literal["views", "views_next", "views_old", "views_check"]
LIVE: Final = "views"
NEXT: Final = "views_next"
OLD: Final = "views_old"
CHECK: Final = "views_check"

ONE_AT_A_TIME: Final = "select pg_try_advisory_lock(hashtext('emsp rebuild'))"

IS_MADE: Final = "select to_regclass($1) is not null"

# As JSON: views that an older version made may lack a column that this one asks for.
MADE_AS: Final[dict[Schema, str]] = {
    "views": "select to_jsonb(made) from views.checkpoint as made",
    "views_next": "select to_jsonb(made) from views_next.checkpoint as made",
    "views_old": "select to_jsonb(made) from views_old.checkpoint as made",
    "views_check": "select to_jsonb(made) from views_check.checkpoint as made",
}

LOCK_ALL_LIVE: Final = """
    do $$
    declare
        one record;
    begin
        for one in
            select tablename
              from pg_tables
             where schemaname = 'views'
             order by tablename
        loop
            execute format('lock table views.%I in %s mode', one.tablename, current_setting('emsp.lock_mode'));
        end loop;
    end
    $$
"""
"""As one of the next two says."""

AGAINST_VACUUM: Final = """
    set local emsp.lock_mode = 'share update exclusive';
    set local lock_timeout = '10s'
"""
"""Waits for VACUUM, and for nobody else, nor does anybody wait for this. Autovacuum gives way to whoever waits longer
than `deadlock_timeout` (a second), which the next one must not (PostgreSQL's manual, "The Autovacuum Daemon")."""

AGAINST_READERS: Final = """
    set local emsp.lock_mode = 'access exclusive';
    set local lock_timeout = '250ms'
"""
"""Waits for every statement that reads the live views: a statement that finds its tables one by one would else find
some before and some after they are renamed. Whoever comes meanwhile waits behind this: no longer than that timeout."""

HOLD_LIVE: Final = """
    lock table views.checkpoint in exclusive mode;
    set local idle_in_transaction_session_timeout = '10s'
"""
"""Waits for the projector's transaction, and keeps its next one waiting; until this one ends, or stands still.
Who waits for a table is next in its queue; who waits for a row that is changed again and again may wait for ever."""

TO_NEXT: Final = """
    update views_next.checkpoint
       set generation = 1 + greatest(generation, (select generation from views.checkpoint));
    do $$
    begin
        if to_regnamespace('views_old') is not null then
            alter schema views_old rename to views_gone;
        end if;
    end
    $$;
    alter schema views rename to views_old;
    alter schema views_next rename to views
"""

TO_OLD: Final = """
    update views_old.checkpoint
       set generation = 1 + greatest(generation, (select generation from views.checkpoint));
    alter schema views rename to views_between;
    alter schema views_old rename to views;
    alter schema views_between rename to views_old
"""

RENAME_TO: Final[dict[Schema, str]] = {"views_next": TO_NEXT, "views_old": TO_OLD}

TELL_WAITING: Final = """
    select pg_notify('views_checkpoint', pos::text)
      from views.checkpoint
"""

DROP_OLD: Final = "drop schema if exists views_old, views_gone cascade"
DROP_NEXT: Final = "drop schema if exists views_next cascade"
DROP_CHECK: Final = "drop schema if exists views_check cascade"
DROP_GONE: Final = """
    set local lock_timeout = '10s';
    drop schema if exists views_gone cascade
"""
"""Those before `views_old`, once they are renamed. Where somebody reads them they stay until the next switch."""

IN_THE_WAY: Final = """
    select format('%s (pid %s, %s s)',
                  coalesce(nullif(application_name, ''), backend_type, 'unnamed'),
                  pid,
                  extract(epoch from now() - xact_start)::int)
      from pg_stat_activity
     where pid <> pg_backend_pid()
       and pid in (select pid
                     from pg_locks
                    where relation in (select oid
                                         from pg_class
                                        where relnamespace in ('views'::regnamespace, to_regnamespace('views_gone'))))
     order by xact_start
     limit 3
"""
"""Who has been reading or writing the live views for longest, and for how long."""

PATIENCE_S: Final = 60.0
PAUSE_S: Final = 0.5
BUSY: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


class Refused(Exception):
    """It can't be done now; the text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation. version: `migrate.views_version` of the code that made it; '' of one older than that word.

    number: greater for each that becomes live; position: of the last event in it.
    """

    schema: Schema
    version: str
    number: int
    position: int


async def generation_in(connection: asyncpg.Connection | asyncpg.Pool[Any], schema: Schema) -> Generation | None:
    """What is in that schema; None where there is nothing."""
    if not await connection.fetchval(IS_MADE, f"{schema}.checkpoint"):
        return None
    found = orjson.loads(await connection.fetchval(MADE_AS[schema]))
    return Generation(schema, found.get("version", ""), found["generation"], found["pos"])


async def must_be_in(connection: asyncpg.Connection, schema: Schema) -> Generation:
    """What is in that schema. raises: Refused where there is nothing."""
    found = await generation_in(connection, schema)
    if found is None:
        raise Refused(f"there is no {schema} in this database")
    return found


async def alone(session: asyncpg.Connection[Any]) -> None:
    """From now on this session alone builds or compares generations. raises: Refused where another does."""
    if not await session.fetchval(ONE_AT_A_TIME):
        raise Refused("another rebuild or verify is running on this database")


async def hold_live(session: asyncpg.Connection[Any]) -> int:
    """The live views stand still until that session's transaction ends. returns: the position that they are at."""
    await session.execute(HOLD_LIVE)
    return (await must_be_in(session, LIVE)).position


async def make_live(
    session: asyncpg.Connection[Any], schema: Schema, bring_to: Callable[[int], Awaitable[None]]
) -> Generation:
    """Rename that schema to the live one, when it is not behind it and nobody reads: in many short tries.

    bring_to: draws that schema up to a position; called while the live projector waits. returns: what is live now
    raises:   Refused  the live views were in use at every try; what bring_to raises
    """
    patient_until = monotonic() + PATIENCE_S
    while monotonic() < patient_until:
        try:
            await session.execute(DROP_GONE)
            async with session.transaction():
                await session.execute(AGAINST_VACUUM)
                await session.execute(LOCK_ALL_LIVE)
                await bring_to(await hold_live(session))
                await session.execute(AGAINST_READERS)
                await session.execute(LOCK_ALL_LIVE)
                await session.execute(RENAME_TO[schema])
                await session.execute(TELL_WAITING)
        except BUSY:
            await asyncio.sleep(PAUSE_S)
        else:
            with suppress(*BUSY):
                await session.execute(DROP_GONE)
            return await must_be_in(session, LIVE)
    in_the_way = ", ".join(row[0] for row in await session.fetch(IN_THE_WAY)) or "sessions that have ended"
    raise Refused(f"the live views were in use for {PATIENCE_S:.0f} s: {in_the_way}; what was built is kept: try again")
