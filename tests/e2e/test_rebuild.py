"""`emsp rebuild` and `emsp verify` beside a running service, as an operator types them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg

from projections.migrate import VERSION
from tests.support import processes
from tests.support.client import Client, a_location, an_evse
from tests.support.databases import Databases
from tests.support.emsp import EMSP, ROOT, Emsp, client_of, deployment
from tests.support.until import until, until_equal
from tests.support.world import KEYS

ASKED = "{ find_ev_locations { id name evses { uid status } } }"


async def test_rebuild_verify_and_back_beside_a_running_service(tmp_path: Path) -> None:
    async with deployment(tmp_path) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
            pushed = await client.push_locations(cpo, [a_location(f"Mall {n}", an_evse(f"A{n}")) for n in range(20)])
            before = await client.ask(ASKED, Emsp_Min_Position=str(pushed.position))
            assert "no views_old" in await emsp.failed("rebuild", "--back")
            assert "Live: generation 2" in await emsp.command("rebuild")
            assert await client.ask(ASKED) == before
            assert "what the events say" in await emsp.command("verify")
            assert "Live: generation 3" in await emsp.command("rebuild", "--back")
            assert "are removed" in await emsp.command("rebuild", "--drop-old")
            changed = await client.push_status(cpo, "A1", "CHARGING")
            after = await client.ask(ASKED, Emsp_Min_Position=str(changed.position))
            assert after != before
            assert "expected location/ID" in await emsp.failed("verify", "--repair", "rubbish")
        assert emsp.stop("run") == 0, emsp.logs()
        # Nobody runs: the embedded database is started for the command, and stopped again.
        assert "what the events say" in await emsp.command("verify")


async def test_a_new_version_of_the_views_is_built_while_what_is_live_stays(
    fresh_database: Databases, tmp_path: Path
) -> None:
    dsn = await fresh_database()
    async with deployment(tmp_path, event_store_url=dsn, **KEYS) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client, asyncio.timeout(60):
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
            pushed = await client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
            before = await client.ask(ASKED, Emsp_Min_Position=str(pushed.position))
            assert emsp.stop("run") == 0, emsp.logs()
            session = await asyncpg.connect(dsn)
            await session.execute("update views.checkpoint set version = 'of last year'")
            emsp.start("run")
            while await session.fetchval("select generation from views.checkpoint") == 1:
                await asyncio.sleep(0.05)
            await emsp.until_ready()
            assert await session.fetchval("select version from views_old.checkpoint") == "of last year"
            assert await client.ask(ASKED) == before
            changed = await client.push_status(cpo, "A1", "CHARGING")
            await client.ask(ASKED, Emsp_Min_Position=str(changed.position))
            await session.close()
        assert emsp.stop("run") == 0, emsp.logs()


async def test_a_rebuild_that_is_killed_leaves_what_is_live_and_the_next_one_goes_on(
    fresh_database: Databases, tmp_path: Path
) -> None:
    dsn = await fresh_database()
    async with deployment(tmp_path, event_store_url=dsn, **KEYS) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
            locations = [a_location(f"Mall {n}", an_evse(f"A{n}")) for n in range(50)]
            pushed = await client.push_locations(cpo, locations)
            before = await client.ask(ASKED, Emsp_Min_Position=str(pushed.position))
            process = processes.start([EMSP, "rebuild"], emsp.environment, tmp_path / "rebuild.log")
            session = await asyncpg.connect(dsn)
            async with asyncio.timeout(30):
                while await session.fetchval("select to_regclass('views_next.checkpoint')") is None:
                    await asyncio.sleep(0.005)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(processes.STOP_S)
            assert await client.ask(ASKED) == before
            assert "Live: generation" in await emsp.command("rebuild")
            assert await client.ask(ASKED) == before
            assert "what the events say" in await emsp.command("verify")
            await session.close()
        assert emsp.stop("run") == 0, emsp.logs()


async def test_a_new_version_is_built_while_the_one_before_draws_and_serves(
    fresh_database: Databases, tmp_path: Path
) -> None:
    dsn = await fresh_database()
    rates = "{ find_ev_locations(limit: 1) { evses { status connectors { rate_setting } } } }"
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    async with (
        deployment(tmp_path / "old", event_store_url=dsn, **KEYS) as old,
        deployment(tmp_path / "new", event_store_url=dsn, **KEYS) as new,
        client_of(old) as client,
        client_of(new) as new_client,
        asyncio.timeout(120),
    ):
        old.start("run")
        await old.until_ready()
        cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "old/var/mail")
        pushed = await client.push_locations(cpo, [a_location(f"Mall {n}", an_evse(f"A{n}")) for n in range(50)])
        assert "KW-H" in str(await client.ask(rates, Emsp_Min_Position=str(pushed.position)))
        session = await asyncpg.connect(dsn)
        new.settings["PYTHONPATH"] = str(another_version(tmp_path / "code"))
        new.start("run")
        turn = 0
        while await session.fetchval("select generation from views.checkpoint") == 1:
            turn += 1
            reply = await client.push_status(cpo, "A1", ("CHARGING", "AVAILABLE")[turn % 2])
            assert len((await client.ask(ASKED, Emsp_Min_Position=str(reply.position)))["find_ev_locations"]) == 50
        await new.until_ready()
        assert "kW" in str(await new_client.ask(rates))
        reply = await client.push_status(cpo, "A0", "CHARGING")
        assert "CHARGING" in str(await new_client.ask(rates, Emsp_Min_Position=str(reply.position)))
        while await session.fetchval("select pos from views_old.checkpoint") < reply.position:
            await asyncio.sleep(0.05)
        assert "Live: generation 3" in await old.command("rebuild", "--back")
        found = str(await client.ask(rates))
        assert "KW-H" in found
        assert "CHARGING" in found
        await starting_again_does_not_undo_it(new, session)
        await session.close()


async def starting_again_does_not_undo_it(replaced: Emsp, session: asyncpg.Connection) -> None:
    assert replaced.stop("run") == 0, replaced.logs()
    replaced.start("run")
    await until(lambda: "the views of this version were replaced" in replaced.logs())
    assert await session.fetchval("select generation from views.checkpoint") == 3


def another_version(folder: Path) -> Path:
    """The code with one projection changed, and the version of the views raised, as its author would have done."""
    for room in ("api", "ocpi", "projections", "read_side", "write_side"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file, was, now in (
        ("documents.py", " KW-H", " kW"),
        ("migrate.py", f"VERSION: Final = {VERSION}", f"VERSION: Final = {VERSION + 1}"),
    ):
        path = folder / "projections" / file
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, now))
    return folder


async def test_events_and_views_may_be_in_two_databases(fresh_database: Databases, tmp_path: Path) -> None:
    store, views = await fresh_database(), await fresh_database()
    async with (
        deployment(tmp_path, event_store_url=store, read_model_url=views, **KEYS) as emsp,
        client_of(emsp) as client,
    ):
        emsp.start("run")
        await emsp.until_ready()
        cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
        pushed = await client.push_locations(cpo, [a_location(f"Mall {n}", an_evse(f"A{n}")) for n in range(20)])
        before = await client.ask(ASKED, Emsp_Min_Position=str(pushed.position))
        assert "Live: generation 2" in await emsp.command("rebuild")
        assert await client.ask(ASKED) == before
        assert "what the events say" in await emsp.command("verify")
        session = await asyncpg.connect(views)
        await session.execute("update views.location_view set head = overlay(head placing '~' from 40) where id = 5")
        said = await emsp.failed("verify", "--sample", "100")
        assert "location/5" in said
        assert "head" in said
        assert "Mended" in await emsp.command("verify", "--repair", "location/5")
        assert await client.ask(ASKED) == before
        assert "20 locations" in await emsp.command("verify", "--sample", "20")
        await session.execute("update views_old.checkpoint set version = 'of last year'")
        await client.push_status(cpo, "A1", "CHARGING")
        await session.close()
        assert "behind" in await emsp.failed("rebuild", "--back")
        assert emsp.stop("run") == 0, emsp.logs()


async def test_views_that_are_ahead_of_a_log_that_was_restored_are_told_and_built_anew(
    fresh_database: Databases, tmp_path: Path
) -> None:
    """An older copy of the event store is put in its place; what was answered since then is gone, and told."""
    store, views = await fresh_database(), await fresh_database()
    async with (
        deployment(tmp_path, event_store_url=store, read_model_url=views, **KEYS) as emsp,
        client_of(emsp) as client,
    ):
        async with running(emsp):
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
            pushed = await client.push_locations(cpo, [a_location("Mall", an_evse("A1"), an_evse("B2"))])
        copy = await fresh_database(template=store)
        async with running(emsp):
            await client.push_status(cpo, "A1", "CHARGING")
            lost = await client.push_status(cpo, "B2", "CHARGING")
            assert await statuses(client, lost.position) == {"A1": "CHARGING", "B2": "CHARGING"}

        emsp.settings["EMSP_EVENT_STORE_URL"] = copy
        ahead = f"the views are at {lost.position}, ahead of the log at {pushed.position}"
        assert ahead in await emsp.failed("status")
        assert f"the log ends before position {lost.position}" in await emsp.failed("verify")
        emsp.start("run")
        await until_equal(lambda: is_told(emsp, f"ends before position {lost.position}"), expected=True)
        # Its position means something else to the views, which therefore do not show it.
        again = await client.push_status(cpo, "A1", "BLOCKED")
        assert again.position < lost.position
        assert "Live: generation 2" in await emsp.command("rebuild")
        await emsp.until_ready()
        assert await statuses(client, again.position) == {"A1": "BLOCKED", "B2": "AVAILABLE"}
        assert "what the events say" in await emsp.command("verify")
        assert "All is well." in await emsp.command("status")


@asynccontextmanager
async def running(emsp: Emsp) -> AsyncIterator[None]:
    emsp.start("run")
    await emsp.until_ready()
    yield
    assert emsp.stop("run") == 0, emsp.logs()


async def statuses(client: Client, position: int) -> dict[str, str]:
    """Of each EVSE, at that position or later."""
    found = await client.ask(ASKED, Emsp_Min_Position=str(position))
    return {evse["uid"]: evse["status"] for one in found["find_ev_locations"] for evse in one["evses"]}


async def is_told(emsp: Emsp, what: str) -> bool:
    """Whether `/readyz` says so."""
    try:
        return what in str(await emsp.readiness("run"))
    except aiohttp.ClientConnectionError:
        return False
