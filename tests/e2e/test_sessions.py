"""R4 to R6, and what an operator replaces, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from api.cpo_commands import WrongParty, party_named
from tests.support.client import Cpo, Reply, a_location, an_evse
from tests.support.contract import User, accepted, log_in, refused
from tests.support.world import Service
from write_side.commands.dispatch import dispatch
from write_side.commands.wishes import ResetPassword, RotateTokenC
from write_side.domain.errors import UnknownCpo
from write_side.ports import Origin

AUTH = "/ocpi/cpo/api/auth/v1"
DETAILS = "/ocpi/cpo/2.2/details"
OPERATOR = Origin("cli-1", "operator")


@pytest.fixture
async def user(emsp: Service, cpo: Cpo) -> User:
    return await log_in(emsp.client, cpo)


async def refresh(emsp: Service, token: str) -> Reply:
    return await emsp.client.call("GET", f"{AUTH}/refresh", Authorization=f"Bearer {token}")


async def test_a_used_refresh_token_ends_its_session(emsp: Service, user: User) -> None:
    renewed = await refresh(emsp, user.tokens["refresh_token"])
    assert renewed.status == 200
    refused(await refresh(emsp, user.tokens["refresh_token"]), 403, "Forbidden")
    refused(await User(emsp.client, user.cpo, renewed.body["data"]).call("GET", DETAILS), 401, "Unauthorized")
    refused(await refresh(emsp, renewed.body["data"]["refresh_token"]), 401, "Unauthorized")


async def test_tokens_of_another_kind_are_refused(emsp: Service, cpo: Cpo, user: User) -> None:
    for wrong in (user.tokens["access_token"], cpo.token_c, "rubbish", forged(user.tokens["refresh_token"])):
        reply = await refresh(emsp, wrong)
        refused(reply, 401, "Unauthorized")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    for wrong in (user.tokens["refresh_token"], cpo.token_c, forged(user.tokens["access_token"])):
        headers = {"Authorization": f"Bearer {wrong}"}
        refused(await emsp.client.call("POST", f"{AUTH}/logout", **headers), 401, "Unauthorized")
        refused(await emsp.client.call("GET", DETAILS, **headers), 401, "Unauthorized")
    refused(await emsp.client.call("GET", DETAILS, Authorization=emsp.client.basic), 401, "Unauthorized")
    refused(await emsp.client.call("GET", f"{AUTH}/refresh"), 401, "Unauthorized")
    assert (await user.call("GET", DETAILS)).status == 200


def forged(token: str) -> str:
    """The same claims, unsigned (`alg: none`)."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


async def test_a_logout_ends_both_tokens(emsp: Service, user: User) -> None:
    accepted(await user.call("POST", f"{AUTH}/logout"), [], "Logged out successfully")
    refused(await user.call("POST", f"{AUTH}/logout"), 401, "Unauthorized")
    refused(await refresh(emsp, user.tokens["refresh_token"]), 401, "Unauthorized")


async def change(user: User, old: Any, new: Any, typed: Any) -> Reply:
    body = {"old_password": old, "new_password": new, "confirm_password": typed}
    return await user.call("POST", f"{AUTH}/change-old-password", body)


async def test_a_password_is_changed_in_the_contracts_order_of_checks(emsp: Service, cpo: Cpo, user: User) -> None:
    good = "a good long one"
    for old, new, typed, code in (
        ("wrong", "short", "shorter", "INVALID_OLD_PASSWORD"),
        (cpo.password, "short", "shorter", "PASSWORDS_DO_NOT_MATCH"),
        (cpo.password, "short", "short", "WEAK_PASSWORD"),
        (cpo.password, cpo.password, cpo.password, "WEAK_PASSWORD"),
    ):
        reply = await change(user, old, new, typed)
        refused(reply, 400, code)
        assert [fault["code"] for fault in reply.body["data"]] == [code]
    all_at_once = await change(user, None, 7, ["x"])
    refused(all_at_once, 400, "VALIDATION_ERROR")
    assert {fault["field"] for fault in all_at_once.body["data"]} == {
        "old_password",
        "new_password",
        "confirm_password",
    }
    other = await log_in(emsp.client, cpo)
    accepted(await change(user, cpo.password, good, good), "SUCCESS")
    refused(await other.call("GET", DETAILS), 401, "Unauthorized")
    assert (await user.call("GET", DETAILS)).status == 200
    again = await log_in(emsp.client, Cpo(cpo.username, good, cpo.country_code, cpo.party_id, cpo.token_c))
    assert "must_change_password" not in again.tokens


async def mailed(emsp: Service, cpo: Cpo, line: str, than: str) -> str:
    """What a mail of that CPO says after `line: ` other than what it was told before."""
    async with asyncio.timeout(20):
        while True:
            for path in emsp.mails.glob("*.eml"):
                text = path.read_text()
                told = dict(row.split(": ", 1) for row in text.splitlines() if ": " in row)
                is_its = cpo.username in told.get("Username", "") or cpo.party_id == told.get("Party ID")
                if is_its and told.get(line, than) != than:
                    return told[line]
            await asyncio.sleep(0.05)


async def test_a_rotated_token_c_comes_by_mail_and_the_one_before_stops(emsp: Service, cpo: Cpo, user: User) -> None:
    party = party_named(f"ph/{cpo.party_id.lower()}")
    answer = await dispatch(RotateTokenC(party), OPERATOR, emsp.write_side.world)
    body = [a_location("Mall", an_evse("A1"))]
    refused(await emsp.client.push_locations(cpo, body), 401, "Unauthorized")
    refused(await user.call("GET", DETAILS), 401, "Unauthorized")
    token = await mailed(emsp, cpo, "Token C", cpo.token_c)
    renewed = Cpo(cpo.username, cpo.password, cpo.country_code, cpo.party_id, token)
    assert (await emsp.client.push_locations(renewed, body)).status == 200
    event = await emsp.store.fetchrow("select topic, state, actor from es.events where pos = $1", answer.position)
    assert event is not None
    assert (event["topic"], event["actor"]) == ("cpo.token_c_rotated", "operator")
    assert token.encode() not in event["state"]
    await log_in(emsp.client, cpo)


async def test_a_reset_password_comes_by_mail_and_is_temporary(emsp: Service, cpo: Cpo, user: User) -> None:
    good = "a good long one"
    accepted(await change(user, cpo.password, good, good), "SUCCESS")
    await dispatch(ResetPassword(party_named(f"PH/{cpo.party_id}")), OPERATOR, emsp.write_side.world)
    refused(await user.call("GET", DETAILS), 401, "Unauthorized")
    password = await mailed(emsp, cpo, "Temporary password", cpo.password)
    renewed = await log_in(emsp.client, Cpo(cpo.username, password, cpo.country_code, cpo.party_id, cpo.token_c))
    assert renewed.tokens["must_change_password"] is True
    assert (await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])).status == 200


@pytest.mark.parametrize("name", ["", "PH", "PH/", "PH/ABCD", "PHL/ABC", "P1/ABC", "PH/ABC/D", "PH ABC"])
def test_a_party_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(WrongParty, match="expected COUNTRY/PARTY"):
        party_named(name)


async def test_an_unknown_cpo_is_refused_and_nothing_is_written(emsp: Service) -> None:
    before = await emsp.event_count()
    for wish in (RotateTokenC, ResetPassword):
        with pytest.raises(UnknownCpo):
            await dispatch(wish(party_named("PH/QQQ")), OPERATOR, emsp.write_side.world)
    assert await emsp.event_count() == before
