"""Real PostgreSQL: what each query answers, to whom, and by which index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from math import asin, cos, pi, radians, sin, sqrt
from typing import Any, Final

import asyncpg
import orjson
import pytest

from ocpi.identifiers import Party
from read_side.engine import Answer, GraphQLService, create_engine
from read_side.errors import Unavailable
from read_side.guards import Limits
from read_side.scope import NOBODY, Viewer
from read_side.views import Views
from tests.support.builders import PARTY, evse_registered, location_registered
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, fill, views_of

CPO: Final = Viewer(party=PARTY)
ANOTHER_CPO: Final = Viewer(party=OTHER)
DRIVER: Final = Viewer(client="app", scopes=frozenset({"read"}))


@pytest.fixture(scope="module")
async def dsn(fresh_database: Databases) -> AsyncIterator[str]:
    dsn = await fresh_database()
    await fill(dsn)
    yield dsn
    await fresh_database.drop(dsn)


@pytest.fixture(scope="module")
async def views(dsn: str) -> AsyncIterator[Views]:
    async with views_of(dsn) as views:
        yield views


@pytest.fixture(scope="module")
async def service(views: Views) -> GraphQLService:
    return await create_engine(views, Limits(), "test_views")


async def answered(service: GraphQLService, text: str, viewer: Viewer, **variables: Any) -> Answer:
    return await service.execute(text, variables, None, caller=viewer)


async def ask(service: GraphQLService, text: str, viewer: Viewer = CPO, **variables: Any) -> Any:
    """The data, which must come without errors."""
    answer = await answered(service, text, viewer, **variables)
    assert answer.errors == ()
    assert answer.data is not None
    return orjson.loads(answer.data)


async def ids(service: GraphQLService, arguments: str, field: str = "find_ev_filter_locations") -> list[int]:
    found = await ask(service, f"{{ found: {field}{arguments and f'({arguments})'} {{ id }} }}", DRIVER)
    return [location["id"] for location in found["found"]]


async def refusal(service: GraphQLService, text: str, viewer: Viewer = CPO) -> tuple[str, str]:
    answer = await answered(service, text, viewer)
    assert len(answer.errors) == 1, answer
    return answer.errors[0]["extensions"]["code"], answer.errors[0]["message"]


async def test_a_cpo_sees_all_of_its_own_and_nothing_of_others(service: GraphQLService) -> None:
    data = await ask(service, "{ locations { id name publish evses { uid status } } }")
    assert [location["id"] for location in data["locations"]] == [1, 2, 3]
    assert [evse["uid"] for evse in data["locations"][0]["evses"]] == ["A1", "a2", "A3"]
    assert data["locations"][0]["evses"][2]["status"] == "REMOVED"
    assert data["locations"][2] == {
        "id": 3,
        "name": "Hidden",
        "publish": False,
        "evses": [{"uid": "C1", "status": "AVAILABLE"}],
    }


async def test_every_field_of_a_location_is_answered(service: GraphQLService) -> None:
    data = await ask(
        service,
        """{ location(id: 1) { id cpo_owner_id name address distance address_lat address_lng city province region
             postal_code country_code images photos { id url } publish date_created date_modified
             facilities { id code description } parking_restrictions { code } parking_types { code }
             evses { uid evse_id serial_number meter_type status cpo_location_id floor_level directions
                     connectors { id evse_uid connector_id standard power_type max_voltage rate_setting status }
                     capabilities { code } payment_types { id code description } } } }""",
    )
    location = data["location"]
    assert location["facilities"][1] == {"id": 16, "code": "WIFI", "description": "Wi-Fi"}
    assert (location["distance"], location["images"], location["photos"]) == (None, [], [])
    assert location["evses"][0]["evse_id"] == "PH*ABC*EA1"
    assert location["evses"][0]["connectors"][0]["rate_setting"] == "7.4 KW-H"
    assert location["evses"][0]["payment_types"] == [{"id": 1, "code": "GCASH", "description": "GCash"}]


async def test_an_evse_has_its_location(service: GraphQLService) -> None:
    data = await ask(service, '{ evse(location_name: "hub") { uid locations { id name city photos { id } } } }')
    assert data["evse"] == [
        {"uid": "B1", "locations": {"id": 2, "name": "100% Makati_Hub", "city": "Makati", "photos": []}}
    ]


@pytest.mark.parametrize(
    ("arguments", "uids"),
    [
        ("", ["C1", "B1", "A3", "a2", "A1"]),
        ('(order: "DESC")', ["A1", "a2", "A3", "B1", "C1"]),
        ('(order_by: "location")', ["B1", "A1", "a2", "A3", "C1"]),
        ('(order_by: "location", order: "DESC")', ["C1", "A3", "a2", "A1", "B1"]),
        ('(order_by: "", order: null, location_name: "")', ["C1", "B1", "A3", "a2", "A1"]),
        ("(limit: 2)", ["C1", "B1"]),
        ("(limit: 2, offset: 1)", ["B1", "A3"]),
        ("(limit: 0)", []),
        ("(offset: 99)", []),
        ('(after: "b1")', ["A3", "a2", "A1"]),
        ('(after: "A3", limit: 1)', ["a2"]),
        ('(after: "a3", order: "DESC")', ["B1", "C1"]),
        ('(after: "A1", order_by: "location", order: "DESC")', ["B1"]),
        ('(after: "A1", order_by: "location", offset: 1)', ["A3", "C1"]),
        ('(after: "A1")', []),
        ('(location_name: "HARBOR")', ["A3", "a2", "A1"]),
        ('(location_name: "%")', ["B1"]),
        ('(location_name: "i_h")', ["B1"]),
        ('(location_name: "o_h")', []),
        ('(location_name: "\\\\")', []),
        ('(location_name: "harbor", offset: 1, order: "DESC")', ["a2", "A3"]),
    ],
)
async def test_evses_in_every_order(service: GraphQLService, arguments: str, uids: list[str]) -> None:
    data = await ask(service, f"{{ evse{arguments} {{ uid }} evses{arguments} {{ uid }} }}")
    assert [evse["uid"] for evse in data["evse"]] == uids
    assert data["evses"] == data["evse"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("(limit: 1)", [1]),
        ("(limit: 1, offset: 1)", [2]),
        ("(after: 1)", [2, 3]),
        ("(after: 1, offset: 1)", [3]),
        ("(after: -5, limit: null)", [1, 2, 3]),
        ("(limit: 2147483647, offset: 2147483647)", []),
    ],
)
async def test_pages_of_own_locations(service: GraphQLService, arguments: str, expected: list[int]) -> None:
    data = await ask(service, f"{{ locations{arguments} {{ id name }} }}")
    assert [location["id"] for location in data["locations"]] == expected


async def test_the_public_sees_neither_unpublished_nor_removed(service: GraphQLService) -> None:
    data = await ask(service, "{ find_ev_locations { id distance evses { uid status server_id } } }", DRIVER)
    assert [location["id"] for location in data["find_ev_locations"]] == [1, 2, 4, 6]
    assert [evse["uid"] for evse in data["find_ev_locations"][0]["evses"]] == ["A1", "a2"]
    assert {location["distance"] for location in data["find_ev_locations"]} == {None}


async def test_one_location_is_answered_to_its_owner_whole_and_to_others_as_published(service: GraphQLService) -> None:
    query = "{ hidden: location(id: 3) { id } shown: location(id: 1) { evses { uid } } none: location { id } }"
    assert await ask(service, query) == {
        "hidden": {"id": 3},
        "shown": {"evses": [{"uid": "A1"}, {"uid": "a2"}, {"uid": "A3"}]},
        "none": None,
    }
    assert await ask(service, query, ANOTHER_CPO) == {
        "hidden": None,
        "shown": {"evses": [{"uid": "A1"}, {"uid": "a2"}]},
        "none": None,
    }
    gone = "{ location(id: 5) { evses { uid } } nowhere: location(id: 2147483647) { id } }"
    assert await ask(service, gone) == {"location": {"evses": []}, "nowhere": None}


async def test_what_a_gateway_sets_is_the_owners_alone(fresh_database: Databases) -> None:
    dsn = await fresh_database()
    await fill(dsn)
    connection = await asyncpg.connect(dsn)
    for column, table in (("evses", "location_view"), ("document", "evse_view")):
        await connection.execute(
            f"""update views.{table}
                   set {column} = replace(replace({column}, '"server_id":null', '"server_id":"s1"'),
                                          '"current_ws_connection_id":null', '"current_ws_connection_id":"w1"')"""
        )
    await connection.close()
    async with views_of(dsn) as views:
        service = await create_engine(views, Limits(), "test_views_owner")
        fields = "evses { current_ws_connection_id server_id }"
        own = await ask(service, f"{{ location(id: 4) {{ {fields} }} evse {{ server_id }} }}", ANOTHER_CPO)
        others = await ask(service, f"{{ location(id: 4) {{ {fields} }} }}", CPO)
        found = await ask(service, f"{{ find_ev_locations(after: 2, limit: 1) {{ {fields} }} }}", DRIVER)
    assert own["location"]["evses"] == [{"current_ws_connection_id": "w1", "server_id": "s1"}]
    assert own["evse"][0] == {"server_id": "s1"}
    assert others["location"]["evses"] == [{"current_ws_connection_id": None, "server_id": None}]
    assert found["find_ev_locations"] == [others["location"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", [1, 2, 4, 6]),
        ('city: "", province: null, facilities: [], capabilities: [null], distance: 0', [1, 2, 4, 6]),
        ('city: "OLONGAPO"', [1, 4, 6]),
        ('province: "metro manila"', [2]),
        ('city: "Makati", province: "Zambales"', []),
        ('facilities: ["CAFE"]', [2]),
        ('facilities: ["CAFE", "WIFI"]', [1, 2, 6]),
        ('facilities: "CAFE"', [2]),
        ('facilities: ["WIFI"], limit: 1', [1]),
        ('facilities: ["WIFI"], limit: 1, offset: 1', [6]),
        ('parking_types: ["OUTDOOR"]', [2]),
        ('parking_restrictions: ["EV_ONLY"]', [1, 2, 6]),
        ('capabilities: ["QR_READER"]', [1, 2, 4]),
        ('payment_types: ["MAYA"]', [2, 4]),
        ('connector_types: ["CCS_2"]', [1, 2, 4, 6]),
        ('power_types: ["AC"]', [1, 2, 6]),
        ('power_types: ["AC_3_PHASE"]', [1, 2, 6]),
        ('power_types: ["AC_1_PHASE"]', []),
        ('connector_types: ["CCS_2"], power_types: ["AC"]', []),
        ('connector_types: ["CCS_2", "TYPE_2"], power_types: ["AC"]', [1, 2, 6]),
        ('capabilities: ["QR_READER"], connector_types: ["CCS_2"]', [2, 4]),
        ('capabilities: ["CREDIT_DEBIT_PAYABLE"], payment_types: ["GCASH"]', []),
        ('capabilities: ["QR_READER"], payment_types: ["GCASH"], power_types: ["DC"]', [2, 4]),
        ('facilities: ["WIFI"], capabilities: ["QR_READER"], power_types: ["DC"]', []),
    ],
)
async def test_each_filter_and_the_rule_of_one_evse(
    service: GraphQLService, arguments: str, expected: list[int]
) -> None:
    assert await ids(service, arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("lat: 14.8225, lng: 120.2828", [1, 2, 4, 6]),
        ("lat: -16.5, lng: -179.999", [4, 2, 1, 6]),
        ("lat: 90, lng: -120", [6, 1, 2, 4]),
        ("lat: 14.8225, lng: 120.2828, distance: 100", [1, 2]),
        ("lat: 14.8225, lng: 120.2828, distance: 1", [1]),
        ("lat: -16.5, lng: -179.999, distance: 1", [4]),
        ("lat: -90, lng: 0, distance: 20016", [4, 2, 1, 6]),
        ("lat: -90, lng: 0, distance: 20000", [4, 2, 1]),
        ("lat: 0, lng: 0, distance: 1e300", [6, 1, 2, 4]),
        ('lat: 14.8225, lng: 120.2828, facilities: ["CAFE"]', [2]),
        ("lat: 14.8225, lng: 120.2828, limit: 1, offset: 1", [2]),
        ('lat: 14.8225, lng: 120.2828, city: "Makati", capabilities: ["QR_READER"], power_types: ["DC"]', [2]),
    ],
)
async def test_nearest_first_also_across_the_180th_meridian_and_at_the_pole(
    service: GraphQLService, arguments: str, expected: list[int]
) -> None:
    assert await ids(service, arguments) == expected


def haversine_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat1, lng1), (lat2, lng2) = (tuple(map(radians, point)) for point in (one, other))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lng2 - lng1) / 2) ** 2
    return 2 * asin(sqrt(half)) * 6371.0088


async def test_distances_are_those_of_the_great_circle(service: GraphQLService) -> None:
    query = "query ($lat: Float, $lng: Float) { found: find_ev_filter_locations(lat: $lat, lng: $lng) { id distance } }"
    at_home = await ask(service, query, DRIVER, lat=14.8225, lng=120.2828)
    km = {location["id"]: location["distance"] for location in at_home["found"]}
    assert km[1] == 0
    assert km[2] == pytest.approx(haversine_km((14.8225, 120.2828), (14.5592, 121.0175)), rel=1e-9)
    across = await ask(service, query, DRIVER, lat=-16.5, lng=-179.999)
    assert across["found"][0]["distance"] == pytest.approx(haversine_km((-16.5, -179.999), (-16.5, 179.999)), rel=1e-6)
    antipode = await ask(service, query, DRIVER, lat=-90, lng=0)
    assert antipode["found"][-1] == {"id": 6, "distance": pytest.approx(pi * 6371.0088, rel=1e-9)}


@pytest.mark.parametrize(
    ("query", "viewer", "expected"),
    [
        ("{ locations { id } }", NOBODY, ("UNAUTHENTICATED", "Unauthorized")),
        ("{ locations { id } }", DRIVER, ("UNAUTHENTICATED", "Unauthorized")),
        ("{ locations { id } }", Viewer(rejected="Token Expired"), ("UNAUTHENTICATED", "Token Expired")),
        ("{ location(id: 1) { id } }", NOBODY, ("UNAUTHENTICATED", "Unauthorized")),
        ("{ evse { uid } }", NOBODY, ("UNAUTHENTICATED", "Unauthorized")),
        ("{ find_ev_locations { id } }", NOBODY, ("UNAUTHENTICATED", "Unauthorized")),
        ("{ find_ev_locations { id } }", CPO, ("UNAUTHENTICATED", "Unauthorized")),
        ("{ find_ev_filter_locations { id } }", Viewer(client="desk"), ("FORBIDDEN", "Forbidden")),
        ("{ locations(limit: -1) { id } }", CPO, ("BAD_USER_INPUT", "limit: must not be negative")),
        ("{ evse(offset: -1) { uid } }", CPO, ("BAD_USER_INPUT", "offset: must not be negative")),
        ('{ evse(order: "UP") { uid } }', CPO, ("BAD_USER_INPUT", "order: must be one of ASC, DESC")),
        (
            '{ evse(order_by: "uid") { uid } }',
            CPO,
            ("BAD_USER_INPUT", "order_by: must be one of date_created, location"),
        ),
        ('{ evse(after: "P1") { uid } }', CPO, ("BAD_USER_INPUT", "after: no EVSE of yours has this uid")),
        (
            "{ locations(limit: 2147483648) { id } }",
            CPO,
            ("BAD_USER_INPUT", "Value 2147483648 is not of correct type Int"),
        ),
    ],
)
async def test_refusals_are_errors_that_name_their_cause(
    service: GraphQLService, query: str, viewer: Viewer, expected: tuple[str, str]
) -> None:
    assert await refusal(service, query, viewer) == expected


async def test_a_refused_root_field_leaves_the_others(service: GraphQLService) -> None:
    answer = await answered(service, "{ mine: locations(limit: 1) { id } t: __typename find_ev_locations { id } }", CPO)
    assert answer.data == b'{"mine":[{"id":1}],"t":"Query","find_ev_locations":null}'
    assert answer.errors == (
        {
            "message": "Unauthorized",
            "locations": [{"line": 1, "column": 50}],
            "path": ["find_ev_locations"],
            "extensions": {"code": "UNAUTHENTICATED"},
        },
    )


async def test_more_than_the_cap_is_said(views: Views) -> None:
    service = await create_engine(views, Limits(find_cap=3), "test_views_cap")
    capped = await answered(service, "{ find_ev_locations { id } }", DRIVER)
    assert (capped.data, capped.extensions) == (
        b'{"find_ev_locations":[{"id":1},{"id":2},{"id":4}]}',
        {"truncated": True},
    )
    whole = await answered(service, "{ find_ev_locations(after: 1) { id } }", DRIVER)
    assert (whole.data, whole.extensions) == (b'{"find_ev_locations":[{"id":2},{"id":4},{"id":6}]}', {})
    asked_for = await answered(service, "{ find_ev_locations(limit: 3) { id } }", DRIVER)
    assert asked_for.extensions == {}
    own = await answered(service, "{ evse(limit: 99) { uid } }", CPO)
    assert own.extensions == {"truncated": True}


async def test_introspection_needs_nobody_and_stands_beside_data(service: GraphQLService) -> None:
    data = await ask(service, '{ a: locations(limit: 1) { id } s: __type(name: "CONNECTOR") { name } t: __typename }')
    assert list(data.items()) == [("a", [{"id": 1}]), ("s", {"name": "CONNECTOR"}), ("t", "Query")]
    assert (await ask(service, "{ __schema { queryType { name } } }", NOBODY))["__schema"]["queryType"][
        "name"
    ] == "Query"


async def test_many_root_fields_are_of_one_state(service: GraphQLService) -> None:
    fields = " ".join(f"a{number}: locations(limit: {number % 3 + 1}) {{ id }}" for number in range(20))
    data = await ask(service, f"{{ {fields} }}")
    assert [len(found) for found in data.values()] == [number % 3 + 1 for number in range(20)]


async def test_a_waiting_query_is_woken_by_the_checkpoint(fresh_database: Databases) -> None:
    dsn = await fresh_database()
    await fill(dsn)
    async with views_of(dsn, is_listening=True) as views:
        assert await views.wait_for(15, at_most_s=5)
        began = time.monotonic()
        waiting = [asyncio.create_task(views.wait_for(position, at_most_s=5)) for position in (16, 17, 17)]
        connection = await asyncpg.connect(dsn)
        for position in (16, 17):
            await connection.execute("update views.checkpoint set pos = $1", position)
            await connection.execute("select pg_notify('views_checkpoint', $1)", str(position))
        assert await asyncio.gather(*waiting) == [True, True, True]
        assert time.monotonic() - began < 1
        assert not await views.wait_for(18, at_most_s=0.05)
        await connection.execute("update views.checkpoint set pos = 18")
        waiting = [asyncio.create_task(views.wait_for(18, at_most_s=5))]
        assert await connection.fetch(
            """select pg_terminate_backend(pid)
                 from pg_stat_activity
                where datname = current_database() and query like '%select pos%' and pid <> pg_backend_pid()"""
        )
        assert await asyncio.gather(*waiting) == [True]
        assert time.monotonic() - began < 4
        await connection.close()


async def test_a_position_that_does_not_come_is_unavailable(dsn: str) -> None:
    async with views_of(dsn) as views:
        service = await create_engine(views, Limits(min_position_wait_s=0.05), "test_views_position")
        for query in ("{ locations { id } }", "{ __typename }"):
            late = await service.execute(query, None, None, caller=CPO, min_position=16)
            assert late.data is None
            assert late.errors[0]["extensions"]["code"] == "UNAVAILABLE"
            there = await service.execute(query, None, None, caller=CPO, min_position=15)
            assert there.errors == ()


async def test_a_database_that_is_gone_is_unavailable(fresh_database: Databases) -> None:
    dsn = await fresh_database()
    await fill(dsn)
    async with views_of(dsn) as views:
        service = await create_engine(views, Limits(), "test_views_gone")
        assert (await ask(service, "{ location(id: 1) { id } }"))["location"] == {"id": 1}
        await fresh_database.drop(dsn)
        answer = await answered(service, "{ location(id: 1) { id } }", CPO)
    assert (answer.data, answer.errors) == (
        None,
        ({"message": "Service Unavailable", "extensions": {"code": "UNAVAILABLE"}},),
    )


async def test_a_session_that_died_in_the_pool_costs_nothing(dsn: str, service: GraphQLService) -> None:
    await ask(service, "{ location(id: 1) { id } }")
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        """select pg_terminate_backend(pid)
             from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()"""
    )
    await connection.close()
    assert (await ask(service, "{ location(id: 1) { id } }"))["location"] == {"id": 1}


async def test_a_statement_beyond_its_time_is_unavailable(dsn: str) -> None:
    async with views_of(dsn, statement_timeout="50") as views:
        with pytest.raises(Unavailable, match="too long"):
            await views.ask([("select 1 as generation, 1 as pos from pg_sleep($1)", (5,))])


async def test_the_read_side_cannot_write(dsn: str) -> None:
    async with views_of(dsn) as views:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await views.ask([("insert into views.checkpoint default values returning generation, pos", ())])


@pytest.mark.parametrize(
    ("viewer", "uses"),
    [(NOBODY, 0), (Viewer(rejected="Token Expired"), 0), (Viewer(client="desk"), 0), (DRIVER, 0), (CPO, 1)],
)
async def test_who_may_not_ask_costs_the_database_nothing(dsn: str, viewer: Viewer, uses: int) -> None:
    used = 0

    async def count(_session: Any) -> None:
        nonlocal used
        used += 1

    async with views_of(dsn, before_each=count) as views:
        service = await create_engine(views, Limits(), f"test_views_spared_{viewer}")
        answer = await answered(service, "{ locations { id } evse { uid } location(id: 1) { id } }", viewer)
    assert used == uses
    assert (answer.errors == ()) is (uses > 0)


async def test_another_party_sees_nothing(service: GraphQLService) -> None:
    nobody = Viewer(party=Party("PH", "NON"))
    assert await ask(service, "{ locations { id } evse { uid } }", nobody) == {"locations": [], "evse": []}


async def test_equally_near_locations_come_by_id_on_every_page(fresh_database: Databases) -> None:
    dsn = await fresh_database()
    places = [(n, 14.0 if n % 3 else 15.0) for n in range(12, 0, -1)]
    await fill(
        dsn,
        [
            event
            for n, lat in places
            for event in (location_registered(n, lat=lat, lng=121.0), evse_registered(f"E{n}", n))
        ],
    )
    expected = [n for lat in (14.0, 15.0) for n in range(1, 13) if (n, lat) in places]
    async with views_of(dsn) as views:
        service = await create_engine(views, Limits(), "test_views_ties")
        for size in (1, 2, 3, 5, 12):
            pages = [await ids(service, f"lat: 13, lng: 121, limit: {size}, offset: {at}") for at in range(0, 12, size)]
            assert [one for page in pages for one in page] == expected
