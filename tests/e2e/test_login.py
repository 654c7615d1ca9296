from __future__ import annotations

import time
from typing import Any

from tests.support.client import Cpo, Reply
from tests.support.world import Service

LOGIN = "/ocpi/cpo/api/auth/v1/login"


async def log_in(emsp: Service, username: str, password: str) -> Reply:
    body = {"username": username, "password": password}
    return await emsp.client.call("POST", LOGIN, body, Authorization=emsp.client.basic)


async def test_a_right_pair_opens_a_session_whatever_the_case_of_the_name(emsp: Service, cpo: Cpo) -> None:
    reply = await log_in(emsp, cpo.username.upper(), cpo.password)
    assert (reply.status, reply.body["message"]) == (200, "SUCCESS")
    data: dict[str, Any] = reply.body["data"]
    assert set(data) == {
        "access_token",
        "access_expires_in",
        "refresh_token",
        "refresh_expires_in",
        "role",
        "must_change_password",
    }
    assert (data["role"], data["must_change_password"]) == ("CPO_OWNER", True)
    assert 14 * 60 < data["access_expires_in"] - time.time() <= 15 * 60 + 1
    assert reply.headers["Cache-Control"] == "no-store"
    shown = await emsp.client.ask("{ locations { id } }", token=data["access_token"])
    assert shown == {"locations": []}


async def test_a_wrong_password_and_an_unknown_user_answer_the_same(emsp: Service, cpo: Cpo) -> None:
    wrong = await log_in(emsp, cpo.username, "not it")
    unknown = await log_in(emsp, "nobody at all", "not it")
    assert wrong.body == unknown.body == {"status": 401, "data": [], "message": "Unauthorized"}
    assert wrong.status == unknown.status == 401


async def test_ten_wrong_pairs_end_in_429_and_a_right_one_does_not_count(emsp: Service, cpo: Cpo) -> None:
    for _ in range(3):
        assert (await log_in(emsp, cpo.username, cpo.password)).status == 200
    assert [(await log_in(emsp, cpo.username, "x")).status for _ in range(11)] == [401] * 10 + [429]
    last = await log_in(emsp, cpo.username, cpo.password)
    assert (last.status, last.body["message"]) == (429, "TOO_MANY_REQUESTS")
    assert int(last.headers["Retry-After"]) > 0


async def test_a_refresh_token_and_a_machine_token_open_no_query(emsp: Service, cpo: Cpo) -> None:
    refresh = (await log_in(emsp, cpo.username, cpo.password)).body["data"]["refresh_token"]
    for token in (refresh, cpo.token_c, "x.y.z"):
        body = {"query": "{ locations { id } }"}
        reply = await emsp.client.call("POST", "/ocpi/cpo/graphql", body, Authorization=f"Bearer {token}")
        (error,) = reply.body["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED", "status": 401}


async def test_an_ended_session_opens_no_query(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    await emsp.store.execute("update es.sessions set ended_at = now() where user_key = $1", cpo.username.casefold())
    body = {"query": "{ locations { id } }"}
    reply = await emsp.client.call("POST", "/ocpi/cpo/graphql", body, Authorization=f"Bearer {token}")
    assert reply.body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
