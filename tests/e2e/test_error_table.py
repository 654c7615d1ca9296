"""The table of errors (contract §1), row by row, over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import encode_basic_auth
from yarl import URL

from api.auth import Auth
from api.multipart import Upload
from api.route import Route
from api.routes import ROUTES
from ocpi.identifiers import Party
from tests.support.calls import CALLS, LOGIN, REGISTER, exchanged, raw, target
from tests.support.client import Cpo, Reply, a_connector, a_location, an_evse
from tests.support.databases import Databases
from tests.support.proxy import Proxy
from tests.support.until import until_equal
from tests.support.world import KEYS, READ_ONLY_SECRET, Service, service, until_drawn
from write_side.accounts import tokens
from write_side.accounts.tokens import Bearer, Keys

FILTERS = "/ocpi/cpo/2.2/filters"
DETAILS = "/ocpi/cpo/2.2/details"
REFRESH = "/ocpi/cpo/api/auth/v1/refresh"
WITH_BODY = [route for route in ROUTES if route.body is not None]
FORM = "multipart/form-data; boundary=b"
READER = encode_basic_auth("reader", READ_ONLY_SECRET)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
async def emsp(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that bears two wrong logins and little else."""
    dsn = await fresh_database()
    folder = tmp_path_factory.mktemp("emsp")
    sizes = dict.fromkeys(("body_json_bytes", "body_image_bytes", "body_photos_bytes", "body_csv_bytes"), 50_000)
    async with service(dsn, folder, login_wrong_pairs=2, append_patience_s=0.5, **sizes) as running:
        yield running


@pytest.fixture(scope="module")
async def cpo(emsp: Service) -> Cpo:
    """Hardly anything that these tests send is accepted: one CPO is enough."""
    return await emsp.client.registered("errors", "Errors of Luzon", emsp.mails)


def path_of(route: Route, cpo: Cpo) -> str:
    """The path of a call of the table, as that CPO calls it."""
    whole = {"country_code": cpo.country_code, "party_id": cpo.party_id}
    return re.sub(r"{(\w+)}", lambda parameter: whole.get(parameter[1], "1"), route.path)


async def authorization_of(route: Route, emsp: Service, cpo: Cpo) -> str:
    """A good one for that call."""
    if Auth.CLIENT in route.auth:
        return emsp.client.basic
    if Auth.MACHINE in route.auth:
        return f"Bearer {cpo.token_c}"
    return f"Bearer {await emsp.client.log_in(cpo)}"


def hook(cpo: Cpo, what: str = "locations") -> str:
    return f"/ocpi/cpo/api/v1/webhook/{what}/{cpo.country_code}/{cpo.party_id}"


def assert_refused(reply: Reply, status: int, message: str) -> None:
    """The row: envelope, no data, and an id to ask about."""
    assert reply.status == status, reply.body
    assert reply.body == {"status": status, "data": [], "message": message}
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.headers["X-Request-ID"]
    assert reply.headers["Server"] == "emsp"


# 400: the form


async def test_all_faults_of_form_are_told_at_once(emsp: Service, cpo: Cpo) -> None:
    broken = a_location("Mall", an_evse("A1", kwh="7", connectors=[]), an_evse("", status="BROKEN"), lat=91, lng=True)
    del broken["name"]
    reply = await emsp.client.push_locations(cpo, [broken])
    assert (reply.status, reply.body["status"], reply.body["message"]) == (400, 400, "VALIDATION_ERROR")
    assert {one["field"] for one in reply.body["data"]} == {
        "locations[0].name",
        "locations[0].lat",
        "locations[0].lng",
        "locations[0].evses[0].kwh",
        "locations[0].evses[0].connectors",
        "locations[0].evses[1].uid",
        "locations[0].evses[1].status",
    }
    assert all(set(one) == {"field", "message"} and one["message"] for one in reply.body["data"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"a": NaN}', b"{}{}"])
@pytest.mark.parametrize("call", CALLS)
async def test_what_is_no_json_object_is_a_fault_of_form(emsp: Service, cpo: Cpo, call: str, body: bytes) -> None:
    method, url, authorization = target(emsp, cpo, call)
    headers = {"Content-Type": b"application/json", "Authorization": authorization["Authorization"].encode()}
    status, _, told = await raw(emsp, method, URL(url).raw_path, headers, body)
    assert (status, told["status"], told["message"]) == (400, 400, "VALIDATION_ERROR")
    assert [one["field"] for one in told["data"]] == [""]


async def test_unknown_codes_have_codes_of_their_own(emsp: Service, cpo: Cpo) -> None:
    reply = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"), facilities=["SAUNA"])])
    assert (reply.status, reply.body["message"]) == (400, "INVALID_FACILITIES")
    (fault,) = reply.body["data"]
    assert (fault["field"], fault["code"]) == ("locations[0].facilities[0]", "INVALID_FACILITIES")


# 400: a rule


async def test_a_rule_with_a_field_tells_it_with_its_code(emsp: Service, cpo: Cpo) -> None:
    twice = [a_location("Mall", an_evse("D1"), an_evse("d1"))]
    reply = await emsp.client.push_locations(cpo, twice)
    assert (reply.status, reply.body["message"]) == (400, "DUPLICATE_EVSE_UID:d1")
    (fault,) = reply.body["data"]
    assert (fault["field"], fault["code"]) == ("locations[0].evses[1].uid", "DUPLICATE_EVSE_UID:d1")
    assert fault["message"]


async def test_faults_that_share_a_code_have_it_and_mixed_ones_do_not(emsp: Service, cpo: Cpo) -> None:
    sauna = a_location("A", an_evse("S1"), facilities=["SAUNA", "SPA"])
    reply = await emsp.client.push_locations(cpo, [sauna])
    assert (reply.body["message"], len(reply.body["data"])) == ("INVALID_FACILITIES", 2)
    gbt = an_evse("S2", connectors=[a_connector(standard="SOCKET_9")])
    reply = await emsp.client.push_locations(cpo, [sauna, a_location("B", gbt)])
    assert reply.body["message"] == "VALIDATION_ERROR"
    codes = [one["code"] for one in reply.body["data"]]
    assert sorted(codes) == ["INVALID_CONNECTOR_STANDARD", "INVALID_FACILITIES", "INVALID_FACILITIES"]


async def test_a_rule_without_a_field_has_its_code_alone(emsp: Service, cpo: Cpo) -> None:
    reply = await emsp.client.push_status(cpo, "NOWHERE", "CHARGING")
    assert_refused(reply, 400, "EVSE_UID_DOES_NOT_EXISTS:NOWHERE")


async def test_the_callers_party_in_another_country_is_400(emsp: Service, cpo: Cpo) -> None:
    path = f"/ocpi/cpo/api/v1/webhook/locations/TH/{cpo.party_id}"
    reply = await emsp.client.call("POST", path, {}, Authorization=f"Bearer {cpo.token_c}")
    assert_refused(reply, 400, "INVALID_COUNTRY_CODE")


# 401


def access_token(cpo: Cpo, lifetime: timedelta, kind: tokens.TokenType = "access", key: str = "") -> str:
    """A token of no session, signed as ours are or by another key."""
    bearer = Bearer(cpo.username.casefold(), uuid4(), uuid4(), Party(cpo.country_code, cpo.party_id), 1)
    keys = Keys((key or KEYS["jwt_access_key"]).encode(), (key or KEYS["jwt_refresh_key"]).encode())
    return tokens.issue(bearer, kind, keys, at=datetime.now(UTC), lifetime=lifetime)


async def test_without_a_good_token_of_its_kind_every_call_is_401(emsp: Service, cpo: Cpo) -> None:
    quarter = timedelta(minutes=15)
    session = f"Bearer {await emsp.client.log_in(cpo)}"
    machine = f"Bearer {cpo.token_c}"
    unknown = encode_basic_auth("app", "not-the-secret-of-it")
    wrong = {
        ("GET", FILTERS): [None, "", "Basic", "Basic !", "Digest x", unknown, session, machine],
        ("POST", REGISTER): [None, "Basic", unknown, session, machine],
        ("POST", LOGIN): [None, "Basic", unknown, session, machine],
        ("POST", hook(cpo)): [None, "Bearer", "Bearer unknown", "Token x", emsp.client.basic, session],
        ("GET", DETAILS): [
            *(None, "Bearer", "Bearer x", "Bearer x.y.z", emsp.client.basic, machine),
            f"Bearer {access_token(cpo, quarter)}",  # of no session
            f"Bearer {access_token(cpo, quarter, 'refresh')}",
            f"Bearer {access_token(cpo, quarter, key='k' * 32)}",
        ],
    }
    for (method, path), tried in wrong.items():
        for one in tried:
            headers = {} if one is None else {"Authorization": one}
            reply = await emsp.client.call(method, path, None if method == "GET" else {}, **headers)
            assert_refused(reply, 401, "Unauthorized")
            scheme = "Bearer" if path in {DETAILS, hook(cpo)} else "Basic"
            assert reply.headers["WWW-Authenticate"].startswith(f'{scheme} realm="emsp"')


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.row} {route.path}")
async def test_no_call_goes_without_a_token(emsp: Service, cpo: Cpo, route: Route) -> None:
    reply = await emsp.client.call(route.method, path_of(route, cpo))
    assert_refused(reply, 401, "Unauthorized")
    assert "WWW-Authenticate" in reply.headers


async def test_a_token_that_was_good_once_has_expired(emsp: Service, cpo: Cpo) -> None:
    expired = access_token(cpo, timedelta(seconds=-1))
    reply = await emsp.client.call("GET", DETAILS, Authorization=f"Bearer {expired}")
    assert_refused(reply, 401, "Token Expired")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="emsp", error="invalid_token"'


# 403


async def test_another_partys_path_is_403_before_its_country(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    for country in (cpo.country_code, "TH"):
        path = f"/ocpi/cpo/api/v1/webhook/locations/{country}/{other.party_id}"
        reply = await emsp.client.call("POST", path, {}, Authorization=f"Bearer {cpo.token_c}")
        assert_refused(reply, 403, "Forbidden")


async def test_a_client_without_the_scope_is_403(emsp: Service) -> None:
    assert_refused(await emsp.client.call("POST", REGISTER, {}, Authorization=READER), 403, "Forbidden")


async def test_a_refresh_token_that_is_used_twice_is_403(emsp: Service, cpo: Cpo) -> None:
    pair = {"username": cpo.username, "password": cpo.password}
    opened = await emsp.client.call("POST", LOGIN, pair, Authorization=emsp.client.basic)
    used = f"Bearer {opened.body['data']['refresh_token']}"
    assert (await emsp.client.call("GET", REFRESH, Authorization=used)).status == 200
    assert_refused(await emsp.client.call("GET", REFRESH, Authorization=used), 403, "Forbidden")


# 404, 405


@pytest.mark.parametrize("path", ["/", "/ocpi", "/ocpi/cpo/2.2/registered", FILTERS + "/", "//", "/%00", "/../etc"])
async def test_an_unknown_path_is_404(emsp: Service, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        status, head, body = await raw(emsp, method, path, {})
        assert (status, body) == (404, {"status": 404, "data": [], "message": "Not Found"})
        assert "x-request-id: " in head.lower()


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (REGISTER, "POST"),
        (LOGIN, "POST"),
        (FILTERS, "GET, HEAD"),
        (DETAILS, "GET, HEAD"),
        ("/ocpi/cpo/api/v1/webhook/locations/PH/ABC", "POST"),
        ("/ocpi/cpo/api/v1/webhook/evse/PH/ABC/1", "PATCH"),
    ],
)
async def test_an_unknown_method_is_405_and_told_what_is_allowed(emsp: Service, path: str, allowed: str) -> None:
    for method in ("DELETE", "PUT", "OPTIONS", "TRACE"):
        reply = await emsp.client.call(method, path)
        assert_refused(reply, 405, "Method Not Allowed")
        assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.row} {route.path}")
async def test_every_call_tells_which_methods_its_path_takes(emsp: Service, cpo: Cpo, route: Route) -> None:
    reply = await emsp.client.call("DELETE", path_of(route, cpo))
    assert_refused(reply, 405, "Method Not Allowed")
    assert route.method in reply.headers["Allow"].split(", ")


# 413, 415


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.row} {route.path}")
async def test_a_body_that_is_too_large_is_413(emsp: Service, cpo: Cpo, route: Route) -> None:
    content_type = FORM if isinstance(route.body, Upload) else "application/json"
    start = (
        f"{route.method} {path_of(route, cpo)} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
        f"Authorization: {await authorization_of(route, emsp, cpo)}\r\n"
    )
    chunk = "c8\r\n" + "x" * 200 + "\r\n"
    for rest in ("Content-Length: 50001\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n" + chunk * 251 + "0\r\n\r\n"):
        status, head, body = await exchanged(emsp, (start + rest).encode())
        assert (status, body) == (413, {"status": 413, "data": [], "message": "PAYLOAD_TOO_LARGE"})
        assert "x-request-id: " in head.lower()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/json; charset=latin-1", "multipart/form-data", "json"],
)
@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.row} {route.path}")
async def test_another_content_type_is_415(emsp: Service, cpo: Cpo, route: Route, content_type: str) -> None:
    if isinstance(route.body, Upload) and content_type == "multipart/form-data":
        content_type = "multipart/mixed; boundary=b"
    headers = {"Authorization": await authorization_of(route, emsp, cpo), "Content-Type": content_type}
    url = emsp.base_url + path_of(route, cpo)
    async with emsp.client.session.request(route.method, url, data=b"{}", headers=headers) as response:
        reply = Reply(response.status, await response.json(), response.headers)
    assert_refused(reply, 415, "UNSUPPORTED_MEDIA_TYPE")


# 429


async def test_too_many_requests_are_429_and_told_when_to_come_again(emsp: Service) -> None:
    pair = {"username": "nobody", "password": "wrong"}
    replies = [await emsp.client.call("POST", LOGIN, pair, Authorization=emsp.client.basic) for _ in range(3)]
    assert [reply.status for reply in replies] == [401, 401, 429]
    assert_refused(replies[-1], 429, "TOO_MANY_REQUESTS")
    assert int(replies[-1].headers["Retry-After"]) > 0


# 500


async def test_a_fault_of_ours_is_told_by_its_id_alone(
    emsp: Service, cpo: Cpo, capsys: pytest.CaptureFixture[str]
) -> None:
    token = await emsp.client.log_in(cpo)
    await until_drawn(emsp)
    for table, path, authorization, body in (
        ("es.tokens_c", hook(cpo), f"Bearer {cpo.token_c}", {"locations": [a_location("Mall", an_evse("F1"))]}),
        ("views.cpo_view", DETAILS, f"Bearer {token}", None),
    ):
        method = "GET" if body is None else "POST"
        await emsp.store.execute(f"alter table {table} rename column party_id to out_of_order")
        try:
            reply = await emsp.client.call(method, path, body, Authorization=authorization)
        finally:
            await emsp.store.execute(f"alter table {table} rename column out_of_order to party_id")
        assert_refused(reply, 500, "Internal Server Error")
        assert UUID.fullmatch(reply.headers["X-Request-ID"])
        log = capsys.readouterr().out
        assert reply.headers["X-Request-ID"] in log
        assert "UndefinedColumnError" in log
        assert (await emsp.client.call(method, path, body, Authorization=authorization)).status == 200


async def test_a_callers_own_request_id_comes_back(emsp: Service) -> None:
    reply = await emsp.client.call("GET", FILTERS, X_Request_ID="order-66")
    assert reply.headers["X-Request-ID"] == "order-66"
    for unfit in ("", "a b", "x" * 129, "é"):
        reply = await emsp.client.call("GET", FILTERS, X_Request_ID=unfit)
        assert UUID.fullmatch(reply.headers["X-Request-ID"])


# 503


@pytest.fixture
async def line(database: str) -> AsyncIterator[Proxy]:
    """The line between a service and its databases."""
    there = urlsplit(database)
    async with Proxy(there.hostname or "127.0.0.1", there.port or 5432) as proxy:
        yield proxy


async def test_while_the_store_is_away_nothing_is_half_done(
    database: str, line: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there = urlsplit(database)
    account = there.netloc.rpartition("@")[0]
    behind = there._replace(netloc=f"{account}@127.0.0.1:{line.port}".lstrip("@")).geturl()
    looking = await asyncpg.connect(database)
    async with service(behind, tmp_path_factory.mktemp("away"), append_patience_s=0.3) as emsp:
        cpo = await emsp.client.registered("away", "Away of Luzon", emsp.mails)
        token = await emsp.client.log_in(cpo)
        calls: list[tuple[str, str, Any, str]] = [
            ("POST", hook(cpo), {"locations": [a_location("Mall", an_evse("W1"))]}, f"Bearer {cpo.token_c}"),
            ("POST", LOGIN, {"username": cpo.username, "password": cpo.password}, emsp.client.basic),
            ("GET", DETAILS, None, f"Bearer {token}"),
            ("GET", FILTERS, None, READER),
        ]
        line.refuse()
        for method, path, body, authorization in calls:
            reply = await emsp.client.call(method, path, body, Authorization=authorization)
            assert_refused(reply, 503, "SERVICE_UNAVAILABLE")
            assert int(reply.headers["Retry-After"]) > 0
        assert await looking.fetchval("select count(*) from es.events") == 1
        line.accept()
        for method, path, body, authorization in calls:

            async def status(method: str = method, path: str = path, body: Any = body, who: str = authorization) -> int:
                return (await emsp.client.call(method, path, body, Authorization=who)).status

            await until_equal(status, 200)
        line.cut()
    await looking.close()


async def test_while_the_broker_is_away_commands_are_accepted(
    database: str, amqp_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = urlsplit(amqp_url)
    account = f"{url.username or 'guest'}:{url.password or 'guest'}"
    async with Proxy(url.hostname or "127.0.0.1", url.port or 5672) as broker:
        behind = url._replace(netloc=f"{account}@127.0.0.1:{broker.port}").geturl()
        async with service(database, tmp_path_factory.mktemp("broker"), amqp_url=behind) as emsp:
            cpo = await emsp.client.registered("broker", "Broker of Luzon", emsp.mails)
            broker.refuse()
            pushed = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("B1"))])
            assert pushed.status == 200
            # The projector follows the log by itself meanwhile.
            await until_drawn(emsp)
            broker.accept()
            async with asyncio.timeout(20):
                assert (await emsp.client.push_status(cpo, "B1", "CHARGING")).status == 200
            await until_drawn(emsp)
