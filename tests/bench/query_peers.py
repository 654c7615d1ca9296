"""What queries could cost: a constant answer, stored documents joined as text, Tartiflette and graphql-core.
As a program it serves them in one process: `python -m tests.bench.query_peers PORT DSN`.

The two libraries are used as their authors show it: resolvers of the root fields, dictionaries below them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import asyncpg
import graphql
import orjson
import uvloop
from aiohttp import web
from tartiflette import Engine, Resolver

from api.connections import nothing_to_reset
from api.sessions import Sessions
from ocpi.codes import REMOVED
from ocpi.identifiers import Party
from read_side import executor
from read_side.engine import create_engine, request_of
from read_side.geo import chord_of, km_of, unit_point
from read_side.guards import Limits
from read_side.plan import roots_of
from read_side.scalars import register
from read_side.scope import READ, Viewer
from read_side.views import SESSION, Views
from tests.bench.peer_sql import EVSES, FACETS_OF, HEADER, LOCATIONS, NEAREST

SESSIONS: Final = 8
"""As many as a process of ours has by default."""

Pool: TypeAlias = "asyncpg.Pool[Any]"
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]
Info: TypeAlias = graphql.GraphQLResolveInfo


def _party(request: web.Request) -> list[str]:
    """Country and party of the caller; of a driver's app an empty word."""
    return request.headers.get(HEADER, "").split("/")


def _viewer(request: web.Request) -> Viewer:
    if HEADER in request.headers:
        return Viewer(party=Party(*_party(request)))
    return Viewer(client="app", scopes=frozenset({READ}))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


async def _asked(request: web.Request) -> tuple[str, dict[str, Any]]:
    asked = await request.json(loads=orjson.loads)
    return asked["query"], asked.get("variables") or {}


def _location(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**orjson.loads(row["head"]), "evses": orjson.loads(row["evses"])}


@dataclass(frozen=True, slots=True)
class Tables:
    """The root fields, as every peer in Python resolves them."""

    pool: Pool

    async def locations(self, party: Sequence[str], limit: int) -> list[dict[str, Any]]:
        return [_location(row) for row in await self.pool.fetch(LOCATIONS, *party, limit)]

    async def evse(self, party: Sequence[str], limit: int) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(EVSES, *party, limit)
        return [{**orjson.loads(row["document"]), "locations": orjson.loads(row["head"])} for row in rows]

    async def find_ev_filter_locations(self, _party: Sequence[str], **arguments: Any) -> list[dict[str, Any]]:
        rows = await self.pool.fetch(
            NEAREST,
            unit_point(arguments["lat"], arguments["lng"]),
            chord_of(arguments["distance"]),
            *([numbers[code] for code in arguments[kind]] for kind, numbers in FACETS_OF.items()),
            arguments["limit"],
        )
        found = [_location(row) | {"distance": km_of(row["chord"])} for row in rows]
        for location in found:
            location["evses"] = [evse for evse in location["evses"] if evse["status"] != REMOVED]
        return found

    @property
    def resolvers(self) -> dict[str, Callable[..., Awaitable[list[dict[str, Any]]]]]:
        """By the name of the root field."""
        return {
            "locations": self.locations,
            "evse": self.evse,
            "find_ev_filter_locations": self.find_ev_filter_locations,
        }


async def tartiflette(tables: Tables) -> Handler:
    """By its defaults."""
    register("defaults")
    for name, resolve in tables.resolvers.items():

        async def resolver(_parent: object, arguments: Any, party: Any, _info: object, resolve: Any = resolve) -> Any:
            return await resolve(party, **arguments)

        Resolver(f"Query.{name}", schema_name="defaults")(resolver)
    engine = Engine(executor.sdl(), schema_name="defaults")
    await engine.cook()

    async def answer(request: web.Request) -> web.Response:
        text, variables = await _asked(request)
        return _json(orjson.dumps(await engine.execute(text, context=_party(request), variables=variables)))

    return answer


def graphql_core(tables: Tables) -> Handler:
    """Texts that were parsed and validated once are kept."""
    schema = graphql.build_schema(executor.sdl())
    assert schema.query_type is not None
    for name, resolve in tables.resolvers.items():

        async def resolver(_root: object, info: Info, resolve: Any = resolve, **arguments: Any) -> Any:
            return await resolve(info.context, **arguments)

        schema.query_type.fields[name].resolve = resolver

    @lru_cache
    def understood(text: str) -> graphql.DocumentNode:
        document = graphql.parse(text)
        assert not graphql.validate(schema, document)
        return document

    async def answer(request: web.Request) -> web.Response:
        text, variables = await _asked(request)
        party = _party(request)
        answered = graphql.execute(schema, understood(text), context_value=party, variable_values=variables)
        result = answered if isinstance(answered, graphql.ExecutionResult) else await answered
        return _json(orjson.dumps(result.formatted))

    return answer


async def _routes(pool: Pool, service: Any) -> list[web.RouteDef]:
    tables = Tables(pool)

    async def constant(_request: web.Request) -> web.Response:
        return _json(b'{"data":{"constant":true}}')

    async def floor(request: web.Request) -> web.Response:
        rows = await pool.fetch(LOCATIONS, *_party(request), 10)
        text = ",".join([f'{row["head"][:-1]},"distance":null,"evses":{row["evses"]}}}' for row in rows])
        return _json(f'{{"data":{{"locations":[{text}]}}}}'.encode())

    async def by_executor(request: web.Request) -> web.Response:
        text, variables = await _asked(request)
        plan = service.preparer.plan(text, None)
        nodes = [node for root in roots_of(plan, {}) for node in root.selected.nodes]
        asking = request_of(service, _viewer(request))
        data, errors = await executor.run(service.schema, plan, nodes, variables=variables, asking=asking)
        assert not errors
        return _json(orjson.dumps({"data": data}))

    return [
        web.post("/constant", constant),
        web.post("/floor", floor),
        web.post("/executor", by_executor),
        web.post("/tartiflette", await tartiflette(tables)),
        web.post("/graphql_core", graphql_core(tables)),
    ]


async def served(port: int, dsn: str) -> None:
    async with asyncpg.create_pool(
        dsn, min_size=1, max_size=SESSIONS, reset=nothing_to_reset, server_settings=SESSION
    ) as pool:

        async def connect() -> asyncpg.Connection[Any]:
            return await asyncpg.connect(dsn, server_settings=SESSION)

        app = web.Application()
        views = Views(Sessions(connect, SESSIONS, wait_s=5.0), connect)
        app.add_routes(await _routes(pool, await create_engine(views, Limits(), "query_peers")))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(served(int(sys.argv[1]), sys.argv[2]))
