from __future__ import annotations

import asyncio
from typing import Any

from yarl import URL

from tests.support.client import Cpo, Reply, a_connector, a_location, an_evse
from tests.support.world import Service, until_drawn


def path_of(cpo: Cpo, what: str, *rest: object) -> str:
    return "/".join([f"/ocpi/cpo/api/v1/webhook/{what}/{cpo.country_code}/{cpo.party_id}", *map(str, rest)])


async def machine(emsp: Service, cpo: Cpo, method: str, path: str, body: object, **headers: str) -> Reply:
    return await emsp.client.call(method, path, body, Authorization=f"Bearer {cpo.token_c}", **headers)


async def own_evses(emsp: Service, cpo: Cpo) -> list[dict[str, Any]]:
    await until_drawn(emsp)
    token = await emsp.client.log_in(cpo)
    query = "{ evse(limit: 50) { uid evse_id status locations { id name city } connectors { connector_id status } } }"
    found: list[dict[str, Any]] = (await emsp.client.ask(query, token=token))["evse"]
    return found


async def test_pushed_locations_are_answered_in_the_order_of_the_request(emsp: Service, cpo: Cpo) -> None:
    reply = await emsp.client.push_locations(
        cpo, [a_location("One", an_evse("1")), a_location("Two", an_evse("2")), a_location("ONE", an_evse("3"))]
    )
    assert (reply.status, reply.body["message"]) == (200, "Success")
    one, two, again = (item["location_id"] for item in reply.body["data"])
    assert one == again != two
    evses = await own_evses(emsp, cpo)
    assert [(evse["uid"], evse["locations"]["id"]) for evse in evses] == [("1", one), ("3", one), ("2", two)]
    assert evses[0]["evse_id"] == f"PH*{cpo.party_id}*E1"


async def test_the_same_call_under_the_same_key_answers_the_same_and_appends_nothing(emsp: Service, cpo: Cpo) -> None:
    body = {"locations": [a_location("One", an_evse("1"))]}
    replies = [
        await machine(emsp, cpo, "POST", path_of(cpo, "locations"), body, Idempotency_Key="k-1") for _ in range(2)
    ]
    count = await emsp.event_count()
    together = await asyncio.gather(
        *(machine(emsp, cpo, "POST", path_of(cpo, "locations"), body, Idempotency_Key="k-1") for _ in range(10))
    )
    assert {(reply.status, str(reply.body), reply.position) for reply in (*replies, *together)} == {
        (200, str(replies[0].body), replies[0].position)
    }
    assert await emsp.event_count() == count


async def test_calls_at_once_under_one_new_key_are_one_call(emsp: Service, cpo: Cpo) -> None:
    body = {"locations": [a_location("One", an_evse("1"))]}
    replies = await asyncio.gather(
        *(machine(emsp, cpo, "POST", path_of(cpo, "locations"), body, Idempotency_Key="k-2") for _ in range(8))
    )
    assert {(reply.status, reply.position) for reply in replies} == {(200, replies[0].position)}
    assert len(await own_evses(emsp, cpo)) == 1


async def test_the_same_key_with_another_body_is_refused(emsp: Service, cpo: Cpo) -> None:
    path = path_of(cpo, "locations")
    await machine(emsp, cpo, "POST", path, {"locations": [a_location("One", an_evse("1"))]}, Idempotency_Key="k-3")
    other = {"locations": [a_location("One", an_evse("2"))]}
    reply = await machine(emsp, cpo, "POST", path, other, Idempotency_Key="k-3")
    assert (reply.status, reply.body["message"]) == (400, "IDEMPOTENCY_KEY_REUSED")


async def test_one_wrong_code_refuses_the_whole_call_and_lists_every_fault(emsp: Service, cpo: Cpo) -> None:
    location = a_location("One", an_evse("1"), an_evse("2"))
    assert (await emsp.client.push_locations(cpo, [location])).status == 200
    count = await emsp.event_count()
    wrong = a_location("One", an_evse("1"), an_evse("2", capabilities=["QR_READER", "TELEPATHY"]), an_evse("3"))
    reply = await emsp.client.push_locations(cpo, [wrong])
    assert (reply.status, reply.body["message"]) == (400, "VALIDATION_ERROR")
    assert [(fault["field"], fault["code"]) for fault in reply.body["data"]] == [
        ("locations[0].evses[1].capabilities[1]", "INVALID_CAPABILITIES"),
        ("locations[0].evses[0].uid", "DUPLICATE_EVSE_UID:1"),
        ("locations[0].evses[1].uid", "DUPLICATE_EVSE_UID:2"),
    ]
    assert await emsp.event_count() == count


async def test_unknown_codes_of_each_list_have_the_code_of_the_contract(emsp: Service, cpo: Cpo) -> None:
    location = a_location(
        "One",
        an_evse("1", capabilities=["X"], payment_types=["X"], connectors=[a_connector(standard="X")]),
        facilities=["X"],
        parking_types=["X"],
        parking_restrictions=["X"],
    )
    reply = await emsp.client.push_locations(cpo, [location])
    assert {fault["code"] for fault in reply.body["data"]} == {
        "INVALID_FACILITIES",
        "INVALID_PARKING_TYPES",
        "INVALID_PARKING_RESTRICTIONS",
        "INVALID_CAPABILITIES",
        "INVALID_PAYMENT_TYPES",
        "INVALID_CONNECTOR_STANDARD",
    }
    alone = await emsp.client.push_locations(cpo, [a_location("One", an_evse("1"), facilities=["X"])])
    assert alone.body["message"] == "INVALID_FACILITIES"


async def test_an_address_that_cannot_be_placed_needs_coordinates(emsp: Service, cpo: Cpo) -> None:
    nowhere = a_location("One", an_evse("1"), address="Somewhere", lat=None, lng=None)
    reply = await emsp.client.push_locations(cpo, [nowhere])
    assert (reply.status, reply.body["message"]) == (400, "LOCATION_NOT_FOUND")
    placed = a_location("One", an_evse("1"), address="Somewhere", lat="14.2471", lng=121.1367)
    assert (await emsp.client.push_locations(cpo, [placed])).status == 200
    (evse,) = await own_evses(emsp, cpo)
    assert evse["locations"]["city"] == "Cabuyao"


async def test_a_known_location_keeps_its_fields_and_the_answer_names_those_that_differ(
    emsp: Service, cpo: Cpo
) -> None:
    await emsp.client.push_locations(cpo, [a_location("One", an_evse("1"))])
    reply = await emsp.client.push_locations(
        cpo, [a_location("one", an_evse("2"), address="Session Road, Baguio", facilities=["WIFI"])]
    )
    assert reply.headers["Emsp-Ignored"] == "locations[0].address, locations[0].facilities"


async def test_two_cpos_may_have_the_same_uid(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    for one in (cpo, other):
        assert (await emsp.client.push_locations(one, [a_location("One", an_evse("SAME"))])).status == 200
    assert (await emsp.client.push_status(cpo, "SAME", "CHARGING")).status == 200
    assert [evse["status"] for evse in await own_evses(emsp, cpo)] == ["CHARGING"]
    assert [evse["status"] for evse in await own_evses(emsp, other)] == ["AVAILABLE"]


async def test_of_two_calls_at_once_with_the_same_uid_exactly_one_wins(emsp: Service, cpo: Cpo) -> None:
    replies = await asyncio.gather(
        *(emsp.client.push_locations(cpo, [a_location(f"L{number}", an_evse("Uid"))]) for number in range(6))
    )
    assert sorted(reply.status for reply in replies) == [200, 400, 400, 400, 400, 400]
    assert {reply.body["message"] for reply in replies if reply.status == 400} == {"DUPLICATE_EVSE_UID:Uid"}
    assert len(await own_evses(emsp, cpo)) == 1


async def test_an_evse_joins_its_location(emsp: Service, cpo: Cpo) -> None:
    pushed = await emsp.client.push_locations(cpo, [a_location("One", an_evse("1"))])
    location_id = pushed.body["data"][0]["location_id"]
    reply = await machine(emsp, cpo, "POST", path_of(cpo, "evse"), an_evse("2") | {"location_id": location_id})
    assert (reply.status, reply.body["data"]) == (200, "SUCCESS")
    again = await machine(emsp, cpo, "POST", path_of(cpo, "evse"), an_evse("2") | {"location_id": location_id})
    assert (again.status, again.body["message"]) == (400, "DUPLICATE_EVSE_UID:2")
    assert [evse["uid"] for evse in await own_evses(emsp, cpo)] == ["1", "2"]


async def test_a_status_changes_and_the_same_status_again_appends_nothing(emsp: Service, cpo: Cpo) -> None:
    two = an_evse("A/b 1", connectors=[a_connector(), a_connector(standard="CCS_2", power_type="DC")])
    await emsp.client.push_locations(cpo, [a_location("One", two)])
    path = URL(emsp.base_url + path_of(cpo, "evse", "a%2FB%201"), encoded=True)
    body = {"status": "CHARGING", "connectors": [{"connector_id": 2, "status": "CHARGING"}]}
    headers = {"Authorization": f"Bearer {cpo.token_c}"}
    async with emsp.client.session.patch(path, json=body, headers=headers) as first:
        assert (first.status, (await first.json())["data"]) == (200, "SUCCESS")
        position = first.headers["Emsp-Position"]
    count = await emsp.event_count()
    async with emsp.client.session.patch(path, json=body, headers=headers) as again:
        assert (again.status, again.headers["Emsp-Position"]) == (200, position)
    assert await emsp.event_count() == count
    (evse,) = await own_evses(emsp, cpo)
    assert [connector["status"] for connector in evse["connectors"]] == ["AVAILABLE", "CHARGING"]


async def test_status_changes_of_what_is_unknown_are_refused(emsp: Service, cpo: Cpo) -> None:
    await emsp.client.push_locations(cpo, [a_location("One", an_evse("1"))])
    unknown = await emsp.client.push_status(cpo, "nope", "CHARGING")
    assert (unknown.status, unknown.body["message"]) == (400, "EVSE_UID_DOES_NOT_EXISTS:nope")
    body = {"connectors": [{"connector_id": 7, "status": "CHARGING"}]}
    connector = await machine(emsp, cpo, "PATCH", path_of(cpo, "evse", "1"), body)
    assert (connector.status, connector.body["message"]) == (400, "CONNECTOR_ID_DOES_NOT_EXISTS:7")
    nothing = await machine(emsp, cpo, "PATCH", path_of(cpo, "evse", "1"), {})
    assert (nothing.status, nothing.body["message"]) == (400, "VALIDATION_ERROR")


async def test_a_location_changes_in_the_fields_that_are_named(emsp: Service, cpo: Cpo) -> None:
    pushed = await emsp.client.push_locations(cpo, [a_location("One", an_evse("1"))])
    location_id = pushed.body["data"][0]["location_id"]
    change = {"name": "Uno", "address": "Session Road, Baguio City, Benguet", "facilities": ["WIFI"], "publish": False}
    reply = await machine(emsp, cpo, "PATCH", path_of(cpo, "locations", location_id), change)
    assert (reply.status, reply.body["data"]) == (200, "SUCCESS")
    await until_drawn(emsp)
    token = await emsp.client.log_in(cpo)
    query = (
        "{ locations { name address city province address_lat publish facilities { code } parking_types { code } } }"
    )
    (shown,) = (await emsp.client.ask(query, token=token))["locations"]
    assert shown == {
        "name": "Uno",
        "address": "Session Road, Baguio City, Benguet",
        "city": "Baguio",
        "province": "Benguet",
        "address_lat": 14.5547,
        "publish": False,
        "facilities": [{"code": "WIFI"}],
        "parking_types": [{"code": "INDOOR"}],
    }
    public = await emsp.client.ask("{ find_ev_locations { id } }")
    assert location_id not in [found["id"] for found in public["find_ev_locations"]]


async def test_what_is_another_cpos_answers_as_what_never_was(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    pushed = await emsp.client.push_locations(other, [a_location("Theirs", an_evse("T1"), publish=False)])
    location_id = pushed.body["data"][0]["location_id"]
    count = await emsp.event_count()
    add = await machine(emsp, cpo, "POST", path_of(cpo, "evse"), an_evse("2") | {"location_id": location_id})
    assert add.body["message"] == f"LOCATION_ID_DOES_NOT_EXISTS:{location_id}"
    change = await machine(emsp, cpo, "PATCH", path_of(cpo, "locations", location_id), {"name": "Mine"})
    assert change.body["message"] == f"LOCATION_ID_DOES_NOT_EXISTS:{location_id}"
    status = await emsp.client.push_status(cpo, "T1", "REMOVED")
    assert status.body["message"] == "EVSE_UID_DOES_NOT_EXISTS:T1"
    token = await emsp.client.log_in(cpo)
    await until_drawn(emsp)
    shown = await emsp.client.ask(
        f'{{ location(id: {location_id}) {{ id }} locations {{ id }} evse(location_name: "Theirs") {{ uid }} }}',
        token=token,
    )
    assert shown == {"location": None, "locations": [], "evse": []}
    assert await emsp.event_count() == count


async def test_the_path_names_the_caller_or_the_call_is_refused(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    body = {"locations": [a_location("One", an_evse("1"))]}
    calls = [
        ("POST", "locations", body),
        ("POST", "evse", an_evse("1")),
        ("PATCH", "evse/1", {"status": "CHARGING"}),
        ("PATCH", "locations/1", {"name": "x"}),
    ]
    for method, what, sent in calls:
        kind, _, rest = what.partition("/")
        tail = f"/{rest}" if rest else ""
        theirs = await machine(emsp, cpo, method, path_of(other, kind) + tail, sent)
        assert (theirs.status, theirs.body["message"]) == (403, "Forbidden")
        abroad = f"/ocpi/cpo/api/v1/webhook/{kind}/DE/{cpo.party_id}{tail}"
        country = await machine(emsp, cpo, method, abroad, sent)
        assert (country.status, country.body["message"]) == (400, "INVALID_COUNTRY_CODE")
        nobody = await emsp.client.call(method, path_of(cpo, kind) + tail, sent, Authorization="Bearer nonsense")
        assert nobody.status == 401
        assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="emsp", error="invalid_token"'
        without = await emsp.client.call(method, path_of(cpo, kind) + tail, sent)
        assert (without.status, without.body) == (401, {"status": 401, "data": [], "message": "Unauthorized"})


async def test_a_location_takes_no_more_evses_than_the_setting_allows(emsp: Service, cpo: Cpo) -> None:
    full = a_location("Full", *(an_evse(f"F{number}") for number in range(499)))
    pushed = await emsp.client.push_locations(cpo, [full])
    location_id = pushed.body["data"][0]["location_id"]
    replies = await asyncio.gather(
        *(
            machine(emsp, cpo, "POST", path_of(cpo, "evse"), an_evse(f"G{n}") | {"location_id": location_id})
            for n in range(5)
        )
    )
    assert sorted(reply.status for reply in replies) == [200, 400, 400, 400, 400]
    assert {reply.body["message"] for reply in replies if reply.status == 400} == {"TOO_MANY_EVSES"}
