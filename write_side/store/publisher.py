"""Tells the world what the log says: tails it, publishes ranges, moves a cursor behind what was confirmed.

The log is the outbox, so nothing here is ever in a hurry or lost: after any failure the publisher begins again at
the first position that was not confirmed. What is published twice is dropped by its readers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from write_side.events.ranges import Range, Recorded, range_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from uuid import UUID

    import asyncpg

LOG: Final = structlog.get_logger(__name__)

LOG_HEAD: Final = "select pos from es.head"

EVENTS_AFTER: Final = """
    select pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor
      from (
        select *,
               sum(octet_length(state)) over (order by pos) as bytes
          from (
            select *
              from es.events
             where pos > $1
             order by pos
             limit $2) as next_events) as counted
     where bytes <= $3
        or pos = $1 + 1
     order by pos
"""

TRY_TO_LEAD: Final = "select pg_try_advisory_lock($1)"

POSITIONS: Final = """
    select head.pos as head, publisher.pos as cursor
      from es.head
     cross join es.publisher
"""

LOG_ID: Final = """
    select log_id
      from es.publisher
"""

MOVE_CURSOR: Final = """
    update es.publisher
       set pos = $2
     where pos = $1
 returning pos
"""

COMMIT_WITHOUT_WAITING: Final = """
    set synchronous_commit = off
"""
"""A cursor that a crash of the server takes back publishes a little twice, no more."""

LEADER_LOCK: Final = 0x454D53505055424C
CHANNEL: Final = "es_events"

RANGE_EVENTS: Final = 200
RANGE_BYTES: Final = 64_000
"""A range of 100 events a message: 300,000-600,000 events/s; one event a message: some 1,000 (docs: event flow)."""

READ_EVENTS: Final = 2_000
READ_BYTES: Final = 1_000_000

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


async def log_id(connection: asyncpg.Connection | asyncpg.Pool[Any]) -> UUID:
    """The id of this log; two logs on one broker keep apart by it."""
    found: UUID = await connection.fetchval(LOG_ID)
    return found


async def log_head(connection: asyncpg.Connection | asyncpg.Pool[Any]) -> int:
    """The position of the last event; 0 where there is none."""
    found: int = await connection.fetchval(LOG_HEAD)
    return found


async def events_after(
    connection: asyncpg.Connection | asyncpg.Pool[Any], position: int, *, limit: int, limit_bytes: int = READ_BYTES
) -> tuple[Recorded, ...]:
    """The events that follow a position, ascending, without holes; () at the end of the log.

    limit: how many at most; limit_bytes: of their states together, but the first one comes however large it is.
    """
    rows = await connection.fetch(EVENTS_AFTER, position, limit, limit_bytes)
    return tuple(Recorded(*row) for row in rows)


def ranges_of(events: tuple[Recorded, ...]) -> Iterator[Range]:
    """These consecutive events as ranges of at most RANGE_EVENTS and RANGE_BYTES; a larger event has its own."""
    start = size = 0
    for index, event in enumerate(events):
        if index > start and (index - start == RANGE_EVENTS or size + len(event.state) > RANGE_BYTES):
            yield range_of(events[start:index])
            start, size = index, 0
        size += len(event.state)
    if events:
        yield range_of(events[start:])


class CursorMoved(Exception):
    """Somebody else moved the cursor: this publisher no longer leads."""


class NotConfirmed(Exception):
    """A range was not confirmed: the broker is away, or said no."""


@dataclass(slots=True)
class PublisherState:
    """What readiness and metrics say of a publisher; it alone writes here, anybody reads.

    head: the newest position of the log it has heard of; cursor: the last confirmed one; lag is head minus cursor.
    error: what holds it up now, None when nothing does. ranges, events: confirmed by this process.
    """

    is_leading: bool = False
    head: int = 0
    cursor: int = 0
    error: str | None = None
    failures: int = 0
    ranges: int = 0
    events: int = 0


class Publisher:
    """One of several may lead; the others stand by. `run` goes on until it is cancelled.

    connect opens a session of its own; publish returns when the range is confirmed, else raises.
    window: ranges that may be unconfirmed at once; tick_s: how often the log is looked at without being told to.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        publish: Callable[[Range], Awaitable[None]],
        *,
        window: int = 16,
        tick_s: float = 1.0,
    ) -> None:
        self.state = PublisherState()
        self._connect = connect
        self._publish = publish
        self._window = window
        self._tick_s = tick_s
        self._wake = asyncio.Event()
        self._unconfirmed: deque[tuple[Range, asyncio.Task[None]]] = deque()
        self._unread: deque[Range] = deque()
        self._session: asyncpg.Connection | None = None

    async def run(self) -> None:
        """Lead when it can be had, publish, and begin again at the cursor after any failure."""
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                began_at = self.state.cursor
                try:
                    if await self._lead():
                        await self._follow()
                    # Stands by: what held it up is the leader's now.
                    self._recovered()
                    await asyncio.sleep(self._tick_s)
                except Exception as trouble:  # noqa: BLE001 - the publisher's loop: one of the three places that may
                    pause_s = FIRST_PAUSE_S if self.state.cursor > began_at else min(2 * pause_s, LONGEST_PAUSE_S)
                    self._failed(trouble)
                    await self._give_up_window()
                    await asyncio.sleep(pause_s)
        finally:
            self.state.is_leading = False
            await self._give_up_window()
            self._close()

    async def _lead(self) -> bool:
        session = self._session
        if session is None or session.is_closed():
            self._session = session = await self._connect()
            await session.execute(COMMIT_WITHOUT_WAITING)
            self.state.is_leading = False
        if not self.state.is_leading:
            self.state.is_leading = await session.fetchval(TRY_TO_LEAD, LEADER_LOCK)
            if not self.state.is_leading:
                return False
            await session.add_listener(CHANNEL, self._on_notify)
            LOG.info("publisher.leads")
        return True

    async def _follow(self) -> None:
        """Publish from the cursor on. Never returns; raises what went wrong."""
        session = self._session
        if session is None:
            return
        read = self.state.cursor = await self._look(session)
        while True:
            self._wake.clear()
            read = await self._fill(session, read)
            await self._confirm(session)
            if len(self._unconfirmed) < self._window and (self._unread or read < self.state.head):
                continue
            try:
                async with asyncio.timeout(self._tick_s):
                    await self._wake.wait()
            except TimeoutError:
                await self._look(session)
                if not self._unconfirmed:
                    self._recovered()

    async def _look(self, session: asyncpg.Connection) -> int:
        """Where the log's head is; answers the stored cursor."""
        row = await session.fetchrow(POSITIONS)
        if row is None:
            raise CursorMoved(self.state.cursor)
        self.state.head = max(self.state.head, row["head"])
        cursor: int = row["cursor"]
        return cursor

    async def _fill(self, session: asyncpg.Connection, read: int) -> int:
        """Publish until the window is full or the log is read to its head. Answers how far the log is read now."""
        while len(self._unconfirmed) < self._window:
            if not self._unread:
                if read >= self.state.head:
                    break
                events = await events_after(session, read, limit=READ_EVENTS)
                if not events:
                    self.state.head = read
                    break
                self._unread.extend(ranges_of(events))
                read = events[-1].position
            run = self._unread.popleft()
            task = asyncio.ensure_future(self._publish(run))
            task.add_done_callback(lambda _: self._wake.set())
            self._unconfirmed.append((run, task))
        return read

    async def _confirm(self, session: asyncpg.Connection) -> None:
        """Move the cursor behind what is confirmed without a gap. raises: NotConfirmed, CursorMoved."""
        confirmed: Range | None = None
        trouble: BaseException | None = None
        while self._unconfirmed and self._unconfirmed[0][1].done() and trouble is None:
            run, task = self._unconfirmed[0]
            trouble = asyncio.CancelledError() if task.cancelled() else task.exception()
            if trouble is None:
                self._unconfirmed.popleft()
                self.state.ranges += 1
                self.state.events += len(run.events)
                confirmed = run
        if confirmed is not None:
            if await session.fetchval(MOVE_CURSOR, self.state.cursor, confirmed.last) is None:
                raise CursorMoved(self.state.cursor)
            self.state.cursor = confirmed.last
            self._recovered()
        if trouble is not None:
            raise NotConfirmed(f"{type(trouble).__name__}: {trouble}") from trouble

    async def _give_up_window(self) -> None:
        """Forget what is under way: it is published again from the cursor on."""
        tasks = [task for _, task in self._unconfirmed]
        self._unconfirmed.clear()
        self._unread.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_notify(self, _session: object, _pid: int, _channel: str, payload: object) -> None:
        self.state.head = max(self.state.head, int(str(payload)))
        self._wake.set()

    def _failed(self, trouble: Exception) -> None:
        said = f"{type(trouble).__name__}: {trouble}"
        if self.state.error is None:
            is_expected = isinstance(trouble, NotConfirmed)
            LOG.warning(
                "publisher.held_up",
                cursor=self.state.cursor,
                head=self.state.head,
                trouble=said,
                exc_info=None if is_expected else trouble,
            )
        self.state.error = said
        self.state.failures += 1
        if not isinstance(trouble, NotConfirmed):
            # Whatever the database session was doing, another one starts clean, or lets another publisher lead.
            self._close()

    def _recovered(self) -> None:
        if self.state.error is not None:
            LOG.info("publisher.goes_on", cursor=self.state.cursor, after=self.state.error)
            self.state.error = None

    def _close(self) -> None:
        session, self._session = self._session, None
        self.state.is_leading = False
        if session is not None:
            session.terminate()
