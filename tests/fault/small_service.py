"""The service without its door, in this process: two writers on one log, publisher, bus and projector."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg

from projections.bus import BrokerOutOfReach, InProcessBus
from projections.consumer import Consumer
from projections.projector import Projector
from tests.support.builders import CODEC
from tests.support.event_log import pulling
from tests.support.proxy import Proxy
from tests.support.store import a_store
from tests.support.until import until_equal
from write_side.commands.dispatch import dispatch
from write_side.domain.errors import StoreOutOfReach
from write_side.ports import IdempotencyKey, Origin
from write_side.store.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.store import Store
    from write_side.commands.wishes import Command
    from write_side.events.ranges import Range
    from write_side.ports import Answer

PATIENCE_S: Final = 4.0
TICK_S: Final = 0.05
END_S: Final = 10.0
HEAD: Final = "select pos from es.head"
CHECKPOINT: Final = "select pos from views.checkpoint"
KILL: Final = """
    select pg_terminate_backend(pid, 5000)
      from pg_stat_activity
     where datname = current_database()
       and application_name = $1
"""
STATUSES: Final = """
    select document::json ->> 'uid' as uid,
           document::json ->> 'status' as status
      from views.evse_view
"""
STATUSES_IN_LOCATIONS: Final = """
    select evse ->> 'uid' as uid,
           evse ->> 'status' as status
      from views.location_view
     cross join json_array_elements(evses::json) as evse
"""


class SmallService:
    """line: between the first writer and PostgreSQL; session: the test's own, past it.

    lost, unconfirmed: so many of the next ranges are confirmed but never arrive, or arrive but are not confirmed
    """

    def __init__(self, stores: list[Store], line: Proxy, session: asyncpg.Connection[Any]) -> None:
        self.bus = InProcessBus()
        self.line = line
        self.session = session
        self.lost = 0
        self.unconfirmed = 0
        self._stores = stores
        self._projectors: list[asyncio.Task[None]] = []

    async def accepted(self, command: Command, key: IdempotencyKey, *, by: int) -> Answer:
        """Its answer, repeated under its key until there is one, as a client would. by: which of the writers."""
        while True:
            try:
                return await dispatch(command, Origin("request-1", "cpo:PH/ABC", key), self._stores[by].world)
            except StoreOutOfReach:
                by = 1 - by

    async def kill_session(self, name: str) -> None:
        """End the backends of these sessions, in the midst of whatever they do."""
        await self.session.execute(KILL, name)

    async def publish(self, run: Range) -> None:
        """What the publisher calls: the bus, which may lose what it has confirmed, or have what it never confirmed."""
        if self.lost:
            self.lost -= 1
            return
        await self.bus.publish(run)
        if self.unconfirmed:
            self.unconfirmed -= 1
            raise BrokerOutOfReach

    def start_projector(self) -> None:
        """Start a projector; one that runs is killed, wherever it is."""
        self._end_projectors()
        consumer = Consumer(
            bus=self.bus,
            queue="views",
            pull=pulling(self._stores[1].pool),
            projector=Projector(self.connector("projector"), CODEC),
            silence_s=TICK_S,
            standby_s=TICK_S,
        )
        self._projectors.append(asyncio.create_task(consumer.run()))

    def connector(self, name: str) -> Any:
        """Opens sessions of that name."""

        async def connect() -> asyncpg.Connection[Any]:
            return await asyncpg.connect(self._stores[0].dsn, server_settings={"application_name": name})

        return connect

    async def shown(self) -> tuple[dict[str, str], dict[str, str]]:
        """Each EVSE's status in both views, when they have all that is in the log."""
        await until_equal(lambda: self.session.fetchval(CHECKPOINT), await self.session.fetchval(HEAD))
        return dict(await self.session.fetch(STATUSES)), dict(await self.session.fetch(STATUSES_IN_LOCATIONS))

    async def close(self) -> None:
        """Every projector ends; where its session died when it was told to, it is told again."""
        async with asyncio.timeout(END_S):
            while running := [projector for projector in self._projectors if not projector.done()]:
                self._end_projectors()
                await asyncio.wait(running, timeout=1)

    def _end_projectors(self) -> None:
        for projector in self._projectors:
            projector.cancel()


@asynccontextmanager
async def small_service(dsn: str) -> AsyncIterator[SmallService]:
    """A running one on a migrated database."""
    at = urlsplit(dsn)
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(Proxy(at.hostname or "", at.port or 5432))
        stores = [
            await stack.enter_async_context(a_store(dsn, via=line, patience_s=PATIENCE_S, remembered=2)),
            await stack.enter_async_context(a_store(dsn, patience_s=PATIENCE_S, remembered=2)),
        ]
        session = await asyncpg.connect(dsn)
        stack.push_async_callback(session.close)
        service = SmallService(stores, line, session)
        stack.push_async_callback(service.close)
        service.start_projector()
        publisher = asyncio.create_task(Publisher(service.connector("publisher"), service.publish, tick_s=TICK_S).run())
        stack.callback(publisher.cancel)
        yield service
