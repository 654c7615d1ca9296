"""Faults of RabbitMQ and of the way to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aio_pika

from projections.bus import queue_of
from projections.migrate import DATABASE_ID

if TYPE_CHECKING:
    from random import Random

    from tests.fault.service import Service


async def connections_cut(service: Service, chance: Random) -> None:
    """Every connection breaks, a few times, wherever the window of unconfirmed ranges is."""
    for _ in range(chance.randint(1, 4)):
        await asyncio.sleep(chance.uniform(0, 0.4))
        service.broker_line.cut()


async def silent(service: Service, chance: Random) -> None:
    """What is published arrives, but no confirm and no delivery comes back; then the connections break."""
    service.broker_line.swallow()
    await asyncio.sleep(chance.uniform(0.3, 2))
    service.broker_line.cut()
    service.broker_line.answer()


async def stopped(service: Service, chance: Random) -> None:
    """RabbitMQ is stopped by its operator, and started."""
    await asyncio.to_thread(service.broker.stop)
    await asyncio.sleep(chance.uniform(0, 1))
    await service.broker.start()


async def killed(service: Service, chance: Random) -> None:
    """RabbitMQ is killed, and started."""
    await asyncio.sleep(chance.uniform(0, 0.3))
    service.broker.kill()
    await service.broker.start()


async def wiped(service: Service, chance: Random) -> None:
    """RabbitMQ comes back without anything that it had."""
    await asyncio.sleep(chance.uniform(0, 0.3))
    await asyncio.to_thread(service.broker.wipe)
    await service.broker.start()


async def queue_deleted(service: Service, chance: Random) -> None:
    """The views' queue is deleted with all that is in it."""
    async with service.session() as session:
        queue = queue_of(await session.fetchval(DATABASE_ID))
    await asyncio.sleep(chance.uniform(0, 0.3))
    connection = await aio_pika.connect(service.broker.url)
    async with connection, connection.channel() as channel:
        await channel.queue_delete(queue)
