"""Waiting in tests: for a condition, with a limit; never for a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], bool], *, at_most_s: float = 15.0) -> None:
    """Return as soon as it holds. raises: TimeoutError."""
    async with asyncio.timeout(at_most_s):
        while not condition():
            await asyncio.sleep(0.01)


async def until_equal(ask: Callable[[], Awaitable[object]], expected: object, *, at_most_s: float = 15.0) -> None:
    """Return as soon as the answer is that. raises: TimeoutError, AssertionError with the last answer."""
    answer: object = None
    try:
        async with asyncio.timeout(at_most_s):
            while (answer := await ask()) != expected:
                await asyncio.sleep(0.01)
    except TimeoutError:
        assert answer == expected
        raise
