"""A client that reads slowly keeps its connection busy, and nobody else's: not the loop, not the database's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import brotli
import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from rich.console import Console

from api.compression import compressing
from api.handlers.graphql import PATH, graphql_routes
from api.sessions import Sessions
from read_side.engine import create_engine
from read_side.guards import Limits
from read_side.scope import Viewer
from read_side.views import SESSION, Views
from tests.bench.filled import fill
from tests.support.databases import Databases

LOCATIONS: Final = 5_000
"""20 MB of JSON: more than the buffers of a connection hold."""

EVERYTHING: Final = """{ find_ev_locations { id name address city province country_code date_created date_modified
    facilities { id code description } evses { uid evse_id serial_number status date_created floor_level
        connectors { id evse_uid connector_id standard format power_type max_voltage max_amperage
                     max_electric_power connector_type rate_setting status date_created date_modified }
        capabilities { id code description } payment_types { id code description } } } }"""
ONE: Final = "{ find_ev_locations(limit: 1) { id } }"


@pytest.fixture(scope="module")
async def filled(fresh_database: Databases) -> AsyncIterator[str]:
    dsn = await fresh_database()
    await fill(dsn, LOCATIONS, Console(quiet=True))
    yield dsn
    await fresh_database.drop(dsn)


@pytest.fixture(scope="module", params=[True, False], ids=["compressed", "plain"])
async def server(filled: str, request: pytest.FixtureRequest) -> AsyncIterator[TestServer]:
    """A service with one connection to the database."""

    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(filled, server_settings=SESSION)

    async def everybody(_request: web.Request) -> Viewer:
        return Viewer(client="app", scopes=frozenset({"read"}))

    sessions = Sessions(connect, 1, wait_s=5.0)
    app = web.Application()
    service = await create_engine(Views(sessions, connect), Limits(), f"test_connections {request.param}")
    app.add_routes(graphql_routes(service, everybody))
    if request.param:
        compressing(app)
    server = TestServer(app)
    async with server:
        yield server
    await sessions.close()


class SlowClient:
    """Sends a query, and then reads as little as its socket lets it."""

    def __init__(self, server: TestServer, accepted: str) -> None:
        body = orjson.dumps({"query": EVERYTHING})
        head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.request = f"{head}Accept-Encoding: {accepted}\r\nConnection: close\r\n\r\n".encode() + body
        self.port = server.port
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)  # noqa: FBT003 - the socket's own way to say so

    async def first(self, count: int) -> bytes:
        """Connect, ask, and read so many bytes of the answer."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self.port))
        await loop.sock_sendall(self.socket, self.request)
        return await loop.sock_recv(self.socket, count)

    async def rest(self) -> bytes:
        """All that still comes."""
        loop = asyncio.get_running_loop()
        received = bytearray()
        while chunk := await loop.sock_recv(self.socket, 1 << 20):
            received += chunk
        self.socket.close()
        return bytes(received)


def unchunked(raw: bytes) -> bytes:
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    body = bytearray()
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return bytes(body)
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]


@pytest.mark.parametrize("accepted", ["identity", "br"])
async def test_a_slow_client_holds_no_connection_to_the_database(server: TestServer, accepted: str) -> None:
    slow = [SlowClient(server, accepted) for _ in range(3)]
    begun = [await one.first(10) for one in slow]
    async with ClientSession() as session:
        for _ in range(20):
            async with session.post(server.make_url(PATH), json={"query": ONE}) as answer:
                assert await answer.json() == {"data": {"find_ev_locations": [{"id": 1}]}}
    for one, first in zip(slow, begun, strict=True):
        raw = first + await one.rest()
        body = unchunked(raw)
        if b"Content-Encoding: br" in raw[:1000]:
            body = brotli.decompress(body)
        found = orjson.loads(body)["data"]["find_ev_locations"]
        assert len(found) > LOCATIONS * 0.9
        assert len(body) > 15_000_000
