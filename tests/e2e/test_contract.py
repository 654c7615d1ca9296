"""The contract's calls, row by row, as its clients make them: what each answers when all is well.

Refusals and rules have tests of their own beside; here a client written for the contract must run unchanged.
"""

from __future__ import annotations

from typing import Any

import pytest

from api.routes import ROUTES
from ocpi import codes
from tests.support.client import Client, Cpo, a_location, an_evse
from tests.support.contract import User, accepted, csv_file, csv_row, log_in, png, send
from tests.support.world import Service, until_drawn

AUTH = "/ocpi/cpo/api/auth/v1"
PHOTOS = "/ocpi/cpo/api/v1/locations/photos/uploads"
PENDING = "/ocpi/cpo/2.2/locations/pending"


@pytest.fixture
async def user(emsp: Service, cpo: Cpo) -> User:
    return await log_in(emsp.client, cpo)


async def pushed(emsp: Service, cpo: Cpo, name: str = "Mall", uid: str = "A1") -> int:
    reply = await emsp.client.push_locations(cpo, [a_location(name, an_evse(uid))])
    location_id: int = reply.body["data"][0]["location_id"]
    return location_id


async def r1_a_cpo_registers(emsp: Service, _cpo: Cpo, _user: User) -> None:
    reply = await emsp.client.register("walker", "Walker Charge")
    accepted(reply, "SUCCESS")
    assert reply.position > 0


async def r2_an_application_uploads_a_logo(emsp: Service, _cpo: Cpo, user: User) -> None:
    path, logo = "/ocpi/cpo/2.2/cpo/upload", ("cpo_logo", "logo.png", png(1, 2, 3))
    accepted(await send(emsp.client, "POST", path, emsp.client.basic, logo), [])
    accepted(await user.send("POST", path, logo), [])


async def r3_a_user_logs_in(_emsp: Service, _cpo: Cpo, user: User) -> None:
    tokens = user.tokens
    assert tokens["role"] == "CPO_OWNER"
    assert tokens["must_change_password"] is True
    assert tokens["refresh_expires_in"] - tokens["access_expires_in"] == pytest.approx(30 * 86_400 - 15 * 60, abs=5)


async def r4_a_refresh_token_gives_a_new_pair(emsp: Service, _cpo: Cpo, user: User) -> None:
    refresh = {"Authorization": f"Bearer {user.tokens['refresh_token']}"}
    reply = await emsp.client.call("GET", f"{AUTH}/refresh", **refresh)
    assert (reply.status, reply.body["message"]) == (200, "SUCCESS")
    assert set(reply.body["data"]) >= {
        "access_token",
        "access_expires_in",
        "refresh_token",
        "refresh_expires_in",
        "role",
    }
    assert reply.headers["Cache-Control"] == "no-store"
    accepted(await User(emsp.client, user.cpo, reply.body["data"]).call("GET", PENDING), NOTHING_PENDING)


NOTHING_PENDING = "NO_PENDING_LOCATIONS_AND_EVSES"


async def r5_a_user_logs_out(_emsp: Service, _cpo: Cpo, user: User) -> None:
    accepted(await user.call("POST", f"{AUTH}/logout"), [], "Logged out successfully")
    assert (await user.call("GET", PENDING)).status == 401


async def r6_a_user_changes_its_password(emsp: Service, cpo: Cpo, user: User) -> None:
    body = {"old_password": cpo.password, "new_password": "a good long one", "confirm_password": "a good long one"}
    accepted(await user.call("POST", f"{AUTH}/change-old-password", body), "SUCCESS")
    again = Cpo(cpo.username, "a good long one", cpo.country_code, cpo.party_id, cpo.token_c)
    assert "must_change_password" not in (await log_in(emsp.client, again)).tokens


async def r7_photos_of_a_location(emsp: Service, cpo: Cpo, user: User) -> None:
    location_id = await pushed(emsp, cpo)
    parts = [("location_photos", f"{number}.png", png(number, 0, 0)) for number in range(2)]
    reply = await user.send("POST", PHOTOS, ("location_id", None, str(location_id).encode()), *parts)
    accepted(reply, [])
    found = await photos_of(emsp.client, user, location_id, reply.headers["Emsp-Position"])
    assert [set(photo) for photo in found["photos"]] == [
        {"id", "location_id", "url", "date_created", "date_modified"}
    ] * 2
    assert found["images"] == [photo["url"] for photo in found["photos"]]
    async with emsp.client.session.get(emsp.base_url + found["images"][0]) as image:
        assert (image.status, image.content_type) == (200, "image/png")
        assert image.headers["X-Content-Type-Options"] == "nosniff"
        assert image.headers["ETag"]


async def photos_of(client: Client, user: User, location_id: int, position: str) -> Any:
    query = f"{{ location(id: {location_id}) {{ images photos {{ id location_id url date_created date_modified }} }} }}"
    data = await client.ask(query, token=user.tokens["access_token"], Emsp_Min_Position=position)
    return data["location"]


async def r8_a_photo_is_replaced(emsp: Service, cpo: Cpo, user: User) -> None:
    location_id = await pushed(emsp, cpo)
    location = ("location_id", None, str(location_id).encode())
    reply = await user.send("POST", PHOTOS, location, ("location_photos", "a.png", png(9, 0, 0)))
    before = (await photos_of(emsp.client, user, location_id, reply.headers["Emsp-Position"]))["photos"][0]
    reply = await user.send("PATCH", f"{PHOTOS}/{before['id']}", ("location_photo", "b.png", png(0, 9, 0)))
    accepted(reply, [])
    (after,) = (await photos_of(emsp.client, user, location_id, reply.headers["Emsp-Position"]))["photos"]
    assert after["id"] == before["id"]
    assert after["url"] != before["url"]


async def r9_locations_from_a_csv_file(emsp: Service, _cpo: Cpo, user: User) -> None:
    content = csv_file(csv_row("Mall", "A1"), csv_row("Mall", "A1", connectors='["CCS_2"]'), csv_row("Hotel", "B1"))
    reply = await user.send("POST", "/ocpi/cpo/api/v2/locations/uploads/csv", ("file", "sites.csv", content))
    accepted(reply, [])
    query = "{ locations { name evses { uid status meter_type connectors { standard connector_id } } } }"
    data = await emsp.client.ask(
        query, token=user.tokens["access_token"], Emsp_Min_Position=reply.headers["Emsp-Position"]
    )
    evse = {"status": "OFFLINE", "meter_type": "AC"}
    first, second = {"standard": "TYPE_2", "connector_id": 1}, {"standard": "CCS_2", "connector_id": 2}
    assert data["locations"] == [
        {"name": "Mall", "evses": [{"uid": "A1", **evse, "connectors": [first, second]}]},
        {"name": "Hotel", "evses": [{"uid": "B1", **evse, "connectors": [first]}]},
    ]


async def staged(user: User) -> str:
    content = csv_file(csv_row("Mall", "A1"), csv_row("Mall", "A2"))
    reply = await user.send("POST", "/ocpi/cpo/api/v2/locations/uploads/temp/csv", ("file", "sites.csv", content))
    accepted(reply, [])
    return reply.headers["Emsp-Position"]


async def r10_locations_are_staged(_emsp: Service, _cpo: Cpo, user: User) -> None:
    position = await staged(user)
    pending = await user.call("GET", PENDING, Emsp_Min_Position=position)
    accepted(pending, [{"pending_locations": 1, "pending_evses": 2}])


def described(known: codes.CodeList) -> list[dict[str, object]]:
    return [
        {"id": number, "code": one.code, "description": one.description}
        for number, one in enumerate(known.codes, start=1)
    ]


async def r11_what_apps_may_filter_by(emsp: Service, cpo: Cpo, _user: User) -> None:
    reply = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"), address="Olongapo City")])
    data = (
        await emsp.client.call(
            "GET",
            "/ocpi/cpo/2.2/filters",
            Authorization=emsp.client.basic,
            Emsp_Min_Position=reply.headers["Emsp-Position"],
        )
    ).body["data"]
    assert set(data) == {
        "connector_types",
        "facilities",
        "capabilities",
        "payment_types",
        "parking_types",
        "parking_restrictions",
        "power_types",
        "provinces",
        "cities",
    }
    assert data["connector_types"] == described(codes.CONNECTOR_TYPES)
    assert data["connector_types"][0] == {"id": 1, "code": "TYPE_1", "description": "Type 1"}
    assert data["facilities"] == described(codes.FACILITIES)
    assert [one["code"] for one in data["payment_types"]] == ["GCASH", "MAYA"]
    assert [one["code"] for one in data["power_types"]] == ["AC", "DC"]
    provinces = {one["province"]: one["total_locations"] for one in data["provinces"]}
    assert provinces["Zambales"] >= 1
    assert list(provinces) == sorted(provinces)
    assert {"city": "Olongapo"} in data["cities"]


async def r12_the_cities_of_a_province(emsp: Service, cpo: Cpo, _user: User) -> None:
    reply = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"), address="Olongapo City")])
    headers = {"Authorization": emsp.client.basic, "Emsp_Min_Position": reply.headers["Emsp-Position"]}
    path = "/ocpi/cpo/2.2/filters/cities"
    accepted(await emsp.client.call("GET", f"{path}/zAMBALES", **headers), [{"city": "Olongapo"}])
    accepted(await emsp.client.call("GET", f"{path}/Nowhere", **headers), [])


async def r13_what_a_cpo_is(_emsp: Service, cpo: Cpo, user: User) -> None:
    reply = await user.call("GET", "/ocpi/cpo/2.2/details")
    details = reply.body["data"]
    assert details.pop("cpo_owner_name").startswith("Luzon ")
    assert details == {
        "party_id": cpo.party_id,
        "contact_name": "Maria Santos",
        "contact_number": "+639171234567",
        "contact_email": "maria@cpo.example",
        "logo": None,
    }


async def r14_a_cpo_takes_its_logo(emsp: Service, _cpo: Cpo, user: User) -> None:
    accepted(await user.send("POST", "/ocpi/cpo/2.2/cpo/upload", ("cpo_logo", "our.png", png(7, 7, 7))), [])
    reply = await user.call("PATCH", "/ocpi/cpo/2.2/cpo/logo/upload", {"logo": "our.png"})
    accepted(reply, [])
    details = await user.call("GET", "/ocpi/cpo/2.2/details", Emsp_Min_Position=reply.headers["Emsp-Position"])
    async with emsp.client.session.get(f"{emsp.base_url}/images/{details.body['data']['logo']}") as logo:
        assert (logo.status, logo.content_type) == (200, "image/png")


async def r15_what_waits_for_approval(_emsp: Service, _cpo: Cpo, user: User) -> None:
    accepted(await user.call("GET", PENDING), NOTHING_PENDING)
    position = await staged(user)
    accepted(
        await user.call("GET", PENDING, Emsp_Min_Position=position), [{"pending_locations": 1, "pending_evses": 2}]
    )


async def r16_what_was_staged_is_approved_or_rejected(emsp: Service, _cpo: Cpo, user: User) -> None:
    position = await staged(user)
    items = await user.call("GET", f"{PENDING}/items?limit=10&offset=0", Emsp_Min_Position=position)
    assert (items.status, len(items.body["data"])) == (200, 1)
    rejected = await user.call("POST", f"{PENDING}/reject")
    accepted(rejected, [])
    accepted(await user.call("GET", PENDING, Emsp_Min_Position=rejected.headers["Emsp-Position"]), NOTHING_PENDING)
    await staged(user)
    approved = await user.call("POST", f"{PENDING}/approve")
    accepted(approved, [])
    position = approved.headers["Emsp-Position"]
    accepted(await user.call("GET", PENDING, Emsp_Min_Position=position), NOTHING_PENDING)
    data = await emsp.client.ask(
        "{ locations { name evses { uid } } }", token=user.tokens["access_token"], Emsp_Min_Position=position
    )
    assert data["locations"] == [{"name": "Mall", "evses": [{"uid": "A1"}, {"uid": "A2"}]}]


async def w1_a_machine_pushes_locations(emsp: Service, cpo: Cpo, _user: User) -> None:
    locations = [
        a_location("Mall", an_evse("A1")),
        a_location("Hotel", an_evse("B1")),
        a_location("MALL", an_evse("A2")),
    ]
    reply = await emsp.client.push_locations(cpo, locations)
    first, second, third = (item["location_id"] for item in reply.body["data"])
    accepted(reply, [{"location_id": first}, {"location_id": second}, {"location_id": first}])
    assert (third, reply.position > 0) == (first, True)


async def w2_a_machine_pushes_an_evse(emsp: Service, cpo: Cpo, _user: User) -> None:
    location_id = await pushed(emsp, cpo)
    path = f"/ocpi/cpo/api/v1/webhook/evse/{cpo.country_code}/{cpo.party_id}"
    body = an_evse("A2") | {"location_id": location_id}
    accepted(await emsp.client.call("POST", path, body, Authorization=f"Bearer {cpo.token_c}"), "SUCCESS")


async def w3_a_machine_changes_statuses(emsp: Service, cpo: Cpo, _user: User) -> None:
    await pushed(emsp, cpo, uid="A 1/ä".replace("ä", "a"))
    path = f"/ocpi/cpo/api/v1/webhook/evse/{cpo.country_code}/{cpo.party_id}/a%201%2FA"
    body = {"status": "CHARGING", "connectors": [{"connector_id": 1, "status": "CHARGING"}]}
    accepted(await emsp.client.call("PATCH", path, body, Authorization=f"Bearer {cpo.token_c}"), "SUCCESS")


async def w4_a_machine_changes_a_location(emsp: Service, cpo: Cpo, _user: User) -> None:
    location_id = await pushed(emsp, cpo)
    path = f"/ocpi/cpo/api/v1/webhook/locations/{cpo.country_code}/{cpo.party_id}/{location_id}"
    body = {"name": "Grand Mall", "facilities": ["CAFE"]}
    accepted(await emsp.client.call("PATCH", path, body, Authorization=f"Bearer {cpo.token_c}"), "SUCCESS")


WALK = (
    r1_a_cpo_registers,
    r2_an_application_uploads_a_logo,
    r3_a_user_logs_in,
    r4_a_refresh_token_gives_a_new_pair,
    r5_a_user_logs_out,
    r6_a_user_changes_its_password,
    r7_photos_of_a_location,
    r8_a_photo_is_replaced,
    r9_locations_from_a_csv_file,
    r10_locations_are_staged,
    r11_what_apps_may_filter_by,
    r12_the_cities_of_a_province,
    r13_what_a_cpo_is,
    r14_a_cpo_takes_its_logo,
    r15_what_waits_for_approval,
    r16_what_was_staged_is_approved_or_rejected,
    w1_a_machine_pushes_locations,
    w2_a_machine_pushes_an_evse,
    w3_a_machine_changes_statuses,
    w4_a_machine_changes_a_location,
)


@pytest.mark.parametrize("step", WALK, ids=lambda step: step.__name__)
async def test_a_client_of_the_contract_runs_unchanged(emsp: Service, cpo: Cpo, user: User, step: Any) -> None:
    await step(emsp, cpo, user)


def test_every_row_of_the_table_of_calls_is_walked() -> None:
    rows = {route.row for route in ROUTES if route.row[0] in "RW"}
    assert rows == {step.__name__.partition("_")[0].upper() for step in WALK}


LOCATION_FIELDS = """
    id cpo_owner_id name address distance address_lat address_lng city province region postal_code country_code images
    photos { id location_id url date_created date_modified } publish date_created date_modified
    facilities { id code description } parking_restrictions { id code description }
    parking_types { id code description }
"""
EVSE_FIELDS = """
    uid evse_id serial_number meter_type status cpo_location_id current_ws_connection_id server_id date_created
    floor_level directions capabilities { id code description } payment_types { id code description }
    connectors { id evse_uid connector_id standard format power_type max_voltage max_amperage max_electric_power
                 connector_type rate_setting status date_created date_modified }
"""
EVERYTHING = f"{LOCATION_FIELDS} evses {{ {EVSE_FIELDS} }}"

QUERIES = {
    "find_ev_locations": f"query FindEvLocations {{ find_ev_locations {{ {EVERYTHING} }} }}",
    "find_ev_filter_locations": f"""
        query Filter($lat: Float, $lng: Float, $distance: Float, $city: String, $province: String,
                     $facilities: [String], $capabilities: [String], $payment_types: [String], $parking_types: [String],
                     $parking_restrictions: [String], $connector_types: [String], $power_types: [String],
                     $limit: Int, $offset: Int) {{
          find_ev_filter_locations(
            lat: $lat, lng: $lng, distance: $distance, city: $city, province: $province, facilities: $facilities,
            capabilities: $capabilities, payment_types: $payment_types, parking_types: $parking_types,
            parking_restrictions: $parking_restrictions, connector_types: $connector_types, power_types: $power_types,
            limit: $limit, offset: $offset) {{ {EVERYTHING} }} }}""",
    "evse": f"""query Evses($location_name: String, $limit: Int, $offset: Int) {{
        evse(location_name: $location_name, order_by: "location", order: "DESC", limit: $limit, offset: $offset)
        {{ {EVSE_FIELDS} locations {{ {LOCATION_FIELDS.replace(" distance", "")} }} }} }}""",
    "locations": f"query {{ locations(limit: 10, offset: 0) {{ {EVERYTHING} }} }}",
}


async def test_the_queries_of_apps_answer_every_field(emsp: Service, cpo: Cpo) -> None:
    location_id = await pushed(emsp, cpo, uid="App-1")
    await until_drawn(emsp)
    variables = {
        "lat": 14.5547,
        "lng": 121.0244,
        "distance": 5,
        "city": "makati",
        "province": None,
        "facilities": ["MALL", "CAFE"],
        "capabilities": ["QR_READER"],
        "payment_types": [],
        "connector_types": ["TYPE_2"],
        "power_types": ["AC"],
    }
    for name in ("find_ev_locations", "find_ev_filter_locations"):
        found = await asked(emsp, name, emsp.client.basic, variables if "filter" in name else {})
        mine = next(one for one in found if one["id"] == location_id)
        assert mine["distance"] == (pytest.approx(0, abs=1e-6) if "filter" in name else None)
        assert mine["evses"][0]["evse_id"] == f"PH*{cpo.party_id}*EApp-1"
        assert mine["evses"][0]["connectors"][0]["rate_setting"] == "7.4 KW-H"
        assert (mine["city"], mine["province"], mine["region"]) == ("Makati", "Metro Manila", "NCR")


async def test_the_queries_of_portals_answer_every_field(emsp: Service, cpo: Cpo, user: User) -> None:
    location_id = await pushed(emsp, cpo, name="North Mall", uid="P-1")
    await until_drawn(emsp)
    bearer = f"Bearer {user.tokens['access_token']}"
    (evse,) = await asked(emsp, "evse", bearer, {"location_name": "north", "limit": 10, "offset": 0})
    assert (evse["uid"], evse["locations"]["id"], evse["status"]) == ("P-1", location_id, "AVAILABLE")
    (location,) = await asked(emsp, "locations", bearer, {})
    assert (location["id"], location["evses"][0]["uid"]) == (location_id, "P-1")


async def asked(emsp: Service, name: str, authorization: str, variables: dict[str, object]) -> Any:
    reply = await emsp.client.call(
        "POST", "/ocpi/cpo/graphql", {"query": QUERIES[name], "variables": variables}, Authorization=authorization
    )
    assert (reply.status, "errors" in reply.body) == (200, False), reply.body
    return reply.body["data"][name]
