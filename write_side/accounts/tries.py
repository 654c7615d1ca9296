"""Wrong passwords are counted in the store's database: by user and address, and by address, over all replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from write_side.accounts.tokens import TooManyTries
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from datetime import timedelta

    import asyncpg

    from write_side.accounts.login import LoginRules

TAKE_TURNS: Final = """
    select pg_advisory_xact_lock(hashtextextended('login from ' || $1, 0))
"""
"""Tries of one address are counted one after the other: those that come at once see each other."""

COUNT_THIS_TRY: Final = """
    insert into es.login_tries (user_key, address)
    values ($1, $2)
    returning id
"""

TRIES: Final = """
    select count(*) filter (where user_key = $2) as of_pair,
           count(*) as of_address
      from es.login_tries
     where address = $1
       and at > now() - $3::interval
"""

FORGET_TRY: Final = """
    delete from es.login_tries
     where id = $1
"""

FORGET_OLD_TRIES: Final = """
    delete from es.login_tries
     where at < now() - $1::interval
"""


async def count_try(pool: asyncpg.Pool[Any], user_key: str, address: str, rules: LoginRules) -> int:
    """Count one more try, before the password is looked at: a hundred at once count as a hundred. returns: its id.

    raises: TooManyTries  it is one too many, and is not counted
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(TAKE_TURNS, address)
        (tries,) = await connection.fetch(TRIES, address, user_key, rules.window)
        if tries["of_pair"] >= rules.wrong_pairs or tries["of_address"] >= rules.wrong_pairs_of_address:
            raise TooManyTries(int(rules.window.total_seconds()))
        attempt: int = await connection.fetchval(COUNT_THIS_TRY, user_key, address)
    return attempt


async def forget_old_tries(pool: asyncpg.Pool[Any], older_than: timedelta) -> None:
    """Forget the tries that were longer ago than that: more than what is counted. raises: StoreOutOfReach."""
    with reaching_the_store():
        await pool.execute(FORGET_OLD_TRIES, older_than)


async def forget_try(pool: asyncpg.Pool[Any], attempt: int) -> None:
    """It was the right password."""
    await pool.execute(FORGET_TRY, attempt)
