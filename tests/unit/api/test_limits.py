from __future__ import annotations

import pytest

from api.limits import RateLimit
from api.refusals import TooManyRequests


def test_a_caller_is_refused_beyond_the_rate_and_told_when_to_come_again() -> None:
    limit = RateLimit("2/hour")
    limit.count("app", "203.0.113.1")
    limit.count("app", "203.0.113.1")
    with pytest.raises(TooManyRequests) as refused:
        limit.count("app", "203.0.113.1")
    assert 3_500 <= refused.value.retry_after_s <= 3_600


def test_clients_and_addresses_are_counted_apart() -> None:
    limit = RateLimit("1/hour")
    for caller in [("app", "203.0.113.1"), ("app", "203.0.113.2"), ("desk", "203.0.113.1")]:
        limit.count(*caller)
    with pytest.raises(TooManyRequests):
        limit.count("app", "203.0.113.2")


def test_a_limit_that_is_off_refuses_nobody() -> None:
    limit = RateLimit("off")
    for _ in range(1_000):
        limit.count("app", "203.0.113.1")


def test_a_rate_that_cannot_be_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="string"):
        RateLimit("often")
