"""`emsp dead-letters` beside a running service, as an operator types it: a row is damaged, and mended again."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.support.client import a_location, an_evse
from tests.support.emsp import client_of, deployment
from tests.support.until import until_equal
from tests.support.world import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.client import Client, Cpo
    from tests.support.databases import Databases
    from tests.support.emsp import Emsp

STATUSES = "{ find_ev_locations { id evses { uid status } } }"
DAMAGE = "update views.evse_view set uid_key = 'damaged' where uid_key = 'a1'"
MEND = "update views.evse_view set uid_key = 'a1' where uid_key = 'damaged'"


@dataclass(frozen=True)
class Running:
    """A service with a CPO whose EVSE A1 is at the location of that key. session: past the service."""

    emsp: Emsp
    client: Client
    cpo: Cpo
    session: asyncpg.Connection[Any]
    key: str

    async def letters(self) -> int:
        """How many there are."""
        count: int = await self.session.fetchval("select count(*) from views.dead_letter")
        return count

    async def command(self, verb: str, *arguments: str) -> str:
        return await self.emsp.command("dead-letters", verb, *arguments)

    async def failed(self, verb: str, *arguments: str) -> str:
        return await self.emsp.failed("dead-letters", verb, *arguments)


@pytest.fixture
async def running(fresh_database: Databases, tmp_path: Path) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        dsn = await fresh_database()
        session = await asyncpg.connect(dsn)
        stack.push_async_callback(session.close)
        emsp = await stack.enter_async_context(deployment(tmp_path, event_store_url=dsn, **KEYS))
        client = await stack.enter_async_context(client_of(emsp))
        emsp.start("run")
        await emsp.until_ready()
        cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
        pushed = await client.push_locations(cpo, [a_location(f"Mall {n}", an_evse(f"A{n}")) for n in range(3)])
        await client.ask(STATUSES, Emsp_Min_Position=str(pushed.position))
        location_id = await session.fetchval("select location_id from views.evse_view where uid_key = 'a1'")
        yield Running(emsp, client, cpo, session, f"location/{location_id}")
        assert emsp.stop("run") == 0, emsp.logs()


async def test_list_show_and_retry(running: Running) -> None:
    client, cpo, key = running.client, running.cpo, running.key
    assert "Nothing is parked" in await running.command("list")
    await running.session.execute(DAMAGE)
    parked = await client.push_status(cpo, "A1", "CHARGING")
    await client.push_status(cpo, "A1", "BLOCKED")
    await client.push_status(cpo, "A2", "RESERVED")
    await until_equal(lambda: running.session.fetchval("select pos from views.checkpoint"), parked.position + 2)
    await running.emsp.until_ready()
    assert await running.emsp.readiness("run") == {
        "ready": True,
        "faults": {},
        "notes": {"parked": "1 keys with 2 events: `emsp dead-letters list`"},
    }
    listed = await running.command("list")
    assert key in listed
    assert "RowsMissing" in listed
    shown = await running.command("show", key)
    assert f"position {parked.position}  evse.status_changed, parked since" in shown
    assert "raised in view_tables.py:" in shown
    assert len(shown.splitlines()) == 3
    assert f"{key} still can't be drawn: RowsMissing" in await running.failed("retry", "--all")
    assert "tries 4" in await running.command("show", key)
    assert await running.letters() == 2
    await running.session.execute(MEND)
    assert f"{key}: 2 events drawn" in await running.command("retry", key)
    assert "nothing is parked" in await running.failed("retry", key)
    assert "what the events say" in await running.emsp.command("verify")


async def test_what_was_dropped_is_named_by_verify_and_mended_by_repair(running: Running) -> None:
    client, emsp, key = running.client, running.emsp, running.key
    before = await client.ask(STATUSES)
    await running.session.execute(DAMAGE)
    await client.push_status(running.cpo, "A1", "OFFLINE")
    await until_equal(running.letters, 1)
    assert "Aborted" in await running.failed("drop", key)
    assert "1 events dropped" in await running.command("drop", key, "--yes")
    await running.session.execute(MEND)
    assert await client.ask(STATUSES) == before
    assert key in await emsp.failed("verify")
    await emsp.command("verify", "--repair", key)
    assert "what the events say" in await emsp.command("verify")
    assert await client.ask(STATUSES) != before


async def test_a_repair_needs_no_letters(running: Running) -> None:
    await running.session.execute(DAMAGE)
    await running.client.push_status(running.cpo, "A1", "OFFLINE")
    await until_equal(running.letters, 1)
    await running.emsp.command("verify", "--repair", running.key)
    assert await running.letters() == 0
    assert "what the events say" in await running.emsp.command("verify")
