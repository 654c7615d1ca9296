from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.calls import CALLS, GRAPHQL, REGISTER, target
from tests.support.client import Cpo, a_connector, a_location, an_evse
from tests.support.world import Service

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def cpo(emsp: Service) -> Cpo:
    """Nothing that these tests send is accepted: one CPO is enough."""
    return await emsp.client.registered("bad", "Bad Input", emsp.mails)


async def send(emsp: Service, cpo: Cpo, call: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
    method, url, authorization = target(emsp, cpo, call)
    async with emsp.client.session.request(method, url, data=body, headers=authorization | headers) as response:
        return response.status, await response.json(content_type=None)


def a_body(**changed: Any) -> bytes:
    return json.dumps({"locations": [a_location("One", an_evse("1"))]} | changed).encode()


NO_JSON = {
    "nothing": b"",
    "not JSON": b"{locations:",
    "a list": b"[]",
    "a number": b"17",
    "null": b"null",
    "deep nesting": b"[" * 100_000,
    "deep nesting of objects": b'{"a":' * 50_000,
    "an infinite number": b'{"locations": 1e400}',
    "NaN": b'{"locations": NaN}',
    "a lone surrogate": b'{"name": "\\ud800", "username": "\\ud800"}',
    "invalid UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
async def test_what_is_no_json_object_is_refused_with_a_list_of_faults(
    emsp: Service, cpo: Cpo, call: str, body: bytes
) -> None:
    count = await emsp.event_count()
    status, answer = await send(emsp, cpo, call, body, JSON)
    assert (status, answer["message"]) == (400, "VALIDATION_ERROR")
    assert answer["data"][0]["message"]
    assert await emsp.event_count() == count


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_another_content_type_is_refused(emsp: Service, cpo: Cpo, call: str, headers: dict[str, str]) -> None:
    body = gzip.compress(a_body()) if "Content-Encoding" in headers else a_body()
    status, answer = await send(emsp, cpo, call, body, headers)
    assert (status, answer) == (415, {"status": 415, "data": [], "message": "UNSUPPORTED_MEDIA_TYPE"})


@pytest.mark.parametrize("call", CALLS)
async def test_a_large_body_is_refused_and_never_held(emsp: Service, cpo: Cpo, call: str) -> None:
    status, answer = await send(emsp, cpo, call, io.BytesIO(b"x" * 10_000_000), JSON)
    assert (status, answer["message"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_an_endless_body_is_cut_off(emsp: Service, cpo: Cpo) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"[" * 100_000

    status, answer = await send(emsp, cpo, "W1", endless(), JSON)
    assert (status, answer["message"]) == (413, "PAYLOAD_TOO_LARGE")


WRONG_LOCATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": None}, "name"),
    "a number for a name": ({"name": 7}, "name"),
    "an empty name": ({"name": "  "}, "name"),
    "a long name": ({"name": "x" * 256}, "name"),
    "a NUL in a name": ({"name": "a\0b"}, "name"),
    "a line break in a name": ({"name": "a\nb"}, "name"),
    "a long address": ({"address": "x" * 501}, "address"),
    "no EVSEs": ({"evses": []}, "evses"),
    "EVSEs that are none": ({"evses": [1]}, "evses[0]"),
    "facilities that are no list": ({"facilities": "MALL"}, "facilities"),
    "a facility that is no text": ({"facilities": [1]}, "facilities[0]"),
    "a latitude out of range": ({"lat": 91}, "lat"),
    "a latitude that is a boolean": ({"lat": True}, "lat"),
    "a latitude that is no number": ({"lat": "north"}, "lat"),
    "an infinite latitude": ({"lat": "1e999"}, "lat"),
    "a longitude alone": ({"lat": None}, "lng"),
    "a publish that is no boolean": ({"publish": 1}, "publish"),
}


@pytest.mark.parametrize(("changed", "field"), WRONG_LOCATIONS.values(), ids=WRONG_LOCATIONS)
async def test_a_wrong_location_is_refused_at_its_field(
    emsp: Service, cpo: Cpo, changed: dict[str, Any], field: str
) -> None:
    await _refused_at(emsp, cpo, a_location("One", an_evse("1"), **changed), f"locations[0].{field}")


WRONG_EVSES: dict[str, tuple[dict[str, Any], str]] = {
    "a long uid": ({"uid": "x" * 37}, "uid"),
    "a uid that is not ASCII": ({"uid": "ñ"}, "uid"),
    "an unknown status": ({"status": "SLEEPING"}, "status"),
    "an unknown meter type": ({"meter_type": "XY"}, "meter_type"),
    "no rating": ({"kwh": None}, "kwh"),
    "a rating of nothing": ({"kwh": 0}, "kwh"),
    "a rating too large": ({"kwh": 100_001}, "kwh"),
    "a rating that is a boolean": ({"kwh": True}, "kwh"),
    "a rating that is text": ({"kwh": "7"}, "kwh"),
    "no connectors": ({"connectors": []}, "connectors"),
    "long directions": ({"directions": "x" * 1_001}, "directions"),
    "an unknown format": ({"connectors": [a_connector(format="X")]}, "connectors[0].format"),
    "an unknown power type": ({"connectors": [a_connector(power_type="X")]}, "connectors[0].power_type"),
    "a voltage of nothing": ({"connectors": [a_connector(max_voltage=0)]}, "connectors[0].max_voltage"),
    "a voltage too large": ({"connectors": [a_connector(max_voltage=2**31)]}, "connectors[0].max_voltage"),
    "a huge voltage": ({"connectors": [a_connector(max_voltage=10**40)]}, "connectors[0].max_voltage"),
    "half a volt": ({"connectors": [a_connector(max_voltage=0.5)]}, "connectors[0].max_voltage"),
}


@pytest.mark.parametrize(("changed", "field"), WRONG_EVSES.values(), ids=WRONG_EVSES)
async def test_a_wrong_evse_is_refused_at_its_field(
    emsp: Service, cpo: Cpo, changed: dict[str, Any], field: str
) -> None:
    await _refused_at(emsp, cpo, a_location("One", an_evse("1", **changed)), f"locations[0].evses[0].{field}")


async def _refused_at(emsp: Service, cpo: Cpo, location: dict[str, Any], field: str) -> None:
    count = await emsp.event_count()
    reply = await emsp.client.push_locations(cpo, [location])
    assert (reply.status, reply.body["message"]) == (400, "VALIDATION_ERROR"), reply.body
    assert [fault["field"] for fault in reply.body["data"]] == [field]
    assert await emsp.event_count() == count


async def test_of_a_body_of_very_many_faults_the_first_are_told(emsp: Service, cpo: Cpo) -> None:
    body = b'{"locations":[{"evses":[' + b"{}," * 49_000 + b"{}]}]}"
    status, answer = await send(emsp, cpo, "W1", body, JSON)
    assert (status, answer["message"], len(answer["data"])) == (400, "VALIDATION_ERROR", 1_000)


async def test_all_faults_are_told_at_once(emsp: Service, cpo: Cpo) -> None:
    wrong = a_location("", an_evse("1", kwh=-1), an_evse("", capabilities=["X"]), lat=100)
    reply = await emsp.client.push_locations(cpo, [wrong, a_location("Two")])
    assert {fault["field"] for fault in reply.body["data"]} == {
        "locations[0].name",
        "locations[0].lat",
        "locations[0].evses[0].kwh",
        "locations[0].evses[1].uid",
        "locations[0].evses[1].capabilities[0]",
        "locations[1].evses",
    }


async def test_unknown_paths_and_methods_have_the_envelope(emsp: Service) -> None:
    unknown = await emsp.client.call("GET", "/nowhere")
    assert (unknown.status, unknown.body) == (404, {"status": 404, "data": [], "message": "Not Found"})
    method = await emsp.client.call("DELETE", REGISTER)
    assert (method.status, method.body["message"], method.headers["Allow"]) == (405, "Method Not Allowed", "POST")


async def test_a_request_id_is_echoed_or_made(emsp: Service) -> None:
    given = await emsp.client.call("GET", "/nowhere", X_Request_ID="mine-1")
    assert given.headers["X-Request-ID"] == "mine-1"
    made = await emsp.client.call("GET", "/nowhere", X_Request_ID="not sane: ñ")
    assert len(made.headers["X-Request-ID"]) == 36


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
async def test_graphql_refuses_what_is_no_json_object_too(emsp: Service, body: bytes) -> None:
    async with emsp.client.session.post(emsp.base_url + GRAPHQL, data=body, headers=JSON) as response:
        assert response.status == 400
        (error,) = (await response.json(content_type=None))["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "status": 400}
