"""What the store forgets by itself: answers under idempotency keys, after their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from datetime import timedelta

    import asyncpg

FORGET_ANSWERS: Final = """
    with forgotten as (
        delete from es.commands
         where at < now() - $1::interval
     returning 1)
    select count(*)
      from forgotten
"""


async def forget_answers(pool: asyncpg.Pool[Any], older_than: timedelta) -> int:
    """Forget what was answered under keys longer ago than that; says how many. raises: StoreOutOfReach."""
    with reaching_the_store():
        count: int = await pool.fetchval(FORGET_ANSWERS, older_than)
    return count
