"""A TCP proxy that cuts, refuses or swallows when it is told to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

CHUNK: Final = 65_536
OPENING: Final = 1_024
"""How much of what a client said first is remembered."""


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
        self._swallowed = b""
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

    def swallow(self, opened_with: bytes = b"") -> None:
        """From now on what the server says does not arrive; what it is told does.

        opened_with: only on connections whose client has these bytes among the first it said
        """
        self._swallowed = opened_with
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
            try:
                there, onwards = await asyncio.open_connection(*self._target)
                await self._serve_both(reader, writer, there, onwards)
            finally:
                writer.transport.abort()

    async def _serve_both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        onwards: asyncio.StreamWriter,
    ) -> None:
        self._writers |= {writer, onwards}
        opening = bytearray()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, onwards, opening, is_answer=False))
                group.create_task(self._pass(there, writer, opening, is_answer=True))
        finally:
            onwards.transport.abort()
            self._writers -= {writer, onwards}

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, opening: bytearray, *, is_answer: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if not is_answer:
                    opening += data[: OPENING - len(opening)]
                elif self._swallowed in opening:
                    await self._answers.wait()
                target.write(data)
                await target.drain()
        target.transport.abort()
