"""One whole service in this process, on a database of its own: what `emsp run` composes, without the command."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
from aiohttp import web

from api import compose, projecting
from api.compose import WriteSide
from api.connections import Databases
from api.handlers.health import health_routes
from api.loops import remove_images, send_mails
from api.readiness import store_check
from api.serving import serving
from api.settings import Settings
from tests.support.client import Client

SECRET: Final = "a-secret-of-a-test-client"
_numbers: Final = itertools.count(1)
READ_ONLY_SECRET: Final = "a-secret-of-a-read-only-client"
ACCOUNTS_ONLY_SECRET: Final = "a-secret-of-a-registration-desk"
KEYS: Final = {
    "jwt_access_key": "access-key-of-a-test-deployment-0001",
    "jwt_refresh_key": "refresh-key-of-a-test-deployment-001",
    "seal_key": "seal-key-of-a-test-deployment-0000001",
}


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. mails: its folder of .eml files; store: a session of the test's own; app: what serves it."""

    base_url: str
    dsn: str
    client: Client
    mails: Path
    store: asyncpg.Connection[Any]
    write_side: WriteSide
    app: web.Application

    async def event_count(self) -> int:
        """How many events there are."""
        count: int = await self.store.fetchval("select count(*) from es.events")
        return count


@asynccontextmanager
async def service(dsn: str, folder: Path, **settings: object) -> AsyncIterator[Service]:
    """A service on that empty database; settings as in `Settings`."""
    configured = Settings.model_validate(
        {
            "event_store_url": dsn,
            "data_dir": folder,
            "clients": f"app:{SECRET},reader:{READ_ONLY_SECRET}:read,desk:{ACCOUNTS_ONLY_SECRET}:accounts",
            "rate_register": "1000/minute",
            "rate_logo_upload": "1000/minute",
            **KEYS,
            **settings,
        }
    )
    urls = Databases(dsn, dsn)
    async with AsyncExitStack() as stack:
        made = await compose.migrate(urls)
        bus = await stack.enter_async_context(compose.event_bus(configured, urls))
        publisher = compose.publisher(urls, bus)
        consumer = await stack.enter_async_context(projecting.consumer(urls, bus, made.database_id, shares_loop=True))
        write_side = await stack.enter_async_context(compose.write_side(configured, urls))
        outbox = await stack.enter_async_context(compose.outbox(configured, urls))
        mail = send_mails(outbox, tick_s=0.02)
        images = remove_images(write_side.pool, write_side.images, tick_s=0.02)
        await stack.enter_async_context(compose.running(publisher.run(), consumer.run(), mail, images))
        views = await stack.enter_async_context(compose.read_side(configured, urls))
        app = await compose.api_application(configured, write_side, views, schema_name=f"emsp {next(_numbers)}")
        app.add_routes(health_routes([store_check(write_side.pool)]))
        port = await stack.enter_async_context(serving(app, "127.0.0.1", 0, compose.manners_of(configured)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        store = await asyncpg.connect(dsn)
        stack.push_async_callback(store.close)
        base_url = f"http://127.0.0.1:{port}"
        client = Client(session, base_url, aiohttp.encode_basic_auth("app", SECRET))
        yield Service(base_url, dsn, client, folder / "mail", store, write_side, app)


async def until_drawn(of: Service) -> None:
    """Return when the views show every event."""
    async with asyncio.timeout(20):
        while await of.store.fetchval("select head.pos <> checkpoint.pos from es.head, views.checkpoint"):
            await asyncio.sleep(0.01)
