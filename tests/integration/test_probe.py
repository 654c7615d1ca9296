"""Whether an event can be appended, as the probe tells it: on a real event store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.support.databases import name_of
from tests.support.store import a_command, a_store, an_event
from write_side.store.probe import append_fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOCK = "select pos from es.head for update"


@asynccontextmanager
async def holding_the_head(dsn: str, name: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A session that locked the head and sleeps inside its transaction."""
    session = await asyncpg.connect(dsn, server_settings={"application_name": name})
    async with session.transaction():
        await session.execute(LOCK)
        yield session
    await session.close()


async def test_what_can_be_appended_is_taken_back(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        await store.writer.append(a_command(an_event()))
        assert await append_fault(partial(asyncpg.connect, empty_store), at_most_s=5) is None
        assert await store.writer.append(a_command(an_event(version=2))) == 2
        assert [event.topic for event in await store.log()] == ["evse.status_changed"] * 2


async def test_who_holds_the_head_is_named_and_who_waits_for_it_is_not(empty_store: str) -> None:
    async with holding_the_head(empty_store, "a sleeper") as holder, a_store(empty_store) as store:
        waiting = asyncio.create_task(store.writer.append(a_command(an_event())))
        fault = await append_fault(partial(asyncpg.connect, empty_store), at_most_s=0.2)
        pid = holder.get_server_pid()
        assert fault == (
            f"the head of the log is held for more than 0.2 s by pid {pid} (a sleeper, idle in transaction for 0 s)"
        )
        assert not waiting.done()
        await holder.execute("rollback")
        assert await waiting == 1
        assert await append_fault(partial(asyncpg.connect, empty_store), at_most_s=5) is None


async def test_a_store_that_takes_nothing_says_why(empty_store: str) -> None:
    async def read_only() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(empty_store, server_settings={"default_transaction_read_only": "on"})

    async def elsewhere() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(empty_store, database=name_of(empty_store) + "_gone")

    assert "ReadOnlySQLTransactionError" in (await append_fault(read_only, at_most_s=5) or "")
    assert "InvalidCatalogNameError" in (await append_fault(elsewhere, at_most_s=5) or "")
