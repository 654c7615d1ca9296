"""Faults of the service's own processes: killed, stopped for a while and overtaken, with a wrong clock."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Final

from tests.fault.in_store import terminate
from tests.fault.service import ROLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tests.fault.service import Service

WITH_ANOTHER_CLOCK: Final = """
from datetime import timedelta
from api import compose
from api.cli import main
right = compose.now
compose.now = lambda: right() + timedelta(hours={hours})
main()
"""
FOLLOWED_BY_ANOTHER: Final = {"publish": "emsp publisher", "project": "emsp projector"}
"""Roles of which one leads, and its session's name."""


def killed(role: str) -> Callable[[Service, Random], Awaitable[None]]:
    """kill -9 of a process of that role, the leader where one leads; started again after a moment."""

    async def inflict(service: Service, chance: Random) -> None:
        name = await service.leader_of(role) if role in FOLLOWED_BY_ANOTHER else role
        await asyncio.sleep(chance.uniform(0, 0.3))
        service.emsp.kill(name)
        await asyncio.sleep(chance.uniform(0, 1.5))
        service.start(name)

    return inflict


def zombie(role: str) -> Callable[[Service, Random], Awaitable[None]]:
    """The leader is stopped, its session ends, another leads; then it wakes, and believes that it leads still."""

    async def inflict(service: Service, chance: Random) -> None:
        name = await service.leader_of(role)
        process = service.emsp.running[name]
        await asyncio.sleep(chance.uniform(0, 0.3))
        process.send_signal(signal.SIGSTOP)
        try:
            await terminate(service, FOLLOWED_BY_ANOTHER[role])
            await service.leader_of(role, but=name)
            await asyncio.sleep(chance.uniform(0, 1))
        finally:
            process.send_signal(signal.SIGCONT)

    return inflict


async def all_killed(service: Service, chance: Random) -> None:
    """kill -9 of every process at once."""
    await asyncio.sleep(chance.uniform(0, 0.3))
    for name in list(service.emsp.running):
        service.emsp.kill(name)
    for name in ROLES:
        service.start(name)


async def wrong_clock(service: Service, chance: Random) -> None:
    """The API comes back on a machine whose clock is wrong by hours, works there, and returns."""
    hours = chance.choice([-1, 1]) * chance.randint(1, 12)
    service.emsp.kill("api")
    service.start("api", (sys.executable, "-c", WITH_ANOTHER_CLOCK.format(hours=hours)))
    await service.emsp.until_ready()
    await asyncio.sleep(chance.uniform(0.5, 1.5))
    service.emsp.kill("api")
    service.start("api")
