"""What a client of the contract sends, part by part, and the shapes that it expects back."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from tests.support.client import Reply

if TYPE_CHECKING:
    from tests.support.client import Client, Cpo

COLUMNS: Final = (
    "location,address,lat,lng,evse_sn,kwh,connectors,format,power_type,max_voltage,max_amperage,max_electric_power,"
    "facilities,parking_types,capabilities,payment_types,floor_level,directions"
)


def csv_row(
    location: str, evse_sn: str, *, connectors: str = '["TYPE_2"]', address: str = "Rizal Avenue, Olongapo City"
) -> str:
    """One row of contract §4, valid; connectors: a JSON array."""
    cells = [location, address, "14.83", "120.28", evse_sn, "7.4", connectors, "SOCKET", "AC", "230", "32", "7400"]
    cells += ['["MALL"]', '["INDOOR"]', '["QR_READER"]', '["GCASH"]', "2F", "behind the lobby"]
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def csv_file(*rows: str) -> bytes:
    """A file of contract §4 with these rows."""
    return "\n".join((COLUMNS, *rows, "")).encode()


def png(red: int, green: int, blue: int, *, side: int = 8) -> bytes:
    """A picture of one colour, side pixels wide and high (PNG specification, sections 11.2.2 to 11.2.5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes((red, green, blue)) * side) * side
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@dataclass(frozen=True, slots=True)
class User:
    """A logged-in user of a CPO."""

    client: Client
    cpo: Cpo
    tokens: dict[str, Any]

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """One call with the access token."""
        authorization = f"Bearer {self.tokens['access_token']}"
        return await self.client.call(method, path, body, Authorization=authorization, **headers)

    async def send(self, method: str, path: str, *parts: tuple[str, str | None, bytes], **headers: str) -> Reply:
        """One multipart call; parts: key, file name or None, content."""
        return await send(self.client, method, path, f"Bearer {self.tokens['access_token']}", *parts, **headers)

    @property
    def cpo_owner_id(self) -> int:
        """As the access token says it."""
        claims = self.tokens["access_token"].split(".")[1]
        number: int = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["cpo_owner_id"]
        return number


async def send(
    client: Client, method: str, path: str, authorization: str, *parts: tuple[str, str | None, bytes], **headers: str
) -> Reply:
    """One multipart call; parts: key, file name or None, content."""
    form = aiohttp.FormData(default_to_multipart=True)
    for key, filename, content in parts:
        if filename is None:
            form.add_field(key, content.decode())
        else:
            form.add_field(key, content, filename=filename)
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {"Authorization": authorization}
    async with client.session.request(method, client.base_url + path, data=form, headers=named) as response:
        return Reply(response.status, await response.json(content_type=None), response.headers)


async def log_in(client: Client, cpo: Cpo) -> User:
    """The CPO's user, logged in with the password of its mail."""
    credentials = {"username": cpo.username, "password": cpo.password}
    reply = await client.call("POST", "/ocpi/cpo/api/auth/v1/login", credentials, Authorization=client.basic)
    assert (reply.status, reply.body["message"]) == (200, "SUCCESS"), reply.body
    return User(client, cpo, reply.body["data"])


def accepted(reply: Reply, data: object, message: str = "Success") -> None:
    """The answer is this one, in the contract's envelope, and nothing else."""
    assert reply.body == {"status": 200, "data": data, "message": message}
    assert reply.status == 200


def refused(reply: Reply, status: int, message: str) -> None:
    """The answer is a refusal with this status and message, in the contract's envelope."""
    assert (reply.status, reply.body["status"], reply.body["message"]) == (status, status, message), reply.body
    assert isinstance(reply.body["data"], list)
    assert set(reply.body) == {"status", "data", "message"}
