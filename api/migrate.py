"""Numbered .sql files, each run once, under a lock, and never changed afterwards."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    import asyncpg

LOCK: Final = "select pg_advisory_xact_lock(7305, 1)"

CREATE_SCHEMA: Final = """
    create schema if not exists es;
    create table if not exists es.migrations (
        name text primary key,
        sha256 text not null,
        at timestamptz not null default now()
    )
"""

DONE: Final = "select name, sha256 from es.migrations"

MARK: Final = """
    insert into es.migrations (name, sha256)
    values ($1, $2)
"""

log = structlog.get_logger(__name__)


class ChangedMigration(Exception):
    """A migration that ran is not what it was: the store was made by another version of this program."""


def migrations() -> list[tuple[str, str]]:
    """(name, SQL) of every migration of the event store, in order."""
    folder = files("write_side.store") / "migrations"
    found = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), text) for name, text in found]


async def migrate_event_store(connection: asyncpg.Connection[Any]) -> list[str]:
    """Bring the event store's schema up to date, or leave it as it is.

    returns: names of the migrations that ran now
    raises:  ChangedMigration
    """
    ran: list[str] = []
    async with connection.transaction():
        await connection.execute(LOCK)
        await connection.execute(CREATE_SCHEMA)
        done = {row["name"]: row["sha256"] for row in await connection.fetch(DONE)}
        for name, text in migrations():
            digest = hashlib.sha256(text.encode()).hexdigest()
            if name not in done:
                await connection.execute(text)
                await connection.execute(MARK, name, digest)
                ran.append(name)
            elif done[name] != digest:
                raise ChangedMigration(name)
    if ran:
        log.info("event store migrated", migrations=ran)
    return ran
