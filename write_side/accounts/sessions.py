"""Who is logged in: sessions in the store's database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    import asyncpg

SESSION_IS_ALIVE: Final = """
    select exists (
        select
          from es.sessions
         where id = $1
           and ended_at is null
           and expires_at > $2)
"""

OPEN_SESSION: Final = """
    insert into es.sessions (id, user_key, refresh_hash, created_at, expires_at)
    values ($1, $2, $3, $4, $5)
"""

TOKEN_C_OWNER: Final = """
    select country_code, party_id, cpo_owner_id
      from es.tokens_c
     where token_hash = $1
"""


async def is_alive(pool: asyncpg.Pool[Any], session_id: UUID, *, at: datetime) -> bool:
    """Whether that session was opened, not ended, and is not over."""
    alive: bool = await pool.fetchval(SESSION_IS_ALIVE, session_id, at)
    return alive


async def open_session(
    pool: asyncpg.Pool[Any],
    session_id: UUID,
    *,
    user_key: str,
    refresh_hash: bytes,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Write down a new session."""
    await pool.execute(OPEN_SESSION, session_id, user_key, refresh_hash, at, expires_at)


async def token_c_owner(pool: asyncpg.Pool[Any], token_hash: bytes) -> asyncpg.Record | None:
    """country_code, party_id and cpo_owner_id of the CPO whose machine token that is, or None."""
    return await pool.fetchrow(TOKEN_C_OWNER, token_hash)
