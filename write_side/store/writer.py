"""The coalescing writer: whatever waits is written in one transaction, under one lock.

A lock per command collapses when many write at once; one locked transaction for all that wait doesn't
(docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg
import structlog

from write_side.domain.errors import Conflict, KeyTaken, StoreOutOfReach
from write_side.events.ranges import Position
from write_side.store.batch import APPEND, Encoded, arguments_of, encoded, touched_by
from write_side.store.newcomers import brings_more, insert_newcomers
from write_side.trouble import BROKEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from write_side.events.codec import Codec
    from write_side.ports import Submission

Outcome: TypeAlias = tuple[str, int | None]
"""What became of a command, in the words of es.append, and its position where it has one."""

MAX_BATCH_COMMANDS: Final = 200
MAX_BATCH_EVENTS: Final = 2_000
RECONNECT_PAUSE_S: Final = 0.1

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    submission: Submission
    rows: Encoded
    done: asyncio.Future[Position]


@dataclass(slots=True)
class WriterState:
    """What readiness and metrics say of a writer; it alone writes here, anybody reads.

    commands: that the store took; failures: times it took none. error: of the last try; None when it succeeded.
    """

    commands: int = 0
    failures: int = 0
    error: str | None = None

    def failed(self, trouble: Exception) -> None:
        """The store did not take a batch."""
        self.failures += 1
        self.error = f"{type(trouble).__name__}: {trouble}"

    def succeeded(self, commands: int) -> None:
        """It took one."""
        self.commands += commands
        self.error = None


class Writer:
    """One task, one connection. `run` must be running for `append` to be answered.

    connect: opens a connection to the event store
    patience_s: how long a command waits before it is answered with StoreOutOfReach; the store has half of it to
                answer a batch, so that one whose answer is lost is sent again while somebody waits for it
    """

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection[Any]]], codec: Codec, *, patience_s: float
    ) -> None:
        self.state = WriterState()
        self._connect = connect
        self._codec = codec
        self._patience_s = patience_s
        self._waiting: deque[_Waiting] = deque()
        self._in_flight: list[_Waiting] = []
        self._woken = asyncio.Event()
        self._connection: asyncpg.Connection[Any] | None = None

    async def append(self, submission: Submission) -> Position:
        """Write everything of one command, or nothing.

        returns: position of its last event
        raises:  Conflict         a stream or a claim has moved on: load and decide again
                 KeyTaken         the idempotency key was remembered meanwhile
                 StoreOutOfReach  the store did not answer in time. A command that was not yet sent is withdrawn;
                                  of one whose answer was lost it is unknown whether it was written
        """
        # Encoded here, so that what can't be is its sender's trouble and not the writer's.
        rows = encoded(submission, self._codec)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(submission, rows, loop.create_future())
        self._waiting.append(waiting)
        self._woken.set()
        impatient = loop.call_later(self._patience_s, _out_of_reach, waiting.done)
        try:
            return await waiting.done
        finally:
            impatient.cancel()

    async def run(self) -> None:
        """Write until cancelled; what still waits then is answered with StoreOutOfReach."""
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while batch := self._next_batch():
                    self._in_flight = batch
                    await self._write_until_known(batch)
        finally:
            for waiting in (*self._in_flight, *self._waiting):
                _out_of_reach(waiting.done)
            if self._connection is not None:
                self._connection.terminate()

    def _next_batch(self) -> list[_Waiting]:
        """What waits, oldest first, up to the limits; one that shares a stream, claim or key with another waits on."""
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        touched: set[object] = set()
        event_count = 0
        while self._waiting and len(batch) < MAX_BATCH_COMMANDS and event_count < MAX_BATCH_EVENTS:
            waiting = self._waiting.popleft()
            if waiting.done.done():
                continue
            touches = set(touched_by(waiting.submission))
            (left if touches & touched else batch).append(waiting)
            # What is left behind keeps its place: nothing that shares with it may overtake it.
            touched |= touches
            event_count += len(waiting.rows.events)
        self._waiting.extendleft(reversed(left))
        return batch

    async def _write_until_known(self, batch: list[_Waiting]) -> None:
        """Send the batch until its fate is known: sent again, it recognises itself by its command ids.

        Whoever has lost patience is left out of the next try: what was answered with 503 is not sent afterwards.
        """
        while batch := [waiting for waiting in batch if not waiting.done.done()]:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                    continue
                outcomes = await self._write(self._connection, batch)
            except BROKEN as trouble:
                self.state.failed(trouble)
                log.warning("event store out of reach", error=repr(trouble), commands=len(batch))
                self._drop_connection()
                await asyncio.sleep(RECONNECT_PAUSE_S)
            except asyncpg.PostgresError as fault:
                self.state.failed(fault)
                self._drop_connection()
                await self._blame(batch, fault)
            else:
                self.state.succeeded(len(batch))
                _tell(batch, outcomes)

    async def _blame(self, batch: list[_Waiting], fault: Exception) -> None:
        """The store refuses the batch outright: each command is tried alone, so that only the guilty one fails."""
        if len(batch) > 1:
            for waiting in batch:
                await self._write_until_known([waiting])
        elif not batch[0].done.done():
            batch[0].done.set_exception(fault)

    async def _write(self, connection: asyncpg.Connection[Any], batch: Sequence[_Waiting]) -> list[Outcome]:
        # A cancelled statement would wait for a server that may be gone; one on a closed connection ends at once.
        overdue = asyncio.get_running_loop().call_later(self._patience_s / 2, connection.terminate)
        try:
            arguments = arguments_of([waiting.rows for waiting in batch])
            changes = [waiting.submission.changes for waiting in batch]
            if not any(c and brings_more(c) for c in changes):
                rows = await connection.fetch(APPEND, *arguments)
                return [(row["outcome"], row["pos"]) for row in rows]
            async with connection.transaction():
                rows = await connection.fetch(APPEND, *arguments)
                for row, brought in zip(rows, changes, strict=True):
                    if row["outcome"] == "appended" and brought is not None:
                        await insert_newcomers(connection, brought)
            return [(row["outcome"], row["pos"]) for row in rows]
        finally:
            overdue.cancel()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _out_of_reach(done: asyncio.Future[Position]) -> None:
    if not done.done():
        done.set_exception(StoreOutOfReach())


def _tell(batch: list[_Waiting], outcomes: list[Outcome]) -> None:
    for waiting, (outcome, position) in zip(batch, outcomes, strict=True):
        if waiting.done.done():
            continue
        match outcome, position:
            case (("appended" | "written"), int()):
                waiting.done.set_result(Position(position))
            case "key_taken", _:
                waiting.done.set_exception(KeyTaken())
            case _:
                waiting.done.set_exception(Conflict())
