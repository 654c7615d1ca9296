"""The publisher on a real event log: all of it, in order, again after any failure, by one at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import pytest
from structlog.testing import capture_logs

from api.migrate import migrate_event_store
from tests.support.builders import evse_status_changed, recorded
from tests.support.databases import WAITING_FOR_A_LOCK
from tests.support.event_log import append
from tests.support.until import until, until_equal
from write_side.store.publisher import LEADER_LOCK, Publisher, events_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from eventsourcing.domain import DomainEvent
    from structlog.typing import EventDict

    from write_side.events.ranges import Range

    Connect: TypeAlias = Callable[[], Awaitable[asyncpg.Connection[Any]]]


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[EventDict]]:
    """What was logged, as data."""
    with capture_logs() as lines:
        yield lines


class BrokerAway(Exception):
    """What the broker of these tests says when it is away."""


class Broker:
    """Takes ranges; is away, silent or slow when it is told to be. seen: all that was confirmed, in order."""

    def __init__(self) -> None:
        self.seen: list[Range] = []
        self.tries = 0
        self.refuses: Callable[[Range], bool] = lambda _run: False
        self.lets_through = asyncio.Event()
        self.lets_through.set()

    async def publish(self, run: Range) -> None:
        self.tries += 1
        await self.lets_through.wait()
        if self.refuses(run):
            raise BrokerAway
        self.seen.append(run)

    @property
    def positions(self) -> list[int]:
        """The positions that arrived, without repeats, as a reader sees them that drops what is old."""
        last = 0
        positions: list[int] = []
        for run in self.seen:
            positions.extend(event.position for event in run.events if event.position > last)
            last = max(last, run.last)
        return positions


def some_events(number: int) -> Sequence[DomainEvent]:
    return [evse_status_changed("CHARGING", version=_next_version()) for _ in range(number)]


_versions = iter(range(2, 1_000_000))


def _next_version() -> int:
    return next(_versions)


@pytest.fixture
async def connect(database: str) -> Connect:
    """Sessions on a database with an empty log."""

    async def open_one() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(database)

    connection = await open_one()
    await migrate_event_store(connection)
    await connection.close()
    return open_one


@pytest.fixture
async def log(connect: Connect) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A session that writes the log."""
    connection = await connect()
    yield connection
    await connection.close()


@asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[Publisher]:
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def cursor(connection: asyncpg.Connection[Any]) -> int:
    position: int = await connection.fetchval("select pos from es.publisher")
    return position


async def test_what_was_recorded_is_what_is_read(log: asyncpg.Connection[Any]) -> None:
    events = some_events(5)
    await append(log, events)
    assert await events_after(log, 0, limit=10) == recorded(events)
    assert await events_after(log, 2, limit=2) == recorded(events)[2:4]
    assert await events_after(log, 5, limit=10) == ()


async def test_reading_stops_at_the_bytes_but_gives_one_event_at_least(log: asyncpg.Connection[Any]) -> None:
    await append(log, [evse_status_changed(letter * 1_000, version=_next_version()) for letter in "ABC"])
    assert [event.position for event in await events_after(log, 0, limit=10, limit_bytes=2_600)] == [1, 2]
    assert [event.position for event in await events_after(log, 1, limit=10, limit_bytes=10)] == [2]


async def test_all_that_is_in_the_log_and_all_that_comes_is_published_in_order(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    broker = Broker()
    await append(log, some_events(3_000))
    async with running(Publisher(connect, broker.publish)) as publisher:
        await until_equal(lambda: cursor(log), 3_000)
        await append(log, some_events(1))
        await until_equal(lambda: cursor(log), 3_001)
        assert (publisher.state.head, publisher.state.cursor, publisher.state.error) == (3_001, 3_001, None)
    assert broker.positions == list(range(1, 3_002))
    assert all(run.first == before.last + 1 for before, run in zip(broker.seen, broker.seen[1:], strict=False))


async def test_a_new_event_is_published_without_waiting_for_a_tick(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    broker = Broker()
    async with running(Publisher(connect, broker.publish, tick_s=3_600)) as publisher:
        await until(lambda: publisher.state.is_leading)
        for expected in range(1, 6):
            await append(log, some_events(1))
            await until(lambda: broker.positions == list(range(1, expected + 1)))  # noqa: B023 - asked before it changes


async def test_a_lost_notification_costs_a_tick(connect: Connect, log: asyncpg.Connection[Any]) -> None:
    broker = Broker()
    async with running(Publisher(connect, broker.publish, tick_s=0.05)) as publisher:
        await until(lambda: publisher.state.is_leading)
        await log.execute("set session_replication_role = replica")
        events = recorded(some_events(1))
        await log.execute(
            "insert into es.events values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            *(getattr(events[0], name) for name in events[0].__struct_fields__),
        )
        await log.execute("update es.head set pos = 1")
        await until(lambda: broker.positions == [1])


async def test_the_window_bounds_what_is_unconfirmed(connect: Connect, log: asyncpg.Connection[Any]) -> None:
    broker = Broker()
    broker.lets_through.clear()
    await append(log, some_events(2_000))
    async with running(Publisher(connect, broker.publish, window=3)) as publisher:
        await until(lambda: broker.tries == 3)
        assert await cursor(log) == publisher.state.cursor == 0
        broker.lets_through.set()
        await until_equal(lambda: cursor(log), 2_000)
    assert broker.positions == list(range(1, 2_001))


async def test_after_a_failure_it_begins_again_at_the_first_unconfirmed_position(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    broker = Broker()
    await append(log, some_events(2_000))
    refused: list[int] = []

    def refuses_the_third_range_once(run: Range) -> bool:
        if run.first == 401 and not refused:
            refused.append(run.first)
            return True
        return False

    broker.refuses = refuses_the_third_range_once
    async with running(Publisher(connect, broker.publish)) as publisher:
        await until_equal(lambda: cursor(log), 2_000)
        assert (publisher.state.failures, publisher.state.error) == (1, None)
    again = [run.first for run in broker.seen].index(401)
    assert [run.first for run in broker.seen[again:]] == list(range(401, 2_001, 200))
    assert broker.positions[-1] == 2_000


async def test_a_broker_that_is_away_is_waited_for_and_said_once(
    connect: Connect, log: asyncpg.Connection[Any], log_lines: list[EventDict]
) -> None:
    broker = Broker()
    broker.refuses = lambda _run: True
    async with running(Publisher(connect, broker.publish)) as publisher:
        await append(log, some_events(1))
        await until(lambda: publisher.state.failures >= 3)
        assert publisher.state.error == "NotConfirmed: BrokerAway: "
        assert await cursor(log) == 0
        broker.refuses = lambda _run: False
        await until_equal(lambda: cursor(log), 1)
        await until(lambda: publisher.state.error is None)
    said = [line["event"] for line in log_lines if line["event"].startswith("publisher.")]
    assert said == ["publisher.leads", "publisher.held_up", "publisher.goes_on"]


async def test_a_publisher_killed_before_its_cursor_moved_publishes_again(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    killed, broker = Broker(), Broker()
    await append(log, some_events(500))
    await log.execute("begin; select from es.publisher for update")  # the cursor can't move
    async with running(Publisher(connect, killed.publish)) as publisher:
        await until(lambda: killed.positions == list(range(1, 501)))
        assert publisher._session is not None
        await log.execute("select pg_terminate_backend($1, 5000)", publisher._session.get_server_pid())
    await log.execute("rollback")
    assert await cursor(log) == 0
    async with running(Publisher(connect, broker.publish)):
        await until_equal(lambda: cursor(log), 500)
    assert broker.positions == list(range(1, 501))


async def test_a_killed_session_is_replaced(connect: Connect, log: asyncpg.Connection[Any]) -> None:
    broker = Broker()
    async with running(Publisher(connect, broker.publish, tick_s=0.05)) as publisher:
        await append(log, some_events(10))
        await until_equal(lambda: cursor(log), 10)
        assert publisher._session is not None
        await log.execute("select pg_terminate_backend($1, 5000)", publisher._session.get_server_pid())
        await append(log, some_events(10))
        await until_equal(lambda: cursor(log), 20)
        assert publisher.state.failures >= 1
        await until(lambda: publisher.state.error is None)
    assert broker.positions == list(range(1, 21))


async def test_of_two_publishers_one_leads_and_the_other_takes_over(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    one, other = Broker(), Broker()
    standing_by = Publisher(connect, other.publish, tick_s=0.05)
    async with running(Publisher(connect, one.publish)) as leading:
        await until(lambda: leading.state.is_leading)
        async with running(standing_by):
            await append(log, some_events(300))
            await until_equal(lambda: cursor(log), 300)
            assert not standing_by.state.is_leading
    async with running(standing_by):
        await append(log, some_events(300))
        await until_equal(lambda: cursor(log), 600)
    assert one.positions == list(range(1, 301))
    assert other.seen[0].first == 301


async def test_one_that_lost_its_session_and_the_lead_stands_by_and_is_well(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    another = await connect()
    async with running(Publisher(connect, Broker().publish, tick_s=0.05)) as publisher:
        await until(lambda: publisher.state.is_leading)
        leads = asyncio.create_task(another.execute("select pg_advisory_lock($1)", LEADER_LOCK))
        await until_equal(lambda: log.fetchval(WAITING_FOR_A_LOCK), 1)
        assert publisher._session is not None
        await log.execute("select pg_terminate_backend($1, 5000)", publisher._session.get_server_pid())
        await leads
        await until(lambda: publisher.state.failures >= 1 and publisher.state.error is None)
        assert not publisher.state.is_leading
    await another.close()


async def test_a_publisher_whose_cursor_was_moved_by_another_moves_it_no_more(
    connect: Connect, log: asyncpg.Connection[Any]
) -> None:
    broker = Broker()
    broker.lets_through.clear()
    await append(log, some_events(10))
    async with running(Publisher(connect, broker.publish)) as publisher:
        await until(lambda: broker.tries == 1)
        await log.execute("update es.publisher set pos = 4")
        broker.lets_through.set()
        await until_equal(lambda: cursor(log), 10)
        assert publisher.state.failures == 1
    assert [(run.first, run.last) for run in broker.seen] == [(1, 10), (5, 10)]
