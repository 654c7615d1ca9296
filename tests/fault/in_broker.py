"""Faults of RabbitMQ and of the way to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aio_pika
from aio_pika.exceptions import ChannelNotFoundEntity

from projections.bus import queue_of
from projections.migrate import DATABASE_ID

if TYPE_CHECKING:
    from random import Random

    from tests.fault.service import Service

TICK_S: Final = 0.02


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
    queue = await _queue(service)
    await asyncio.sleep(chance.uniform(0, 0.3))
    connection = await aio_pika.connect(service.broker.url)
    async with connection, connection.channel() as channel:
        await channel.queue_delete(queue)


async def queue_left_without_leader(service: Service, chance: Random) -> None:
    """RabbitMQ is wiped, and killed as soon as the queue is there again: 3.10 comes back with a queue that is dead."""
    queue = await _queue(service)
    await wiped(service, chance)
    connection = await aio_pika.connect(service.broker.url)
    async with connection:
        while True:
            try:
                async with connection.channel() as channel:
                    await channel.declare_queue(queue, passive=True)
                break
            except ChannelNotFoundEntity:
                await asyncio.sleep(TICK_S)
    service.broker.kill()
    await service.broker.start()


async def _queue(service: Service) -> str:
    async with service.session() as session:
        return queue_of(await session.fetchval(DATABASE_ID))
