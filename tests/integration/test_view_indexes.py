"""50,000 locations of three EVSEs each: no query of the contract reads a table from end to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final

import asyncpg
import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from rich.console import Console

from api.handlers.graphql import PATH, graphql_routes
from read_side.engine import create_engine
from read_side.guards import Limits
from read_side.scope import PUBLIC, Own, Viewer
from read_side.views import SESSION
from tests.bench.country import CITIES, COASTAL, LARGEST, rows, uid_of
from tests.bench.filled import fill
from tests.support import plans
from tests.support.databases import Databases
from tests.support.filled_views import views_of
from tests.support.plans import nodes

LOCATIONS: Final = 50_000
SEEN: Final = next(
    uid_of(number, 1).casefold() for number in range(30_000, 31_000) if rows(number)[0].party_id == LARGEST.party_id
)
"""An EVSE of the largest CPO, in the middle."""

PAGES_READ: Final = 1_000
"""Of the 65,000 that the tables and their indexes have."""

TOWN: Final = CITIES[0]
FILTERS: Final[list[dict[str, Any]]] = [
    {"city": TOWN.name.upper()},
    {"city": "nowhere"},
    {"province": TOWN.province},
    {"facilities": ["WIFI"]},
    {"facilities": ["WIFI", "MALL"]},
    {"facilities": ["DRUGSTORE"]},
    {"facilities": ["HARDWARE_SHOPS"]},
    {"facilities": [COASTAL]},
    {"facilities": ["POOL"]},
    {"capabilities": ["QR_READER"]},
    {"payment_types": ["GCASH"]},
    {"parking_types": ["INDOOR"]},
    {"parking_restrictions": ["DISABLED"]},
    {"connector_types": ["CCS_2"]},
    {"power_types": ["AC"]},
    {"connector_types": ["GBT"], "power_types": ["DC"]},
    {"connector_types": ["GBT"], "power_types": ["AC"]},
    {"capabilities": ["PRIVILEGE_AND_LOYALTY"], "connector_types": ["GBT"]},
    {"capabilities": ["QR_READER"], "connector_types": ["CCS_2"], "power_types": ["DC"]},
    {"capabilities": ["PRIVILEGE_AND_LOYALTY"], "payment_types": ["MAYA"], "connector_types": ["GBT"]},
    {"facilities": ["HOTEL"], "parking_restrictions": ["DISABLED"], "parking_types": ["INDOOR"]},
    {"city": TOWN.name, "facilities": ["CAFE"], "payment_types": ["MAYA"], "power_types": ["AC"]},
    {"city": TOWN.name, "facilities": ["HARDWARE_SHOPS"]},
    {"province": TOWN.province, "city": TOWN.name},
    {
        "facilities": ["WIFI", "CAFE"],
        "parking_types": ["INDOOR"],
        "parking_restrictions": ["EV_ONLY"],
        "capabilities": ["QR_READER"],
        "payment_types": ["GCASH"],
        "connector_types": ["CCS_2"],
        "power_types": ["DC"],
    },
]
NEAR: Final = {"lat": TOWN.lat, "lng": TOWN.lng}
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
                yield "evse", page | {"order_by": order_by, "order": order, "after": SEEN}
                for part in ("volt", "3502", "vo", "a", "zq", "%", "_", "\\", "volt plaza 7"):
                    yield "evse", page | {"order_by": order_by, "order": order, "location_name": part}
    yield "locations", {"after": 25_000, "limit": 1000}
    yield "find_ev_locations", {"after": 25_000}
    yield "location", {"id": 77}
    yield "find_ev_filter_locations", NEAR | {"distance": 30_000.0}
    yield "find_ev_filter_locations", NEAR | {"distance": 500.0}


@pytest.fixture(scope="module")
async def filled(fresh_database: Databases) -> AsyncIterator[str]:
    dsn = await fresh_database()
    await fill(dsn, LOCATIONS, Console(quiet=True))
    yield dsn
    await fresh_database.drop(dsn)


@pytest.fixture(scope="module")
async def full(filled: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(filled, server_settings=SESSION)
    yield connection
    await connection.close()


async def plan_of(
    connection: asyncpg.Connection[Any], name: str, arguments: dict[str, Any], options: str = ""
) -> dict[str, Any]:
    scope = PUBLIC if name.startswith("find") else Own(LARGEST)
    return await plans.plan_of(connection, name, arguments, scope, options=options)


@pytest.mark.timeout(300)
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_of_twenty_reads_few_pages_however_rare_what_is_asked_for(
    full: asyncpg.Connection[Any], mode: str
) -> None:
    await full.execute(f"set plan_cache_mode = {mode}")
    read = {
        f"{name} {arguments}": (await plan_of(full, name, arguments, "analyze, buffers, "))["Shared Hit Blocks"]
        for name, arguments in questions()
        if arguments.get("limit") == 20 and "offset" not in arguments and not is_known_to_read_more(arguments, mode)
    }
    beyond = {what: pages for what, pages in read.items() if pages > PAGES_READ}
    assert list(beyond) == []
    assert len(read) > 100


def is_known_to_read_more(arguments: dict[str, Any], mode: str) -> bool:
    """A common part of names that stands at their beginning is far down in their order; a town with more is walked
    by its own index or found by facets, and PostgreSQL has to see the values to know which is less."""
    is_far_down = arguments.get("order_by") == "location" and arguments.get("location_name") in {"volt", "vo"}
    is_town_with_more = bool({"city", "province"} & arguments.keys()) and len(arguments) > 2
    return is_far_down or (is_town_with_more and mode == "force_generic_plan")


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("wanted", [one for one in FILTERS if not {"city", "province"} & one.keys()])
async def test_filters_walk_one_index_in_the_order_of_the_answer(
    full: asyncpg.Connection[Any], wanted: dict[str, Any], mode: str
) -> None:
    await full.execute(f"set plan_cache_mode = {mode}")
    for place, index in (({}, "location_public_facets"), (NEAR, "location_public_point")):
        found = list(nodes(await plan_of(full, "find_ev_filter_locations", wanted | place | {"limit": 20})))
        (walk,) = [node for node in found if node.get("Index Name") == index]
        assert walk["Node Type"] == "Index Scan"
        assert "Order By" in walk
        assert walk["Index Cond"].count("facets &&") >= len(wanted) - 2


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [
        ("locations", {"offset": 6_500}, "location_of_party"),
        ("find_ev_locations", {"offset": 25_000, "limit": 20}, "location_public"),
        ("evse", {"offset": 20_000}, "evse_by_date"),
        ("evse", {"offset": 20_000, "order": "DESC"}, "evse_by_date"),
        ("evse", {"offset": 20_000, "order_by": "location"}, "evse_by_location_name"),
        ("evse", {"offset": 20_000, "order_by": "location", "order": "DESC"}, "evse_by_location_name"),
    ],
)
async def test_a_deep_offset_skips_over_an_index_alone(
    full: asyncpg.Connection[Any], name: str, arguments: dict[str, Any], index: str
) -> None:
    await full.execute("set plan_cache_mode = force_custom_plan")
    found = list(nodes(await plan_of(full, name, arguments, "analyze, ")))
    (skipped,) = [node for node in found if node.get("Index Name") == index]
    assert skipped["Node Type"] == "Index Only Scan"
    assert skipped["Actual Rows"] == arguments["offset"] + arguments.get("limit", 10)
    assert skipped["Heap Fetches"] == 0
    assert "Sort" not in {node["Node Type"] for node in found}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("locations", {"after": 30_000}),
        ("find_ev_locations", {"after": 30_000, "limit": 20}),
        ("evse", {"after": SEEN}),
        ("evse", {"after": SEEN, "order": "DESC"}),
        ("evse", {"after": SEEN, "order_by": "location"}),
        ("evse", {"after": SEEN, "order_by": "location", "order": "DESC"}),
    ],
)
async def test_a_page_after_one_in_the_middle_starts_there(
    full: asyncpg.Connection[Any], name: str, arguments: dict[str, Any], mode: str
) -> None:
    await full.execute(f"set plan_cache_mode = {mode}")
    deep = await plan_of(full, name, arguments, "analyze, buffers, ")
    first = await plan_of(full, name, {**arguments, "after": None}, "analyze, buffers, ")
    assert deep["Shared Hit Blocks"] <= first["Shared Hit Blocks"] + 30
    assert all(node.get("Actual Rows", 0) <= 20 for node in nodes(deep))


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
    assert len({location["id"] for location in body["data"]["find_ev_locations"]}) == 10_000
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
