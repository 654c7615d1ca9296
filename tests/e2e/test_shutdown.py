"""SIGTERM with requests under way: they get their answers, everything else is let go, and the process exits 0."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from yarl import URL

from tests.support.client import Cpo, a_location, an_evse
from tests.support.emsp import Emsp, client_of, deployment
from tests.support.until import until, until_equal

KEYS = {
    "jwt_access_key": "access-key-of-a-test-deployment-0001",
    "jwt_refresh_key": "refresh-key-of-a-test-deployment-001",
    "seal_key": "seal-key-of-a-test-deployment-0000001",
}
WAITS_FOR_A_LOCK = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


@asynccontextmanager
async def running(folder: Path, dsn: str, **settings: str) -> AsyncIterator[tuple[Emsp, Cpo]]:
    """One process on that database, ready, and a CPO that it knows."""
    async with deployment(folder, event_store_url=dsn, **KEYS, **settings) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            yield emsp, await client.registered("luzon", "Luzon Volt", folder / "var" / "mail")


class Connection:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, text: str) -> None:
        self.writer.write(text.encode())
        await self.writer.drain()

    async def answer(self) -> tuple[str, Any]:
        """Head, in lower case, and JSON body."""
        async with asyncio.timeout(20):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = head.partition("content-length: ")[2].partition("\r\n")[0]
            return head, json.loads(await self.reader.readexactly(int(length)))

    async def sent_in_part(self, head: str, part: str) -> None:
        """Send this much, and return when the other side is at it."""
        await self.send(head.replace("\r\n", "\r\nExpect: 100-continue\r\n", 1))
        async with asyncio.timeout(20):
            assert await self.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await self.send(part)

    async def is_closed(self) -> bool:
        """Whether the other side has ended it without another byte; then we do too."""
        async with asyncio.timeout(20):
            rest = await self.reader.read()
        self.writer.close()
        await self.writer.wait_closed()
        return rest == b""


async def connected(emsp: Emsp) -> Connection:
    return Connection(*await asyncio.open_connection("127.0.0.1", URL(emsp.base_url).port))


def push(cpo: Cpo, name: str, uid: str) -> tuple[str, str]:
    """Head and body of a W1."""
    body = json.dumps({"locations": [a_location(name, an_evse(uid))]})
    head = (
        f"POST /ocpi/cpo/api/v1/webhook/locations/{cpo.country_code}/{cpo.party_id} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {cpo.token_c}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head, body


async def readiness(emsp: Emsp) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{emsp.metrics_ports['run']}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def ended(process: subprocess.Popen[bytes]) -> int | None:
    await until(lambda: process.poll() is not None, at_most_s=30)
    return process.returncode


@asynccontextmanager
async def held_up_store(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Nobody can append meanwhile; yields a session to look with."""
    holder, looking = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    async with holder.transaction():
        await holder.execute("lock table es.events in exclusive mode")
        yield looking
    await holder.close()
    await looking.close()


async def test_what_is_under_way_at_a_stop_is_answered(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database) as (emsp, cpo):
        idle, upload, command = [await connected(emsp) for _ in range(3)]
        await idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await idle.reader.readuntil(b"ok\n")
        head, body = push(cpo, "Slow Mall", "SLOW-1")
        await upload.sent_in_part(head, body[:100])
        async with held_up_store(database) as looking:
            await command.send("".join(push(cpo, "Quick Mall", "QUICK-1")))
            await until_equal(lambda: looking.fetchval(WAITS_FOR_A_LOCK), 1)
            process = emsp.terminate("run")
            assert await idle.is_closed()
            assert await readiness(emsp) == (503, {"ready": False, "faults": {"process": "stopping"}, "notes": {}})
            with pytest.raises(ConnectionRefusedError):
                await connected(emsp)
            assert process.poll() is None
        for connection, rest in ((command, ""), (upload, body[100:])):
            await connection.send(rest)
            answered, told = await connection.answer()
            assert (told["status"], told["message"]) == (200, "Success"), told
            assert "connection: close" in answered
            assert await connection.is_closed()
        assert await ended(process) == 0, emsp.logs()
    assert await names_stored(database) == ["Quick Mall", "Slow Mall"]


async def test_what_does_not_end_is_cut_off(tmp_path: Path, database: str) -> None:
    async with running(tmp_path, database, shutdown_s="0.2") as (emsp, cpo):
        upload = await connected(emsp)
        head, body = push(cpo, "Endless Mall", "ENDLESS-1")
        await upload.sent_in_part(head, body[:100])
        process = emsp.terminate("run")
        assert await upload.is_closed()
        assert await ended(process) == 0, emsp.logs()
        assert "requests cut off" in emsp.logs()
    assert await names_stored(database) == []


async def names_stored(dsn: str) -> list[str]:
    """The names of the locations that were registered, in order."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select state from es.events where topic = 'location.registered' order by pos")
    await connection.close()
    return [json.loads(row["state"])["data"]["name"] for row in rows]
