from __future__ import annotations

import asyncio

import pytest
from yarl import URL

from tests.support.calls import CALLS, GRAPHQL, exchanged, raw, target
from tests.support.client import Cpo
from tests.support.world import Service

JSON = {"Content-Type": b"application/json"}
A_STATUS = b'{"status": "CHARGING"}'


@pytest.fixture(scope="module")
async def cpo(emsp: Service) -> Cpo:
    """Nothing that these tests send is accepted: one CPO is enough."""
    return await emsp.client.registered("odd", "Odd Requests", emsp.mails)


MALFORMED = {
    "nothing": b"",
    "no scheme": b"YXBwOmE=",
    "Basic alone": b"Basic",
    "no base64": b"Basic !!!",
    "no colon": b"Basic YQ==",
    "no ASCII": b"Basic \xff\xfe",
    "no UTF-8": b"Basic /////w==",
    "Bearer alone": b"Bearer ",
    "a long token": b"Bearer " + b"x" * 5_000,
    "a token that is not ASCII": b"Bearer \xff",
    "another scheme": b"Digest x",
    "two": b"Bearer x\r\nAuthorization: Bearer y",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("authorization", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_authorization_is_401(emsp: Service, cpo: Cpo, authorization: bytes, call: str) -> None:
    method, url, _ = target(emsp, cpo, call)
    headers = JSON | {"Authorization": authorization}
    status, head, body = await raw(emsp, method, URL(url).raw_path, headers, b"{}")
    assert (status, body) == (401, {"status": 401, "data": [], "message": "Unauthorized"})
    assert f"www-authenticate: {'basic' if call.startswith('R') else 'bearer'}" in head.lower()


@pytest.mark.parametrize("authorization", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_authorization_is_a_graphql_error(emsp: Service, authorization: bytes) -> None:
    headers = JSON | {"Authorization": authorization}
    _, _, body = await raw(emsp, "POST", GRAPHQL, headers, b'{"query": "{ locations { id } }"}')
    assert body["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED", "status": 401}


ODD_UIDS = {
    "%00": "",
    "%FF": "%FF",
    "%ED%A0%80": "%ED%A0%80",
    "%2e%2e": "..",
    "%C3%B1": "ñ",
    "%20" * 500: "",
    "x" * 4_000: "x" * 36,
    "%0d%0aSet-Cookie:%20a=b": "Set-Cookie: a=b",
}


@pytest.mark.parametrize(("uid", "shown"), ODD_UIDS.items(), ids=range(len(ODD_UIDS)))
async def test_an_odd_uid_in_the_path_is_unknown(emsp: Service, cpo: Cpo, uid: str, shown: str) -> None:
    method, url, authorization = target(emsp, cpo, "W3")
    headers = JSON | {"Authorization": authorization["Authorization"].encode(), "Idempotency-Key": b"odd"}
    status, head, body = await raw(emsp, method, URL(url).raw_path.removesuffix("1") + uid, headers, A_STATUS)
    assert "set-cookie" not in head.lower()
    assert (status, body["data"]) == (400, [])
    code, _, told = body["message"].partition(":")
    assert (code, told.rstrip()) == ("EVSE_UID_DOES_NOT_EXISTS", shown)


@pytest.mark.parametrize("location_id", ["0", "-1", "1.0", "abc", "2147483648", "9" * 4_000, "%D9%A1", "+1", "%201"])
async def test_an_odd_location_id_in_the_path_is_unknown(emsp: Service, cpo: Cpo, location_id: str) -> None:
    method, url, authorization = target(emsp, cpo, "W4")
    headers = JSON | {"Authorization": authorization["Authorization"].encode()}
    path = URL(url).raw_path.removesuffix("1") + location_id
    status, _, body = await raw(emsp, method, path, headers, b'{"name": "x"}')
    assert status == 400
    assert body["message"].startswith("LOCATION_ID_DOES_NOT_EXISTS:")
    assert len(body["message"]) < 80


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"\xff", b"a\tb"], ids=["empty", "long", "no UTF-8", "a tab"])
async def test_a_malformed_idempotency_key_is_a_fault(emsp: Service, cpo: Cpo, key: bytes) -> None:
    method, url, authorization = target(emsp, cpo, "W3")
    headers = JSON | {"Authorization": authorization["Authorization"].encode(), "Idempotency-Key": key}
    status, _, body = await raw(emsp, method, URL(url).raw_path, headers, A_STATUS)
    assert (status, body["message"]) == (400, "VALIDATION_ERROR")
    assert [fault["field"] for fault in body["data"]] == ["Idempotency-Key"]


async def test_an_unknown_expectation_is_left_aside(emsp: Service, cpo: Cpo) -> None:
    method, url, authorization = target(emsp, cpo, "W1")
    headers = JSON | {"Authorization": authorization["Authorization"].encode(), "Expect": b"a miracle"}
    status, _, body = await raw(emsp, method, URL(url).raw_path, headers, b"[]")
    assert (status, body["message"]) == (400, "VALIDATION_ERROR")


async def test_what_is_expected_to_continue_does(emsp: Service, cpo: Cpo) -> None:
    method, url, authorization = target(emsp, cpo, "W1")
    async with emsp.client.session.request(method, url, json=[], headers=authorization, expect100=True) as response:
        assert (response.status, (await response.json())["message"]) == (400, "VALIDATION_ERROR")


async def test_a_body_that_breaks_off_leaves_the_service_well(emsp: Service, cpo: Cpo) -> None:
    method, url, authorization = target(emsp, cpo, "W1")
    head = (
        f"{method} {URL(url).raw_path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization['Authorization']}\r\n"
        "Content-Type: application/json\r\n"
    )
    count = await emsp.event_count()
    for rest in ("Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        _, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
        writer.write((head + rest).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await emsp.client.push_locations(cpo, [])).status == 400
    assert await emsp.event_count() == count


NO_HTTP = {
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "another method": b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a wrong chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_refused_in_the_envelope(
    emsp: Service, capsys: pytest.CaptureFixture[str], sent: bytes
) -> None:
    status, head, body = await exchanged(emsp, sent)
    request_id = head.lower().partition("x-request-id: ")[2].partition("\r\n")[0]
    assert request_id
    assert request_id in capsys.readouterr().out
    assert "aiohttp" not in head.lower()
    data = [{"field": "", "message": "malformed HTTP request"}]
    assert (status, body) == (400, {"status": 400, "data": data, "message": "VALIDATION_ERROR"})


async def test_what_is_too_long_is_neither_told_back_nor_logged(
    emsp: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    long = b"GET / HTTP/1.1\r\nAuthorization: Bearer secret" + b"a" * 9_000 + b"\r\n\r\n"
    status, _, body = await exchanged(emsp, long)
    data = [{"field": "", "message": "the request line or a header is too long"}]
    assert (status, body) == (400, {"status": 400, "data": data, "message": "VALIDATION_ERROR"})
    output = capsys.readouterr()
    assert "secret" not in output.out + output.err + caplog.text
