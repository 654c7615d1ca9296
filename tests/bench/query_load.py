"""The load of a query: every connection sends its next request when the last is answered, in a process of its own.

It costs that process some ten microseconds a request, so that it needs little of the cores that it shares with what it
measures; how much is measured too.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import quantiles
from typing import Final, cast

import uvloop

from tests.bench.http_load import HEAD_ENDS

CONNECTIONS: Final = 16
ANSWER_S: Final = 60.0
BUFFER_BYTES: Final = 256 * 1024
LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
OK: Final = b"HTTP/1.1 200 "
DATA: Final = b'{"data":{"'
"""How the body of a good answer begins."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it. p50, p99: milliseconds to an answer; share: of one core, that the load itself took."""

    rate: float
    p50: float
    p99: float
    share: float


class _Sender(asyncio.BufferedProtocol):
    """One connection. took_s: of each answer; ended: when there is nothing more to send."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self.took_s: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._until = until
        self._buffer = bytearray(BUFFER_BYTES)
        self._head_bytes = 0
        self._left: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by their class.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        self._sent_at = time.perf_counter()
        if request is None or self._sent_at > self._until:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._transport.write(request)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._head_bytes :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._left is None:
            self._head_bytes += nbytes
            body = self._buffer.find(HEAD_ENDS, 0, self._head_bytes) + len(HEAD_ENDS)
            if body < len(HEAD_ENDS) or self._head_bytes < body + len(DATA):
                return
            length = LENGTH.search(self._buffer, 0, body)
            if not (length and self._buffer.startswith(OK) and self._buffer.startswith(DATA, body)):
                self._fail(bytes(self._buffer[: self._head_bytes]))
                return
            self._left = body + int(length[1]) - self._head_bytes
            self._head_bytes = 0
        else:
            self._left -= nbytes
        if not self._left:
            self._left = None
            self.took_s.append(time.perf_counter() - self._sent_at)
            self._send()

    def _fail(self, why: bytes) -> None:
        self.ended.set_exception(AssertionError(why[:2_000]))
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionResetError())


async def _load(port: int, shares: Sequence[Iterator[bytes]], seconds: float) -> Loaded:
    loop = asyncio.get_running_loop()
    began, worked = time.perf_counter(), time.process_time()
    async with asyncio.timeout(seconds + ANSWER_S):
        senders = [
            (await loop.create_connection(partial(_Sender, share, began + seconds), "127.0.0.1", port))[1]
            for share in shares
        ]
        await asyncio.gather(*(sender.ended for sender in senders))
    elapsed = time.perf_counter() - began
    took_ms = [1_000 * took_s for sender in senders for took_s in sender.took_s]
    of_hundred = quantiles(took_ms, n=100, method="inclusive")
    return Loaded(len(took_ms) / elapsed, of_hundred[49], of_hundred[98], (time.process_time() - worked) / elapsed)


def _run(port: int, requests: Sequence[bytes], seconds: float | None) -> Loaded:
    at_least_one_each = list(itertools.islice(itertools.cycle(requests), max(len(requests), CONNECTIONS)))
    shares = [at_least_one_each[first::CONNECTIONS] for first in range(CONNECTIONS)]
    if seconds is None:
        return uvloop.run(_load(port, [iter(share) for share in shares], ANSWER_S))
    return uvloop.run(_load(port, [itertools.cycle(share) for share in shares], seconds))


@dataclass(frozen=True, slots=True)
class Load:
    """The process that loads."""

    process: ProcessPoolExecutor

    async def once(self, port: int, requests: Sequence[bytes]) -> None:
        """Each request once. All must be answered well."""
        await asyncio.get_running_loop().run_in_executor(self.process, _run, port, requests, None)

    async def __call__(self, port: int, requests: Sequence[bytes], seconds: float) -> Loaded:
        """The requests in turns, as fast as it goes. All must be answered well."""
        return await asyncio.get_running_loop().run_in_executor(self.process, _run, port, requests, seconds)


@contextmanager
def load_process() -> Iterator[Load]:
    # Spawned, since a fork of a process that runs a loop is no clean one.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield Load(process)
