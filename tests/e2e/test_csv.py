from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.client import Cpo, a_location, an_evse, bearer
from tests.support.csv_files import COLUMNS, a_csv, a_row
from tests.support.world import Service, until_drawn

DOCS = Path(__file__).parents[2] / "docs" / "csv"
NOTHING_PENDING = "NO_PENDING_LOCATIONS_AND_EVSES"


@pytest.fixture(scope="module")
async def refused(emsp: Service) -> str:
    """The token of a CPO of which nothing is ever accepted."""
    cpo = await emsp.client.registered("refused", "Refused Volt", emsp.mails)
    return await emsp.client.log_in(cpo)


async def shown(emsp: Service, token: str, fields: str = "name evses { uid status }") -> list[dict[str, Any]]:
    """The caller's locations, as soon as the views show every event."""
    await until_drawn(emsp)
    found: list[dict[str, Any]] = (await emsp.client.ask(f"{{ locations {{ {fields} }} }}", token=token))["locations"]
    return found


def faults(body: Any) -> list[tuple[int, str, str]]:
    return [(fault["row"], fault["column"], fault["code"]) for fault in body["data"]]


async def test_a_file_registers_locations_with_their_evses(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    file = a_csv(
        a_row("A1", "SM City", address="Ayala Avenue, Makati, Metro Manila", lat="", lng=""),
        a_row("B1", "Harbor Point", directions="Level 2"),
        a_row("A2", "SM City", address="Ayala Avenue, Makati, Metro Manila", lat="", lng="", kwh="22"),
        a_row("A1", "SM City", address="Ayala Avenue, Makati, Metro Manila", connectors="[6]", power_type="DC"),
    )
    reply = await emsp.client.upload(token, file)
    assert (reply.status, reply.body["data"], reply.body["message"]) == (200, [], "Success")
    assert reply.position == await emsp.event_count()
    assert reply.headers["Emsp-Ignored"] == "rows[5].lat, rows[5].lng, rows[5].power_type"
    fields = """name city province region address_lat publish parking_restrictions { code } facilities { code }
                evses { uid evse_id status meter_type directions payment_types { code }
                        connectors { connector_id standard power_type status rate_setting } }"""
    first, second = await shown(emsp, token, fields)
    assert (first["name"], first["city"], first["province"], first["region"]) == (
        "SM City",
        "Makati",
        "Metro Manila",
        "NCR",
    )
    assert (first["publish"], first["parking_restrictions"]) == (True, [])
    assert [one["code"] for one in first["facilities"]] == ["MALL", "WIFI"]
    assert [(one["uid"], one["status"], one["meter_type"]) for one in first["evses"]] == [
        ("A1", "OFFLINE", "AC"),
        ("A2", "OFFLINE", "AC"),
    ]
    assert first["evses"][0]["evse_id"] == f"PH*{cpo.party_id}*EA1"
    assert [
        (one["connector_id"], one["standard"], one["power_type"], one["status"], one["rate_setting"])
        for one in first["evses"][0]["connectors"]
    ] == [(1, "TYPE_2", "AC", "AVAILABLE", "7.4 KW-H"), (2, "CCS_2", "DC", "AVAILABLE", "7.4 KW-H")]
    assert (second["name"], second["city"], second["address_lat"]) == ("Harbor Point", "Olongapo", 14.8225)
    assert second["evses"][0]["directions"] == "Level 2"


async def test_the_sample_of_the_documents_is_accepted(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    reply = await emsp.client.upload(token, (DOCS / "sample.csv").read_bytes())
    assert reply.status == 200, reply.body
    assert "Emsp-Ignored" not in reply.headers
    assert [
        (one["name"], one["city"], len(one["evses"])) for one in await shown(emsp, token, "name city evses { uid }")
    ] == [
        ("Harbor Point", "Olongapo", 2),
        ("SM City Cabuyao", "Cabuyao", 1),
        ("Ayala Triangle", "Makati", 1),
    ]


async def test_known_locations_get_evses_and_another_cpos_are_untouched(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    for one in (cpo, other):
        pushed = await emsp.client.push_locations(one, [a_location("Harbor Point", an_evse("W1"))])
        assert pushed.status == 200, pushed.body
    token, others_token = await emsp.client.log_in(cpo), await emsp.client.log_in(other)
    before = await shown(emsp, others_token, "id name evses { uid } date_modified")
    reply = await emsp.client.upload(token, a_csv(a_row("A1", "HARBOR POINT")))
    assert reply.status == 200, reply.body
    assert reply.headers["Emsp-Ignored"] == ", ".join(
        f"rows[2].{column}" for column in ("address", "lat", "lng", "facilities")
    )
    (location,) = await shown(emsp, token)
    assert location["name"] == "Harbor Point"
    assert [(one["uid"], one["status"]) for one in location["evses"]] == [("W1", "AVAILABLE"), ("A1", "OFFLINE")]
    assert await shown(emsp, others_token, "id name evses { uid } date_modified") == before


async def test_all_faults_are_told_by_row_and_column_and_nothing_is_written(emsp: Service, cpo: Cpo) -> None:
    assert (await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("W1"))])).status == 200
    token = await emsp.client.log_in(cpo)
    events = await emsp.event_count()
    file = a_csv(
        a_row("A1"),
        a_row("w1"),
        a_row("A2", kwh="none", format="PLUG"),
        a_row("A3", "Nowhere", address="Atlantis", lat="", lng=""),
        a_row("A4", address="Elsewhere, Makati"),
        a_row("A1", "Mall"),
        a_row("A5", facilities='["CASINO"]'),
    )
    for is_staged in (False, True):
        reply = await emsp.client.upload(token, file, is_staged=is_staged)
        assert (reply.status, reply.body["message"]) == (400, "VALIDATION_ERROR")
        assert faults(reply.body) == [
            (3, "evse_sn", "DUPLICATE_EVSE_UID:w1"),
            (4, "kwh", "VALIDATION_ERROR"),
            (4, "format", "VALIDATION_ERROR"),
            (5, "address", "LOCATION_NOT_FOUND"),
            (6, "address", "LOCATION_NAME_EXISTS"),
            (7, "evse_sn", "DUPLICATE_EVSE_UID:A1"),
            (8, "facilities", "INVALID_FACILITIES"),
        ]
        assert set(reply.body["data"][0]) == {"row", "column", "code", "message"}
    assert await emsp.event_count() == events


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([a_row("A1"), a_row("A1", "Mall")], "DUPLICATE_EVSE_UID:A1"),
        ([a_row("A1"), a_row("A2"), a_row("A1", "Mall"), a_row("A2", "Mall")], "DUPLICATE_EVSE_UID"),
        ([a_row("A1", connectors="[]")], "PLEASE_PROVIDE_ATLEAST_ONE_CONNECTOR"),
        ([a_row("A1", capabilities="[9]")], "INVALID_CAPABILITIES"),
        ([a_row("A1", kwh="")], "VALIDATION_ERROR"),
        ([], "VALIDATION_ERROR"),
    ],
)
async def test_a_refusal_is_named_for_the_rule_that_its_faults_share(
    emsp: Service, refused: str, rows: list[dict[str, object]], message: str
) -> None:
    reply = await emsp.client.upload(refused, a_csv(*rows))
    assert (reply.status, reply.body["message"]) == (400, message)


async def test_the_first_thousand_faults_are_told(emsp: Service, refused: str) -> None:
    reply = await emsp.client.upload(refused, a_csv(*[a_row(f"A{number}", kwh="") for number in range(1_500)]))
    assert reply.status == 400
    assert [row for row, _, _ in faults(reply.body)] == list(range(2, 1_002))


async def test_more_evses_than_a_location_may_have_are_refused(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    assert (await emsp.client.upload(token, a_csv(*[a_row(f"A{n}") for n in range(300)]))).status == 200
    for count, row, column in ((201, 2, "location"), (501, 502, "evse_sn")):
        reply = await emsp.client.upload(token, a_csv(*[a_row(f"B{n}") for n in range(count)]))
        assert (reply.status, reply.body["message"]) == (400, "TOO_MANY_EVSES")
        assert (row, column, "TOO_MANY_EVSES") in faults(reply.body)
    assert (await emsp.client.upload(token, a_csv(*[a_row(f"B{n}") for n in range(200)]))).status == 200


@pytest.mark.parametrize(
    ("key", "name", "content", "message"),
    [
        ("file", "locations.xlsx", a_csv(a_row()), "INVALID_FILE_TYPE"),
        ("file", "locations.csv", b"\x89PNG\r\n\x1a\n", "INVALID_FILE_TYPE"),
        ("file", "locations.csv", b"location", "VALIDATION_ERROR"),
        ("document", "locations.csv", a_csv(a_row()), "MISSING_FILE"),
    ],
)
async def test_a_file_that_is_no_csv_is_refused(
    emsp: Service, refused: str, key: str, name: str, content: bytes, message: str
) -> None:
    form = aiohttp.FormData()
    form.add_field(key, content, filename=name)
    assert await sent(emsp, refused, form) == (400, message)


async def sent(emsp: Service, token: str, form: aiohttp.FormData) -> tuple[int, str]:
    path = emsp.base_url + "/ocpi/cpo/api/v2/locations/uploads/csv"
    async with emsp.client.session.post(path, data=form, headers=bearer(token)) as response:
        return response.status, (await response.json())["message"]


async def test_two_files_are_refused_and_a_suffix_in_capitals_is_fine(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    two, one = aiohttp.FormData(), aiohttp.FormData()
    for form in (two, two, one):
        form.add_field("file", a_csv(a_row()), filename="LOCATIONS.CSV")
    assert await sent(emsp, token, two) == (400, "TOO_MANY_FILES")
    assert await sent(emsp, token, one) == (200, "Success")


async def test_a_header_that_is_not_the_contracts_is_told(emsp: Service, refused: str) -> None:
    reply = await emsp.client.upload(refused, a_csv(a_row(), header=("name", *COLUMNS[1:])))
    assert reply.status == 400
    assert [(fault["row"], fault["column"], fault["message"]) for fault in reply.body["data"]] == [
        (1, "location", "the column is missing"),
        (1, "name", "column 1 is unknown"),
    ]


async def test_only_a_cpos_user_may_upload_and_see(emsp: Service) -> None:
    calls = [
        ("POST", "/ocpi/cpo/api/v2/locations/uploads/csv"),
        ("POST", "/ocpi/cpo/api/v2/locations/uploads/temp/csv"),
        ("GET", "/ocpi/cpo/2.2/locations/pending"),
        ("GET", "/ocpi/cpo/2.2/locations/pending/items"),
        ("POST", "/ocpi/cpo/2.2/locations/pending/approve"),
        ("POST", "/ocpi/cpo/2.2/locations/pending/reject"),
    ]
    for method, path in calls:
        for headers in ({}, {"Authorization": emsp.client.basic}, bearer("a-token-of-a-machine")):
            reply = await emsp.client.call(method, path, **headers)
            assert (reply.status, reply.body["message"]) == (401, "Unauthorized"), path
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_repeat_with_the_key_answers_as_before_and_another_file_is_refused(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    file = a_csv(a_row("A1"))
    first = await emsp.client.upload(token, file, Idempotency_Key="k1")
    assert first.status == 200, first.body
    events = await emsp.event_count()
    again = await emsp.client.upload(token, file, Idempotency_Key="k1")
    assert (again.status, again.body, again.position) == (200, first.body, first.position)
    reused = await emsp.client.upload(token, a_csv(a_row("A2")), Idempotency_Key="k1")
    assert (reused.status, reused.body["message"]) == (400, "IDEMPOTENCY_KEY_REUSED")
    staged = await emsp.client.upload(token, a_csv(a_row("A2")), is_staged=True, Idempotency_Key="k1")
    assert staged.status == 200
    assert await emsp.event_count() == events + 1


async def test_the_same_file_sent_many_times_at_once_is_registered_once(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    file = a_csv(*[a_row(f"A{number}") for number in range(50)])
    events = await emsp.event_count()
    with_key = await asyncio.gather(*(emsp.client.upload(token, file, Idempotency_Key="k") for _ in range(4)))
    assert [(one.status, one.position) for one in with_key] == [(200, with_key[0].position)] * 4
    without = await asyncio.gather(*(emsp.client.upload(token, file) for _ in range(2)))
    assert [(one.status, one.body["message"]) for one in without] == [(400, "DUPLICATE_EVSE_UID")] * 2
    assert await emsp.event_count() == events + 51


# --- R10, R15, R16


async def counts(emsp: Service, token: str, **headers: str) -> Any:
    reply = await emsp.client.pending(token, **headers)
    assert reply.status == 200, reply.body
    return reply.body["data"]


async def test_staged_locations_wait_until_they_are_approved(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    token, others = await emsp.client.log_in(cpo), await emsp.client.log_in(other)
    assert await counts(emsp, token) == NOTHING_PENDING
    first = await emsp.client.upload(token, a_csv(a_row("A1"), a_row("B1", "Mall")), is_staged=True)
    assert (first.status, first.body["data"]) == (200, [])
    assert await counts(emsp, token, Emsp_Min_Position=str(first.position)) == [
        {"pending_locations": 2, "pending_evses": 2}
    ]
    second = await emsp.client.upload(token, a_csv(a_row("A2", "harbor point"), a_row("A2")), is_staged=True)
    assert second.status == 200, second.body
    assert await counts(emsp, token, Emsp_Min_Position=str(second.position)) == [
        {"pending_locations": 2, "pending_evses": 3}
    ]
    assert await counts(emsp, others) == NOTHING_PENDING
    assert await shown(emsp, token) == []

    approved = await emsp.client.settle(token, "approve")
    assert (approved.status, approved.body["data"]) == (200, [])
    assert await counts(emsp, token, Emsp_Min_Position=str(approved.position)) == NOTHING_PENDING
    assert await shown(emsp, token, "name evses { uid status connectors { connector_id } }") == [
        {
            "name": "Harbor Point",
            "evses": [
                {"uid": "A1", "status": "OFFLINE", "connectors": [{"connector_id": 1}]},
                {"uid": "A2", "status": "OFFLINE", "connectors": [{"connector_id": 1}, {"connector_id": 2}]},
            ],
        },
        {"name": "Mall", "evses": [{"uid": "B1", "status": "OFFLINE", "connectors": [{"connector_id": 1}]}]},
    ]


async def test_what_is_staged_is_listed_in_the_order_of_the_files(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    assert (await emsp.client.pending(token, "/items")).body["data"] == []
    rows = [a_row(f"A{number}", f"Station {number}") for number in range(12)]
    for file in (a_csv(*rows, a_row("A0b", "Station 0")), a_csv(a_row("Z1", "Annex"), a_row("A3b", "Station 3"))):
        staged = await emsp.client.upload(token, file, is_staged=True)
    at: dict[str, str] = {"Emsp_Min_Position": str(staged.position)}

    async def names(below: str) -> list[str]:
        reply = await emsp.client.pending(token, f"/items{below}", **at)
        assert reply.status == 200, reply.body
        return [item["name"] for item in reply.body["data"]]

    stations = [f"Station {number}" for number in range(12)]
    assert await names("") == stations[:10]
    assert await names("?limit=5&offset=9") == [*stations[9:], "Annex"]
    assert await names("?limit=0") == []
    assert await names("?offset=100") == []
    (item,) = (await emsp.client.pending(token, "/items?limit=1&offset=3", **at)).body["data"]
    assert item == {
        "name": "Station 3",
        "address": "Rizal Highway, Olongapo, Zambales",
        "lat": 14.8225,
        "lng": 120.2828,
        "facilities": ["MALL", "WIFI"],
        "parking_types": ["INDOOR"],
        "evses": [item["evses"][0], item["evses"][1]],
    }
    assert [(evse["uid"], evse["row"], evse["status"]) for evse in item["evses"]] == [
        ("A3", 5, "OFFLINE"),
        ("A3b", 3, "OFFLINE"),
    ]
    other_token = await emsp.client.log_in(other)
    assert (await emsp.client.pending(other_token, "/items", **at)).body["data"] == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=-1", ["limit"]),
        ("limit=101", ["limit"]),
        ("limit=ten&offset=1.5", ["limit", "offset"]),
        ("limit=", ["limit"]),
        ("limit=1&limit=2", ["limit"]),
        ("offset=99999999999999999999", ["offset"]),
        ("offset=%D9%A3", ["offset"]),
    ],
)
async def test_a_limit_that_is_none_is_a_fault(emsp: Service, refused: str, query: str, fields: list[str]) -> None:
    reply = await emsp.client.pending(refused, f"/items?{query}")
    assert (reply.status, reply.body["message"]) == (400, "VALIDATION_ERROR")
    assert [fault["field"] for fault in reply.body["data"]] == fields


async def test_a_wrong_min_position_is_a_fault(emsp: Service, refused: str) -> None:
    for below in ("", "/items"):
        reply = await emsp.client.pending(refused, below, Emsp_Min_Position="0")
        assert (reply.status, reply.body["data"][0]["field"]) == (400, "Emsp-Min-Position")


async def test_an_evse_that_is_staged_can_not_be_staged_again(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    assert (await emsp.client.upload(token, a_csv(a_row("A1")), is_staged=True)).status == 200
    again = await emsp.client.upload(token, a_csv(a_row("A2"), a_row("a1")), is_staged=True)
    assert (again.status, again.body["message"]) == (400, "DUPLICATE_EVSE_UID:a1")
    assert faults(again.body) == [(3, "evse_sn", "DUPLICATE_EVSE_UID:a1")]
    elsewhere = await emsp.client.upload(token, a_csv(a_row("A2", address="Ayala Avenue, Makati")), is_staged=True)
    assert faults(elsewhere.body) == [(2, "address", "LOCATION_NAME_EXISTS")]


async def test_rejected_locations_are_gone_and_may_be_staged_again(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    for verb in ("approve", "reject"):
        nothing = await emsp.client.settle(token, verb)
        assert (nothing.status, nothing.body["message"], nothing.body["data"]) == (400, NOTHING_PENDING, [])
    file = a_csv(a_row("A1"))
    assert (await emsp.client.upload(token, file, is_staged=True)).status == 200
    rejected = await emsp.client.settle(token, "reject", Idempotency_Key="r1")
    assert (rejected.status, rejected.body["data"]) == (200, [])
    assert await counts(emsp, token, Emsp_Min_Position=str(rejected.position)) == NOTHING_PENDING
    repeated = await emsp.client.settle(token, "reject", Idempotency_Key="r1")
    assert (repeated.status, repeated.position) == (200, rejected.position)
    assert (await emsp.client.settle(token, "approve")).body["message"] == NOTHING_PENDING
    assert (await emsp.client.upload(token, file, is_staged=True)).status == 200
    assert (await emsp.client.settle(token, "approve")).status == 200
    assert await shown(emsp, token) == [{"name": "Harbor Point", "evses": [{"uid": "A1", "status": "OFFLINE"}]}]


async def test_what_was_taken_meanwhile_is_a_fault_of_the_approval_and_all_stays_staged(
    emsp: Service, cpo: Cpo
) -> None:
    token = await emsp.client.log_in(cpo)
    assert (await emsp.client.upload(token, a_csv(a_row("A1"), a_row("A2")), is_staged=True)).status == 200
    assert (await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("a2"))])).status == 200
    events = await emsp.event_count()
    refused = await emsp.client.settle(token, "approve")
    assert (refused.status, refused.body["message"]) == (400, "DUPLICATE_EVSE_UID:A2")
    assert faults(refused.body) == [(3, "evse_sn", "DUPLICATE_EVSE_UID:A2")]
    assert await event_count_after_drawing(emsp) == events
    assert await counts(emsp, token) == [{"pending_locations": 1, "pending_evses": 2}]


async def event_count_after_drawing(emsp: Service) -> int:
    await until_drawn(emsp)
    return await emsp.event_count()


async def test_of_two_approvals_and_rejections_at_once_one_wins(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    assert (await emsp.client.upload(token, a_csv(a_row("A1")), is_staged=True)).status == 200
    verbs = ("approve", "reject", "approve", "reject")
    replies = await asyncio.gather(*(emsp.client.settle(token, verb) for verb in verbs))
    assert sorted(reply.status for reply in replies) == [200, 400, 400, 400]
    assert {reply.body["message"] for reply in replies if reply.status == 400} == {NOTHING_PENDING}
    locations = await shown(emsp, token)
    won = verbs[[reply.status for reply in replies].index(200)]
    assert len(locations) == (won == "approve")


async def test_uploads_at_once_of_one_cpo_all_count(emsp: Service, cpo: Cpo) -> None:
    token = await emsp.client.log_in(cpo)
    files = [a_csv(a_row(f"A{number}", f"Station {number % 2}")) for number in range(6)]
    replies = await asyncio.gather(*(emsp.client.upload(token, file, is_staged=True) for file in files))
    assert [reply.status for reply in replies] == [200] * 6
    last = max(reply.position for reply in replies)
    assert await counts(emsp, token, Emsp_Min_Position=str(last)) == [{"pending_locations": 2, "pending_evses": 6}]


async def test_the_bodies_limit_holds(emsp: Service, refused: str) -> None:
    path = emsp.base_url + "/ocpi/cpo/api/v2/locations/uploads/csv"
    headers = bearer(refused) | {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(65 << 20)}
    async with emsp.client.session.post(path, data=b"", headers=headers) as response:
        assert (response.status, (await response.json())["message"]) == (413, "PAYLOAD_TOO_LARGE")
    json = await emsp.client.call("POST", "/ocpi/cpo/api/v2/locations/uploads/csv", {}, **bearer(refused))
    assert (json.status, json.body["message"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert re.fullmatch(r"[\w-]+", json.headers["X-Request-ID"])
