"""The generations of the views: the live schema, the next one beside it, the one before, and one to compare with.

Each says in its checkpoint which code made it (`version`), which generation it is, and how far it is. A generation
becomes live by renaming schemas, in one transaction and at a checkpoint that is not behind the live one: no statement
sees two of them (docs/operations.md, "Build the views anew").
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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

HOLD_LIVE: Final = """
    select pos,
           set_config('idle_in_transaction_session_timeout', '10s', true)
      from views.checkpoint
       for update
"""
"""Waits for the projector's transaction, and keeps its next one waiting; until this one ends, or stands still."""

LOCK_ALL_LIVE: Final = """
    do $$
    declare
        one record;
    begin
        for one in select schemaname, tablename from pg_tables where schemaname = 'views' order by tablename loop
            execute format('lock table %I.%I in access exclusive mode', one.schemaname, one.tablename);
        end loop;
    end
    $$
"""
"""Waits for every statement that reads the live views: a statement that finds its tables one by one would else find
some before and some after they are renamed."""

TO_NEXT: Final = """
    update views_next.checkpoint
       set generation = 1 + greatest(generation, (select generation from views.checkpoint));
    drop schema if exists views_old cascade;
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

DROP_OLD: Final = "drop schema if exists views_old cascade"
DROP_NEXT: Final = "drop schema if exists views_next cascade"
DROP_CHECK: Final = "drop schema if exists views_check cascade"

SHORT_LOCK_TIMEOUT: Final = "set local lock_timeout = '250ms'"
"""Whoever reads meanwhile waits behind a lock that is waited for: no longer than this."""

TRIES: Final = 60
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


async def make_live(
    session: asyncpg.Connection[Any], schema: Schema, bring_to: Callable[[int], Awaitable[None]]
) -> Generation:
    """Rename that schema to the live one, when it is not behind it and nobody reads: in many short tries.

    bring_to: draws that schema up to a position; called while the live projector waits. returns: what is live now
    raises:   Refused  the live views were in use at every try; what bring_to raises
    """
    for _ in range(TRIES):
        try:
            async with session.transaction():
                await session.execute(SHORT_LOCK_TIMEOUT)
                await bring_to(await session.fetchval(HOLD_LIVE))
                await session.execute(LOCK_ALL_LIVE)
                await session.execute(RENAME_TO[schema])
                await session.execute(TELL_WAITING)
                return await must_be_in(session, LIVE)
        except BUSY:
            await asyncio.sleep(PAUSE_S)
    raise Refused("the live views were in use at every try; what was built is kept: try again")
