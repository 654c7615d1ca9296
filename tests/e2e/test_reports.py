from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from aiohttp import encode_basic_auth

from ocpi.codes import REFERENCE_LISTS
from tests.support.client import Cpo, Reply, a_location, an_evse
from tests.support.databases import Databases
from tests.support.world import ACCOUNTS_ONLY_SECRET, READ_ONLY_SECRET, Service, service, until_drawn

FILTERS = "/ocpi/cpo/2.2/filters"
CITIES = "/ocpi/cpo/2.2/filters/cities/"
DETAILS = "/ocpi/cpo/2.2/details"
READER = encode_basic_auth("reader", READ_ONLY_SECRET)
DESK = encode_basic_auth("desk", ACCOUNTS_ONLY_SECRET)


@pytest.fixture(scope="module")
async def places(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """Published locations in three cities of two provinces, and what must not be counted in others."""
    dsn = await fresh_database()
    async with service(dsn, tmp_path_factory.mktemp("emsp")) as emsp:
        cpo = await emsp.client.registered("places", "Places of Luzon", emsp.mails)
        there = [
            ("Harbor Point", "Rizal Highway, Olongapo, Zambales", {}),
            ("Bayfront", "Magsaysay Drive, Olongapo", {}),
            ("Iba Beach", "Iba, Zambales", {}),
            ("Glorietta", "Ayala Center, Makati", {}),
            ("Secret", "Session Road, Baguio, Benguet", {"publish": False}),
        ]
        locations = [
            a_location(name, an_evse(f"P-{nr}"), address=address, **more)
            for nr, (name, address, more) in enumerate(there)
        ]
        gone = a_location("Gone", an_evse("GONE", status="REMOVED"), address="Santa Rosa, Laguna")
        reply = await emsp.client.push_locations(cpo, [*locations, gone])
        assert reply.status == 200, reply.body
        await until_drawn(emsp)
        yield emsp


async def get(emsp: Service, path: str, authorization: str | None = READER, **headers: str) -> Reply:
    given = {} if authorization is None else {"Authorization": authorization}
    return await emsp.client.call("GET", path, **given, **headers)


async def test_filters_tell_reference_data_as_the_contract_has_it(places: Service) -> None:
    reply = await get(places, FILTERS)
    assert (reply.status, reply.body["status"], reply.body["message"]) == (200, 200, "Success")
    data = reply.body["data"]
    names = ["connector_types", "facilities", "capabilities", "payment_types"]
    names += ["parking_types", "parking_restrictions", "power_types"]
    assert list(data) == [*names, "provinces", "cities"]
    assert [known.name for known in REFERENCE_LISTS] == names
    assert data["payment_types"] == [
        {"id": 1, "code": "GCASH", "description": "GCash"},
        {"id": 2, "code": "MAYA", "description": "Maya"},
    ]
    assert data["connector_types"][5] == {"id": 6, "code": "CCS_2", "description": "CCS 2"}
    assert data["facilities"][0] == {"id": 1, "code": "BANKS/ATM", "description": "Banks/ATM"}
    assert data["facilities"][15] == {"id": 16, "code": "WIFI", "description": "Wi-Fi"}
    assert [one["code"] for one in data["power_types"]] == ["AC", "DC"]
    for known in REFERENCE_LISTS:
        assert [one["id"] for one in data[known.name]] == list(range(1, len(known.codes) + 1))


async def test_filters_count_what_the_public_finds(places: Service) -> None:
    data = (await get(places, FILTERS)).body["data"]
    assert data["provinces"] == [
        {"province": "Metro Manila", "total_locations": 1},
        {"province": "Zambales", "total_locations": 3},
    ]
    assert data["cities"] == [{"city": "Iba"}, {"city": "Makati"}, {"city": "Olongapo"}]


@pytest.mark.parametrize(
    ("province", "expected"),
    [
        ("Zambales", ["Iba", "Olongapo"]),
        ("zAMBALES", ["Iba", "Olongapo"]),
        ("Metro Manila", ["Makati"]),
        (" metro manila ", ["Makati"]),
        ("Benguet", []),
        ("Laguna", []),
        ("Atlantis", []),
        ("Zambales/Iba", []),
        ("Zamb%", []),
        ("\0", []),
        ("Zambales\0", []),
        ("ñ" * 1_000, []),
        ("'; drop table views.place_view --", []),
    ],
)
async def test_cities_of_a_province(places: Service, province: str, expected: list[str]) -> None:
    reply = await get(places, CITIES + quote(province, safe=""))
    assert (reply.status, reply.body["message"]) == (200, "Success")
    assert reply.body["data"] == [{"city": city} for city in expected]


@pytest.mark.parametrize("province", ["%FF", "%ED%A0%80", "%E2%80%AE"])
async def test_a_province_that_is_no_text_is_unknown(places: Service, province: str) -> None:
    assert (await get(places, CITIES + province)).body["data"] == []


async def test_details_are_the_callers_own(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    for one in (cpo, other):
        token = await emsp.client.log_in(one)
        position = str((await emsp.client.push_locations(one, [a_location("Here", an_evse("E-1"))])).position)
        reply = await get(emsp, DETAILS, f"Bearer {token}", Emsp_Min_Position=position)
        name = {cpo: "Luzon", other: "Visayas"}[one]
        assert reply.status == 200, reply.body
        assert reply.body["data"] == {
            "party_id": one.party_id,
            "cpo_owner_name": f"{name} test_details_are_the_callers_own",
            "contact_name": "Maria Santos",
            "contact_number": "+639171234567",
            "contact_email": "maria@cpo.example",
            "logo": None,
        }


@pytest.mark.parametrize("path", [FILTERS, CITIES + "Zambales"])
async def test_filters_are_for_clients_that_may_read(emsp: Service, cpo: Cpo, path: str) -> None:
    assert (await get(emsp, path, emsp.client.basic)).status == 200
    assert (await get(emsp, path, READER)).status == 200
    refused = await get(emsp, path, DESK)
    assert (refused.status, refused.body["message"], refused.body["data"]) == (403, "Forbidden", [])
    token = await emsp.client.log_in(cpo)
    wrong = [None, "Basic", f"Bearer {token}", f"Bearer {cpo.token_c}", encode_basic_auth("reader", "wrong")]
    for authorization in wrong:
        refused = await get(emsp, path, authorization)
        assert (refused.status, refused.body["message"]) == (401, "Unauthorized")
        assert refused.headers["WWW-Authenticate"].startswith("Basic")


async def test_details_are_for_a_cpos_user(emsp: Service, cpo: Cpo) -> None:
    pair = {"username": cpo.username, "password": cpo.password}
    opened = await emsp.client.call("POST", "/ocpi/cpo/api/auth/v1/login", pair, Authorization=emsp.client.basic)
    refresh_token = opened.body["data"]["refresh_token"]
    wrong = [None, "Bearer", "Bearer x", emsp.client.basic, f"Bearer {cpo.token_c}", f"Bearer {refresh_token}"]
    for authorization in wrong:
        refused = await get(emsp, DETAILS, authorization)
        assert (refused.status, refused.body["message"]) == (401, "Unauthorized")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")


async def test_own_writes_are_read_behind_their_position(emsp: Service, cpo: Cpo) -> None:
    async def shown(number: int) -> int:
        place = a_location(f"Mall {number}", an_evse(f"OWN-{number}"), address="Malolos, Bulacan")
        position = (await emsp.client.push_locations(cpo, [place])).position
        reply = await get(emsp, FILTERS, READER, Emsp_Min_Position=str(position))
        assert reply.status == 200, reply.body
        totals: dict[str, int] = {one["province"]: one["total_locations"] for one in reply.body["data"]["provinces"]}
        cities = await get(emsp, CITIES + "bulacan", READER, Emsp_Min_Position=str(position))
        assert cities.body["data"] == [{"city": "Malolos"}]
        return totals["Bulacan"]

    assert [await shown(number) for number in range(1, 11)] == list(range(1, 11))


@pytest.mark.parametrize("path", [FILTERS, CITIES + "Zambales", DETAILS])
async def test_a_position_that_the_views_do_not_reach_is_unavailable(emsp: Service, cpo: Cpo, path: str) -> None:
    authorization = f"Bearer {await emsp.client.log_in(cpo)}" if path == DETAILS else READER
    reply = await get(emsp, path, authorization, Emsp_Min_Position="1000000")
    assert (reply.status, reply.body["message"], reply.body["data"]) == (503, "SERVICE_UNAVAILABLE", [])
    assert int(reply.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", [FILTERS, CITIES + "Zambales", DETAILS])
@pytest.mark.parametrize("position", ["", "0", "-1", "1.5", "abc", "1e3", "٣", "9" * 30, "1, 2", "0x1"])
async def test_what_is_no_position_is_a_fault(emsp: Service, cpo: Cpo, path: str, position: str) -> None:
    authorization = f"Bearer {await emsp.client.log_in(cpo)}" if path == DETAILS else READER
    reply = await get(emsp, path, authorization, Emsp_Min_Position=position)
    assert (reply.status, reply.body["message"]) == (400, "VALIDATION_ERROR")
    assert reply.body["data"] == [{"field": "Emsp-Min-Position", "message": "must be a positive integer"}]


async def test_a_place_that_appears_is_read_by_many_at_once(emsp: Service, cpo: Cpo) -> None:
    pushed = [
        emsp.client.push_locations(
            cpo, [a_location(f"Hub {nr}", an_evse(f"H-{nr}"), address="Calapan, Oriental Mindoro")]
        )
        for nr in range(8)
    ]
    position = max(reply.position for reply in await asyncio.gather(*pushed))
    replies = await asyncio.gather(*(get(emsp, FILTERS, Emsp_Min_Position=str(position)) for _ in range(8)))
    for reply in replies:
        assert {"province": "Oriental Mindoro", "total_locations": 8} in reply.body["data"]["provinces"]
