"""A PostgreSQL of our own that may be stopped and started: durable, as in production; its address and data stay."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from tests.support import processes
from tests.support.servers import private_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

FAST: Final = signal.SIGINT
IMMEDIATE: Final = signal.SIGQUIT
POWER_CUT: Final = signal.SIGKILL


class Postgres:
    """One server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = str(processes.free_port())
        self._running = AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        """Ready to take connections when it returns."""
        server = private_postgres(self._folder, port=self._port, **DURABLE)
        self.url = await self._running.enter_async_context(server)

    async def stop(self, how: signal.Signals = FAST) -> None:
        """End it: FAST and IMMEDIATE as pg_ctl's modes of stopping, POWER_CUT without a chance to write anything."""
        os.kill(int((self._folder / "postgres/data/postmaster.pid").read_text().split()[0]), how)
        await self._running.aclose()


@asynccontextmanager
async def private_server(folder: Path) -> AsyncIterator[Postgres]:
    """A started server with its data in the folder; `stop` and `start` it at will."""
    server = Postgres(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
