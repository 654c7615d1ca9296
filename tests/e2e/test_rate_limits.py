from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.client import Client, Reply, a_location, an_evse
from tests.support.databases import Databases
from tests.support.world import Service, service

REGISTER = "/ocpi/cpo/2.2/register"
UPLOAD = "/ocpi/cpo/2.2/cpo/upload"
LOGIN = "/ocpi/cpo/api/auth/v1/login"
FILTERS = "/ocpi/cpo/2.2/filters"
DETAILS = "/ocpi/cpo/2.2/details"
GRAPHQL = "/ocpi/cpo/graphql"
QUERY = {"query": "{ find_ev_locations(limit: 1) { id } }"}
LIMITS = {
    "rate_register": "3/hour",
    "rate_login": "3/hour",
    "rate_logo_upload": "3/hour",
    "rate_read": "3/hour",
    "rate_user": "3/hour",
    "rate_machine": "3/hour",
}


@asynccontextmanager
async def limited(fresh: Databases, folder: Path, **settings: object) -> AsyncIterator[Service]:
    dsn = await fresh()
    async with service(dsn, folder, **LIMITS | settings) as running:
        yield running
    await fresh.drop(dsn)


@pytest.fixture(scope="module")
async def direct(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that no proxy stands before."""
    async with limited(fresh_database, tmp_path_factory.mktemp("direct")) as running:
        yield running


@pytest.fixture(scope="module")
async def proxied(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service whose callers all come through the proxies of this machine and of 10.0.0.0/8."""
    folder = tmp_path_factory.mktemp("proxied")
    async with limited(fresh_database, folder, trusted_proxies="127.0.0.0/8,10.0.0.0/8") as running:
        yield running


def assert_too_many(reply: Reply) -> None:
    assert reply.status == 429
    assert reply.body == {"status": 429, "data": [], "message": "TOO_MANY_REQUESTS"}
    assert 3_500 < int(reply.headers["Retry-After"]) <= 3_600


async def register(client: Client, forwarded: str | None = None) -> Reply:
    """A registration that is refused for its form, if it is not for its number."""
    headers = {} if forwarded is None else {"X_Forwarded_For": forwarded}
    return await client.call("POST", REGISTER, {}, Authorization=client.basic, **headers)


async def test_who_claims_to_come_from_elsewhere_is_counted_all_the_same(direct: Service) -> None:
    for number in range(3):
        assert (await register(direct.client, f"203.0.113.{number}")).status == 400
    assert_too_many(await register(direct.client, "203.0.113.77"))
    assert_too_many(await register(direct.client))


async def test_behind_a_proxy_each_address_has_its_own_count(proxied: Service) -> None:
    for address in ("203.0.113.1", "203.0.113.2"):
        for _ in range(3):
            assert (await register(proxied.client, address)).status == 400
        assert_too_many(await register(proxied.client, address))


@pytest.mark.parametrize(
    ("caller", "claims"),
    [
        ("198.51.100.1", "{n}.1.1.1, {caller}"),
        ("198.51.100.2", "{n}.1.1.1, {caller}, 10.0.0.1"),
        ("198.51.100.3", "10.0.0.{n}, {caller}, 10.0.0.1, 10.0.0.2"),
        ("2001:db8:0:7::1", "2001:db8:0:7::{n}"),
        ("2001:db8:0:8::1", "::ffff:9.9.9.{n}, 2001:db8:0:8:{n}::1"),
    ],
)
async def test_what_a_caller_writes_itself_gives_it_no_other_count(proxied: Service, caller: str, claims: str) -> None:
    for number in range(1, 4):
        assert (await register(proxied.client, claims.format(n=number, caller=caller))).status == 400
    assert_too_many(await register(proxied.client, claims.format(n=9, caller=caller)))


async def test_a_client_has_a_count_of_its_own(proxied: Service) -> None:
    for _ in range(3):
        assert (await register(proxied.client, "203.0.113.9")).status == 400
    assert_too_many(await register(proxied.client, "203.0.113.9"))
    assert (await proxied.client.call("GET", FILTERS, X_Forwarded_For="203.0.113.9")).status == 401


async def test_uploads_are_counted_by_client_and_address_before_they_are_read(proxied: Service) -> None:
    async def upload(address: str) -> Reply:
        basic = proxied.client.basic
        return await proxied.client.call("POST", UPLOAD, {}, Authorization=basic, X_Forwarded_For=address)

    for _ in range(3):
        assert (await upload("203.0.113.7")).status == 415
    assert_too_many(await upload("203.0.113.7"))
    assert (await upload("203.0.113.77")).status == 415


async def test_who_has_no_good_token_is_not_counted(proxied: Service) -> None:
    for _ in range(5):
        assert (await proxied.client.call("POST", REGISTER, {}, X_Forwarded_For="203.0.113.8")).status == 401
    assert (await register(proxied.client, "203.0.113.8")).status == 400


async def test_logins_are_counted_by_address(proxied: Service) -> None:
    async def log_in() -> Reply:
        pair = {"username": "nobody", "password": "wrong"}
        basic = proxied.client.basic
        return await proxied.client.call("POST", LOGIN, pair, Authorization=basic, X_Forwarded_For="203.0.113.5")

    for _ in range(3):
        assert (await log_in()).status == 401
    assert_too_many(await log_in())


async def test_reading_is_counted_over_rest_and_graphql(proxied: Service) -> None:
    headers = {"Authorization": proxied.client.basic, "X_Forwarded_For": "203.0.113.6"}
    assert (await proxied.client.call("GET", FILTERS, **headers)).status == 200
    assert (await proxied.client.call("GET", f"{FILTERS}/cities/Cebu", **headers)).status == 200
    assert (await proxied.client.call("POST", GRAPHQL, QUERY, **headers)).status == 200
    assert_too_many(await proxied.client.call("GET", FILTERS, **headers))
    reply = await proxied.client.call("POST", GRAPHQL, QUERY, **headers)
    assert (reply.status, reply.body["errors"][0]["message"]) == (429, "TOO_MANY_REQUESTS")
    assert reply.body["errors"][0]["extensions"]["status"] == 429
    assert 3_500 < int(reply.headers["Retry-After"]) <= 3_600


async def test_a_cpo_has_a_count_of_its_own(proxied: Service) -> None:
    client = proxied.client
    for name in ("luzon", "visayas"):
        cpo = await client.registered(name, f"{name} volt", proxied.mails)
        for number in range(3):
            place = a_location(f"Mall {number}", an_evse(f"M-{number}"))
            assert (await client.push_locations(cpo, [place])).status == 200
        assert_too_many(await client.push_locations(cpo, [a_location("Mall 9", an_evse("M-9"))]))
        token = await client.log_in(cpo)
        for _ in range(3):
            assert (await client.call("GET", DETAILS, Authorization=f"Bearer {token}")).status in {200, 503}
        assert_too_many(await client.call("GET", DETAILS, Authorization=f"Bearer {token}"))
    assert await proxied.event_count() == 14
