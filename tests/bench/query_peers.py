"""What queries could cost, in one process: a constant answer, stored documents joined as text, Tartiflette's own
executor, and graphql-core. As a program it serves them: `python -m tests.bench.query_peers PORT DSN`.

graphql-core is used as its authors show it: resolvers of the root fields, dictionaries below them; texts that were
parsed and validated once are kept.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import asyncpg
import graphql
import orjson
import uvloop
from aiohttp import web

from api.connections import nothing_to_reset
from ocpi.codes import REMOVED
from ocpi.identifiers import Party
from read_side import executor
from read_side.engine import create_engine, request_of
from read_side.geo import chord_of, km_of, unit_point
from read_side.guards import Limits
from read_side.plan import roots_of
from read_side.scope import READ, Viewer
from read_side.views import SESSION, Views
from tests.bench.peer_sql import EVSES, FACETS_OF, HEADER, LOCATIONS, NEAREST

SESSIONS: Final = 8
"""As many as a process of ours has by default."""

Pool: TypeAlias = "asyncpg.Pool[Any]"
Info: TypeAlias = graphql.GraphQLResolveInfo


def _party(request: web.Request) -> list[str]:
    return request.headers[HEADER].split("/")


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


class GraphQLCore:
    """The schema's text over graphql-core."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._schema = graphql.build_schema(executor.sdl())
        assert self._schema.query_type is not None
        for name, resolve in (
            ("locations", self._locations),
            ("evse", self._evses),
            ("find_ev_filter_locations", self._nearest),
        ):
            self._schema.query_type.fields[name].resolve = resolve
        self._understood = lru_cache(self._understand)

    def _understand(self, text: str) -> graphql.DocumentNode:
        document = graphql.parse(text)
        assert not graphql.validate(self._schema, document)
        return document

    async def _locations(self, _root: object, info: Info, limit: int) -> list[dict[str, Any]]:
        return [_location(row) for row in await self._pool.fetch(LOCATIONS, *info.context, limit)]

    async def _evses(self, _root: object, info: Info, limit: int) -> list[dict[str, Any]]:
        rows = await self._pool.fetch(EVSES, *info.context, limit)
        return [{**orjson.loads(row["document"]), "locations": orjson.loads(row["head"])} for row in rows]

    async def _nearest(self, _root: object, _info: Info, **arguments: Any) -> list[dict[str, Any]]:
        rows = await self._pool.fetch(
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

    async def answer(self, request: web.Request) -> web.Response:
        text, variables = await _asked(request)
        answered = graphql.execute(
            self._schema,
            self._understood(text),
            context_value=_party(request) if HEADER in request.headers else None,
            variable_values=variables,
        )
        result = answered if isinstance(answered, graphql.ExecutionResult) else await answered
        return _json(orjson.dumps(result.formatted))


def _routes(pool: Pool, service: Any) -> list[web.RouteDef]:
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
        web.post("/graphql_core", GraphQLCore(pool).answer),
    ]


async def served(port: int, dsn: str) -> None:
    async with asyncpg.create_pool(
        dsn, min_size=1, max_size=SESSIONS, reset=nothing_to_reset, server_settings=SESSION
    ) as pool:

        async def connect() -> asyncpg.Connection[Any]:
            return await asyncpg.connect(dsn)

        app = web.Application()
        app.add_routes(_routes(pool, await create_engine(Views(pool, connect), Limits(), "query_peers")))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(served(int(sys.argv[1]), sys.argv[2]))
