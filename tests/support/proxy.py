"""A TCP proxy that cuts, refuses or swallows when it is told to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Proxy:
    """Listens on a free port of the loopback and passes everything on, until told otherwise.

    connections: how many were accepted, ever.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.connections = 0
        self._target = (host, port)
        self._accepts = True
        self._answers = asyncio.Event()
        self._answers.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End every connection now, without a farewell; new ones are welcome."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def refuse(self) -> None:
        """The server is away: cut, and let nobody in."""
        self._accepts = False
        self.cut()

    def accept(self) -> None:
        """The server is back."""
        self._accepts = True

    def swallow(self) -> None:
        """From now on what the server says does not arrive; what it is told does."""
        self._answers.clear()

    def answer(self) -> None:
        """What was held back arrives, and what comes after it."""
        self._answers.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepts:
            writer.transport.abort()
            return
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            there, onwards = await asyncio.open_connection(*self._target)
            self._writers |= {writer, onwards}
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, onwards, is_answer=False))
                    group.create_task(self._pass(there, writer, is_answer=True))
            finally:
                writer.transport.abort()
                onwards.transport.abort()
                self._writers -= {writer, onwards}

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if is_answer:
                    await self._answers.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()
