"""Real PostgreSQL: while queries are answered, what builds the views does one thing at a time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import pytest

from projections.courtesy import ARE_QUERIES_ANSWERED, NICE, courteous
from read_side.views import SESSION

STEPPING_BACK: Final = """
import os
from projections.courtesy import AUTOGROUP, step_back
step_back()
print(os.nice(0), os.getsid(0) == os.getpid(), AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
"""


@asynccontextmanager
async def queries(dsn: str) -> AsyncIterator[None]:
    """Inside, queries are answered all the time."""
    session = await asyncpg.connect(dsn, server_settings=SESSION)
    assert await session.fetchval(ARE_QUERIES_ANSWERED)

    async def ask() -> None:
        while True:
            await session.fetch("select 1")
            await asyncio.sleep(0.02)

    asking = asyncio.create_task(ask())
    yield
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    await session.close()


@pytest.mark.parametrize(("are_answered", "most"), [(False, 2), (True, 1)])
async def test_two_work_at_once_only_while_nobody_asks(empty_store: str, *, are_answered: bool, most: int) -> None:
    at_work = seen = 0
    both_began = asyncio.Event()

    async def work() -> None:
        nonlocal at_work, seen
        session = await asyncpg.connect(empty_store)
        async with courteous(session):
            at_work += 1
            seen = max(seen, at_work)
            if at_work > 1:
                both_began.set()
            async with asyncio.timeout(5):
                await (asyncio.sleep(0.2) if are_answered else both_began.wait())
            at_work -= 1
        await session.close()

    if are_answered:
        async with queries(empty_store):
            await asyncio.gather(work(), work())
    else:
        await asyncio.gather(work(), work())
    assert seen == most


async def test_the_turn_is_given_back_by_who_fails(empty_store: str) -> None:
    session, other = await asyncpg.connect(empty_store), await asyncpg.connect(empty_store)
    async with queries(empty_store):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with courteous(session):
                    raise ZeroDivisionError
        async with asyncio.timeout(5), courteous(other):
            pass
    await session.close()
    await other.close()


@pytest.mark.skipif(sys.platform != "linux", reason="niceness of sessions is Linux's")
def test_a_process_that_steps_back_gets_what_others_leave() -> None:
    done = subprocess.run([sys.executable, "-c", STEPPING_BACK], capture_output=True, text=True, check=True)
    nice, leads, *autogroup = done.stdout.split()
    assert (nice, leads) == (str(NICE), "True")
    assert autogroup[-1:] in ([], [str(NICE)]), done.stdout
    assert os.nice(0) < NICE
