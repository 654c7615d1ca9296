"""As a program: the composed projector, but one that never asks the log by itself once it reads the bus.

The real one pulls from the log whatever waits there when it starts and after a second of silence, so it would not let
the bus be measured alone. Prints a line when it reads the bus; ends, and prints what it did, when its input ends.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

import uvloop

from api import compose, connections, projecting
from api.log import set_up_logging
from api.roles import views_database_id
from api.settings import read_settings

if TYPE_CHECKING:
    from projections.consumer import Consumer

FOR_EVER_S: Final = 3_600.0


async def read_the_bus() -> None:
    settings = read_settings()
    set_up_logging(settings.log_format)
    async with connections.databases(settings) as urls, compose.event_bus(settings, urls) as bus:
        database_id = await views_database_id(urls)
        async with projecting.consumer(urls, bus, database_id, shares_loop=False) as consumer:
            consumer._silence_s = FOR_EVER_S
            async with compose.running(consumer.run(), _say_when_reading(consumer)):
                await asyncio.to_thread(sys.stdin.read)
            print(consumer.state.events, consumer.state.pulled, flush=True)


async def _say_when_reading(consumer: Consumer) -> None:
    while consumer._subscription is None:
        await asyncio.sleep(0.01)
    print("reading", flush=True)


if __name__ == "__main__":
    uvloop.run(read_the_bus())
