"""Looking back over HTTP and on the command line: who changed what, when, from where, and how it was before."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.client import Cpo, Reply, a_location, an_evse, bearer
from tests.support.emsp import EMSP, client_of, deployment
from tests.support.pictures import a_picture
from tests.support.uploads import add_photos
from tests.support.world import Service

WEBHOOK: Final = "/ocpi/cpo/api/v1/webhook"
HISTORY: Final = """{ location_history(id: %d) {
    position at event command_id correlation_id actor evse_uid connector_id changes { field before after } } }"""
AS_OF: Final = '{ location(id: %d, as_of: "%s") { name images publish evses { uid status connectors { status } } } }'


async def changed(emsp: Service, cpo: Cpo, token: str) -> tuple[int, list[Reply]]:
    """A location that a W1, a W3, a W4 and a R7 made what it is; their answers."""
    machine, party = bearer(cpo.token_c), f"{cpo.country_code}/{cpo.party_id}"
    pushed = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
    location_id: int = pushed.body["data"][0]["location_id"]
    both = {"status": "CHARGING", "connectors": [{"connector_id": 1, "status": "BLOCKED"}]}
    replies = [
        pushed,
        await emsp.client.call("PATCH", f"{WEBHOOK}/evse/{party}/A1", both, **machine),
        await emsp.client.call("PATCH", f"{WEBHOOK}/locations/{party}/{location_id}", {"name": "Plaza"}, **machine),
        await add_photos(emsp, f"Bearer {token}", location_id, a_picture()),
    ]
    assert [reply.status for reply in replies] == [200] * 4
    return location_id, replies


async def test_who_changed_what_when_and_from_where(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    location_id, replies = await changed(emsp, cpo, token)
    seen = {"Emsp_Min_Position": str(replies[-1].position)}
    history = (await emsp.client.ask(HISTORY % location_id, token=token, **seen))["location_history"]
    photo, name, connector, status, evse, location = history
    assert [(one["event"], one["evse_uid"], one["connector_id"]) for one in history] == [
        ("location.photos_added", None, None),
        ("location.changed", None, None),
        ("evse.connector_status_changed", "A1", 1),
        ("evse.status_changed", "A1", None),
        ("evse.registered", "A1", None),
        ("location.registered", None, None),
    ]
    w1, w3, w4, r7 = ((reply.headers["X-Request-ID"], str(reply.position)) for reply in replies)
    calls = [(one["correlation_id"], one["position"]) for one in history]
    assert (calls[0], calls[1], calls[2], calls[4]) == (r7, w4, w3, w1)
    assert [one["correlation_id"] for one in history] == [r7[0], w4[0], w3[0], w3[0], w1[0], w1[0]]
    assert {one["actor"] for one in history} == {f"cpo:{cpo.country_code}/{cpo.party_id}"}
    assert len({one["command_id"] for one in history}) == 4
    assert [one["at"] for one in history] == sorted((one["at"] for one in history), reverse=True)

    assert fields(status) == {"status": ("AVAILABLE", "CHARGING")}
    assert fields(connector)["status"] == ("AVAILABLE", "BLOCKED")
    assert fields(name)["name"] == ("Mall", "Plaza")
    assert (fields(photo)["images"][0], len(fields(photo)["images"][1])) == ([], 1)
    assert fields(evse)["uid"] == (None, "A1")
    assert fields(location)["name"] == (None, "Mall")

    then = [(await emsp.client.ask(AS_OF % (location_id, one["at"]), token=token))["location"] for one in history]
    as_w1 = {
        "name": "Mall",
        "images": [],
        "publish": True,
        "evses": [{"uid": "A1", "status": "AVAILABLE", "connectors": [{"status": "AVAILABLE"}]}],
    }
    as_w3 = as_w1 | {"evses": [{"uid": "A1", "status": "CHARGING", "connectors": [{"status": "BLOCKED"}]}]}
    as_w4 = as_w3 | {"name": "Plaza"}
    assert then == [as_w4 | {"images": fields(photo)["images"][1]}, as_w4, as_w3, as_w3, as_w1, as_w1]
    before = await emsp.client.ask(AS_OF % (location_id, "2020-01-01T00:00:00Z"), token=token)
    assert before == {"location": None}

    stranger = await emsp.client.log_in(other)
    found = await emsp.client.ask(AS_OF % (location_id, status["at"]), token=stranger)
    assert found["location"] == as_w3


def fields(event: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {one["field"]: (one["before"], one["after"]) for one in event["changes"]}


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ("location_history(id: %d) { at }", "NOT_FOUND", 404),
        ('location(id: %d, as_of: "2999-01-01T00:00:00Z") { id }', "BAD_USER_INPUT", 400),
        ('location(id: %d, as_of: "soon") { id }', "BAD_USER_INPUT", 400),
    ],
)
async def test_a_stranger_and_a_wrong_moment_are_refused(
    emsp: Service, cpo: Cpo, other: Cpo, query: str, code: str, status: int
) -> None:
    pushed = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
    asked = {"query": f"{{ {query % pushed.body['data'][0]['location_id']} }}"}
    token = await emsp.client.log_in(other)
    seen = {"Emsp_Min_Position": str(pushed.position)}
    reply = await emsp.client.call("POST", "/ocpi/cpo/graphql", asked, **bearer(token), **seen)
    (error,) = reply.body["errors"]
    assert error["extensions"] == {"code": code, "status": status}
    app = {"Authorization": emsp.client.basic}
    (error,) = (await emsp.client.call("POST", "/ocpi/cpo/graphql", asked, **app)).body["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_log_until_a_moment(tmp_path: Path) -> None:
    async with deployment(tmp_path) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("maria", "Isla Charge", tmp_path / "var/mail")
            pushed = await client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
            for status in ("CHARGING", "BLOCKED", "AVAILABLE"):
                assert (await client.push_status(cpo, "A1", status)).status == 200

        async def printed(*arguments: str) -> list[dict[str, Any]]:
            return [json.loads(line) for line in (await emsp.command("events", *arguments)).splitlines()]

        evse = ("--stream", f"evse/PH/{cpo.party_id}/a1")
        stream = await printed(*evse)
        assert [one["state"]["status"] for one in stream] == ["AVAILABLE", "CHARGING", "BLOCKED", "AVAILABLE"]
        assert await printed(*evse, "--at", stream[2]["at"]) == stream[:3]
        assert await printed(*evse, "--at", str(stream[1]["position"])) == stream[:2]
        assert await printed(*evse, "--at", "2020-01-01T00:00:00Z") == []
        assert (await printed("--at", str(pushed.position)))[-1] == stream[0]
        process = await asyncio.create_subprocess_exec(
            *(EMSP, "events", "--at", "soon"), cwd=emsp.folder, env=emsp.environment, stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
        assert (process.returncode, b"expected a position, or a moment" in err) == (1, True)
        assert emsp.stop("run") == 0, emsp.logs()
