"""How ranges of events get from the publisher to projectors: over RabbitMQ, or inside one process.

Both buses have the same two verbs and may both lose, repeat or reorder what they carry: the log is the truth,
and `consumer.py` puts right what a bus does wrong. What they must not do is to fail in silence.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import aio_pika
import msgspec
import structlog
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, ChannelNotFoundEntity
from aiormq.abc import DeliveredMessage

from write_side.events.ranges import CONTENT_TYPE, Range, decode_range, encode_range

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aio_pika.abc import (
        AbstractIncomingMessage,
        AbstractRobustChannel,
        AbstractRobustConnection,
        AbstractRobustExchange,
        AbstractRobustQueue,
    )

LOG: Final = structlog.get_logger(__name__)

EXCHANGE: Final = "emsp.events"

QUEUE_ARGUMENTS: Final[dict[str, Any]] = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-delivery-limit": 20,
    "x-expires": 7 * 24 * 3_600 * 1_000,
    "x-max-length": 50_000,
    "x-overflow": "drop-head",
}
"""A queue that nobody reads for a week goes; a long one drops its oldest: the log has them all. Changed arguments
need another name of the queue, since a broker refuses to declare a queue again with others."""

PREFETCH: Final = 64
"""Messages under way to a consumer; each has up to 200 events."""

DELETE_S: Final = 15.0
"""A broker looks five seconds for the leader of a quorum queue before it deletes one that has none."""

WAITING_RANGES: Final = 50
"""How many ranges, some 64 kB each, the in-process bus holds for a slow projector before it drops the oldest."""


class BrokerOutOfReach(Exception):
    """The broker did not answer, or not in time. What was to be published may have been, or not."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One range that arrived. ack: it and all earlier deliveries of its subscription are done with."""

    range: Range
    ack: Callable[[], Awaitable[None]]


class Subscription(Protocol):
    """One reader's place at the bus."""

    async def receive(self, *, within_s: float) -> Delivery | None:
        """The next delivery; None after that much silence, or when something may have been missed. 0: do not wait."""

    async def close(self) -> None:
        """Receive no more; what was not acked goes to the next subscription of that queue."""


class EventBus(Protocol):
    """What carries ranges. Fans out: each queue gets every range that is published while it exists."""

    async def publish(self, run: Range) -> None:
        """Return when the range is safe with the bus. raises: BrokerOutOfReach."""

    async def subscribe(self, queue: str) -> Subscription:
        """Read that queue, which comes into being when it is not there. raises: BrokerOutOfReach."""

    async def close(self) -> None:
        """Let go of everything that was opened."""


def exchange_of(log_id: object) -> str:
    """The exchange of an event log: ranges of another log, whose positions mean other events, never come through it."""
    return f"{EXCHANGE}.{log_id}"


def queue_of(database_id: object) -> str:
    """The queue of a views database."""
    return f"emsp.views.{database_id}"


class _Arrivals:
    """What has arrived and was not yet looked at. A None stands for: look into the log."""

    def __init__(self, at_most: int) -> None:
        self._waiting: asyncio.Queue[Delivery | None] = asyncio.Queue(at_most)

    def put(self, arrival: Delivery | None) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(arrival)

    async def receive(self, *, within_s: float) -> Delivery | None:
        if not self._waiting.empty():
            return self._waiting.get_nowait()
        if not within_s:
            return None
        try:
            async with asyncio.timeout(within_s):
                return await self._waiting.get()
        except TimeoutError:
            return None


class InProcessBus:
    """The bus of `emsp run`: no broker, one process. Slow readers lose the oldest ranges."""

    def __init__(self) -> None:
        self._readers: list[_InProcessSubscription] = []

    async def publish(self, run: Range) -> None:
        """Hand the range to everybody who reads."""
        for reader in self._readers:
            reader.arrivals.put(Delivery(run, _nothing))

    async def subscribe(self, queue: str) -> Subscription:
        """Read from now on; the queue's name has no meaning here."""
        del queue
        reader = _InProcessSubscription(self._readers)
        self._readers.append(reader)
        return reader

    async def close(self) -> None:
        """Everybody stops reading."""
        self._readers.clear()


class _InProcessSubscription:
    def __init__(self, readers: list[_InProcessSubscription]) -> None:
        self.arrivals = _Arrivals(WAITING_RANGES)
        self._readers = readers

    async def receive(self, *, within_s: float) -> Delivery | None:
        return await self.arrivals.receive(within_s=within_s)

    async def close(self) -> None:
        if self in self._readers:
            self._readers.remove(self)


async def _nothing() -> None:
    """An in-process delivery needs no ack."""


class AmqpBus:
    """The bus of many machines: a fanout exchange, a quorum queue for each views database.

    connect opens a robust connection; it is called when one is needed first, so that a process can start while the
    broker is away. exchange: of the log that is carried. unroutable: published ranges that no queue took;
    unreadable: messages that were none of ours.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AbstractRobustConnection]],
        *,
        exchange: str = EXCHANGE,
        confirm_s: float = 5.0,
    ) -> None:
        self.exchange = exchange
        self.unroutable = 0
        self.unreadable = 0
        self._connect = connect
        self.confirm_s = confirm_s
        self._connecting: asyncio.Future[AbstractRobustConnection] | None = None
        self._opening = asyncio.Lock()
        # aio-pika holds channels weakly: without this reference a reconnect would not bring ours back.
        self._channel: AbstractRobustChannel | None = None
        self._open_exchange: AbstractRobustExchange | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there now."""
        task = self._connecting
        return task is not None and _succeeded(task) and task.result().connected.is_set()

    async def publish(self, run: Range) -> None:
        """Return when the broker has confirmed the range. raises: BrokerOutOfReach."""
        message = aio_pika.Message(
            encode_range(run), content_type=CONTENT_TYPE, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        try:
            async with asyncio.timeout(self.confirm_s):
                exchange = await self._opened_exchange()
                answer = await exchange.publish(message, routing_key="", mandatory=True)
        except CONNECTION_EXCEPTIONS as trouble:
            raise BrokerOutOfReach(_said_by(trouble)) from trouble
        if isinstance(answer, DeliveredMessage):
            self.unroutable += 1

    async def subscribe(self, queue: str) -> Subscription:
        """Read that queue, alone among those that do; the others wait. raises: BrokerOutOfReach.

        A queue that is there but can't be read is deleted, since nothing is in it that the log does not have.
        """
        subscription = _AmqpSubscription(self)
        try:
            async with asyncio.timeout(self.confirm_s):
                connection = await self._connected()
                declared = await subscription.open(connection.channel(), queue)
            try:
                async with asyncio.timeout(self.confirm_s):
                    await subscription.read(declared)
            except TimeoutError:
                await self._delete(queue)
                raise
        except CONNECTION_EXCEPTIONS as trouble:
            await subscription.close()
            raise BrokerOutOfReach(_said_by(trouble)) from trouble
        return subscription

    async def reach(self) -> None:
        """Connect, where nothing has needed it before. raises: BrokerOutOfReach."""
        try:
            async with asyncio.timeout(self.confirm_s):
                await self._connected()
        except CONNECTION_EXCEPTIONS as trouble:
            raise BrokerOutOfReach(_said_by(trouble)) from trouble

    async def depth(self, queue: str) -> int | None:
        """How many messages wait in that queue; None where it is not there. raises: BrokerOutOfReach."""
        try:
            async with asyncio.timeout(self.confirm_s), (await self._connected()).channel() as channel:
                declared = await channel.declare_queue(queue, passive=True)
                return declared.declaration_result.message_count
        except ChannelNotFoundEntity:
            return None
        except CONNECTION_EXCEPTIONS as trouble:
            raise BrokerOutOfReach(_said_by(trouble)) from trouble

    async def close(self) -> None:
        """Close the connection and all channels of it."""
        task, self._connecting = self._connecting, None
        self._channel = self._open_exchange = None
        if task is not None and _succeeded(task):
            with suppress(*CONNECTION_EXCEPTIONS):
                async with asyncio.timeout(self.confirm_s):
                    await task.result().close()
        elif task is not None:
            task.cancel()

    async def _delete(self, queue: str) -> None:
        LOG.warning("bus.queue_without_leader", queue=queue)
        async with asyncio.timeout(DELETE_S), (await self._connected()).channel() as channel:
            await channel.queue_delete(queue)

    async def _connected(self) -> AbstractRobustConnection:
        # Shielded: a caller that gives up must not leave half a connection behind, which would go on by itself.
        if self._connecting is None or (self._connecting.done() and not _succeeded(self._connecting)):
            self._connecting = asyncio.ensure_future(self._connect())
        return await asyncio.shield(self._connecting)

    async def _opened_exchange(self) -> AbstractRobustExchange:
        async with self._opening:
            if self._open_exchange is None:
                self._channel = (await self._connected()).channel()
                await self._channel.initialize()
                self._open_exchange = await _declare_exchange(self._channel, self.exchange)
            return self._open_exchange


class _AmqpSubscription:
    """A channel of its own; robust, so that channel, queue and consumer come back by themselves."""

    def __init__(self, bus: AmqpBus) -> None:
        self._bus = bus
        # More than prefetch lets through: nothing that waits for its ack is ever dropped here.
        self._arrivals = _Arrivals(2 * PREFETCH)
        self._channel: AbstractRobustChannel | None = None

    async def open(self, channel: AbstractRobustChannel, queue_name: str) -> AbstractRobustQueue:
        self._channel = channel
        await channel.initialize()
        await channel.set_qos(prefetch_count=PREFETCH)
        exchange = await _declare_exchange(channel, self._bus.exchange)
        queue = await channel.declare_queue(queue_name, durable=True, arguments=QUEUE_ARGUMENTS)
        await queue.bind(exchange)
        channel.reopen_callbacks.add(self._on_reopened)
        return queue

    async def read(self, queue: AbstractRobustQueue) -> None:
        await queue.consume(self._on_message)

    async def receive(self, *, within_s: float) -> Delivery | None:
        return await self._arrivals.receive(within_s=within_s)

    async def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(*CONNECTION_EXCEPTIONS):
                async with asyncio.timeout(self._bus.confirm_s):
                    await channel.close()

    def _on_reopened(self, *_: object) -> None:
        self._arrivals.put(None)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        try:
            run = decode_range(message.body)
        except msgspec.MsgspecError as fault:
            # No range is lost by this: whatever it was, the log has all events, and a hole is pulled from there.
            self._bus.unreadable += 1
            LOG.warning("bus.message_unreadable", message_id=message.message_id, fault=str(fault))
            await _ack(message, multiple=False)
            return
        self._arrivals.put(Delivery(run, partial(_ack, message, multiple=True)))


async def _ack(message: AbstractIncomingMessage, *, multiple: bool) -> None:
    # The ack of a message from before a reconnect can't be sent; the message comes again and is then old.
    with suppress(*CONNECTION_EXCEPTIONS):
        await message.ack(multiple=multiple)


async def _declare_exchange(channel: AbstractRobustChannel, name: str) -> AbstractRobustExchange:
    return await channel.declare_exchange(name, aio_pika.ExchangeType.FANOUT, durable=True)


def _succeeded(task: asyncio.Future[AbstractRobustConnection]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _said_by(trouble: BaseException) -> str:
    return str(trouble) or type(trouble).__name__
