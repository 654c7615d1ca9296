"""Sees when the views reach a position: told by their notice, then read as a query would read it, never polled."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.compose import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHANNEL: Final = "views_checkpoint"
CHECKPOINT: Final = "select pos from views.checkpoint"


class Checkpoint:
    """Every position that was read, with its time on time.perf_counter."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._told = asyncio.Event()
        self._moved = asyncio.Condition()
        self._positions: list[int] = []
        self._times: list[float] = []

    async def follow(self) -> None:
        """Read whenever told, until cancelled."""
        await self._connection.add_listener(CHANNEL, lambda *_: self._told.set())
        self._told.set()
        while True:
            await self._told.wait()
            self._told.clear()
            position: int = await self._connection.fetchval(CHECKPOINT)
            async with self._moved:
                self._positions.append(position)
                self._times.append(time.perf_counter())
                self._moved.notify_all()

    async def reached(self, position: int, *, at_most_s: float) -> float:
        """When the views were first seen at that position or behind it. raises: TimeoutError."""
        async with asyncio.timeout(at_most_s), self._moved:
            await self._moved.wait_for(lambda: bool(self._positions) and self._positions[-1] >= position)
        return self.seen(position)

    def seen(self, position: int) -> float:
        """When that position, which was reached, was first seen."""
        return self._times[bisect_left(self._positions, position)]

    def after(self, moment: float) -> tuple[float, int]:
        """The first reading behind that moment: its time and position."""
        index = bisect_left(self._times, moment)
        return self._times[index], self._positions[index]


@asynccontextmanager
async def checkpoint_of(dsn: str) -> AsyncIterator[Checkpoint]:
    """The checkpoint of the views in that database, followed on a connection of its own."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        checkpoint = Checkpoint(connection)
        async with running(checkpoint.follow()):
            yield checkpoint
    finally:
        connection.terminate()
