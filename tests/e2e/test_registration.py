from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import pytest

from tests.support.client import Cpo, Reply
from tests.support.world import READ_ONLY_SECRET, Service

REGISTER = "/ocpi/cpo/2.2/register"
A_CPO: dict[str, Any] = {
    "username": "maria",
    "cpo_owner_name": "Isla Charge",
    "contact_name": "María Santos",
    "contact_number": "09171234567",
    "contact_email": "maria@isla.example",
    "ocpp_ready": True,
}


async def register(emsp: Service, **changed: Any) -> Reply:
    return await emsp.client.call("POST", REGISTER, A_CPO | changed, Authorization=emsp.client.basic)


async def test_a_registered_cpo_gets_its_secrets_by_mail_and_nowhere_else(emsp: Service) -> None:
    cpo = await emsp.client.registered("isla-1", "Isla Uno", emsp.mails)
    assert (cpo.country_code, cpo.party_id) == ("PH", "ISL")
    (mail,) = [path for path in emsp.mails.glob("*.eml") if b"Username: isla-1" in path.read_bytes()]
    assert mail.stat().st_mode & 0o777 == 0o600
    assert emsp.mails.stat().st_mode & 0o777 == 0o700
    assert re.search(rb"^Temporary password: \S{16}\r?$", mail.read_bytes(), re.MULTILINE)
    events = await emsp.store.fetch("select state from es.events where party = $1", f"PH/{cpo.party_id}")
    for secret in (cpo.password, cpo.token_c):
        assert all(secret.encode() not in row["state"] for row in events)
        everything = await emsp.store.fetch(
            "select to_jsonb(u)::text as row from es.users u union all select to_jsonb(t)::text from es.tokens_c t "
            "union all select to_jsonb(o)::text from es.outbox_mail o union all select answer::text from es.commands"
        )
        assert all(secret not in row["row"] for row in everything)


async def test_names_are_taken_whatever_their_case(emsp: Service) -> None:
    assert (await register(emsp, username="Juan", cpo_owner_name="Juan Volt")).status == 200
    both = await register(emsp, username="JUAN", cpo_owner_name="juan volt")
    assert (both.status, both.body["message"]) == (400, "VALIDATION_ERROR")
    assert [fault["code"] for fault in both.body["data"]] == ["USERNAME_EXISTS", "CPO_OWNER_NAME_EXISTS"]
    one = await register(emsp, username="jUan", cpo_owner_name="Another")
    assert one.body["message"] == "USERNAME_EXISTS"


async def test_registrations_at_once_get_party_ids_of_their_own(emsp: Service) -> None:
    cpos: list[Cpo] = await asyncio.gather(
        *(emsp.client.registered(f"abra-{number}", f"Abra {number}", emsp.mails) for number in range(30))
    )
    assert len({cpo.party_id for cpo in cpos}) == 30
    assert all(re.fullmatch("[A-Z]{3}", cpo.party_id) for cpo in cpos)


async def test_a_repeat_under_its_key_registers_once(emsp: Service) -> None:
    replies = [
        await emsp.client.call(
            "POST",
            REGISTER,
            A_CPO | {"username": "key", "cpo_owner_name": "Key"},
            Authorization=emsp.client.basic,
            Idempotency_Key="r-1",
        )
        for _ in range(2)
    ]
    assert [(reply.status, reply.position) for reply in replies] == [(200, replies[0].position)] * 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contact_number", "+63917123456"),
        ("contact_number", "9171234567"),
        ("contact_email", "maria"),
        ("contact_email", "maria@"),
        ("ocpp_ready", "true"),
        ("ocpp_ready", 1),
        ("ocpp_ready", None),
        ("username", ""),
        ("username", "x" * 256),
        ("logo", 7),
    ],
)
async def test_wrong_fields_are_refused(emsp: Service, field: str, value: object) -> None:
    reply = await register(emsp, **{field: value})
    assert (reply.status, reply.body["message"]) == (400, "VALIDATION_ERROR")
    assert [fault["field"] for fault in reply.body["data"]] == [field]


async def test_a_client_without_the_scope_is_refused(emsp: Service) -> None:
    reader = aiohttp.encode_basic_auth("reader", READ_ONLY_SECRET)
    reply = await emsp.client.call("POST", REGISTER, A_CPO, Authorization=reader)
    assert (reply.status, reply.body["message"]) == (403, "Forbidden")
