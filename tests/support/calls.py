"""The write calls of the contract by their row, and requests that no HTTP library would send."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from yarl import URL

from tests.support.client import Cpo
from tests.support.world import Service

REGISTER: Final = "/ocpi/cpo/2.2/register"
LOGIN: Final = "/ocpi/cpo/api/auth/v1/login"
GRAPHQL: Final = "/ocpi/cpo/graphql"
CALLS: Final = ("R1", "R3", "W1", "W2", "W3", "W4")


def target(emsp: Service, cpo: Cpo, call: str) -> tuple[str, str, dict[str, str]]:
    """Method, URL and authorization of a call of the contract."""
    hook = "/ocpi/cpo/api/v1/webhook"
    who = f"{cpo.country_code}/{cpo.party_id}"
    method, path = {
        "R1": ("POST", REGISTER),
        "R3": ("POST", LOGIN),
        "W1": ("POST", f"{hook}/locations/{who}"),
        "W2": ("POST", f"{hook}/evse/{who}"),
        "W3": ("PATCH", f"{hook}/evse/{who}/1"),
        "W4": ("PATCH", f"{hook}/locations/{who}/1"),
    }[call]
    authorization = emsp.client.basic if call.startswith("R") else f"Bearer {cpo.token_c}"
    return method, emsp.base_url + path, {"Authorization": authorization}


async def raw(
    emsp: Service, method: str, path: str, headers: dict[str, bytes], body: bytes = b""
) -> tuple[int, str, Any]:
    """Status, head and JSON body of the answer to a request of exactly these bytes."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: x", f"Content-Length: {len(body)}".encode()]
    lines += [name.encode() + b": " + value for name, value in headers.items()]
    return await exchanged(emsp, b"\r\n".join([*lines, b"", body]))


async def exchanged(emsp: Service, sent: bytes) -> tuple[int, str, Any]:
    """Status, head and JSON body of the answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(emsp.base_url).port)
    writer.write(sent)
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (length,) = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
        answer = await reader.readexactly(int(length.partition(":")[2]))
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head, json.loads(answer)
