"""`emsp status` and readiness tell a healthy service from one that only looks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.support.client import a_location, an_evse
from tests.support.emsp import client_of, deployment
from tests.support.until import until_equal
from tests.support.world import KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.databases import Databases
    from tests.support.emsp import Emsp


async def faults_of(emsp: Emsp) -> dict[str, Any]:
    """What `/readyz` says is wrong."""
    faults: dict[str, Any] = (await emsp.readiness("run"))["faults"]
    return faults


async def test_a_head_that_is_held_is_told_though_nothing_lags(fresh_database: Databases, tmp_path: Path) -> None:
    dsn = await fresh_database()
    async with deployment(tmp_path, event_store_url=dsn, append_patience_s="0.5", **KEYS) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
            pushed = await client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
            await client.ask("{ find_ev_locations { id } }", Emsp_Min_Position=str(pushed.position))
            told = await emsp.command("status")
            assert "views, generation 1" in told
            assert "parked keys: 0" in told
            assert told.count("pid ") == 2
            assert "nobody" not in told
            assert "All is well." in told

            holder = await asyncpg.connect(dsn, server_settings={"application_name": "a sleeper"})
            transaction = holder.transaction()
            await transaction.start()
            await holder.execute("select pos from es.head for update")
            reply, told = await asyncio.gather(client.push_status(cpo, "A1", "CHARGING"), emsp.failed("status"))
            assert reply.status == 503
            assert f"is held for more than 5 s by pid {holder.get_server_pid()} (a sleeper, idle in transaction" in told
            (fault,) = (await faults_of(emsp)).values()
            assert "(a sleeper, idle in transaction" in fault
            await transaction.rollback()
            await holder.close()
            await until_equal(lambda: faults_of(emsp), {})
            assert (await client.push_status(cpo, "A1", "CHARGING")).status == 200
            assert "All is well." in await emsp.command("status")
        assert emsp.stop("run") == 0, emsp.logs()


async def test_events_that_wait_while_nobody_works_are_told(fresh_database: Databases, tmp_path: Path) -> None:
    dsn = await fresh_database()
    async with deployment(tmp_path, event_store_url=dsn, **KEYS) as emsp:
        await emsp.command("migrate")
        assert "All is well." in await emsp.command("status")
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
        assert emsp.stop("run") == 0, emsp.logs()
        session = await asyncpg.connect(dsn)
        await session.execute("update es.publisher set pos = 0")
        await session.execute("update views.checkpoint set pos = 0")
        told = await emsp.failed("status")
        assert (
            "publisher: 1 events wait, and nobody leads; views, generation 1: 1 events wait, and nobody leads" in told
        )
        await session.execute("update views.checkpoint set version = 'of last year'")
        assert "the views are of another version, of last year" in await emsp.failed("status")
        await session.close()
