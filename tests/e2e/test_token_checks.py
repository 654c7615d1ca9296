"""What a token must be on every call that takes one, and what a session survives."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jwt
import orjson
import pytest

from tests.support.client import Cpo, Reply
from tests.support.contract import User, accepted, log_in, refused
from tests.support.databases import Databases
from tests.support.world import KEYS, Service, service

if TYPE_CHECKING:
    from collections.abc import Callable

LOGIN: Final = "/ocpi/cpo/api/auth/v1/login"
REFRESH: Final = ("GET", "/ocpi/cpo/api/auth/v1/refresh")
LOGOUT: Final = ("POST", "/ocpi/cpo/api/auth/v1/logout")
CHANGE: Final = ("POST", "/ocpi/cpo/api/auth/v1/change-old-password")
DETAILS: Final = ("GET", "/ocpi/cpo/2.2/details")
WITH_ACCESS_TOKEN: Final = (LOGOUT, CHANGE, DETAILS)
ACCESS_KEY: Final = KEYS["jwt_access_key"]
REFRESH_KEY: Final = KEYS["jwt_refresh_key"]


@pytest.fixture
async def user(emsp: Service, cpo: Cpo) -> User:
    return await log_in(emsp.client, cpo)


def said(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(claims: dict[str, Any], key: str, typ: str = "at+jwt", algorithm: str = "HS256") -> str:
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"typ": typ})


def unsigned(claims: dict[str, Any], algorithm: str, typ: str = "at+jwt") -> str:
    parts = ({"alg": algorithm, "typ": typ}, claims)
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts) + "."


FORGERIES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "alg none": lambda claims: unsigned(claims, "none"),
    "alg NONE": lambda claims: unsigned(claims, "NONE"),
    "no signature": lambda claims: unsigned(claims, "HS256"),
    "another key": lambda claims: signed(claims, "another-key-of-a-test-deployment-0001"),
    "the refresh key": lambda claims: signed(claims, REFRESH_KEY),
    "another algorithm": lambda claims: signed(claims, ACCESS_KEY * 2, algorithm="HS512"),
    "another typ": lambda claims: signed(claims, ACCESS_KEY, typ="JWT"),
    "a refresh token's typ": lambda claims: signed(claims, ACCESS_KEY, typ="rt+jwt"),
    "another issuer": lambda claims: signed(claims | {"iss": "somebody"}, ACCESS_KEY),
    "no issuer": lambda claims: signed(claims | {"iss": None}, ACCESS_KEY),
    "another audience": lambda claims: signed(claims | {"aud": "somebody"}, ACCESS_KEY),
    "no audience": lambda claims: signed(claims | {"aud": None}, ACCESS_KEY),
    "no end": lambda claims: signed(claims | {"exp": None}, ACCESS_KEY),
    "a session that never was": lambda claims: signed(claims | {"sid": "0" * 32}, ACCESS_KEY),
}


async def sent(emsp: Service, call: tuple[str, str], token: str) -> Reply:
    return await emsp.client.call(*call, Authorization=f"Bearer {token}")


def unauthorized(reply: Reply, message: str = "Unauthorized") -> None:
    refused(reply, 401, message)
    assert reply.body["data"] == []
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_a_forged_access_token_is_refused_by_every_call(emsp: Service, user: User) -> None:
    claims = said(user.tokens["access_token"])
    passed = {
        f"{path} with {name}"
        for name, forge in FORGERIES.items()
        for method, path in WITH_ACCESS_TOKEN
        if (await sent(emsp, (method, path), forge(claims))).status != 401
    }
    assert passed == set()
    unauthorized(await sent(emsp, DETAILS, FORGERIES["alg none"](claims)))
    assert (await user.call(*DETAILS)).status == 200


async def test_the_forgeries_are_refused_for_their_fault_alone(emsp: Service, user: User) -> None:
    assert (await sent(emsp, DETAILS, signed(said(user.tokens["access_token"]), ACCESS_KEY))).status == 200


async def test_a_forged_refresh_token_ends_nobodys_session(emsp: Service, user: User) -> None:
    claims = said(user.tokens["refresh_token"])
    for forged in (
        unsigned(claims, "none", "rt+jwt"),
        signed(claims, ACCESS_KEY, "rt+jwt"),
        signed(claims, REFRESH_KEY, "at+jwt"),
        signed(claims | {"aud": "somebody"}, REFRESH_KEY, "rt+jwt"),
        signed(claims | {"iss": "somebody"}, REFRESH_KEY, "rt+jwt"),
    ):
        unauthorized(await sent(emsp, REFRESH, forged))
    assert (await sent(emsp, REFRESH, user.tokens["refresh_token"])).status == 200


async def test_tokens_that_are_over_say_so(emsp: Service, user: User) -> None:
    over = {"exp": int(time.time()) - 1}
    late = signed(said(user.tokens["access_token"]) | over, ACCESS_KEY)
    for call in WITH_ACCESS_TOKEN:
        unauthorized(await sent(emsp, call, late), "Token Expired")
    unauthorized(await sent(emsp, REFRESH, late))
    late = signed(said(user.tokens["refresh_token"]) | over, REFRESH_KEY, "rt+jwt")
    unauthorized(await sent(emsp, REFRESH, late), "Token Expired")
    unauthorized(await sent(emsp, DETAILS, late))
    assert (await sent(emsp, REFRESH, user.tokens["refresh_token"])).status == 200


async def test_a_token_of_a_machine_whose_clock_is_ahead_is_good(emsp: Service, user: User) -> None:
    ahead = {"iat": int(time.time()) + 30}
    assert (await sent(emsp, DETAILS, signed(said(user.tokens["access_token"]) | ahead, ACCESS_KEY))).status == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Token x.y.z", "Basic x.y.z", "bearer a b"])
async def test_a_header_that_is_no_token_is_refused(emsp: Service, header: str) -> None:
    for call in (REFRESH, *WITH_ACCESS_TOKEN):
        unauthorized(await emsp.client.call(*call, Authorization=header))


async def test_a_refresh_answers_as_a_login_does(emsp: Service, user: User) -> None:
    reply = await sent(emsp, REFRESH, user.tokens["refresh_token"])
    assert (reply.status, reply.body["message"]) == (200, "SUCCESS")
    assert reply.headers["Cache-Control"] == "no-store"
    renewed = reply.body["data"]
    assert set(renewed) == set(user.tokens)
    assert (renewed["role"], renewed["must_change_password"]) == ("CPO_OWNER", True)
    assert 14 * 60 < renewed["access_expires_in"] - time.time() <= 15 * 60 + 1
    assert 30 * 86_400 - 60 < renewed["refresh_expires_in"] - time.time() <= 30 * 86_400 + 1
    again = User(emsp.client, user.cpo, renewed)
    for one in (user, again):
        assert (await one.call(*DETAILS)).status == 200
    assert (await sent(emsp, REFRESH, renewed["refresh_token"])).status == 200


async def test_of_two_refreshes_at_once_one_wins_and_the_session_ends(emsp: Service, user: User) -> None:
    other = await log_in(emsp.client, user.cpo)
    replies = await asyncio.gather(*(sent(emsp, REFRESH, user.tokens["refresh_token"]) for _ in range(2)))
    assert sorted(reply.status for reply in replies) == [200, 403]
    (won,) = [reply.body["data"] for reply in replies if reply.status == 200]
    (lost,) = [reply for reply in replies if reply.status == 403]
    refused(lost, 403, "Forbidden")
    for token in (user.tokens["access_token"], won["access_token"]):
        unauthorized(await sent(emsp, DETAILS, token))
    unauthorized(await sent(emsp, REFRESH, won["refresh_token"]))
    assert (await other.call(*DETAILS)).status == 200


async def test_a_logout_ends_what_a_refresh_gave_too(emsp: Service, user: User) -> None:
    renewed = (await sent(emsp, REFRESH, user.tokens["refresh_token"])).body["data"]
    accepted(await sent(emsp, LOGOUT, user.tokens["access_token"]), [], "Logged out successfully")
    unauthorized(await sent(emsp, DETAILS, renewed["access_token"]))
    unauthorized(await sent(emsp, REFRESH, renewed["refresh_token"]))


async def test_a_temporary_password_is_over_after_fourteen_days(emsp: Service, cpo: Cpo) -> None:
    left = "select temporary_until - created_at from es.users where user_key = $1"
    assert (await emsp.store.fetchval(left, cpo.username.casefold())).total_seconds() == pytest.approx(
        14 * 86_400, abs=60
    )
    older = "update es.users set temporary_until = temporary_until - interval '14 days' where user_key = $1"
    await emsp.store.execute(older, cpo.username.casefold())
    pair = {"username": cpo.username, "password": cpo.password}
    reply = await emsp.client.call("POST", LOGIN, pair, Authorization=emsp.client.basic)
    refused(reply, 401, "Unauthorized")


async def test_a_temporary_password_that_is_over_changes_nothing(emsp: Service, cpo: Cpo, user: User) -> None:
    older = "update es.users set temporary_until = temporary_until - interval '14 days' where user_key = $1"
    await emsp.store.execute(older, cpo.username.casefold())
    new = {"new_password": "a good long one", "confirm_password": "a good long one"}
    refused(await user.call(*CHANGE, {"old_password": cpo.password} | new), 400, "INVALID_OLD_PASSWORD")


async def test_right_pairs_are_not_counted_however_many_come_at_once(emsp: Service, cpo: Cpo) -> None:
    pair = {"username": cpo.username, "password": cpo.password}
    replies = await asyncio.gather(
        *(emsp.client.call("POST", LOGIN, pair, Authorization=emsp.client.basic) for _ in range(40))
    )
    assert Counter(reply.status for reply in replies) == {200: 40}


async def test_sessions_survive_a_restart_and_wrong_pairs_count_over_all_replicas(
    fresh_database: Databases, tmp_path: Path
) -> None:
    dsn = await fresh_database()
    async with service(dsn, tmp_path) as emsp:
        cpo = await emsp.client.registered("maria", "Isla Charge", emsp.mails)
        tokens = (await log_in(emsp.client, cpo)).tokens
        ended = await log_in(emsp.client, cpo)
        accepted(await ended.call(*LOGOUT), [], "Logged out successfully")
    async with service(dsn, tmp_path) as emsp, service(dsn, tmp_path) as replica:
        assert (await sent(emsp, DETAILS, tokens["access_token"])).status == 200
        unauthorized(await sent(replica, DETAILS, ended.tokens["access_token"]))
        renewed = await sent(emsp, REFRESH, tokens["refresh_token"])
        assert (await sent(replica, DETAILS, renewed.body["data"]["access_token"])).status == 200
        guess = {"username": "Maria", "password": "a guess"}
        statuses = [
            (await one.client.call("POST", LOGIN, guess, Authorization=one.client.basic)).status
            for one in (emsp, replica) * 6
        ]
        assert statuses == [401] * 10 + [429] * 2
        right = {"username": cpo.username, "password": cpo.password}
        for one in (emsp, replica):
            reply = await one.client.call("POST", LOGIN, right, Authorization=one.client.basic)
            refused(reply, 429, "TOO_MANY_REQUESTS")
            assert 0 < int(reply.headers["Retry-After"]) <= 600
