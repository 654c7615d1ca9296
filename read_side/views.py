"""Asks the views database: read-only, within a time limit, and awake when the views reach a position."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import asyncpg

from read_side.errors import Unavailable
from read_side.parked import PARKED, Concern, Parked, any_location
from read_side.sql import Question

Connection: TypeAlias = "asyncpg.Connection[Any]"
Row: TypeAlias = asyncpg.Record

CHANNEL: Final = "views_checkpoint"
"""The projector notifies it of each new checkpoint, at commit; the payload is the position."""

CHECKPOINT: Final = """
    select pos
      from views.checkpoint
     where one
"""

STATE: Final = """
    select generation, pos
      from views.checkpoint
     where one
"""
"""No row of the views changes without it."""

SESSION: Final = {
    "application_name": "emsp read",
    "default_transaction_read_only": "on",
    "jit": "off",
    "random_page_cost": "1.1",
}
"""Settings of the sessions that ask: no write, no compiling for milliseconds of work, indexes in memory or on flash."""

OUT_OF_REACH: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.UndefinedTableError,
)
"""What asyncpg raises when the database is away, cancels a statement at its limit, or isn't migrated yet."""

DEAD_SESSION: Final = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What the first statement of a session that died unused raises; the last where its end was just being read."""

TRIES: Final = 3
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows of each question, all of one state of the views. position: which."""

    generation: int
    position: int
    rows: tuple[list[Row], ...]


class _Unequal(Exception):
    """The questions of one request were answered by different states of the views."""


class Sessions(Protocol):
    """Lends sessions with the settings of SESSION and a statement_timeout."""

    def one(self) -> AbstractAsyncContextManager[Connection]:
        """Lend one; waits a while for it. raises: TimeoutError; what asyncpg raises."""


class Views:
    """The views database. `run` listens for new checkpoints; without it, `wait_for` only looks twice.

    connect: opens one more session, to listen on
    """

    def __init__(self, sessions: Sessions, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._sessions = sessions
        self._connect = connect
        self._position = 0
        self._is_listening = False
        self._moved = asyncio.Event()
        self._parked_in = -1
        self._parked: Sequence[Parked] = ()

    async def run(self) -> None:
        """Hear of every new checkpoint, until cancelled; connects anew when the session is lost."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                connection = await self._connect()
            except OUT_OF_REACH as error:
                log.warning("cannot listen for checkpoints: %s", type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            try:
                await self._listen(connection)
            except OUT_OF_REACH as error:
                log.warning("listening for checkpoints ended: %s", type(error).__name__)
                await asyncio.sleep(pause_s)
            finally:
                self._is_listening = False
                connection.terminate()

    async def _listen(self, connection: Connection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(CHANNEL, self._on_checkpoint)
        self._arrive(await connection.fetchval(CHECKPOINT) or 0)
        self._is_listening = True
        await lost.wait()

    def _on_checkpoint(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._arrive(int(str(payload)))

    def _arrive(self, position: int) -> None:
        self._position = position
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait_for(self, position: int, *, at_most_s: float) -> bool:
        """Whether the views have reached that position; waits for it.

        raises: Unavailable when the database is out of reach
        """
        if self._position >= position:
            return True
        if not self._is_listening and await self._look() >= position:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                while self._position < position:
                    await self._moved.wait()
        return self._position >= position or await self._look() >= position

    @property
    def heard_of(self) -> int:
        """The position that the views have at least, by what was heard last."""
        return self._position

    async def state(self) -> tuple[int, int]:
        """Generation and position of the views. raises: Unavailable."""
        asked = await self._ask_until_equal([(STATE, ())])
        return asked.generation, asked.position

    async def reach(self, position: int, *, at_most_s: float) -> None:
        """Wait until the views have reached that position. raises: Unavailable where they don't in time."""
        if not await self.wait_for(position, at_most_s=at_most_s):
            raise Unavailable(f"The views have not reached position {position} yet")

    async def _look(self) -> int:
        try:
            async with self._sessions.one() as session:
                self._arrive(await session.fetchval(CHECKPOINT) or 0)
        except OUT_OF_REACH as error:
            raise _unavailable(error) from error
        return self._position

    async def ask(
        self,
        questions: Sequence[Question],
        *,
        at_least: int | None = None,
        at_most_s: float = 2.0,
        concern: Concern = any_location,
    ) -> Asked:
        """The rows of these questions; of a state of the views that has reached `at_least` in all that is of concern.

        raises: Unavailable  out of reach, a statement too slow, or not there within at_most_s
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + at_most_s
        while True:
            if at_least is not None:
                await self.reach(at_least, at_most_s=max(0.0, until - loop.time()))
            asked = await self._ask_until_equal(questions)
            if at_least is None:
                return asked
            if asked.position >= at_least and await self._knows_parked_in(asked.generation):
                if any(parked.first <= at_least and concern(parked) for parked in self._parked):
                    raise Unavailable(f"An event until position {at_least} can't be shown yet")
                return asked
            # Another build of the views, perhaps further behind, has taken the place of the one we knew.
            self._arrive(asked.position)

    async def _knows_parked_in(self, generation: int) -> bool:
        """Whether what is known to be parked is so in that generation; looks where it isn't."""
        if self._parked_in != generation:
            asked = await self._ask_until_equal([PARKED])
            self._parked_in = asked.generation
            self._parked = [Parked(row["key"], row["party"], row["first"]) for row in asked.rows[0] if row["key"]]
        return self._parked_in == generation

    async def _ask_until_equal(self, questions: Sequence[Question]) -> Asked:
        trouble: Exception = Unavailable()
        for _ in range(TRIES):
            try:
                return await self._ask(questions)
            except _Unequal as error:
                trouble = error
            except asyncpg.DataError:
                raise  # a value of the wrong type: a bug, although it is an InterfaceError
            except DEAD_SESSION as error:
                trouble = error  # a session that died while nobody used it: the next one may live
            except OUT_OF_REACH as error:
                raise _unavailable(error) from error
        raise _unavailable(trouble) from trouble

    async def _ask(self, questions: Sequence[Question]) -> Asked:
        async with self._sessions.one() as session:
            return await _ask(session, questions)


async def _ask(connection: Connection, questions: Sequence[Question]) -> Asked:
    if len(questions) == 1:
        text, values = questions[0]
        return _asked([await connection.fetch(text, *values)])
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return _asked([await connection.fetch(text, *values) for text, values in questions])


def _asked(rows: list[list[Row]]) -> Asked:
    states = {(of_one[0]["generation"], of_one[0]["pos"]) for of_one in rows if of_one}
    if len(states) != 1 or not all(rows):
        raise _Unequal
    generation, position = states.pop()
    return Asked(generation, position, tuple(rows))


def _unavailable(error: Exception) -> Unavailable:
    log.warning("the views did not answer: %s", type(error).__name__, exc_info=error)
    if isinstance(error, asyncpg.QueryCanceledError):
        return Unavailable("The query takes too long")
    return Unavailable()
