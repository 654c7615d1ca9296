"""Fresh databases for tests: made from a template in a tenth of a second, gone at the end."""

from __future__ import annotations

import itertools
import os
import socket
import zlib
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg

# Every database of a run says which machine and process made it, so that leftovers of a killed run can be told.
HERE: Final = f"emsp_test_{zlib.crc32(socket.gethostname().encode()):08x}_"
_numbers: Final = itertools.count(1)

# As the embedded one is made, whatever the server's own default is.
CREATE_EMPTY: Final = """
    create database {name}
      template template0
      encoding 'UTF8'
      locale 'C.UTF-8'
"""
CREATE_FROM: Final = """
    create database {name}
      template {template}
"""
DROP: Final = """
    drop database if exists {name}
      with (force)
"""
DROP_IF_UNUSED: Final = """
    drop database if exists {name}
"""
MADE_HERE: Final = """
    select datname
      from pg_database
     where starts_with(datname, $1)
"""
WAITING_FOR_A_LOCK: Final = """
    select count(*)
      from pg_stat_activity
     where datname = current_database()
       and wait_event_type = 'Lock'
"""


class Databases:
    """Makes databases on one server; those not dropped before are dropped when it closes."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._made: list[str] = []

    async def __aenter__(self) -> Self:
        await self._drop_leftovers()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._made):
            await self._drop(name)

    async def __call__(self, *, template: str | None = None) -> str:
        """The DSN of a new database: empty, or a copy of the one whose DSN is the template (nobody connected to it)."""
        name = f"{HERE}{os.getpid()}_{next(_numbers)}"
        if template is None:
            await self._say(CREATE_EMPTY.format(name=name))
        else:
            await self._say(CREATE_FROM.format(name=name, template=name_of(template)))
        self._made.append(name)
        return urlunsplit(urlsplit(self._server_url)._replace(path=f"/{name}"))

    async def drop(self, dsn: str) -> None:
        """Drop one of ours now, with whoever is connected to it."""
        await self._drop(name_of(dsn))

    async def _drop(self, name: str) -> None:
        await self._say(DROP.format(name=name))
        self._made.remove(name)

    async def _drop_leftovers(self) -> None:
        connection = await asyncpg.connect(self._server_url)
        try:
            for row in await connection.fetch(MADE_HERE, HERE):
                pid = int(row["datname"].removeprefix(HERE).partition("_")[0])
                if not _lives(pid):
                    await connection.execute(DROP_IF_UNUSED.format(name=row["datname"]))
        except (asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError):
            pass  # another run tidies at the same time
        finally:
            await connection.close()

    async def _say(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def name_of(dsn: str) -> str:
    """The database that a DSN names."""
    return urlsplit(dsn).path.removeprefix("/")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
