"""100,000 locations of three EVSEs each: no query of the contract reads a table from end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from api.handlers.graphql import PATH, graphql_routes
from ocpi.identifiers import Party
from projections.drawings import Drawings
from projections.migrate import create_views
from projections.projector import draw
from projections.rows import rows_of
from read_side.engine import create_engine
from read_side.guards import Limits
from read_side.plan import bind
from read_side.scope import PUBLIC, Own, Viewer
from read_side.sql import render
from read_side.views import SESSION
from tests.support.databases import Databases
from tests.support.filled_views import SAMPLE, views_of

LOCATIONS: Final = 100_000

FILL_LOCATIONS: Final = """
    insert into views.location_view
    select n, 'PH', 'P' || n % 30, n % 30, 'hub ' || md5(n::text) || ' plaza', n % 10 > 0, n % 10 > 0,
           'city ' || n % 150, 'province ' || n % 80,
           array['facility:' || (array['WIFI','CAFE','MALL','HOTEL','POOL'])[1 + n % 5],
                 'facility:' || (array['RESTROOM','SHOPS','CINEMA'])[1 + n % 3],
                 'parking_type:' || (array['INDOOR','OUTDOOR'])[1 + n % 2],
                 'parking_restriction:' || (array['EV_ONLY','PLUGGED','DISABLED','CUSTOMERS'])[1 + n % 4],
                 'capability:' || (array['QR_READER','CREDIT_DEBIT_PAYABLE'])[1 + n % 2],
                 'payment_type:' || (array['GCASH','MAYA'])[1 + n / 2 % 2],
                 'connector:TYPE_2/AC', 'connector:TYPE_2/*', 'connector:*/AC', 'connector:TYPE_2/AC_3_PHASE',
                 'connector:' || (array['CCS_1','CCS_2','GBT'])[1 + n % 3] || '/DC', 'connector:*/DC',
                 'connector:' || (array['CCS_1','CCS_2','GBT'])[1 + n % 3] || '/*'],
           cube(array[cos(lat) * cos(lng), cos(lat) * sin(lng), sin(lat)]), $1, $2, n
      from generate_series(1, $3::int) as n,
           lateral (select radians(5 + 15.0 * ((n::bigint * 7919) % 10007) / 10007),
                           radians(118 + 8.0 * ((n::bigint * 104729) % 10009) / 10009)) as place (lat, lng)
"""

FILL_EVSES: Final = """
    insert into views.evse_view
    select 'PH', 'P' || n % 30, 'e' || n || '-' || k, n, 'hub ' || md5(n::text) || ' plaza',
           timestamptz '2026-01-01' + n * interval '1 minute', 3 * n + k, k = 3 and n % 7 = 0,
           array[(array['QR_READER','CREDIT_DEBIT_PAYABLE'])[1 + n % 2]],
           array[(array['GCASH','MAYA'])[1 + n / 2 % 2]],
           case k when 1 then array['TYPE_2/AC','TYPE_2/*','*/AC','TYPE_2/AC_3_PHASE']
                  else array['CCS_2/DC','CCS_2/*','*/DC'] end,
           $1, n
      from generate_series(1, $2::int) as n,
           generate_series(1, 3) as k
"""

INDEXES: Final = """
    select indexname, indexdef
      from pg_indexes
     where schemaname = 'views' and indexname not like '%pkey'
"""

FILTERS: Final[list[dict[str, Any]]] = [
    {"city": "city 7"},
    {"province": "Province 3"},
    {"facilities": ["WIFI"]},
    {"facilities": ["WIFI", "MALL"]},
    {"capabilities": ["QR_READER"]},
    {"payment_types": ["GCASH"]},
    {"parking_types": ["INDOOR"]},
    {"parking_restrictions": ["DISABLED"]},
    {"connector_types": ["CCS_2"]},
    {"power_types": ["AC"]},
    {"connector_types": ["GBT"], "power_types": ["DC"]},
    {"capabilities": ["QR_READER"], "connector_types": ["CCS_2"], "power_types": ["DC"]},
    {"city": "city 7", "facilities": ["CAFE"], "payment_types": ["MAYA"], "power_types": ["AC"]},
    {"province": "province 3", "city": "city 3"},
]
NEAR: Final = {"lat": 14.5, "lng": 121.0}
RADIUS: Final = NEAR | {"distance": 10.0}
PAGES: Final[list[dict[str, Any]]] = [{}, {"limit": 20}, {"limit": 20, "offset": 5000}]


def questions() -> Iterator[tuple[str, dict[str, Any]]]:
    for page in PAGES:
        yield "find_ev_locations", page
        yield "find_ev_filter_locations", NEAR | page
        yield "find_ev_filter_locations", RADIUS | page
        yield "locations", page
        for wanted in FILTERS:
            yield "find_ev_filter_locations", wanted | page
            yield "find_ev_filter_locations", wanted | NEAR | page
            yield "find_ev_filter_locations", wanted | RADIUS | page
        for order_by in ("date_created", "location"):
            for order in ("ASC", "DESC"):
                yield "evse", page | {"order_by": order_by, "order": order}
                yield "evse", page | {"order_by": order_by, "order": order, "after": "e50003-1"}
                yield "evse", page | {"order_by": order_by, "order": order, "location_name": "a1b2"}
                yield "evse", page | {"order_by": order_by, "order": order, "location_name": "hub"}
    yield "locations", {"after": 50_000, "limit": 1000}
    yield "find_ev_locations", {"after": 50_000}
    yield "location", {"id": 77}
    yield "find_ev_filter_locations", NEAR | {"distance": 30_000.0}
    yield "find_ev_filter_locations", NEAR | {"distance": 500.0}


@pytest.fixture(scope="module")
async def filled(fresh_database: Databases) -> AsyncIterator[str]:
    dsn = await fresh_database()
    drawings = Drawings()
    for position, event in enumerate(SAMPLE[:4], start=1):
        draw(drawings, event, position)
    location, (evse, *_) = rows_of(drawings.locations[1])
    connection = await asyncpg.connect(dsn)
    await create_views(connection, database_id=uuid4())
    indexes = await connection.fetch(INDEXES)
    for index in indexes:
        await connection.execute(f"drop index views.{index['indexname']}")
    await connection.execute(FILL_LOCATIONS, location.head, location.evses, LOCATIONS)
    await connection.execute(FILL_EVSES, evse.document, LOCATIONS)
    for index in indexes:
        await connection.execute(index["indexdef"])
    await connection.execute("vacuum analyze views.location_view")
    await connection.execute("vacuum analyze views.evse_view")
    await connection.close()
    yield dsn
    await fresh_database.drop(dsn)


@pytest.fixture(scope="module")
async def full(filled: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(filled, server_settings=SESSION)
    yield connection
    await connection.close()


def literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"array[{', '.join(map(literal, value))}]::text[]"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def plan_of(connection: asyncpg.Connection[Any], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    scope = PUBLIC if name.startswith("find") else Own(Party("PH", "P3"))
    text, values = render(bind(name, None, arguments, scope, cap=10_000))
    await connection.execute(f"prepare question as {text}")
    call = f"question({', '.join(map(literal, values))})" if values else "question"
    found = await connection.fetchval(f"explain (format json) execute {call}")
    await connection.execute("deallocate question")
    plan: dict[str, Any] = orjson.loads(found)[0]["Plan"]
    return plan


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_no_query_scans_a_large_table(full: asyncpg.Connection[Any], mode: str) -> None:
    await full.execute(f"set plan_cache_mode = {mode}")
    scans = [
        (name, arguments, node["Relation Name"])
        for name, arguments in questions()
        for node in nodes(await plan_of(full, name, arguments))
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] != "checkpoint"
    ]
    assert scans == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("locations", {"offset": 2_000}),
        ("find_ev_locations", {"offset": 50_000, "limit": 20}),
        ("evse", {"offset": 5_000}),
        ("evse", {"offset": 5_000, "order_by": "location", "order": "DESC"}),
    ],
)
async def test_a_deep_offset_skips_over_an_index_alone(
    full: asyncpg.Connection[Any], name: str, arguments: dict[str, Any]
) -> None:
    await full.execute("set plan_cache_mode = force_custom_plan")
    kinds = {node["Node Type"] for node in nodes(await plan_of(full, name, arguments))}
    assert "Index Only Scan" in kinds
    assert "Sort" not in kinds


async def test_a_big_answer_leaves_others_their_turns(filled: str) -> None:
    async with views_of(filled) as views:
        app = web.Application()
        app.add_routes(graphql_routes(await create_engine(views, Limits(), "test_view_indexes"), everybody))
        async with TestServer(app) as server, ClientSession() as session:
            watching = asyncio.create_task(count_turns())
            query = {"query": "{ find_ev_locations { id name evses { uid connectors { id standard status } } } }"}
            async with session.post(server.make_url(PATH), json=query) as answer:
                chunks = [chunk async for chunk in answer.content.iter_any()]
            watching.cancel()
            turns = await watching
    body = orjson.loads(b"".join(chunks))
    assert len(body["data"]["find_ev_locations"]) == 10_000
    assert body["extensions"] == {"truncated": True}
    assert body["data"]["find_ev_locations"][-1]["evses"][1]["connectors"] == [
        {"id": 101, "standard": "CCS_2", "status": "AVAILABLE"}
    ]
    # 20 MB of stored documents, cut in slices of a quarter.
    assert turns >= 80


async def everybody(_request: web.Request) -> Viewer:
    return Viewer(client="app", scopes=frozenset({"read"}))


async def count_turns() -> int:
    """Until cancelled: how often others left the loop to somebody else."""
    turns = 0
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            turns += 1
    return turns
