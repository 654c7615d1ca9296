"""Who is logged in: sessions in the store's database, each with the hash of its one good refresh token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta
    from uuid import UUID

    import asyncpg

    Fetch = Callable[[str, list[UUID]], Awaitable[list[asyncpg.Record]]]

SESSIONS_NOT_ENDED: Final = """
    select id, expires_at
      from es.sessions
     where id = any($1::uuid[])
       and ended_at is null
"""

OPEN_SESSION: Final = """
    with owner as (
        select user_key
          from es.users
         where user_key = $2
           and password_hash = $6
           for share)
    insert into es.sessions (id, user_key, refresh_hash, created_at, expires_at)
    select $1, user_key, $3, $4, $5
      from owner
 returning id
"""
"""Only while the password that was looked at is still the user's: one that is being replaced is waited for."""

ROTATE: Final = """
    update es.sessions
       set refresh_hash = $3,
           expires_at = $4
     where id = $1
       and refresh_hash = $2
       and ended_at is null
       and expires_at > $5
 returning id
"""

END_WHERE_USED: Final = """
    with ended as (
        update es.sessions
           set ended_at = now()
         where id = $1
           and refresh_hash <> $2
           and ended_at is null)
    select exists (
        select
          from es.sessions
         where id = $1
           and refresh_hash <> $2)
"""

END: Final = """
    update es.sessions
       set ended_at = now()
     where id = $1
       and ended_at is null
"""

FORGET_ENDED: Final = """
    delete from es.sessions
     where least(ended_at, expires_at) < now() - $1::interval
"""

TOKEN_C_OWNER: Final = """
    select country_code, party_id, cpo_owner_id
      from es.tokens_c
     where token_hash = $1
"""


ASK_S: Final = 5.0


class Liveness:
    """Tells which sessions are alive, by one question for all who ask at once.

    Who comes while a question is under way goes with the next, and so hears what held after it came.

    fetch: asks the store's database
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._turn = asyncio.Lock()
        self._next: tuple[set[UUID], asyncio.Task[dict[UUID, datetime]]] | None = None

    async def is_alive(self, session_id: UUID, *, at: datetime) -> bool:
        """Whether that session was opened, not ended, and is not over."""
        if self._next is None:
            asked: set[UUID] = set()
            self._next = asked, asyncio.create_task(self._ask(asked))
        asked, answer = self._next
        asked.add(session_id)
        # Who is cancelled leaves the others their answer.
        expires_at = (await asyncio.shield(answer)).get(session_id)
        return expires_at is not None and expires_at > at

    async def _ask(self, asked: set[UUID]) -> dict[UUID, datetime]:
        # A session to the database that died unnoticed holds those up who asked by it, for so long, and nobody else.
        async with self._turn, asyncio.timeout(ASK_S):
            self._next = None
            return {row["id"]: row["expires_at"] for row in await self._fetch(SESSIONS_NOT_ENDED, list(asked))}


async def open_session(
    pool: asyncpg.Pool[Any],
    session_id: UUID,
    *,
    user_key: str,
    password_hash: str,
    refresh_hash: bytes,
    at: datetime,
    expires_at: datetime,
) -> bool:
    """Write down a new session. returns: False where the user's password is not that any more."""
    arguments = (session_id, user_key, refresh_hash, at, expires_at, password_hash)
    return await pool.fetchval(OPEN_SESSION, *arguments) is not None


async def rotate(
    pool: asyncpg.Pool[Any], session_id: UUID, *, used: bytes, new: bytes, at: datetime, expires_at: datetime
) -> bool:
    """Put another refresh token in the place of the one that is used. returns: False where that one is not good."""
    return await pool.fetchval(ROTATE, session_id, used, new, expires_at, at) is not None


async def end_where_used(pool: asyncpg.Pool[Any], session_id: UUID, used: bytes) -> bool:
    """End that session where this is not its newest refresh token: it was used before. returns: whether it was."""
    was_used: bool = await pool.fetchval(END_WHERE_USED, session_id, used)
    return was_used


async def end(pool: asyncpg.Pool[Any], session_id: UUID) -> None:
    """End one session; its tokens stop at once."""
    await pool.execute(END, session_id)


async def forget_ended(pool: asyncpg.Pool[Any], older_than: timedelta) -> None:
    """Forget the sessions that ended longer ago than that. raises: StoreOutOfReach."""
    with reaching_the_store():
        await pool.execute(FORGET_ENDED, older_than)


async def token_c_owner(pool: asyncpg.Pool[Any], token_hash: bytes) -> asyncpg.Record | None:
    """country_code, party_id and cpo_owner_id of the CPO whose machine token that is, or None."""
    return await pool.fetchrow(TOKEN_C_OWNER, token_hash)
