"""Views databases of many locations, filled once and kept: a million takes minutes.

A database is found again by its name, which says how many locations it has, and of which kind: the definitions of the
filled tables, and the rows that the projections make of `country` now. What else belongs to the views is made anew
where it is of another version. One that is half filled has no such name yet. As a program this module fills or drops
them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from rich.console import Console
from rich.progress import Progress

from projections.bulk_rows import copy
from projections.generations import LIVE, generation_in
from projections.migrate import create_views, views_version
from tests.bench import country
from tests.support.servers import NoServer, servers

SIZES: Final = (10_000, 100_000, 1_000_000)
PREFIX: Final = "emsp_bench_"
CHUNK: Final = 5_000
"""Locations of one COPY: some 40 MB."""

FILLING: Final = {"synchronous_commit": "off", "maintenance_work_mem": "512MB", "search_path": "views, public"}

TABLES: Final = ("location_view", "evse_view", "place_view")
SAMPLE: Final = range(1, 101)
"""Numbers of locations whose rows tell whether all rows are what they were."""

KEPT: Final = """
    select datname
      from pg_database
     where starts_with(datname, $1)
"""

MOVE: Final = """
    update views.checkpoint
       set pos = $1
"""

VACUUM_S: Final = 120.0
ALL_VISIBLE: Final = """
    select relallvisible = relpages
      from pg_class
     where oid = $1::text::regclass
"""

INDEXES: Final = """
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as made,
           conname as constraint_name, pg_get_constraintdef(pg_constraint.oid) as constraint_made,
           pg_index.indrelid::regclass::text as table_name
      from pg_index
      join pg_class on pg_class.oid = indrelid
      left join pg_constraint on conindid = indexrelid
     where relnamespace = 'views'::regnamespace
       and relname in ('location_view', 'evse_view')
"""

CREATE: Final = """
    create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'
"""


async def filled(server_url: str, size: int, console: Console) -> str:
    """The DSN of a views database of so many locations; filled now where there is none."""
    name = f"{PREFIX}{size}_{_kind()}"
    dsn = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    kept = await _kept(server_url, f"{PREFIX}{size}_")
    if name in kept:
        await renew(dsn, size)
        return dsn
    await _drop(server_url, kept)
    half = f"{name}_half"
    await _say(server_url, CREATE.format(name=half))
    await fill(urlunsplit(urlsplit(server_url)._replace(path=f"/{half}")), size, console)
    await _say(server_url, f"alter database {half} rename to {name}")
    return dsn


async def drop_filled(server_url: str) -> list[str]:
    """Drop all that were kept and that nobody uses; their names."""
    return await _drop(server_url, await _kept(server_url, PREFIX))


def _kind() -> str:
    """Names what fills the tables: how they are defined, and what is written into them."""
    schema = re.sub(r"--.*", "", files("projections").joinpath("schema.sql").read_text("utf-8"))
    defined = [part for part in schema.split(";") if any(table in part for table in TABLES)]
    return hashlib.sha256(repr((defined, [country.rows(number) for number in SAMPLE])).encode()).hexdigest()[:10]


async def fill(dsn: str, size: int, console: Console) -> None:
    """Views of so many locations in a database that has none. Indexes are made at the end, which is far faster."""
    async with _connected(dsn) as connection:
        await create_views(connection, database_id=uuid4())
        made_again = await _without_indexes(connection)
        await _copy_all(dsn, size, console)
        for what in made_again:
            console.print(f"  making: {' '.join(what.split())[:100]}", style="dim")
            await connection.execute(what)
        await connection.execute(MOVE, size * country.EVENTS_OF_A_LOCATION)
        for table in ("location_view", "evse_view", "checkpoint"):
            await _vacuumed(connection, table)


async def renew(dsn: str, size: int) -> None:
    """Make the views of a kept database those of this code, around the filled tables."""
    async with _connected(dsn) as connection, connection.transaction():
        made = await generation_in(connection, LIVE)
        if made is not None and made.version == views_version():
            return
        await connection.execute("alter schema views rename to views_kept")
        await create_views(connection, database_id=uuid4())
        for table in TABLES:
            await connection.execute(f"drop table views.{table}; alter table views_kept.{table} set schema views")
        await connection.execute("drop schema views_kept cascade")
        await connection.execute(MOVE, size * country.EVENTS_OF_A_LOCATION)


async def _vacuumed(connection: asyncpg.Connection[Any], table: str) -> None:
    """Until every page is known as visible to all, which a session that begins meanwhile can delay."""
    async with asyncio.timeout(VACUUM_S):
        while True:
            await connection.execute(f"vacuum analyze {table}")
            if await connection.fetchval(ALL_VISIBLE, table):
                return
            await asyncio.sleep(0.2)


async def _without_indexes(connection: asyncpg.Connection[Any]) -> list[str]:
    """Drops every index of the two tables. Answers the statements that make them again."""
    made_again = []
    for index in await connection.fetch(INDEXES):
        if index["constraint_name"] is None:
            await connection.execute(f"drop index {index['name']}")
            made_again.append(index["made"])
        else:
            change = f"alter table {index['table_name']}"
            await connection.execute(f"{change} drop constraint {index['constraint_name']}")
            made_again.append(f"{change} add constraint {index['constraint_name']} {index['constraint_made']}")
    return made_again


async def _copy_all(dsn: str, size: int, console: Console) -> None:
    """In as many processes as there are cores."""
    loop = asyncio.get_running_loop()
    shares = [(first, min(first + CHUNK, size + 1)) for first in range(1, size + 1, CHUNK)]
    # Spawned, since a fork of a process that runs a loop is no clean one.
    processes = ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn"))
    with processes, Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"filling {size:,} locations", total=size)

        async def one(first: int, end: int) -> None:
            await loop.run_in_executor(processes, _copy_share, dsn, first, end)
            progress.advance(task, end - first)

        await asyncio.gather(*(one(*share) for share in shares))


def _copy_share(dsn: str, first: int, end: int) -> None:
    asyncio.run(_copy(dsn, range(first, end)))


async def _copy(dsn: str, numbers: Sequence[int]) -> None:
    async with _connected(dsn) as connection:
        await copy(connection, country.drawings(numbers))


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn, server_settings=FILLING)
    try:
        yield connection
    finally:
        await connection.close()


async def _kept(server_url: str, prefix: str) -> list[str]:
    async with _connected(server_url) as connection:
        return [row["datname"] for row in await connection.fetch(KEPT, prefix)]


async def _drop(server_url: str, names: Sequence[str]) -> list[str]:
    dropped = []
    for name in names:
        with suppress(asyncpg.ObjectInUseError):
            await _say(server_url, f"drop database {name}")
            dropped.append(name)
    return dropped


async def _say(server_url: str, statement: str) -> None:
    async with _connected(server_url) as connection:
        await connection.execute(statement)


def sizes_of(text: str) -> tuple[int, ...]:
    """`10000,100000` → (10000, 100000)."""
    return tuple(int(part) for part in text.split(","))


async def main() -> None:
    """What this module does as a program."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.filled", description=__doc__)
    parser.add_argument("--sizes", type=sizes_of, default=SIZES, help="locations of each database, with commas between")
    parser.add_argument("--drop", action="store_true", help="drop all that were kept")
    asked = parser.parse_args()
    async with servers() as found:
        if asked.drop:
            for name in await drop_filled(found.postgres_url):
                print("dropped", name)
            return
        for size in asked.sizes:
            print(await filled(found.postgres_url, size, Console(stderr=True)))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except NoServer as why:
        sys.exit(str(why))
