"""Makes the schemas of a views database, where they are missing. Views that other code made stay until `rebuild`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from projections.generations import LIVE, generation_in

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

VERSION: Final = 1
"""Of the projection functions: raised when the same events give other rows."""

ONE_AT_A_TIME: Final = """
    select pg_advisory_xact_lock(hashtext('emsp views'))
"""

CREATE_EXTENSIONS: Final = """
    create extension if not exists cube schema public;
    create extension if not exists intarray schema public;
    create extension if not exists btree_gist schema public
"""

CREATE_META: Final = """
    create schema if not exists views_meta;
    create table if not exists views_meta.database_id (
        one boolean primary key default true check (one),
        id uuid not null
    );
    drop table if exists views_meta.version
"""

CREATE_LIVE: Final = "create schema if not exists views"

KEEP_DATABASE_ID: Final = """
    insert into views_meta.database_id (id)
    values ($1)
        on conflict do nothing
"""

DATABASE_ID: Final = """
    select id
      from views_meta.database_id
"""

SAY_VERSION: Final = """
    update checkpoint
       set version = $1
"""

HAS_LZ4: Final = """
    select 'lz4' = any(enumvals)
      from pg_settings
     where name = 'default_toast_compression'
"""

USE_LZ4: Final = """
    alter table location_view
          alter column head set compression lz4,
          alter column evses set compression lz4;
    alter table evse_view
          alter column document set compression lz4;
    alter table history_view
          alter column before set compression lz4,
          alter column after set compression lz4
"""
"""A status change rewrites a location's document; pglz takes a fifth of that time (measured), and not all servers
were built with lz4."""


@dataclass(frozen=True, slots=True)
class ViewsMade:
    """What was done. database_id: names the queue of this database; version: of this code.

    is_anew: the views were missing, and are empty now; is_outdated: they are of another version, to be built anew.
    """

    database_id: UUID
    version: str
    is_anew: bool
    is_outdated: bool


def views_version() -> str:
    """What the rows depend on: the schema's text and VERSION."""
    return f"{VERSION}-{hashlib.sha256(_schema().encode()).hexdigest()[:16]}"


def _schema() -> str:
    return files("projections").joinpath("schema.sql").read_text(encoding="utf-8")


async def create_views(connection: asyncpg.Connection, *, database_id: UUID) -> ViewsMade:
    """Make what is missing of the views and their meta tables. Views of another version stay as they are.

    database_id: of a database that has none yet. Safe to call at any time, by many at once.
    """
    version = views_version()
    async with connection.transaction():
        await connection.execute(ONE_AT_A_TIME)
        await connection.execute(CREATE_EXTENSIONS)
        await connection.execute(CREATE_META)
        await connection.execute(KEEP_DATABASE_ID, database_id)
        live = await generation_in(connection, LIVE)
        if live is None:
            await connection.execute(CREATE_LIVE)
            await create_tables(connection, LIVE)
            await connection.execute(SAY_VERSION, version)
        return ViewsMade(
            await connection.fetchval(DATABASE_ID),
            version,
            is_anew=live is None,
            is_outdated=live is not None and live.version != version,
        )


async def create_tables(connection: asyncpg.Connection, schema: str) -> None:
    """The tables of `schema.sql` in that (empty) schema, within the transaction that is open.

    Leaves search_path on that schema until the transaction ends.
    """
    await connection.execute("select set_config('search_path', $1, true)", f"{schema}, public")
    await connection.execute(_schema())
    if await connection.fetchval(HAS_LZ4):
        await connection.execute(USE_LZ4)
