"""What a page could cost, in one process: a constant, stored documents joined as text, Tartiflette's own executor."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import asyncpg
import orjson
import uvloop
from aiohttp import web

from ocpi.identifiers import Party
from read_side import executor
from read_side.engine import create_engine, request_of
from read_side.guards import Limits
from read_side.plan import roots_of
from read_side.scope import Viewer
from read_side.views import SESSION, Views

FLOOR: Final = """
    select head, evses
      from views.location_view
     where country_code = $1
       and party_id = $2
     order by id
     limit 10
"""


async def served(port: int, dsn: str) -> None:
    async with asyncpg.create_pool(dsn, min_size=4, max_size=8, server_settings=SESSION) as pool:
        party = await pool.fetchrow("select country_code, party_id from views.location_view order by id limit 1")
        assert party is not None
        viewer = Viewer(party=Party(*party))

        async def connect() -> asyncpg.Connection[Any]:
            return await asyncpg.connect(dsn)

        service = await create_engine(Views(pool, connect), Limits(), "page_peers")

        async def constant(_request: web.Request) -> web.Response:
            return web.Response(body=b"{}", content_type="application/json")

        async def floor(_request: web.Request) -> web.Response:
            rows = await pool.fetch(FLOOR, *party)
            text = ",".join([f'{row["head"][:-1]},"evses":{row["evses"]}}}' for row in rows])
            return web.Response(body=f'{{"data":{{"locations":[{text}]}}}}'.encode(), content_type="application/json")

        async def by_executor(request: web.Request) -> web.Response:
            plan = service.plan((await request.json(loads=orjson.loads))["query"], None)
            nodes = [node for root in roots_of(plan, {}) for node in root.selected.nodes]
            data, _ = await executor.run(service.schema, plan, nodes, variables={}, asking=request_of(service, viewer))
            return web.Response(body=orjson.dumps({"data": data}), content_type="application/json")

        app = web.Application()
        app.add_routes([web.get("/constant", constant), web.get("/floor", floor), web.post("/executor", by_executor)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(served(int(sys.argv[1]), sys.argv[2]))
