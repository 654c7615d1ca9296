"""The contract as methods: what a CPO's and an app's client would call."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

MAIL_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """status, JSON body and headers of one answer."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def position(self) -> int:
        return int(self.headers["Emsp-Position"])


@dataclass(frozen=True, slots=True)
class Cpo:
    """A registered CPO with what its mail told."""

    username: str
    password: str
    country_code: str
    party_id: str
    token_c: str


class FormPart(NamedTuple):
    """One part of a form. filename None: a field."""

    name: str
    content: bytes | str
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Calls one service. basic: the Authorization header of an application."""

    session: aiohttp.ClientSession
    base_url: str
    basic: str

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """One call; headers are written with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.base_url + path, json=body, headers=named) as response:
            return Reply(response.status, await response.json(content_type=None), response.headers)

    async def register(self, username: str, cpo_owner_name: str, **headers: str) -> Reply:
        return await self.call(
            "POST",
            "/ocpi/cpo/2.2/register",
            {
                "username": username,
                "cpo_owner_name": cpo_owner_name,
                "contact_name": "Maria Santos",
                "contact_number": "+639171234567",
                "contact_email": "maria@cpo.example",
                "ocpp_ready": True,
            },
            Authorization=self.basic,
            **headers,
        )

    async def registered(self, username: str, cpo_owner_name: str, mails: Path) -> Cpo:
        """Register, and read the welcome mail from its folder."""
        reply = await self.register(username, cpo_owner_name)
        assert reply.status == 200, reply.body
        async with asyncio.timeout(MAIL_S):
            while (told := _mail_of(username, mails)) is None:
                await asyncio.sleep(0.05)
        return Cpo(username, told["Temporary password"], told["Country code"], told["Party ID"], told["Token C"])

    async def push_locations(self, cpo: Cpo, locations: list[dict[str, Any]], **headers: str) -> Reply:
        path = f"/ocpi/cpo/api/v1/webhook/locations/{cpo.country_code}/{cpo.party_id}"
        return await self.call("POST", path, {"locations": locations}, **_machine(cpo), **headers)

    async def push_status(self, cpo: Cpo, uid: str, status: str, **headers: str) -> Reply:
        path = f"/ocpi/cpo/api/v1/webhook/evse/{cpo.country_code}/{cpo.party_id}/{uid}"
        return await self.call("PATCH", path, {"status": status}, **_machine(cpo), **headers)

    async def upload(self, token: str, csv: bytes, *, is_staged: bool = False, **headers: str) -> Reply:
        """R9, or R10. csv: the file; its name is ours."""
        path = f"/ocpi/cpo/api/v2/locations/uploads/{'temp/' if is_staged else ''}csv"
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(csv), filename="locations.csv", content_type="text/csv")
        named = {name.replace("_", "-"): value for name, value in headers.items()} | bearer(token)
        async with self.session.post(self.base_url + path, data=form, headers=named) as response:
            return Reply(response.status, await response.json(content_type=None), response.headers)

    async def settle(self, token: str, verb: str, **headers: str) -> Reply:
        """R16: approve or reject."""
        return await self.call("POST", f"/ocpi/cpo/2.2/locations/pending/{verb}", **bearer(token), **headers)

    async def pending(self, token: str, below: str = "", **headers: str) -> Reply:
        """R15; below: `/items?…`."""
        return await self.call("GET", f"/ocpi/cpo/2.2/locations/pending{below}", **bearer(token), **headers)

    async def log_in(self, cpo: Cpo) -> str:
        """A new access token."""
        reply = await self.call(
            "POST",
            "/ocpi/cpo/api/auth/v1/login",
            {"username": cpo.username, "password": cpo.password},
            Authorization=self.basic,
        )
        assert reply.status == 200, reply.body
        token: str = reply.body["data"]["access_token"]
        return token

    async def send_form(self, method: str, path: str, authorization: str, *parts: FormPart, **headers: str) -> Reply:
        """One call with a multipart body; headers are written with _ for -."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for part in parts:
            content = part.content if isinstance(part.content, str) else io.BytesIO(part.content)
            form.add_field(part.name, content, filename=part.filename)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = authorization
        async with self.session.request(method, self.base_url + path, data=form, headers=named) as response:
            return Reply(response.status, await response.json(content_type=None), response.headers)

    async def ask(self, query: str, *, token: str | None = None, **headers: str) -> Any:
        """The `data` of a GraphQL query, as a CPO's user or as the application."""
        authorization = self.basic if token is None else f"Bearer {token}"
        reply = await self.call("POST", "/ocpi/cpo/graphql", {"query": query}, Authorization=authorization, **headers)
        assert "errors" not in reply.body, reply.body
        return reply.body["data"]


def _machine(cpo: Cpo) -> dict[str, str]:
    return {"Authorization": f"Bearer {cpo.token_c}"}


def bearer(token: str) -> dict[str, str]:
    """The header of a CPO's user."""
    return {"Authorization": f"Bearer {token}"}


def _mail_of(username: str, mails: Path) -> dict[str, str] | None:
    for path in mails.glob("*.eml"):
        text = message_from_bytes(path.read_bytes(), policy=SMTP).get_body(("plain",))
        assert text is not None
        told = dict(line.split(": ", 1) for line in text.get_content().splitlines() if ": " in line)
        if told.get("Username") == username and "Token C" in told:
            return told
    return None


def an_evse(uid: str, /, **changed: Any) -> dict[str, Any]:
    """An EVSE as W1 and W2 take it, valid; a word to change or spoil it."""
    return {
        "uid": uid,
        "status": "AVAILABLE",
        "meter_type": "AC",
        "kwh": 7.4,
        "connectors": [a_connector()],
        "capabilities": ["QR_READER"],
        "payment_types": ["GCASH"],
    } | changed


def a_connector(**changed: Any) -> dict[str, Any]:
    """A connector as W1 and W2 take it, valid."""
    return {
        "standard": "TYPE_2",
        "format": "SOCKET",
        "power_type": "AC",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 7400,
    } | changed


def a_location(name: str, /, *evses: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A location as W1 takes it, valid."""
    return {
        "name": name,
        "address": "Ayala Avenue, Makati, Metro Manila",
        "lat": 14.5547,
        "lng": 121.0244,
        "evses": list(evses),
        "facilities": ["MALL"],
        "parking_types": ["INDOOR"],
        "parking_restrictions": [],
    } | changed
