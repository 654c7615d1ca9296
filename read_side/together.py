"""Equal questions that come at once are asked once: who comes while one is under way goes with the next.

So everybody is answered from a state of the views that is no older than his own question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Together(Generic[T]):
    """The questions under way, each once, and behind each the one that waits for it to end."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Future[T]] = {}
        self._next: dict[Hashable, asyncio.Future[T]] = {}

    async def ask(self, key: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        """The answer of `question`, shared with those who ask the same meanwhile. raises: what it raises."""
        while shared := self._next.get(key):
            try:
                # Who is cancelled leaves the others their answer.
                return await asyncio.shield(shared)
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if not shared.cancelled() or (me is not None and me.cancelling()):
                    raise
                # Who asked for all was cancelled: somebody else does.
        return await self._ask_for_all(key, question)

    async def _ask_for_all(self, key: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        self._next[key] = shared = asyncio.get_running_loop().create_future()
        try:
            if before := self._asked.get(key):
                await asyncio.wait([before])
            self._asked[key] = self._next.pop(key)
            answer = await question()
        except Exception as error:
            shared.set_exception(error)
            shared.exception()  # where nobody shares it, it is told all the same: by this
            raise
        else:
            shared.set_result(answer)
            return answer
        finally:
            shared.cancel()  # where it has no answer: this was cancelled
            for futures in (self._asked, self._next):
                if futures.get(key) is shared:
                    del futures[key]
