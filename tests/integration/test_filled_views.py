"""The bench's views are what the projections would have drawn, under the indexes that they have."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

import asyncpg
from rich.console import Console

from projections.migrate import create_views
from tests.bench import country
from tests.bench.filled import TABLES, fill, renew
from tests.support.databases import Databases

INDEXES: Final = "select indexdef from pg_indexes where schemaname = 'views' order by 1"


async def test_every_location_is_there_with_its_evses(database: str) -> None:
    await fill(database, 300, Console(quiet=True))
    connection = await asyncpg.connect(database)
    locations = await connection.fetch("select id, head, evses, revision from views.location_view order by id")
    evses = await connection.fetchval("select count(*) from views.evse_view")
    position = await connection.fetchval("select pos from views.checkpoint")
    await connection.close()
    made = [country.rows(number)[0] for number in range(1, 301)]
    assert [tuple(row) for row in locations] == [(row.id, row.head, row.evses, row.revision) for row in made]
    assert evses == 900
    assert position == locations[-1]["revision"] == 1200


async def test_its_indexes_are_those_of_the_schema(database: str, fresh_database: Databases) -> None:
    await fill(database, 10, Console(quiet=True))
    other = await fresh_database()
    found = []
    for dsn in (database, other):
        connection = await asyncpg.connect(dsn)
        await create_views(connection, database_id=uuid4())
        found.append([row["indexdef"] for row in await connection.fetch(INDEXES)])
        await connection.close()
    await fresh_database.drop(other)
    assert found[0] == found[1]
    assert found[0]


async def test_kept_ones_of_another_version_get_the_views_of_this_one(database: str) -> None:
    await fill(database, 30, Console(quiet=True))
    connection = await asyncpg.connect(database)
    was = [await connection.fetch(f"select {table}::text from views.{table} order by 1") for table in TABLES]
    indexes = await connection.fetch(INDEXES)
    await connection.execute("update views.checkpoint set version = 'older'; drop table views.cpo_view")
    await renew(database, 30)
    made = await create_views(connection, database_id=uuid4())
    assert not made.is_outdated
    assert await connection.fetchval("select pos from views.checkpoint") == 120
    assert [await connection.fetch(f"select {table}::text from views.{table} order by 1") for table in TABLES] == was
    assert await connection.fetch(INDEXES) == indexes
    await connection.close()
