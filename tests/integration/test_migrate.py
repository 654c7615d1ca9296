"""Migrations: each runs once, whoever starts at once; what ran is never changed; every statement fits the schema."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from structlog.testing import capture_logs

import write_side.accounts
import write_side.store
from api import migrate
from api.migrate import ChangedMigration, migrate_event_store, migrations
from write_side.store import staging

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SHAPE = """
    select table_name, column_name, data_type
      from information_schema.columns
     where table_schema = 'es'
     order by table_name, ordinal_position
"""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def done(connection: asyncpg.Connection[Any]) -> list[str]:
    return [row["name"] for row in await connection.fetch("select name from es.migrations order by name")]


async def test_each_migration_runs_once_in_the_order_of_its_number(connection: asyncpg.Connection[Any]) -> None:
    names = [name for name, _ in migrations()]
    assert names[0] == "0001_events"
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert await migrate_event_store(connection) == names
    shape = await connection.fetch(SHAPE)
    assert await migrate_event_store(connection) == []
    assert await connection.fetch(SHAPE) == shape
    assert await done(connection) == names


async def test_of_many_that_start_at_once_one_migrates(database: str) -> None:
    sessions = [await asyncpg.connect(database) for _ in range(4)]
    ran = await asyncio.gather(*(migrate_event_store(session) for session in sessions))
    assert sorted(map(len, ran)) == [0, 0, 0, len(migrations())]
    for session in sessions:
        await session.close()


async def test_a_migration_that_was_changed_after_it_ran_is_refused(
    connection: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate_event_store(connection)
    changed = [(name, text + "-- changed" if name == "0002_claims" else text) for name, text in migrations()]
    monkeypatch.setattr(migrate, "migrations", lambda: [*changed, ("9999_new", "create table es.new ()")])
    with pytest.raises(ChangedMigration, match="0002_claims"):
        await migrate_event_store(connection)
    assert "9999_new" not in await done(connection)


async def test_a_migration_that_fails_leaves_everything_as_it_was(
    connection: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate_event_store(connection)
    before = await done(connection)
    new = [("9998_fine", "create table es.fine ()"), ("9999_broken", "create table es.broken (); select 1/0")]
    monkeypatch.setattr(migrate, "migrations", lambda: [*migrations(), *new])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate_event_store(connection)
    assert await done(connection) == before
    assert await connection.fetchval("select to_regclass('es.fine')") is None
    monkeypatch.setattr(migrate, "migrations", lambda: [*migrations(), new[0]])
    assert await migrate_event_store(connection) == ["9998_fine"]


def statements() -> Iterator[tuple[str, str]]:
    """Every SQL constant of the write side."""
    for room in (write_side.store, write_side.accounts):
        for found in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            if found.ispkg:
                continue
            for name, value in vars(importlib.import_module(found.name)).items():
                if name.isupper() and isinstance(value, str) and " " in value.strip() and "es." in value:
                    yield f"{found.name}.{name}", value


async def test_every_statement_of_the_write_side_fits_the_schema(empty_store: str) -> None:
    found = dict(statements())
    assert len(found) > 20
    connection = await asyncpg.connect(empty_store)
    await connection.execute(staging.CREATE)
    unfit: dict[str, str] = {}
    for name, statement in found.items():
        try:
            await connection.prepare(statement)
        except asyncpg.PostgresError as wrong:
            unfit[name] = str(wrong)
    await connection.close()
    assert unfit == {}
