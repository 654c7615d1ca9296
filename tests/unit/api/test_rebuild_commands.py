"""How far the whole of a rebuild is."""

from __future__ import annotations

import pytest

from api.rebuild_commands import LOOKING, REBUILDING, VERIFYING, done_of_all


@pytest.mark.parametrize("shares", [REBUILDING, VERIFYING, LOOKING])
def test_the_whole_is_done_when_its_last_phase_is(shares: dict[str, float]) -> None:
    assert done_of_all(shares, next(iter(shares)), 0.0) == 0.0
    assert done_of_all(shares, list(shares)[-1], 1.0) == pytest.approx(1.0)


def test_a_phase_counts_those_before_it() -> None:
    assert done_of_all({"one": 0.25, "two": 0.75}, "two", 0.5) == 0.625
