"""The eventsourcing library's own test cases for recorders, run against our store through a thin adapter.

Its cases for process and tracking recorders ask for a place in an upstream log, which our checkpoints keep in the
views' database; its factory and transcoder cases ask for its own environment and types: none of those apply.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
)

from tests.support.builders import NOON
from tests.support.databases import Databases
from tests.support.store import EMPTY, Store, a_command, a_store, migrated
from write_side.domain.errors import Conflict
from write_side.events.codec import Codec
from write_side.store.publisher import events_after

# The library's cases come with its cipher, which needs a library that we don't; no case that is run here ciphers.
_cipher = ModuleType("eventsourcing.cipher")
_cipher.AESCipher = None  # type: ignore[attr-defined]
_was_there = sys.modules.setdefault(_cipher.__name__, _cipher) is not _cipher
from eventsourcing.tests import persistence as cases  # noqa: E402 - needs what is above

if not _was_there:
    del sys.modules[_cipher.__name__]

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from eventsourcing.persistence import Subscription

    from write_side.events.ranges import Recorded


EVERYTHING: Final = 100_000


@dataclass(frozen=True)
class AsStored:
    """An event that is a StoredEvent already: the library's cases have no others."""

    stored: StoredEvent
    timestamp: datetime = NOON

    @property
    def originator_id(self) -> UUID:
        return UUID(str(self.stored.originator_id))


class AsIs(Codec):
    """Stores and loads such events as they are."""

    def encode(self, event: Any) -> StoredEvent:
        stored: StoredEvent = event.stored
        return stored

    def decode(self, recorded: Recorded) -> Any:
        return StoredEvent(recorded.stream, recorded.version, recorded.topic, recorded.state)


class Loop:
    """Our store is asynchronous and the cases are not: its loop runs in a thread."""

    def __init__(self, postgres_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.store: Store = self.wait_for(self._open(postgres_url))

    def wait_for(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(60)

    async def _open(self, postgres_url: str) -> Store:
        databases = await self._stack.enter_async_context(Databases(postgres_url))
        dsn = await migrated(await databases())
        return await self._stack.enter_async_context(a_store(dsn, codec=AsIs()))

    def close(self) -> None:
        self.wait_for(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class OurAggregateRecorder(AggregateRecorder):
    """EventStore and Writer as the library's recorder."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def insert_events(self, stored_events: Sequence[StoredEvent], **_kwargs: Any) -> Sequence[int] | None:
        self._positions(stored_events)
        return None

    def _positions(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        if not stored_events:
            return []
        command = a_command(*(AsStored(event) for event in stored_events))  # type: ignore[arg-type]
        try:
            last = self._loop.wait_for(self._loop.store.events.append(command))
        except (Conflict, asyncpg.UniqueViolationError) as taken:
            raise IntegrityError from taken
        return list(range(last - len(stored_events) + 1, last + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        stream = UUID(str(originator_id))
        recorded = self._loop.wait_for(self._loop.store.events.stream(stream))
        events: list[StoredEvent] = [
            event
            for event in map(AsIs().decode, recorded)
            if (gt is None or event.originator_version > gt) and (lte is None or event.originator_version <= lte)
        ]
        return (events[::-1] if desc else events)[:limit]


class OurApplicationRecorder(OurAggregateRecorder, ApplicationRecorder):
    """The same with positions, which are the library's notification ids."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_kwargs: Any) -> Sequence[int] | None:
        return self._positions(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = (start or 1) - 1 if inclusive_of_start else start or 0
        found = self._loop.wait_for(events_after(self._loop.store.pool, after, limit=EVERYTHING if topics else limit))
        chosen = [
            Notification(one.stream, one.version, one.topic, one.state, one.position)
            for one in found
            if (stop is None or one.position <= stop) and (not topics or one.topic in topics)
        ]
        return chosen[:limit]

    def max_notification_id(self) -> int | None:
        head: int = self._loop.wait_for(self._loop.store.session.fetchval("select pos from es.head"))
        return head or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        raise NotImplementedError  # abstract in the library, which leaves it to the recorder whether it can


@pytest.fixture(scope="module")
def loop(postgres_url: str) -> Iterator[Loop]:
    loop = Loop(postgres_url)
    yield loop
    loop.close()


class OnOurStore:
    """Each case asks for a recorder once, and finds it empty."""

    loop: Loop

    @pytest.fixture(autouse=True)
    def _give_loop(self, loop: Loop) -> None:
        self.loop = loop
        loop.wait_for(loop.store.session.execute(EMPTY))


class TestAggregateRecorder(OnOurStore, cases.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return OurAggregateRecorder(self.loop)


class TestApplicationRecorder(OnOurStore, cases.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return OurApplicationRecorder(self.loop)


class TestNonInterleaving(OnOurStore, cases.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return OurApplicationRecorder(self.loop)
