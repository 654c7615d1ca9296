"""What works on the views, composed: the consumer that draws them, and what builds and compares them anew."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg

from api.connections import CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S, Connector, one_session
from api.oracle import StoreOracle
from projections.bus import queue_of
from projections.consumer import Consumer
from projections.dead_letters import DeadLetters
from projections.projector import Projector
from projections.rebuild import Rebuild
from projections.verify import Verify
from write_side.events.codec import Codec
from write_side.store.publisher import events_after, log_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from api.connections import Databases
    from api.settings import Settings
    from projections.bus import EventBus
    from projections.consumer import Pull
    from projections.replay import Tell
    from write_side.events.ranges import Recorded

PAGE: Final = 2_000
ALONE: Final = {"max_parallel_workers_per_gather": "0"}
"""A session that counts the log leaves the other cores to those who are served."""
MAX_FOLD_S: Final = 0.005
"""In `emsp run` requests share the loop with the projector: it folds at most so long at once."""


@asynccontextmanager
async def log_reader(urls: Databases, *, application: str) -> AsyncIterator[Pull]:
    """Reads events of the log behind a position, on one session that is opened when it is needed."""
    async with asyncpg.create_pool(
        urls.event_store,
        min_size=0,
        max_size=1,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=STATEMENT_TIMEOUT_S,
        server_settings={"application_name": application},
    ) as log:

        async def pull(after: int, limit: int) -> tuple[Recorded, ...]:
            return await events_after(log, after, limit=limit)

        yield pull


@dataclass(frozen=True, slots=True)
class Log:
    """The event log, page by page on a session of its own, also in another process."""

    connect: Connector

    async def __call__(self, after: int, until: int) -> AsyncIterator[tuple[Recorded, ...]]:
        """The events behind a position and up to another."""
        session = await self.connect()
        try:
            while after < until and (events := await events_after(session, after, limit=min(PAGE, until - after))):
                yield events
                after = events[-1].position
        finally:
            await session.close()


@asynccontextmanager
async def views_rebuild(settings: Settings, urls: Databases, tell: Tell) -> AsyncIterator[Rebuild]:
    """Builds the views anew; `run` it."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async with (
        log_reader(urls, application="emsp rebuild log") as pull,
        one_session(urls.event_store, **ALONE) as session,
    ):
        yield Rebuild(
            Connector(urls.read_model, "emsp rebuild", timeout_s=None),
            Log(Connector(urls.event_store, "emsp rebuild log")),
            pull,
            partial(log_head, session),
            settings.data_dir,
            tell,
            StoreOracle(session),
        )


@asynccontextmanager
async def views_verify(settings: Settings, urls: Databases, tell: Tell) -> AsyncIterator[Verify]:
    """Compares the views with the events."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with (
        log_reader(urls, application="emsp verify log") as pull,
        one_session(urls.event_store, **ALONE) as session,
    ):
        yield Verify(
            Connector(urls.read_model, "emsp verify", timeout_s=None),
            Log(Connector(urls.event_store, "emsp verify log")),
            pull,
            settings.data_dir,
            tell,
            StoreOracle(session),
        )


@asynccontextmanager
async def dead_letters(urls: Databases) -> AsyncIterator[DeadLetters]:
    """What is parked of the live views."""
    async with one_session(urls.read_model, search_path="views, public") as session:
        yield DeadLetters(session)


@asynccontextmanager
async def consumer(urls: Databases, bus: EventBus, database_id: UUID, *, shares_loop: bool) -> AsyncIterator[Consumer]:
    """Bus → views; `run` it. shares_loop: requests are answered in the same process."""
    async with log_reader(urls, application="emsp projector log") as pull:
        yield Consumer(
            bus=bus,
            queue=queue_of(database_id),
            pull=pull,
            projector=Projector(Connector(urls.read_model, "emsp projector"), Codec()),
            max_batch_s=MAX_FOLD_S if shares_loop else None,
        )
