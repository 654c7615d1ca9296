"""A load of HTTP calls that costs its own process little: bytes made beforehand, one call under way a connection."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER_S: Final = 15.0
HEAD_ENDS: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
POSITION: Final = re.compile(rb"(?i)\r\nemsp-position: *(\d+)")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. position: its Emsp-Position or 0; sent_at, at: on time.perf_counter."""

    status: int
    position: int
    sent_at: float
    at: float


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[Answered] | None = None
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by their class.
        self._transport = cast("asyncio.Transport", transport)

    async def call(self, request: bytes) -> Answered:
        """Send a whole request, wait for its whole answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._sent_at = time.perf_counter()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_ends = self._received.find(HEAD_ENDS)
        if head_ends < 0:
            return
        head = bytes(self._received[: head_ends + 2])
        length = LENGTH.search(head)
        assert length is not None, head
        if len(self._received) < head_ends + len(HEAD_ENDS) + int(length[1]):
            return
        self._received.clear()
        position = POSITION.search(head)
        assert self._answer is not None
        self._answer.set_result(
            Answered(
                int(head.split(b" ", 2)[1]), int(position[1]) if position else 0, self._sent_at, time.perf_counter()
            )
        )

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def connections(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections to the service on that port of the loopback."""
    loop = asyncio.get_running_loop()
    opened = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes."""
    named = {"Host": "127.0.0.1", **headers}
    if body:
        named |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join(lines).encode() + HEAD_ENDS + body


async def as_fast_as_it_goes(
    opened: Sequence[Connection], requests: Sequence[Iterator[bytes]], seconds: float
) -> list[Answered]:
    """Every connection sends its own requests, the next as soon as the last is answered."""
    until = time.perf_counter() + seconds

    async def send(connection: Connection, mine: Iterator[bytes]) -> list[Answered]:
        answers = []
        while time.perf_counter() < until:
            answers.append(await connection.call(next(mine)))
        return answers

    async with asyncio.timeout(seconds + ANSWER_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(send(*pair)) for pair in zip(opened, requests, strict=True)]
    return [answer for task in tasks for answer in task.result()]


async def at_a_rate(
    opened: Sequence[Connection], requests: Sequence[Iterator[bytes]], *, per_second: float, seconds: float
) -> list[Answered]:
    """So many calls a second, evenly, whether earlier ones are answered or not; the answers in the order of sending."""
    began = time.perf_counter()
    free: asyncio.Queue[tuple[Connection, Iterator[bytes]]] = asyncio.Queue()
    for pair in zip(opened, requests, strict=True):
        free.put_nowait(pair)

    async def send(connection: Connection, mine: Iterator[bytes]) -> Answered:
        answer = await connection.call(next(mine))
        free.put_nowait((connection, mine))
        return answer

    async with asyncio.timeout(seconds + ANSWER_S), asyncio.TaskGroup() as group:
        tasks = []
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            tasks.append(group.create_task(send(*await free.get())))
    return [task.result() for task in tasks]
