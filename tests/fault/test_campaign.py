"""A short campaign; `make fault` runs a long one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from tests.fault.campaign import writing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fault.campaign import Outcome

FAULTS: Final = int(os.environ.get("EMSP_TEST_FAULTS", "12"))
SEED: Final = int(os.environ.get("EMSP_TEST_SEED", "3747"))


@pytest.mark.timeout(60 + 30 * FAULTS)
async def test_whatever_fails_no_accepted_command_is_lost_and_none_applied_twice(tmp_path: Path, amqp_url: str) -> None:
    outcomes: list[Outcome] = []
    async with writing(tmp_path, SEED) as campaign:
        await campaign.suffer(FAULTS, outcomes.append)
    assert len(outcomes) == FAULTS
