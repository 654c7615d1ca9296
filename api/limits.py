"""How often a call may be made: counted in this process, over a moving window."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.refusals import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable


class RateLimit:
    """One limit for many callers. rate: as the limits library writes it, `30/minute`. clock: epoch seconds.

    raises: ValueError for a rate that can't be understood
    """

    def __init__(self, rate: str, clock: Callable[[], float] = time.time) -> None:
        self._item = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock = clock

    def count(self, *caller: str) -> None:
        """One more call of this caller. raises: TooManyRequests."""
        if not self._limiter.hit(self._item, *caller):
            reset_at = self._limiter.get_window_stats(self._item, *caller).reset_time
            raise TooManyRequests(max(1, math.ceil(reset_at - self._clock())))
