"""GraphQL over HTTP: media types, methods, bodies, statuses; the handler alone in an application, views behind it."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import pytest
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer

from api.handlers.graphql import PATH, graphql_routes
from read_side.engine import create_engine
from read_side.guards import Limits
from read_side.scope import NOBODY, Viewer
from tests.support.builders import PARTY
from tests.support.databases import Databases
from tests.support.filled_views import fill, views_of
from write_side.domain.errors import StoreOutOfReach

JSON: Final = "application/json"
RESPONSE: Final = "application/graphql-response+json"
VIEWERS: Final = {
    "cpo": Viewer(party=PARTY),
    "app": Viewer(client="app", scopes=frozenset({"read"})),
    "desk": Viewer(client="desk", scopes=frozenset({"accounts"})),
    "expired": Viewer(rejected="Token Expired"),
}


async def viewer_of(request: web.Request) -> Viewer:
    if request.headers["Authorization"] == "storeless":
        raise StoreOutOfReach
    return VIEWERS.get(request.headers["Authorization"], NOBODY)


class Door:
    """The handler as a client sees it."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def __call__(
        self,
        body: Any = None,
        *,
        method: str = "POST",
        who: str = "cpo",
        accept: str | None = RESPONSE,
        content_type: str | None = JSON,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any], Any]:
        sent = dict(headers or {}) | {"Authorization": who}
        if accept is not None:
            sent["Accept"] = accept
        if content_type is not None and method == "POST":
            sent["Content-Type"] = content_type
        data = orjson.dumps(body) if isinstance(body, dict | list) else body
        skip = ["Content-Type", "Accept"]
        async with self._session.request(
            method, self._url, data=data, headers=sent, params=params, skip_auto_headers=skip
        ) as answer:
            text = await answer.read()
            assert answer.headers["Content-Type"].endswith("; charset=utf-8")
            return answer.status, dict(answer.headers), orjson.loads(text) if text else None


@pytest.fixture(scope="module")
async def door(fresh_database: Databases) -> AsyncIterator[Door]:
    dsn = await fresh_database()
    await fill(dsn)
    async with views_of(dsn) as views:
        service = await create_engine(views, Limits(min_position_wait_s=0.05), "test_graphql_http")
        app = web.Application()
        app.add_routes(graphql_routes(service, viewer_of))
        async with TestServer(app) as server, ClientSession(connector=TCPConnector()) as session:
            yield Door(session, str(server.make_url(PATH)))
    await fresh_database.drop(dsn)


def refused(status: int, code: str = "BAD_USER_INPUT") -> dict[str, Any]:
    return {"code": code, "status": status}


async def test_a_query_by_post_and_by_get(door: Door) -> None:
    query = "query Q($id: Int) { location(id: $id) { id } }"
    status, headers, body = await door({"query": query, "variables": {"id": 2}, "operationName": "Q"})
    assert (status, body) == (200, {"data": {"location": {"id": 2}}})
    assert headers["Content-Type"] == f"{RESPONSE}; charset=utf-8"
    params = {"query": query, "variables": '{"id": 2}', "operationName": "Q", "extensions": "{}"}
    status, _, by_get = await door(method="GET", params=params)
    assert (status, by_get) == (200, body)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (RESPONSE, RESPONSE),
        (f"{JSON};q=0.5, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=0.5, {JSON}", JSON),
        (f"{RESPONSE};q=0, {JSON}", JSON),
        (f"{RESPONSE}; charset=utf-8", RESPONSE),
    ],
)
async def test_the_media_type_that_the_client_likes_best(door: Door, accept: str | None, expected: str) -> None:
    status, headers, _ = await door({"query": "{ __typename }"}, accept=accept)
    assert status == 200
    assert headers["Content-Type"] == f"{expected}; charset=utf-8"


async def test_a_client_that_takes_neither_media_type(door: Door) -> None:
    for accept in ("text/html", f"{JSON}; charset=latin-1", "image/png;q=nan"):
        status, _, body = await door({"query": "{ __typename }"}, accept=accept)
        assert (status, body["errors"][0]["extensions"]) == (406, refused(406))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_named_not_allowed(door: Door, method: str) -> None:
    status, headers, body = await door(method=method)
    assert (status, headers["Allow"], body["errors"][0]["extensions"]) == (405, "GET, POST", refused(405))


async def test_a_mutation_by_get_is_the_wrong_method(door: Door) -> None:
    status, headers, body = await door(method="GET", params={"query": "mutation { __typename }"})
    assert (status, headers["Allow"]) == (405, "POST")
    assert "data" not in body
    status, _, _ = await door({"query": "mutation { __typename }"})
    assert status == 400


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", f"{JSON}; charset=utf-16", RESPONSE]
)
async def test_another_content_type_is_not_read(door: Door, content_type: str | None) -> None:
    status, _, body = await door({"query": "{ __typename }"}, content_type=content_type)
    assert (status, body["errors"][0]["extensions"]) == (415, refused(415))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{",
        b"[]",
        b"null",
        b'"{ __typename }"',
        b'{"query": ' + b"[" * 100_000,
        b'{"query": "{ __typename }", "variables": {"x": 1e400}}',
        b'{"query": "{ __typename }", "variables": {"x": NaN}}',
        b'{"query": "\\ud800"}',
        b'{"query": "\xff"}',
        b'{"query": "{ __typename \\u0000 }"}',
        {"query": None},
        {"query": ""},
        {"query": 1},
        {"query": ["{ __typename }"]},
        {"variables": {}},
        {"query": "{ __typename }", "variables": []},
        {"query": "{ __typename }", "variables": "{}"},
        {"query": "{ __typename }", "operationName": 1},
        {"query": "{ __typename }", "extensions": 1},
        [{"query": "{ __typename }"}],
        {"query": "{" * 5_000},
        {"query": "[" * 40_000},
        {"query": "{ a" * 5_000 + "}" * 5_000},
        {"query": "query ($a: Int) { location(id: $a) { id } }", "variables": {"a": ["x"] * 5_000}},
    ],
)
@pytest.mark.parametrize("accept", [JSON, RESPONSE])
async def test_bad_input_of_every_kind_is_a_400_with_errors_and_without_data(
    door: Door, body: Any, accept: str
) -> None:
    status, _, answer = await door(body, accept=accept)
    assert status == 400
    assert list(answer) == ["errors"]
    assert answer["errors"][0]["extensions"] == refused(400)


async def test_invalid_queries_are_400_only_for_who_understands_it(door: Door) -> None:
    for query in ("{", "{ nothing }", "{ location(id: {a: 1}) { id } }", "{ locations { a: id a: name } }"):
        for accept, expected in ((RESPONSE, 400), (JSON, 200)):
            status, _, body = await door({"query": query}, accept=accept)
            assert (status, list(body)) == (expected, ["errors"])
            assert body["errors"][0]["extensions"] == refused(400)


async def test_variables_that_do_not_fit_are_refused(door: Door) -> None:
    query = "query ($id: Int) { location(id: $id) { id } }"
    values: list[Any] = ["1", 1.5, True, 2**31, 1e21, {}, [1]]
    for value in values:
        status, _, body = await door({"query": query, "variables": {"id": value}})
        assert (status, list(body)) == (400, ["errors"]), value
    for text in ("a\0b", "x" * 256):
        query = "query ($c: String) { find_ev_filter_locations(city: $c) { id } }"
        status, _, body = await door({"query": query, "variables": {"c": text}}, who="app")
        assert (status, body["data"]) == (200, {"find_ev_filter_locations": None})
        assert body["errors"][0]["message"].startswith("city: ")


async def test_a_body_is_read_up_to_its_limit_only(door: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b" " * 1_000

    bomb = gzip.compress(b" " * 50_000_000)
    for body, headers in ((b" " * 300_000, {}), (endless(), {}), (bomb, {"Content-Encoding": "gzip"})):
        status, _, answer = await door(body, headers=headers)
        assert (status, answer["errors"][0]["extensions"]) == (413, refused(413))
    status, _, answer = await door(b"no gzip", headers={"Content-Encoding": "gzip"})
    assert (status, answer["errors"][0]["extensions"]) == (400, refused(400))


@pytest.mark.parametrize(
    ("who", "query", "message", "code", "status"),
    [
        ("nobody", "{ locations { id } }", "Unauthorized", "UNAUTHENTICATED", 401),
        ("expired", "{ locations { id } }", "Token Expired", "UNAUTHENTICATED", 401),
        ("cpo", "{ find_ev_locations { id } }", "Unauthorized", "UNAUTHENTICATED", 401),
        ("desk", "{ find_ev_locations { id } }", "Forbidden", "FORBIDDEN", 403),
        ("cpo", "{ locations(limit: -1) { id } }", "limit: must not be negative", "BAD_USER_INPUT", 400),
    ],
)
async def test_authorization_failures_are_graphql_errors(
    door: Door, who: str, query: str, message: str, code: str, status: int
) -> None:
    answered, _, body = await door({"query": query}, who=who)
    assert answered == 200
    assert list(body["data"].values()) == [None]
    assert body["errors"][0]["message"] == message
    assert body["errors"][0]["extensions"] == {"code": code, "status": status}


async def test_the_views_must_have_reached_the_position(door: Door) -> None:
    query = {"query": "{ location(id: 1) { id } }"}
    for position in ("1", "15", "0015"):
        status, _, _ = await door(query, headers={"Emsp-Min-Position": position})
        assert status == 200
    for position in ("0", "-1", "1.5", "", "x", "1 2", "9" * 40, "٣"):
        status, _, body = await door(query, headers={"Emsp-Min-Position": position}, accept=JSON)
        assert (status, body["errors"][0]["extensions"]) == (400, refused(400))
        assert body["errors"][0]["message"].startswith("Emsp-Min-Position")
    for accept in (JSON, RESPONSE):
        status, headers, body = await door(query, headers={"Emsp-Min-Position": "16"}, accept=accept)
        assert (status, body["errors"][0]["extensions"]) == (503, refused(503, "UNAVAILABLE"))
        assert headers["Retry-After"] == "1"


async def test_a_store_that_cannot_tell_who_calls_is_unavailable(door: Door) -> None:
    for accept in (JSON, RESPONSE):
        status, _, body = await door({"query": "{ locations { id } }"}, who="storeless", accept=accept)
        assert (status, body["errors"][0]["extensions"]) == (503, refused(503, "UNAVAILABLE"))
