"""Real PostgreSQL: sessions that are lent from one question to the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest

from api.sessions import Sessions

PID: Final = "select pg_backend_pid()"
MOST: Final = 2


@pytest.fixture
async def sessions(empty_store: str) -> AsyncIterator[Sessions]:
    async def connect() -> asyncpg.Connection[Any]:
        session: asyncpg.Connection[Any] = await asyncpg.connect(empty_store)
        return session

    made = Sessions(connect, MOST, wait_s=0.2)
    yield made
    await made.close()


async def pid(sessions: Sessions) -> int:
    ((number,),) = await sessions.fetch(PID)
    return int(number)


async def test_one_after_the_other_has_the_same_session(sessions: Sessions) -> None:
    assert len({await pid(sessions) for _ in range(5)}) == 1


async def test_no_more_than_that_many_are_lent_and_who_waits_too_long_is_told(sessions: Sessions) -> None:
    async with sessions.one() as one, sessions.one() as other:
        assert await one.fetchval(PID) != await other.fetchval(PID)
        with pytest.raises(TimeoutError):
            await pid(sessions)
        waiting = asyncio.create_task(pid(sessions))
        await asyncio.sleep(0.05)
    assert await waiting > 0
    assert len({*await asyncio.gather(*(pid(sessions) for _ in range(20)))}) <= MOST


async def test_a_session_whose_question_failed_or_was_given_up_is_not_lent_again(sessions: Sessions) -> None:
    before = await pid(sessions)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await sessions.fetch("select 1 / 0")
    after_failure = await pid(sessions)
    assert after_failure != before
    asking = asyncio.create_task(sessions.fetch("select pg_sleep(60)"))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await pid(sessions) not in {before, after_failure}


async def test_a_session_that_was_ended_while_nobody_had_it_is_replaced(sessions: Sessions, empty_store: str) -> None:
    ended = await pid(sessions)
    connection = await asyncpg.connect(empty_store)
    await connection.execute("select pg_terminate_backend($1, 5000)", ended)
    await connection.close()
    await asyncio.sleep(0.05)
    assert await pid(sessions) != ended


async def test_what_could_not_be_opened_takes_no_place() -> None:
    async def connect() -> asyncpg.Connection[Any]:
        raise ConnectionRefusedError

    made = Sessions(connect, 1, wait_s=0.2)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await made.fetch(PID)
    await made.close()
