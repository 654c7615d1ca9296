"""How often calls may be made: counted in this process, each over a moving window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.refusals import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.settings import Settings

OFF: Final = "off"


class RateLimit:
    """One limit for many callers. rate: as the limits library writes it, `30/minute`, or `off`. clock: epoch seconds.

    raises: ValueError for a rate that can't be understood
    """

    def __init__(self, rate: str, clock: Callable[[], float] = time.time) -> None:
        self._item = None if rate == OFF else parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._clock = clock

    def count(self, *caller: str) -> None:
        """One more call of this caller. raises: TooManyRequests."""
        if self._item is not None and not self._limiter.hit(self._item, *caller):
            reset_at = self._limiter.get_window_stats(self._item, *caller).reset_time
            raise TooManyRequests(max(1, math.ceil(reset_at - self._clock())))


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits of calls. register, logo_upload, login, read: by client and address; user, machine: by CPO."""

    register: RateLimit
    logo_upload: RateLimit
    login: RateLimit
    read: RateLimit
    user: RateLimit
    machine: RateLimit


def rates_of(settings: Settings) -> Rates:
    """The configured limits, nothing counted yet."""
    return Rates(
        register=RateLimit(settings.rate_register),
        logo_upload=RateLimit(settings.rate_logo_upload),
        login=RateLimit(settings.rate_login),
        read=RateLimit(settings.rate_read),
        user=RateLimit(settings.rate_user),
        machine=RateLimit(settings.rate_machine),
    )
