"""Sessions to a database that go from one question to the next as they are."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg

    Session = asyncpg.Connection[Any]


CLOSE_S: Final = 1.0


class Sessions:
    """Lends sessions, for questions that leave nothing behind in them: no setting, no lock, no open transaction.

    So nothing has to be tidied up. asyncpg's pool makes a task and two timers of each release to do that: as much work
    as the question itself where that is small (docs/decisions/0025). A session whose question failed is not lent again.

    connect: opens one; most: at the same time; wait_s: how long to wait for one that others have
    """

    def __init__(self, connect: Callable[[], Awaitable[Session]], most: int, *, wait_s: float) -> None:
        self._connect = connect
        self._wait_s = wait_s
        # What was used last is lent first; None where a session has yet to be opened.
        self._places: asyncio.LifoQueue[Session | None] = asyncio.LifoQueue()
        for _ in range(most):
            self._places.put_nowait(None)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Session]:
        """Lend one. raises: TimeoutError; what opening it raises."""
        session = await self._place()
        try:
            if session is None or session.is_closed():
                session = await self._connect()
            yield session
        except BaseException:
            if session is not None:
                session.terminate()
                session = None
            raise
        finally:
            self._places.put_nowait(session)

    async def fetch(self, text: str, *values: object) -> list[asyncpg.Record]:
        """The rows of a question. raises: as `one`; what asyncpg raises."""
        async with self.one() as session:
            return await session.fetch(text, *values)

    async def close(self) -> None:
        """Close those that nobody has; a server that says nothing to that holds nobody up."""
        while not self._places.empty():
            session = self._places.get_nowait()
            if session is not None:
                with suppress(OSError):
                    await session.close(timeout=CLOSE_S)

    async def _place(self) -> Session | None:
        if not self._places.empty():
            return self._places.get_nowait()
        async with asyncio.timeout(self._wait_s):
            return await self._places.get()
