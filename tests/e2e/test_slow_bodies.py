"""Whoever sends a byte now and then, or none, does not hold a connection for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from tests.support.calls import CALLS, GRAPHQL, target
from tests.support.client import Cpo
from tests.support.databases import Databases
from tests.support.world import Service, service


@pytest.fixture(scope="module")
async def emsp(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with little patience."""
    dsn = await fresh_database()
    async with service(dsn, tmp_path_factory.mktemp("emsp"), body_wait_s=0.3, idle_s=0.3) as running:
        yield running


@pytest.fixture(scope="module")
async def cpo(emsp: Service) -> Cpo:
    """Nothing that these tests send is accepted: one CPO is enough."""
    return await emsp.client.registered("slow", "Slow Bodies", emsp.mails)


async def answered(emsp: Service, sent: str) -> tuple[str, bytes]:
    """Head, in lower case, and body of what comes back until the other side ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(emsp.base_url).port)
    writer.write(sent.encode())
    async with asyncio.timeout(30):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head.decode().lower(), body


@pytest.mark.parametrize("framing", ["Content-Length: 1000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
@pytest.mark.parametrize("call", CALLS)
async def test_a_body_that_does_not_come_is_408(emsp: Service, cpo: Cpo, call: str, framing: str) -> None:
    method, url, authorization = target(emsp, cpo, call)
    head, body = await answered(
        emsp,
        f"{method} {URL(url).raw_path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization['Authorization']}\r\n"
        f"Content-Type: application/json\r\n{framing}",
    )
    assert json.loads(body) == {"status": 408, "data": [], "message": "REQUEST_TIMEOUT"}
    assert head.startswith("http/1.1 408")
    assert "connection: close" in head
    assert "x-request-id: " in head


async def test_a_graphql_body_that_does_not_come_is_408(emsp: Service) -> None:
    head, body = await answered(
        emsp,
        f"POST {GRAPHQL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
    )
    assert head.startswith("http/1.1 408")
    assert "connection: close" in head
    assert json.loads(body)["errors"][0]["extensions"]["status"] == 408


async def test_who_may_not_call_is_told_before_its_body(emsp: Service) -> None:
    head, body = await answered(
        emsp,
        "POST /ocpi/cpo/2.2/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{",
    )
    assert head.startswith("http/1.1 401")
    assert json.loads(body)["message"] == "Unauthorized"


@pytest.mark.parametrize("sent", ["", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_come_ends_the_connection(emsp: Service, sent: str) -> None:
    assert await answered(emsp, sent) == ("", b"")


async def test_a_body_in_many_pieces_is_read(emsp: Service, cpo: Cpo) -> None:
    method, url, authorization = target(emsp, cpo, "W1")

    async def pieces() -> AsyncIterator[bytes]:
        for letter in '{"locations": ' + " " * 2_000 + "[]}":
            yield letter.encode()

    headers = authorization | {"Content-Type": "application/json"}
    async with emsp.client.session.request(method, url, data=pieces(), headers=headers) as response:
        assert (response.status, (await response.json())["message"]) == (400, "VALIDATION_ERROR")
