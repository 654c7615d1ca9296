"""Both buses under one contract; then the whole way from the log to the views over each of them, with faults."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import pytest
from structlog.testing import capture_logs

from api import compose
from api.migrate import migrate_event_store
from projections.bus import AmqpBus, BrokerOutOfReach, EventBus, InProcessBus, Subscription, exchange_of, queue_of
from projections.consumer import Consumer
from projections.migrate import create_views
from projections.projector import LEADER_LOCK, Projector
from tests.support.builders import (
    CODEC,
    evse_registered,
    evse_status_changed,
    location_registered,
    recorded,
)
from tests.support.databases import WAITING_FOR_A_LOCK
from tests.support.event_log import append, pulling
from tests.support.proxy import Proxy
from tests.support.rabbitmq import private_node
from tests.support.until import until, until_equal
from write_side.events.ranges import Range, range_of
from write_side.store.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from aio_pika.abc import AbstractRobustConnection
    from eventsourcing.domain import DomainEvent
    from structlog.typing import EventDict

    from projections.bus import Delivery

LOG: Final = recorded([evse_status_changed("CHARGING", version=2 + nr) for nr in range(20)])
SILENCE_S: Final = 0.2


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[EventDict]]:
    """What was logged, as data."""
    with capture_logs() as lines:
        yield lines


def run(first: int, last: int) -> Range:
    return range_of(LOG[first - 1 : last])


def connecting(url: str) -> Callable[[], Any]:
    async def connect() -> AbstractRobustConnection:
        return await aio_pika.connect_robust(url, reconnect_interval=0.1, timeout=5)

    return connect


@asynccontextmanager
async def administering(url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """A channel beside the bus: what an operator does to a broker."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


@pytest.fixture
async def queue() -> str:
    """The name of a queue of this test alone."""
    return queue_of(uuid4())


@pytest.fixture
async def exchange() -> str:
    """The name of an exchange of this test alone."""
    return exchange_of(uuid4())


@pytest.fixture(params=["in-process", "amqp"])
async def bus(request: pytest.FixtureRequest, exchange: str, queue: str) -> AsyncIterator[EventBus]:
    """Each kind of bus."""
    if request.param == "in-process":
        yield InProcessBus()
    else:
        async with amqp_bus(request.getfixturevalue("amqp_url"), exchange, queue) as one:
            yield one


@pytest.fixture
async def amqp(amqp_url: str, exchange: str, queue: str) -> AsyncIterator[AmqpBus]:
    """The bus over RabbitMQ."""
    async with amqp_bus(amqp_url, exchange, queue) as one:
        yield one


@pytest.fixture
async def proxied(amqp_url: str, exchange: str, queue: str) -> AsyncIterator[tuple[Proxy, AmqpBus]]:
    """The bus over RabbitMQ, and the line between them."""
    url = urlsplit(amqp_url)
    async with Proxy(url.hostname or "127.0.0.1", url.port or 5672) as proxy:
        account = f"{url.username or 'guest'}:{url.password or 'guest'}"
        behind = url._replace(netloc=f"{account}@127.0.0.1:{proxy.port}").geturl()
        async with amqp_bus(behind, exchange, queue) as one:
            yield proxy, one
            proxy.accept()
            proxy.answer()


@asynccontextmanager
async def amqp_bus(url: str, exchange: str, queue: str) -> AsyncIterator[AmqpBus]:
    """A bus over RabbitMQ; nothing of it stays on the broker."""
    one = AmqpBus(connecting(url), exchange=exchange)
    try:
        yield one
    finally:
        await one.close()
        async with administering(url) as channel:
            await channel.queue_delete(queue)
            await channel.exchange_delete(exchange)


async def delete_queue(url: str, name: str) -> None:
    async with administering(url) as channel:
        await channel.queue_delete(name)


async def next_of(subscription: Subscription) -> Delivery:
    delivery = await subscription.receive(within_s=5)
    assert delivery is not None
    return delivery


# --- the contract of both buses -----------------------------------------------------------------


async def test_what_is_published_arrives_whole_and_in_order(bus: EventBus, queue: str) -> None:
    subscription = await bus.subscribe(queue)
    for one in (run(1, 3), run(4, 4), run(5, 20)):
        await bus.publish(one)
    arrived = [await next_of(subscription) for _ in range(3)]
    assert [delivery.range for delivery in arrived] == [run(1, 3), run(4, 4), run(5, 20)]
    await arrived[-1].ack()
    await subscription.close()


async def test_silence_is_none(bus: EventBus, queue: str) -> None:
    subscription = await bus.subscribe(queue)
    assert await subscription.receive(within_s=0) is None
    assert await subscription.receive(within_s=0.05) is None
    await bus.publish(run(1, 1))
    assert (await next_of(subscription)).range == run(1, 1)
    await subscription.close()


async def test_every_queue_gets_every_range(bus: EventBus, queue: str, request: pytest.FixtureRequest) -> None:
    other_queue = queue_of(uuid4())
    one, other = await bus.subscribe(queue), await bus.subscribe(other_queue)
    await bus.publish(run(1, 2))
    assert (await next_of(one)).range == (await next_of(other)).range == run(1, 2)
    await one.close()
    await other.close()
    if isinstance(bus, AmqpBus):
        await delete_queue(request.getfixturevalue("amqp_url"), other_queue)


async def test_publishing_to_nobody_is_no_error(bus: EventBus) -> None:
    await bus.publish(run(1, 2))


async def test_a_closed_subscription_hears_no_more(bus: EventBus, queue: str) -> None:
    subscription = await bus.subscribe(queue)
    await subscription.close()
    await bus.publish(run(1, 1))
    assert await subscription.receive(within_s=0.05) is None


# --- what only RabbitMQ can do ------------------------------------------------------------------


async def test_what_was_not_acked_comes_again(amqp: AmqpBus, queue: str) -> None:
    subscription = await amqp.subscribe(queue)
    for one in (run(1, 1), run(2, 2), run(3, 3)):
        await amqp.publish(one)
    first, second, _ = [await next_of(subscription) for _ in range(3)]
    await second.ack()
    assert first.range == run(1, 1)
    await subscription.close()
    again = await amqp.subscribe(queue)
    assert (await next_of(again)).range == run(3, 3)
    await again.close()


async def test_an_ack_after_a_cut_is_no_error_and_the_message_comes_again(
    proxied: tuple[Proxy, AmqpBus], queue: str
) -> None:
    proxy, bus = proxied
    subscription = await bus.subscribe(queue)
    await bus.publish(run(1, 1))
    delivery = await next_of(subscription)
    proxy.cut()
    await until(lambda: not bus.is_connected)
    await delivery.ack()
    assert await _first_delivery(subscription) == run(1, 1)


async def test_a_reconnect_is_told_so_that_the_log_is_asked(proxied: tuple[Proxy, AmqpBus], queue: str) -> None:
    proxy, bus = proxied
    subscription = await bus.subscribe(queue)
    proxy.cut()
    async with asyncio.timeout(10):
        assert await subscription.receive(within_s=3_600) is None
    await bus.publish(run(1, 1))
    assert await _first_delivery(subscription) == run(1, 1)


async def test_the_depth_of_a_queue(amqp: AmqpBus, queue: str) -> None:
    assert await amqp.depth(queue) is None
    await (await amqp.subscribe(queue)).close()
    for nr in range(1, 4):
        await amqp.publish(run(nr, nr))
    await until_equal(lambda: amqp.depth(queue), 3)


async def test_of_two_readers_of_a_queue_one_reads_and_the_other_takes_over(amqp: AmqpBus, queue: str) -> None:
    one, other = await amqp.subscribe(queue), await amqp.subscribe(queue)
    for nr in range(1, 6):
        await amqp.publish(run(nr, nr))
    assert [(await next_of(one)).range.first for _ in range(5)] == [1, 2, 3, 4, 5]
    assert await other.receive(within_s=0.05) is None
    await one.close()
    assert [(await next_of(other)).range.first for _ in range(5)] == [1, 2, 3, 4, 5]
    await other.close()


async def test_a_message_that_is_no_range_is_counted_and_dropped(amqp: AmqpBus, amqp_url: str, queue: str) -> None:
    subscription = await amqp.subscribe(queue)
    async with administering(amqp_url) as channel:
        exchange = await channel.get_exchange(amqp.exchange)
        await exchange.publish(aio_pika.Message(b"\xc1 not ours"), routing_key="")
    await amqp.publish(run(1, 1))
    assert (await next_of(subscription)).range == run(1, 1)
    assert amqp.unreadable == 1
    await subscription.close()


async def test_a_range_that_no_queue_takes_is_counted(amqp: AmqpBus) -> None:
    await amqp.publish(run(1, 1))
    assert amqp.unroutable == 1


async def test_a_deleted_queue_comes_back_by_itself(amqp: AmqpBus, amqp_url: str, queue: str) -> None:
    subscription = await amqp.subscribe(queue)
    await delete_queue(amqp_url, queue)
    async with asyncio.timeout(15):
        while True:
            await amqp.publish(run(1, 1))
            if await subscription.receive(within_s=0.2) is not None:
                break
    await subscription.close()


async def test_a_broker_that_is_away_is_said_and_found_again(proxied: tuple[Proxy, AmqpBus], queue: str) -> None:
    proxy, bus = proxied
    proxy.refuse()
    with pytest.raises(BrokerOutOfReach):
        await bus.publish(run(1, 1))
    with pytest.raises(BrokerOutOfReach):
        await bus.subscribe(queue)
    with pytest.raises(BrokerOutOfReach):
        await bus.depth(queue)
    proxy.accept()
    subscription = await bus.subscribe(queue)
    await bus.publish(run(1, 1))
    assert (await next_of(subscription)).range == run(1, 1)
    assert bus.is_connected


async def test_a_confirm_that_does_not_come_is_not_waited_for_for_ever(
    proxied: tuple[Proxy, AmqpBus], queue: str
) -> None:
    proxy, bus = proxied
    bus.confirm_s = 0.5
    subscription = await bus.subscribe(queue)
    await bus.publish(run(1, 1))
    proxy.swallow()
    with pytest.raises(BrokerOutOfReach):
        await bus.publish(run(2, 2))
    proxy.answer()
    await bus.publish(run(2, 2))
    arrived = [(await next_of(subscription)).range.first for _ in range(3)]
    assert arrived == [1, 2, 2]


async def _first_delivery(subscription: Subscription) -> Range:
    """Past the Nones that say that something may have been missed."""
    async with asyncio.timeout(10):
        while (delivery := await subscription.receive(within_s=1)) is None:
            pass
    return delivery.range


# --- the whole way: log → publisher → bus → consumer → views ------------------------------------


class Way:
    """One log, one views database, one bus between them; publisher and consumers come and go."""

    def __init__(self, database: str, pool: asyncpg.Pool[Any], bus: EventBus, queue: str) -> None:
        self.pool = pool
        self.bus = bus
        self._database = database
        self._queue = queue

    async def connect(self) -> asyncpg.Connection[Any]:
        return await asyncpg.connect(self._database, server_settings={"search_path": "views, public"})

    async def append(self, *events: DomainEvent) -> int:
        async with self.pool.acquire() as connection:
            return await append(connection, events)  # type: ignore[arg-type]  # a pool lends a proxy of one

    async def checkpoint(self) -> int:
        position: int = await self.pool.fetchval("select pos from views.checkpoint")
        return position

    async def statuses(self) -> dict[str, str]:
        """Status by uid, out of the documents; equal in both views."""
        rows = await self.pool.fetch("select uid_key, document::json ->> 'status' from views.evse_view")
        listed = await self.pool.fetch(
            "select lower(evse ->> 'uid'), evse ->> 'status'"
            "  from views.location_view, json_array_elements(evses::json) evse"
        )
        assert dict(rows) == dict(listed)
        return dict(rows)

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Publisher]:
        publisher = Publisher(self.connect, self.bus.publish, tick_s=0.05)
        async with _running(publisher):
            yield publisher

    @asynccontextmanager
    async def consuming(
        self, *, max_batch_s: float | None = None, silence_s: float = SILENCE_S
    ) -> AsyncIterator[Consumer]:
        consumer = Consumer(
            bus=self.bus,
            queue=self._queue,
            pull=pulling(self.pool),
            projector=Projector(self.connect, CODEC),
            max_batch_s=max_batch_s,
            silence_s=silence_s,
            standby_s=0.05,
        )
        async with _running(consumer):
            yield consumer


@asynccontextmanager
async def _running(one: Publisher | Consumer) -> AsyncIterator[None]:
    task = asyncio.create_task(one.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def a_way(database: str, bus: EventBus, queue: str) -> AsyncIterator[Way]:
    connection = await asyncpg.connect(database)
    await migrate_event_store(connection)
    await create_views(connection, database_id=UUID(int=1))
    await connection.close()
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        yield Way(database, pool, bus, queue)


@pytest.fixture
async def way(database: str, bus: EventBus, queue: str) -> AsyncIterator[Way]:
    """The way over each kind of bus."""
    async with a_way(database, bus, queue) as one:
        yield one


@pytest.fixture
async def amqp_way(database: str, amqp: AmqpBus, queue: str) -> AsyncIterator[Way]:
    """The way over RabbitMQ."""
    async with a_way(database, amqp, queue) as one:
        yield one


BEGIN: Final = (location_registered(), evse_registered("A1"), evse_registered("B2"))
_versions: Final = iter(range(2, 1_000_000))


def changes(*statuses: str, uid: str = "A1") -> list[DomainEvent]:
    return [evse_status_changed(status, uid, version=next(_versions)) for status in statuses]


async def test_events_reach_the_views_over_the_bus(way: Way) -> None:
    await way.append(*BEGIN)
    async with way.publishing(), way.consuming(silence_s=3_600) as consumer:
        await until_equal(way.checkpoint, 3)
        await until(lambda: consumer._subscription is not None)
        pulled = consumer.state.pulled
        last = await way.append(*changes("CHARGING", "AVAILABLE", "BLOCKED"))
        await until_equal(way.checkpoint, last)
        assert await way.statuses() == {"a1": "BLOCKED", "b2": "AVAILABLE"}
        assert consumer.state.pulled == pulled
        assert (consumer.state.head, consumer.state.error) == (last, None)


async def test_without_a_publisher_the_log_is_asked(way: Way) -> None:
    async with way.consuming():
        last = await way.append(*BEGIN)
        await until_equal(way.checkpoint, last)
        last = await way.append(*changes("CHARGING"))
        await until_equal(way.checkpoint, last)


async def test_repeated_overlapping_and_reordered_ranges_with_holes_are_put_right(way: Way) -> None:
    await way.append(*BEGIN, *changes("CHARGING", "BLOCKED", "RESERVED", "CHARGING", "UNKNOWN", "AVAILABLE", "PLANNED"))
    log = await pulling(way.pool)(0, 100)
    async with way.consuming(silence_s=3_600) as consumer:
        await until_equal(way.checkpoint, 10)
        await until(lambda: consumer._subscription is not None)
        await way.pool.execute("truncate views.location_view, views.evse_view, views.history_view")
        await way.pool.execute("update views.checkpoint set pos = 0, generation = generation + 1")
        for first, last in [(4, 6), (1, 3), (1, 3), (2, 5), (9, 10), (7, 7), (10, 10)]:
            await way.bus.publish(range_of(log[first - 1 : last]))
        # The consumer believes in 10 until its next write: one more event makes it look.
        last = await way.append(*changes("OFFLINE"))
        log = await pulling(way.pool)(0, 100)
        await way.bus.publish(range_of(log[10:]))
        await until_equal(way.checkpoint, last)
    assert await way.statuses() == {"a1": "OFFLINE", "b2": "AVAILABLE"}


async def test_a_lost_range_is_pulled_when_the_next_one_comes(way: Way) -> None:
    await way.append(*BEGIN)
    async with way.consuming(silence_s=3_600) as consumer:
        await until_equal(way.checkpoint, 3)
        await until(lambda: consumer._subscription is not None)
        last = await way.append(*changes("CHARGING", "BLOCKED", "RESERVED"))
        log = await pulling(way.pool)(0, 100)
        await way.bus.publish(range_of(log[5:]))
        await until_equal(way.checkpoint, last)
        assert consumer.state.pulled == 3 + 3


async def test_of_two_projectors_one_leads_and_the_other_takes_over(way: Way) -> None:
    await way.append(*BEGIN)
    async with way.publishing():
        async with way.consuming() as one, way.consuming() as other:
            await until(lambda: one.state.is_leading or other.state.is_leading)
            for status in ("CHARGING", "BLOCKED", "RESERVED") * 10:
                last = await way.append(*changes(status))
            await until_equal(way.checkpoint, last)
            assert one.state.is_leading is not other.state.is_leading
            assert one.state.failures == other.state.failures == 0
        async with way.consuming():
            last = await way.append(*changes("OFFLINE"))
            await until_equal(way.checkpoint, last)
    assert (await way.statuses())["a1"] == "OFFLINE"


async def test_a_crash_between_commit_and_ack_applies_nothing_twice(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    await way.append(*BEGIN)
    never = asyncio.Event()
    async with way.publishing():
        with monkeypatch.context() as patch:
            patch.setattr(Consumer, "_done_with_held", lambda _self: never.wait())
            async with way.consuming() as consumer:
                await until_equal(way.checkpoint, 3)
                assert consumer.state.checkpoint == 3
        last = await way.append(*changes("CHARGING"))
        async with way.consuming() as consumer:
            await until_equal(way.checkpoint, last)
            assert consumer.state.events == 1


async def test_a_poison_event_parks_its_location_and_nothing_else(way: Way, log_lines: list[EventDict]) -> None:
    others = (location_registered(2), evse_registered("C3", 2))
    await way.append(*BEGIN, *others, *changes("CHARGING"), *changes("CHARGING", uid="NOBODY"), *changes("BLOCKED"))
    async with way.publishing(), way.consuming() as consumer:
        await until_equal(way.checkpoint, 8)
        assert (await way.statuses())["a1"] == "CHARGING"
        last = await way.append(*changes("RESERVED"), evse_status_changed("OFFLINE", "C3", 2))
        await until_equal(way.checkpoint, last)
        assert await way.statuses() == {"a1": "CHARGING", "b2": "AVAILABLE", "c3": "OFFLINE"}
        assert (consumer.state.parked_keys, consumer.state.letters) == (1, 3)
        assert (consumer.state.error, consumer.state.failures) == (None, 0)
    (said,) = [line for line in log_lines if line["log_level"] == "error"]
    assert (said["event"], said["key"], said["position"], said["tries"]) == ("projector.parked", "location/1", 7, 3)
    letters = await way.pool.fetch("select pos, key, error from views.dead_letter order by pos")
    assert [tuple(row) for row in letters] == [
        (7, "location/1", "KeyError: 'nobody'"),
        (8, "location/1", None),
        (9, "location/1", None),
    ]


async def test_an_event_of_an_unknown_kind_stops_the_projector(way: Way) -> None:
    await way.append(*BEGIN)
    async with way.pool.acquire() as connection, connection.transaction():
        await connection.execute("update es.head set pos = 4")
        await connection.execute(
            "insert into es.events select 4, originator_id, 99, 'tomorrow.invented', state, party, occurred_at,"
            " command_id, correlation_id, actor from es.events where pos = 3"
        )
    async with way.consuming() as consumer:
        await until(lambda: consumer.state.failures >= 1)
        await until_equal(way.checkpoint, 3)
        assert await way.pool.fetchval("select count(*) from views.dead_letter") == 0
        assert "position 4, tomorrow.invented" in (consumer.state.error or "")


async def test_the_views_of_another_generation_are_filled_from_the_log(way: Way) -> None:
    await way.append(*BEGIN, *changes("CHARGING"))
    async with way.publishing(), way.consuming() as consumer:
        await until_equal(way.checkpoint, 4)
        async with way.pool.acquire() as connection, connection.transaction():
            await connection.execute("truncate views.location_view, views.evse_view, views.history_view")
            await connection.execute("update views.checkpoint set pos = 0, generation = 2")
        last = await way.append(*changes("BLOCKED"))
        await until_equal(way.checkpoint, last)
        assert await way.statuses() == {"a1": "BLOCKED", "b2": "AVAILABLE"}
        assert consumer.state.failures == 0


async def test_a_cap_on_the_time_makes_batches_smaller_and_loses_nothing(way: Way) -> None:
    await way.append(*BEGIN, *changes(*["CHARGING", "BLOCKED"] * 400))
    async with way.consuming(max_batch_s=0.000_05) as consumer:
        await until_equal(way.checkpoint, 803)
        assert consumer.state.batches > 10
    assert (await way.statuses())["a1"] == "BLOCKED"


async def test_a_dead_views_database_session_is_replaced(way: Way) -> None:
    await way.append(*BEGIN)
    async with way.publishing(), way.consuming() as consumer:
        await until_equal(way.checkpoint, 3)
        session = consumer._projector._connection
        assert session is not None
        await way.pool.execute("select pg_terminate_backend($1, 5000)", session.get_server_pid())
        last = await way.append(*changes("CHARGING"))
        await until_equal(way.checkpoint, last)
        await until(lambda: consumer.state.error is None)


async def test_one_that_lost_its_session_and_the_lead_stands_by_and_is_well(way: Way) -> None:
    another = await way.connect()
    async with way.consuming() as consumer:
        await until(lambda: consumer.state.is_leading)
        leads = asyncio.create_task(another.execute("select pg_advisory_lock($1, hashtext('views'))", LEADER_LOCK))
        await until_equal(lambda: way.pool.fetchval(WAITING_FOR_A_LOCK), 1)
        session = consumer._projector._connection
        assert session is not None
        await way.pool.execute("select pg_terminate_backend($1, 5000)", session.get_server_pid())
        await leads
        await way.append(*BEGIN)
        await until(lambda: not consumer.state.is_leading and consumer.state.error is None)
    await another.close()


async def test_one_whose_session_dies_while_it_is_told_to_end_ends(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "CANCEL_AGAIN_S", 0.1)
    holder = await way.connect()
    projector = Projector(way.connect, CODEC)
    consumer = Consumer(bus=way.bus, queue="", pull=pulling(way.pool), projector=projector, silence_s=SILENCE_S)
    async with asyncio.timeout(10) as limit, holder.transaction(), compose.running(consumer.run()):
        await holder.fetchval("select pos from views.checkpoint for update")
        await way.append(*BEGIN)
        await until_equal(lambda: way.pool.fetchval(WAITING_FOR_A_LOCK), 1)
        # asyncpg then says that the session is closed in the place of the cancellation.
        assert projector._connection is not None
        projector._connection.terminate()
    assert not limit.expired()
    await holder.close()


@pytest.mark.parametrize("harm", ["purge", "delete"])
async def test_a_purged_or_deleted_queue_costs_a_moment_never_data(
    amqp_way: Way, amqp_url: str, queue: str, harm: Literal["purge", "delete"]
) -> None:
    await amqp_way.append(*BEGIN)
    async with amqp_way.publishing(), amqp_way.consuming() as consumer:
        await until_equal(amqp_way.checkpoint, 3)
        await until(lambda: consumer._subscription is not None)
        for _ in range(5):
            last = await amqp_way.append(*changes("CHARGING", "BLOCKED"))
            async with administering(amqp_url) as channel:
                await (channel.queue_delete(queue) if harm == "delete" else (await channel.get_queue(queue)).purge())
        await until_equal(amqp_way.checkpoint, last)
    assert (await amqp_way.statuses())["a1"] == "BLOCKED"


@pytest.mark.usefixtures("amqp_url")
@pytest.mark.timeout(180)
async def test_a_queue_that_comes_back_without_its_leader_is_made_anew(
    database: str, exchange: str, queue: str, tmp_path: Path
) -> None:
    async with private_node(tmp_path) as node:
        bus = AmqpBus(connecting(node.url), exchange=exchange, confirm_s=1)
        async with a_way(database, bus, queue) as way:
            await way.append(*BEGIN)
            async with way.publishing() as publisher, way.consuming() as consumer:
                await until(lambda: consumer._subscription is not None)
                # RabbitMQ 3.10 forgets who leads a quorum queue that is half a second old, but not the queue.
                node.kill()
                await node.start()
                async with asyncio.timeout(90):
                    last = await way.append(*changes("CHARGING"))
                    while publisher.state.cursor < last:
                        last = await way.append(*changes("CHARGING"))
                        await asyncio.sleep(2 * SILENCE_S)
                await until_equal(way.checkpoint, last)
        await bus.close()


async def test_a_line_that_is_cut_in_the_middle_of_a_window_loses_and_doubles_nothing(
    database: str, proxied: tuple[Proxy, AmqpBus], queue: str
) -> None:
    proxy, bus = proxied
    async with a_way(database, bus, queue) as way:
        await way.append(*BEGIN)
        await way.append(*changes(*["CHARGING", "BLOCKED"] * 5_000))
        async with way.publishing() as publisher, way.consuming() as consumer:
            for part in (1, 2, 3):
                goal = part * 2_000
                await until(lambda: publisher.state.events >= goal)  # noqa: B023 - asked before it changes
                proxy.cut()
            await until_equal(way.checkpoint, 10_003)
            await until(lambda: publisher.state.cursor == 10_003)
            assert consumer.state.events == 10_003
            assert publisher.state.failures >= 1
        assert (await way.statuses())["a1"] == "BLOCKED"


async def test_while_the_broker_is_away_views_follow_the_log_and_publishing_goes_on_afterwards(
    database: str, proxied: tuple[Proxy, AmqpBus], queue: str
) -> None:
    proxy, bus = proxied
    proxy.refuse()
    async with a_way(database, bus, queue) as way:
        await way.append(*BEGIN)
        async with way.publishing() as publisher, way.consuming() as consumer:
            await until_equal(way.checkpoint, 3)
            # Each notices for itself.
            await until(lambda: publisher.state.failures >= 1 and consumer.state.is_bus_away)
            assert (publisher.state.cursor, consumer.state.error) == (0, None)
            proxy.accept()
            await until(lambda: publisher.state.cursor == 3)
            await until(lambda: not consumer.state.is_bus_away)
