"""Not faults, but what they may fall into: the views built anew under load, and a build that is killed half way."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from tests.support import processes
from tests.support.emsp import EMSP

if TYPE_CHECKING:
    from random import Random

    from tests.fault.service import Service


async def rebuilt(service: Service, _chance: Random) -> None:
    """`emsp rebuild`."""
    await service.emsp.command("rebuild")


async def rebuild_killed(service: Service, chance: Random) -> None:
    """`emsp rebuild`, killed somewhere, alone or with the processes that it started; then started again."""
    process = processes.start([EMSP, "rebuild"], service.emsp.environment, service.emsp.folder / "rebuild.log")
    await asyncio.sleep(chance.uniform(0.5, 3))
    if chance.random() < 0.5:
        os.kill(process.pid, signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(processes.STOP_S)
    await service.emsp.command("rebuild")
