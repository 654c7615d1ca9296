"""The write side's store on a database of the test's own, its writer running; several may share one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import asyncpg
from obstore.store import MemoryStore

from api.compose import pause_before_next_try
from api.migrate import migrate_event_store
from tests.support.builders import CODEC, PARTY, evse_status_changed
from tests.support.drafts import BY_ADDRESS
from write_side.accounts.secrets import SystemSecrets
from write_side.adapters.images import ObjectImages
from write_side.adapters.pictures import PictureCheck
from write_side.domain.changes import Changes, Claim
from write_side.events.ranges import Position
from write_side.ports import IdempotencyKey, Origin, Rules, Submission, World
from write_side.store.aggregates import Aggregates
from write_side.store.event_store import EventStore
from write_side.store.loose_images import StoredLooseImages
from write_side.store.publisher import events_after
from write_side.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.domain import DomainEvent

    from tests.support.proxy import Proxy
    from write_side.domain.place import Ask, Placed
    from write_side.events.codec import Codec
    from write_side.events.ranges import Recorded
    from write_side.ports import Images

WRITER: Final = "a test's writer"
SECRETS: Final = SystemSecrets(b"seal-key-of-a-test-deployment-0000001")


class Olongapo:
    """A geocoder to whom every address lies in Olongapo."""

    async def place_many(self, asked: Sequence[Ask]) -> list[Placed]:
        return [BY_ADDRESS for _ in asked]


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. session: the test's own, past any proxy."""

    dsn: str
    pool: asyncpg.Pool[Any]
    writer: Writer
    events: EventStore
    world: World
    session: asyncpg.Connection[Any]

    async def log(self) -> tuple[Recorded, ...]:
        """Every event there is; positions are gapless from 1, and the head is the last of them."""
        log = await events_after(self.pool, 0, limit=100_000, limit_bytes=1 << 30)
        assert [one.position for one in log] == list(range(1, len(log) + 1))
        assert await self.session.fetchval("select pos from es.head") == len(log)
        return log


async def migrated(dsn: str) -> str:
    """That database with the event store's schema."""
    connection = await asyncpg.connect(dsn)
    try:
        await migrate_event_store(connection)
    finally:
        await connection.close()
    return dsn


EMPTY: Final = """
    set session_replication_role = replica;
    truncate es.events, es.claims, es.commands, es.party_ids, es.users, es.tokens_c, es.sessions, es.login_tries,
             es.outbox_mail, es.snapshots, es.personal_keys, es.loose_images;
    update es.head set pos = 0;
    update es.publisher set pos = 0;
    alter sequence es.location_ids restart;
    alter sequence es.connector_ids restart;
    alter sequence es.cpo_owner_ids restart;
    alter sequence es.photo_ids restart
"""
ANYBODY: Final = """
    select pg_terminate_backend(pid, 5000)
      from pg_stat_activity
     where datname = current_database()
       and pid <> pg_backend_pid()
       and backend_type = 'client backend'
"""


async def emptied(dsn: str) -> None:
    """That event store as if nothing had happened, and nobody connected to it."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(ANYBODY)
        await connection.execute(EMPTY)
    finally:
        await connection.close()


@asynccontextmanager
async def a_store(
    dsn: str,
    *,
    via: Proxy | None = None,
    patience_s: float = 10.0,
    rules: Rules | None = None,
    images: Images | None = None,
    codec: Codec = CODEC,
    remembered: int = 100,
) -> AsyncIterator[Store]:
    """A store on that migrated database. via: the way to it, but for the test's own session; remembered: states."""
    where: dict[str, Any] = {} if via is None else {"host": "127.0.0.1", "port": via.port}

    async def connect() -> asyncpg.Connection[Any]:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            dsn, timeout=5, server_settings={"application_name": WRITER}, **where
        )
        return connection

    writer = Writer(connect, codec, patience_s=patience_s)
    session = await asyncpg.connect(dsn)
    async with asyncpg.create_pool(dsn, min_size=0, max_size=4, timeout=5, command_timeout=10, **where) as pool:
        running = asyncio.create_task(writer.run())
        events = EventStore(pool, writer, Aggregates(pool, codec, capacity=remembered))
        world = World(
            events,
            Olongapo(),
            SECRETS,
            PictureCheck(max_bytes=5 * 1024 * 1024),
            ObjectImages(MemoryStore()) if images is None else images,
            StoredLooseImages(pool),
            rules or Rules(),
            lambda: datetime.now(UTC),
            uuid4,
            pause_before_next_try,
        )
        try:
            yield Store(dsn, pool, writer, events, world, session)
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await session.close()


def a_key(key: str = "k1", scope: str = "cpo:PH/ABC POST /there", body: bytes = b"\x01") -> IdempotencyKey:
    """An idempotency key of some call."""
    return IdempotencyKey(scope, key, body * 32)


def a_command(
    *events: DomainEvent,
    claims: tuple[Claim, ...] = (),
    key: IdempotencyKey | None = None,
    data: object = "SUCCESS",
    standing: int = 0,
    command_id: UUID | None = None,
) -> Submission:
    """One command on its way into the store; without events or claims only its answer is to be remembered."""
    changes = Changes(PARTY, events, claims) if events or claims else None
    origin = Origin("request-1", "cpo:PH/ABC", key)
    return Submission(command_id or uuid4(), origin, changes, data, (), Position(standing))


def an_event(uid: str = "A1", version: int = 1, status: str = "CHARGING") -> DomainEvent:
    """One event of the stream of that EVSE."""
    return evse_status_changed(status, uid, version=version)
