"""A real process, a file of 100,000 rows, and kill -9."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg
import pytest

from tests.support.client import Client, Cpo
from tests.support.csv_files import a_csv, a_row, large_rows, write_large
from tests.support.emsp import Emsp, client_of, deployment
from tests.support.processes import forget_highest, highest_mib
from tests.support.until import until_equal

KEYS: Final = {
    "jwt_access_key": "access-key-of-a-test-deployment-0001",
    "jwt_refresh_key": "refresh-key-of-a-test-deployment-001",
    "seal_key": "seal-key-of-a-test-deployment-0000001",
}
ROWS: Final = 100_000
OTHERS: Final = 100
FEW: Final = 2_000
EVENTS_OF_FEW: Final = FEW + FEW // 5
MAX_MIB: Final = 200

UPLOAD_WAITS: Final = """
    select count(*)
      from pg_stat_activity
     where datname = current_database()
       and application_name = 'emsp upload'
       and wait_event_type = 'Lock'
"""
COUNT: Final = "select count(*) from es.events"
UNPUBLISHED: Final = "select head.pos - publisher.pos from es.head, es.publisher"


@pytest.fixture
async def emsp(tmp_path: Path, database: str) -> AsyncIterator[Emsp]:
    """Everything in one process, as `emsp run` does it."""
    async with deployment(tmp_path, event_store_url=database, **KEYS) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        yield emsp


async def a_cpo(client: Client, emsp: Emsp) -> tuple[Cpo, str]:
    """A CPO with one EVSE, X1, and the token of its user."""
    cpo = await client.registered("luzon", "Luzon Volt", emsp.folder / "var" / "mail")
    token = await client.log_in(cpo)
    assert (await client.upload(token, a_csv(a_row("X1", "Other")))).status == 200
    return cpo, token


@pytest.mark.timeout(400)
async def test_a_hundred_thousand_rows_are_read_in_bounded_memory_while_others_are_answered(
    emsp: Emsp, database: str, tmp_path: Path
) -> None:
    file = write_large(tmp_path / "large.csv", ROWS)
    pid = emsp.running["run"].pid
    store = await asyncpg.connect(database)
    try:
        async with client_of(emsp) as client:
            cpo, token = await a_cpo(client, emsp)
            forget_highest(pid)
            before = highest_mib(pid)
            uploading = asyncio.create_task(client.upload(token, file.read_bytes()))
            await others_are_answered(client, cpo, token)
            # Were each held up by a hundredth of the upload it would have ended.
            assert not uploading.done()
            reply = await uploading
            assert reply.status == 200, reply.body
            # The whole of it becomes visible at once: to the publisher, and to the projector behind it.
            await until_equal(lambda: store.fetchval(UNPUBLISHED), 0, at_most_s=200)
            assert highest_mib(pid) - before < MAX_MIB
        assert await store.fetchval("select count(*) from es.events where topic = 'evse.registered'") == ROWS + 1
        assert await store.fetchval("select count(*) = max(pos) from es.events")
    finally:
        await store.close()


async def others_are_answered(client: Client, cpo: Cpo, token: str) -> None:
    """A hundred commands and queries, one after the other."""
    for number in range(OTHERS // 2):
        status = await client.push_status(cpo, "X1", ("CHARGING", "AVAILABLE")[number % 2])
        assert status.status == 200, status.body
        shown = await client.ask("{ evse(limit: 1) { uid } }", token=token)
        assert shown == {"evse": [{"uid": "X1"}]}


@pytest.mark.timeout(200)
async def test_a_process_killed_in_the_middle_has_written_nothing_and_the_key_repeats_it(
    emsp: Emsp, database: str
) -> None:
    file = a_csv(*large_rows(FEW))
    store = await asyncpg.connect(database)
    try:
        async with client_of(emsp) as client:
            _, token = await a_cpo(client, emsp)
        count = await store.fetchval(COUNT)
        # Decided, and about to be inserted.
        async with store.transaction():
            await store.fetchval("select pos from es.head for update")
            await kill_when_it_waits(emsp, database, token, file)
        # Half inserted: one event of the upload meets a row that is not committed.
        transaction = store.transaction()
        await transaction.start()
        await store.execute(
            "insert into es.claims values ($1, 'l station 399', 'a-test')", f"location_name/{await party_of(store)}"
        )
        await restarted(emsp)
        await kill_when_it_waits(emsp, database, token, file)
        await transaction.rollback()
        await until_equal(lambda: store.fetchval("select count(*) from pg_class where relpersistence = 't'"), 0)
        assert await store.fetchval(COUNT) == count
        assert await store.fetchval("select count(*) from es.commands") == 0

        await prove_that_the_key_repeats_it(emsp, store, token, file)
    finally:
        await store.close()


async def prove_that_the_key_repeats_it(emsp: Emsp, store: asyncpg.Connection, token: str, file: bytes) -> None:
    """Written once it is all there, and whoever does not hear of it asks again."""
    count = await store.fetchval(COUNT)
    await restarted(emsp)
    async with client_of(emsp) as client:
        accepted = await client.upload(token, file, Idempotency_Key="k1")
        assert (accepted.status, accepted.position) == (200, count + EVENTS_OF_FEW), accepted.body
    emsp.kill("run")
    await restarted(emsp)
    async with client_of(emsp) as client:
        again = await client.upload(token, file, Idempotency_Key="k1")
        assert (again.status, again.position) == (200, accepted.position)
    assert await store.fetchval(COUNT) == accepted.position


async def restarted(emsp: Emsp) -> None:
    emsp.start("run")
    await emsp.until_ready()


async def party_of(store: asyncpg.Connection) -> str:
    """The one CPO."""
    party: str = await store.fetchval("select country_code || '/' || party_id from es.users")
    return party


async def kill_when_it_waits(emsp: Emsp, database: str, token: str, file: bytes) -> None:
    """Send the file, and kill -9 the process as soon as the insert waits for what the test holds."""
    # A session sees the activity of others as it was when its transaction first looked.
    watch = await asyncpg.connect(database)
    try:
        async with client_of(emsp) as client:
            uploading = asyncio.create_task(client.upload(token, file, Idempotency_Key="k1"))
            await until_equal(lambda: watch.fetchval(UPLOAD_WAITS), 1, at_most_s=60)
            emsp.kill("run")
            with pytest.raises(aiohttp.ClientError):
                await uploading
    finally:
        await watch.close()
