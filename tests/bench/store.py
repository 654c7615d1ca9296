"""Our event store as the API composes it, on a database of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from pydantic import SecretStr

from api.compose import write_side
from api.connections import Databases
from api.migrate import migrate_event_store
from api.settings import Settings
from tests.bench.deployed import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from write_side.ports import Events


async def migrate(dsn: str) -> None:
    """The event store's schema."""
    connection = await asyncpg.connect(dsn)
    try:
        await migrate_event_store(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def event_store(dsn: str) -> AsyncIterator[Events]:
    """The store of a migrated database, its writer running."""
    settings = Settings(
        event_store_url=SecretStr(dsn),
        jwt_access_key=SecretStr(KEYS["jwt_access_key"]),
        jwt_refresh_key=SecretStr(KEYS["jwt_refresh_key"]),
        seal_key=SecretStr(KEYS["seal_key"]),
    )
    async with write_side(settings, Databases(dsn, dsn)) as composed:
        yield composed.world.events
