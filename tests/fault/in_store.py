"""Faults of PostgreSQL and of the way to it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

from tests.support.postgres import FAST, IMMEDIATE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tests.fault.service import Service

TERMINATE: Final = """
    select pg_terminate_backend(pid)
      from pg_stat_activity
     where application_name = any($1)
"""
BACKEND: Final = """
    select pid
      from pg_stat_activity
     where application_name = $1
     limit 1
"""
WRITER: Final = b"emsp writer"
HOLD_HEAD: Final = "select pos from es.head for update"
HEAD: Final = "select pos from es.head"

DISK_FULL: Final = """
    create function public.disk_full() returns trigger language plpgsql as $$
    begin
        raise exception 'could not extend file: No space left on device' using errcode = 'disk_full';
    end
    $$;
    create trigger disk_full before insert or update on {table} for each statement execute function public.disk_full()
"""
DISK_FREE: Final = "drop function public.disk_full cascade"


async def terminate(service: Service, *applications: str) -> None:
    """End the sessions of these names."""
    async with service.session() as session:
        await session.execute(TERMINATE, list(applications))


def sessions_killed(*applications: str) -> Callable[[Service, Random], Awaitable[None]]:
    """The backends of these sessions are terminated, a few times, whatever they are doing."""

    async def inflict(service: Service, chance: Random) -> None:
        for _ in range(chance.randint(1, 5)):
            await asyncio.sleep(chance.uniform(0, 0.4))
            await terminate(service, *applications)

    return inflict


async def backend_killed(service: Service, chance: Random) -> None:
    """kill -9 of the writer's backend: PostgreSQL ends all sessions and recovers from its write-ahead log."""
    async with service.session() as session:
        await asyncio.sleep(chance.uniform(0, 0.3))
        while (pid := await session.fetchval(BACKEND, "emsp writer")) is None:
            await asyncio.sleep(0.01)
        os.kill(pid, signal.SIGKILL)


def restarted(how: signal.Signals) -> Callable[[Service, Random], Awaitable[None]]:
    """PostgreSQL is stopped like that, and started after a moment."""

    async def inflict(service: Service, chance: Random) -> None:
        await asyncio.sleep(chance.uniform(0, 0.3))
        await service.postgres.stop(how)
        await asyncio.sleep(chance.uniform(0, 0.5))
        await service.postgres.start()

    return inflict


async def connections_cut(service: Service, chance: Random) -> None:
    """Every connection of the API breaks, a few times."""
    for _ in range(chance.randint(1, 4)):
        await asyncio.sleep(chance.uniform(0, 0.4))
        service.store_line.cut()


async def commit_unanswered(service: Service, chance: Random) -> None:
    """The API's commits are done, but their answers never arrive: the connections break meanwhile."""
    async with service.session() as session:
        before = await session.fetchval(HEAD)
        service.store_line.swallow(WRITER)
        async with asyncio.timeout(30):
            while await session.fetchval(HEAD) == before:
                await asyncio.sleep(0.005)
    await asyncio.sleep(chance.uniform(0, 0.5))
    service.store_line.cut()
    service.store_line.answer()


async def commit_answered_late(service: Service, chance: Random) -> None:
    """The API's commits are done, but their answers arrive when it has given them up."""
    service.store_line.swallow(WRITER)
    await asyncio.sleep(chance.uniform(1, 7))
    service.store_line.answer()


async def head_held(service: Service, chance: Random) -> None:
    """A writer sleeps inside its transaction, with the lock that every append needs."""
    async with service.session() as session, session.transaction():
        await session.fetchval(HOLD_HEAD)
        await asyncio.sleep(chance.uniform(1, 7))


def disk_full(table: str) -> Callable[[Service, Random], Awaitable[None]]:
    """PostgreSQL can't write to that table, and says so."""

    async def inflict(service: Service, chance: Random) -> None:
        async with service.session() as session:
            await session.execute(DISK_FULL.format(table=table))
            await asyncio.sleep(chance.uniform(0.5, 2))
            await session.execute(DISK_FREE)

    return inflict


restarted_fast: Final = restarted(FAST)
restarted_at_once: Final = restarted(IMMEDIATE)
