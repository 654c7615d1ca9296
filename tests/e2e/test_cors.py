from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import ClientSession
from multidict import CIMultiDictProxy

from tests.support.client import Cpo, a_location, an_evse
from tests.support.databases import Databases
from tests.support.world import Service, service

APP = "https://app.example"
EVIL = "https://app.example.evil.example"
FILTERS = "/ocpi/cpo/2.2/filters"
GRAPHQL = "/ocpi/cpo/graphql"
EXPOSED = {"emsp-position", "emsp-ignored", "x-request-id", "retry-after"}
SAID = "Access-Control-"


@pytest.fixture(scope="module")
async def emsp(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that two origins may call."""
    origins = f"{APP},http://localhost:3000"
    async with service(await fresh_database(), tmp_path_factory.mktemp("some"), cors_origins=origins) as running:
        yield running


@pytest.fixture(scope="module")
async def to_all(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that every origin may call."""
    async with service(await fresh_database(), tmp_path_factory.mktemp("all"), cors_origins="*") as running:
        yield running


@pytest.fixture(scope="module")
async def to_none(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service as it is without the setting."""
    async with service(await fresh_database(), tmp_path_factory.mktemp("none")) as running:
        yield running


async def sent(emsp: Service, method: str, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with ClientSession() as session, session.request(method, emsp.base_url + path, headers=named) as response:
        return response.status, response.headers, await response.read()


async def preflight(
    emsp: Service, path: str, origin: str, method: str = "POST"
) -> tuple[int, Mapping[str, str], bytes]:
    asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": "authorization,content-type"}
    return await sent(emsp, "OPTIONS", path, Origin=origin, **asked)


def words(headers: Mapping[str, str], name: str) -> set[str]:
    assert isinstance(headers, CIMultiDictProxy)
    return {word.strip().lower() for value in headers.getall(name, []) for word in value.split(",")}


PREFLIGHTED = {
    "/ocpi/cpo/2.2/register": "post",
    "/ocpi/cpo/api/v1/webhook/evse/PH/ABC/uid": "patch",
    FILTERS: "get",
    GRAPHQL: "post",
}


@pytest.mark.parametrize(("path", "method"), PREFLIGHTED.items())
async def test_a_preflight_tells_what_a_page_may_send(emsp: Service, path: str, method: str) -> None:
    status, headers, body = await preflight(emsp, path, APP, method.upper())
    assert (status, body) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == APP
    assert method in words(headers, "Access-Control-Allow-Methods")
    needed = {"authorization", "content-type", "idempotency-key", "emsp-min-position", "x-request-id"}
    assert words(headers, "Access-Control-Allow-Headers") >= needed
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert "origin" in words(headers, "Vary")
    assert headers["X-Request-ID"]
    assert "Access-Control-Allow-Credentials" not in headers


async def test_a_preflight_of_an_unknown_path_is_404(emsp: Service) -> None:
    status, headers, _ = await preflight(emsp, "/nowhere", APP)
    assert (status, headers["Access-Control-Allow-Origin"]) == (404, APP)


@pytest.mark.parametrize("origin", [EVIL, "http://app.example", "https://app.example:8443", "null", "*", ""])
async def test_a_preflight_of_another_origin_is_a_wrong_method(emsp: Service, origin: str) -> None:
    status, headers, _ = await preflight(emsp, FILTERS, origin)
    assert status == 405
    assert [name for name in headers if name.startswith(SAID)] == []
    assert "origin" in words(headers, "Vary")


async def test_an_options_that_is_no_preflight_is_a_wrong_method(emsp: Service) -> None:
    status, headers, _ = await sent(emsp, "OPTIONS", FILTERS, Origin=APP)
    assert (status, headers["Allow"], headers["Access-Control-Allow-Origin"]) == (405, "GET, HEAD", APP)


async def test_a_page_may_read_the_answer_and_what_its_head_tells(emsp: Service) -> None:
    cpo: Cpo = await emsp.client.registered("cors", "Cors of Luzon", emsp.mails)
    reply = await emsp.client.push_locations(cpo, [a_location("Here", an_evse("A1"))], Origin=APP)
    assert reply.status == 200
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    assert words(reply.headers, "Access-Control-Expose-Headers") == EXPOSED
    assert reply.headers["Emsp-Position"]


@pytest.mark.parametrize("path", [FILTERS, "/nowhere", "/ocpi/cpo/2.2/register", GRAPHQL, "/ocpi/cpo/2.2/details"])
async def test_errors_are_told_to_pages_too(emsp: Service, path: str) -> None:
    status, headers, _ = await sent(emsp, "GET", path, Origin=APP)
    assert status >= 400
    assert headers["Access-Control-Allow-Origin"] == APP
    assert words(headers, "Access-Control-Expose-Headers") == EXPOSED


@pytest.mark.parametrize("origin", [EVIL, "null", APP + "/", APP.upper()])
async def test_pages_of_other_origins_hear_nothing(emsp: Service, origin: str) -> None:
    _, headers, _ = await sent(emsp, "GET", FILTERS, Origin=origin)
    assert [name for name in headers if name.startswith(SAID)] == []


async def test_answers_differ_by_origin_for_caches_even_where_none_is_sent(emsp: Service) -> None:
    _, headers, _ = await sent(emsp, "GET", FILTERS)
    assert words(headers, "Vary") == {"origin", "accept-encoding"}
    assert [name for name in headers if name.startswith(SAID)] == []


async def test_all_origins_may_call_where_the_setting_says_so(to_all: Service) -> None:
    for status, headers, _ in (
        await preflight(to_all, GRAPHQL, EVIL),
        await sent(to_all, "GET", FILTERS, Origin=EVIL),
        await sent(to_all, "GET", FILTERS),
    ):
        assert status in {204, 401}
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "origin" not in words(headers, "Vary")
        assert "Access-Control-Allow-Credentials" not in headers


async def test_without_the_setting_nothing_is_said(to_none: Service) -> None:
    for status, headers, _ in (
        await preflight(to_none, FILTERS, APP),
        await sent(to_none, "GET", "/nowhere", Origin=APP),
    ):
        assert status in {404, 405}
        assert [name for name in headers if name.startswith(SAID)] == []
        assert "origin" not in words(headers, "Vary")
