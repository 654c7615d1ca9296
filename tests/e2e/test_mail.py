"""Mail through a real server and real processes: each mail arrives, once, whatever is killed or away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest

from tests.support.certificates import certified
from tests.support.client import Client
from tests.support.emsp import Emsp, client_of, deployment
from tests.support.mail_server import PASSWORD, USER, MailServer, lines_of
from tests.support.until import until, until_equal
from tests.support.world import KEYS

ENDS_S = 15.0
"""Less than a mail may take, more than the end of a process does."""
WAITING = "select count(*) from es.outbox_mail"


@asynccontextmanager
async def sending(
    folder: Path, database: str, url: str, **settings: str
) -> AsyncIterator[tuple[Emsp, Client, asyncpg.Connection]]:
    """A deployment with that mail server, whose API runs."""
    async with deployment(folder, event_store_url=database, smtp_url=url, **KEYS, **settings) as emsp:
        await emsp.command("migrate")
        emsp.start("api")
        await emsp.until_ready()
        store = await asyncpg.connect(database)
        try:
            async with client_of(emsp) as client:
                yield emsp, client, store
        finally:
            await store.close()


async def register(client: Client, *names: str) -> None:
    for name in names:
        reply = await client.register(name, f"Luzon {name}")
        assert reply.status == 200, reply.body


def asking(store: asyncpg.Connection) -> Callable[[], Awaitable[object]]:
    return lambda: store.fetchval(WAITING)


async def metrics_of(emsp: Emsp, role: str) -> dict[str, float]:
    url = f"http://127.0.0.1:{emsp.metrics_ports[role]}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        lines = (await response.text()).splitlines()
    told = (line.split(" ") for line in lines if line.startswith("emsp_mail"))
    return {name: float(value) for name, value in told}


async def test_a_registrations_mail_arrives_through_starttls_with_a_login(tmp_path: Path, database: str) -> None:
    tls = certified(tmp_path / "tls")
    async with MailServer(starttls=tls.context, wants_login=True) as server:
        login = f"{USER}:{quote(PASSWORD, safe='')}"
        url = f"smtp://{login}@127.0.0.1:{server.port}?tls=starttls&ca={tls.authority}"
        async with sending(tmp_path, database, url) as (emsp, client, store):
            emsp.start("mail")
            await register(client, "maria")
            await until_equal(asking(store), 0)
            assert emsp.stop("mail") == 0
            logs = emsp.logs()
    ((envelope,), (mail,)) = server.taken, server.mails
    assert envelope.rcpt_tos == ["maria@cpo.example"]
    told = dict(line.split(": ", 1) for line in lines_of(mail) if ": " in line)
    assert told.keys() >= {"Username", "Temporary password", "Country code", "Party ID", "Token C"}
    assert (told["Username"], told["Country code"]) == ("maria", "PH")
    for secret in (told["Token C"], told["Temporary password"], PASSWORD, "maria@cpo.example"):
        assert secret not in logs
    assert f'"party": "PH/{told["Party ID"]}"' in logs


async def test_a_mail_waits_for_a_server_that_is_away(tmp_path: Path, database: str) -> None:
    async with MailServer() as server:
        await server.stop()
        async with sending(tmp_path, database, f"smtp://127.0.0.1:{server.port}") as (emsp, client, store):
            emsp.start("mail")
            await register(client, "maria", "jose")
            await until_equal(lambda: store.fetchval("select count(*) from es.outbox_mail where tries > 0"), 2)
            await server.start()
            await until_equal(asking(store), 0)
    assert len(set(server.message_ids)) == len(server.message_ids) == 2


async def test_a_refused_mail_is_shown_and_sent_when_an_operator_says_so(tmp_path: Path, database: str) -> None:
    async with MailServer() as server:
        server.at_rcpt = "550 5.1.1 <{address}>: no such user"
        async with sending(tmp_path, database, f"smtp://127.0.0.1:{server.port}") as (emsp, client, store):
            emsp.start("mail")
            await register(client, "maria")
            failing = "select failure, party from es.outbox_mail"
            await until_equal(lambda: store.fetchval(failing), "550 5.1.1")
            ((message_id, party),) = await store.fetch("select message_id, party from es.outbox_mail")
            shown = await emsp.failed("status")
            assert "mails that wait: 1" in shown
            assert f"refused {message_id} of {party}: 550 5.1.1" in shown.replace("\n", "")
            async with asyncio.timeout(ENDS_S):
                while (await metrics_of(emsp, "mail"))["emsp_mail_failed"] != 1:
                    await asyncio.sleep(0.1)
            server.at_rcpt = ""
            assert server.taken == []
            await emsp.command("mail", "--retry")
            await until_equal(asking(store), 0)
            logs = emsp.logs()
            assert message_id in logs
            assert "maria@cpo.example" not in logs + shown
    assert server.message_ids == [message_id]


async def test_a_killed_sender_loses_nothing(tmp_path: Path, database: str) -> None:
    async with MailServer() as server:
        server.answers.clear()
        async with sending(tmp_path, database, f"smtp://127.0.0.1:{server.port}") as (emsp, client, store):
            emsp.start("mail")
            await register(client, "maria", "jose", "ana")
            async with asyncio.timeout(ENDS_S):
                await server.holds.wait()
            emsp.kill("mail")
            await server.stop()
            assert (server.taken, await store.fetchval(WAITING)) == ([], 3)
            server.answers.set()
            await server.start()
            emsp.start("mail")
            await until_equal(asking(store), 0)
    # What was held back when its sender died may have been taken then.
    assert len(set(server.message_ids)) == 3
    assert len(server.message_ids) <= 4


async def test_two_senders_send_each_mail_once(tmp_path: Path, database: str) -> None:
    names = [f"user{number}" for number in range(24)]
    async with MailServer() as server:
        url = f"smtp://127.0.0.1:{server.port}"
        async with sending(tmp_path, database, url) as (emsp, client, store):
            await register(client, *names)
            assert await store.fetchval(WAITING) == len(names)
            server.answers.clear()
            emsp.start("mail")
            (tmp_path / "second").mkdir()
            async with deployment(
                tmp_path / "second", event_store_url=database, smtp_url=url, **KEYS, data_dir=str(tmp_path / "var")
            ) as second:
                second.start("mail")
                await until(lambda: server.held == 2, at_most_s=ENDS_S)
                server.answers.set()
                await until_equal(asking(store), 0)
                assert (emsp.stop("mail"), second.stop("mail")) == (0, 0)
                by = [(at / "mail.log").read_text().count('"event": "mail sent"') for at in (tmp_path, second.folder)]
    assert min(by) > 0
    assert sum(by) == len(names)
    assert len(set(server.message_ids)) == len(server.message_ids) == len(names)


@pytest.mark.parametrize("role", ["mail", "run"])
async def test_a_server_that_never_answers_holds_up_neither_requests_nor_the_end(
    tmp_path: Path, database: str, role: str
) -> None:
    async with MailServer() as server:
        server.answers.clear()
        url = f"smtp://127.0.0.1:{server.port}"
        async with sending(tmp_path, database, url, store_connections="1") as (emsp, client, store):
            if role == "run":
                emsp.stop("api")
            emsp.start(role)
            await emsp.until_ready()
            await register(client, "maria")
            async with asyncio.timeout(ENDS_S):
                await server.holds.wait()
                await register(client, "jose", "ana")
                assert (await client.call("GET", "/readyz")).status == 200
                assert await asyncio.to_thread(emsp.stop, role) == 0
            assert await store.fetchval(WAITING) == 3
            server.answers.set()


async def test_what_was_sealed_with_a_lost_key_is_told_and_holds_nobody_up(tmp_path: Path, database: str) -> None:
    async with MailServer() as server:
        url = f"smtp://127.0.0.1:{server.port}"
        async with sending(tmp_path, database, url) as (emsp, client, store):
            await register(client, "maria")
            emsp.settings["EMSP_SEAL_KEY"] = "another-key-of-a-test-deployment-0001"
            emsp.stop("api")
            for role in ("api", "mail"):
                emsp.start(role)
            await emsp.until_ready()
            await register(client, "jose")
            await until(lambda: len(server.taken) == 1, at_most_s=ENDS_S)
            assert "Username: jose" in lines_of(server.mails[0])
            assert "EMSP_SEAL_KEY" in (tmp_path / "mail.log").read_text()
            assert "EMSP_SEAL_KEY" in await emsp.failed("status")
            assert await store.fetchval(WAITING) == 1
