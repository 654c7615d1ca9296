"""Where an upload waits on its way into the log: temporary tables of a session of its own.

Its rows and what is decided of them may be larger than this process should be, and go into the log all at once. They
die with the session: nobody has to tidy up after an upload that was refused, cut off or killed (docs/decisions/0015).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, cast

import asyncpg
import msgspec
import orjson
import structlog

from write_side.domain.drafts import EvseDraft, LocationDraft
from write_side.domain.errors import Conflict, KeyTaken
from write_side.domain.place import Placed
from write_side.domain.uploads import EvseRow, LocationOfRows
from write_side.events.pending import LocationsStaged
from write_side.events.ranges import Position, Recorded
from write_side.events.streams import pending_stream
from write_side.ports import Pending
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

    from ocpi.identifiers import Party
    from write_side.domain.changes import Claim
    from write_side.events.codec import Codec
    from write_side.ports import Submission

CREATE: Final = """
    set enable_seqscan = off;
    set enable_hashjoin = off;
    set enable_mergejoin = off;
    set jit = off;
    create temporary table upload_locations (
        nr integer primary key,
        line integer not null,
        draft bytea not null,
        placed bytea not null
    );
    create temporary table upload_rows (
        location_nr integer not null,
        nr integer not null,
        line integer not null,
        draft bytea not null,
        primary key (location_nr, nr, line)
    );
    create temporary table kept_events (
        nr integer primary key,
        stream uuid not null,
        version integer not null,
        topic text not null,
        state bytea not null,
        at timestamptz not null
    );
    create temporary table kept_claims (
        scope text not null,
        key text not null,
        owner text not null
    )
"""
"""Asked by key alone, as all of the write side; temporary tables have no statistics to plan by."""

TAKE_TURN: Final = "select pg_advisory_lock($1, hashtext($2))"
TURNS: Final = 0x55504C44
"""First key of the advisory lock: a party has one upload at a time, so that two see what each other staged."""

ADD_LOCATIONS: Final = """
    insert into pg_temp.upload_locations (nr, line, draft, placed)
    select *
      from unnest($1::int[], $2::int[], $3::bytea[], $4::bytea[])
"""

ADD_ROWS: Final = """
    insert into pg_temp.upload_rows (location_nr, nr, line, draft)
    select *
      from unnest($1::int[], $2::int[], $3::int[], $4::bytea[])
"""

LOCATIONS: Final = """
    select nr, line, draft, placed
      from pg_temp.upload_locations
     where nr between $1 and $2
     order by nr
"""

ROWS: Final = """
    select location_nr, nr, line, draft
      from pg_temp.upload_rows
     where location_nr <= $2
       and (location_nr, nr, line) > ($1, $3, $4)
     order by location_nr, nr, line
     limit $5
"""

EXISTING: Final = """
    select originator_id
      from es.events
     where originator_id = any($1)
       and originator_version = 1
"""

PENDING: Final = """
    select coalesce(max(originator_version) filter (where topic <> $2), 0) as settled,
           coalesce(max(originator_version), 0) as version
      from es.events
     where originator_id = $1
"""

PENDING_EVENTS: Final = """
    select pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor
      from es.events
     where originator_id = $1
       and originator_version between $2 and $3
     order by originator_version
"""

FORGET_KEPT: Final = "truncate pg_temp.kept_events, pg_temp.kept_claims"

KEEP_EVENTS: Final = """
    insert into pg_temp.kept_events (nr, stream, version, topic, state, at)
    select *
      from unnest($1::int[], $2::uuid[], $3::int[], $4::text[], $5::bytea[], $6::timestamptz[])
"""

KEEP_CLAIMS: Final = """
    insert into pg_temp.kept_claims (scope, key, owner)
    select *
      from unnest($1::text[], $2::text[], $3::text[])
"""

LOCK_HEAD: Final = """
    select pos
      from es.head
       for update
"""

APPEND_EVENTS: Final = """
    insert into es.events (
           pos, originator_id, originator_version, topic, state, party, occurred_at,
           command_id, correlation_id, actor)
    select $1 + nr, stream, version, topic, state, $2, at, $3, $4, $5
      from pg_temp.kept_events
     order by nr
"""

APPEND_CLAIMS: Final = """
    insert into es.claims (scope, key, owner)
    select scope, key, owner
      from pg_temp.kept_claims
"""

REMEMBER: Final = """
    insert into es.commands (scope, key, fingerprint, answer, pos)
    values ($1, $2, $3, $4::text::jsonb, $5)
"""

MOVE_HEAD: Final = """
    update es.head
       set pos = $1
"""

TELL: Final = "select pg_notify('es_events', $1::bigint::text)"

PENDING_AT_ONCE: Final = 2
ROWS_AT_ONCE: Final = 500

LOG: Final = structlog.get_logger(__name__)


class Stagings:
    """Opens stagings, a few at a time.

    connect: opens a session to the event store; at_once: how many in this process, the others wait;
    patience_s: how long one waits for its turn, and for another upload of its party
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection[Any]]],
        codec: Codec,
        *,
        at_once: int,
        patience_s: float,
    ) -> None:
        self._connect = connect
        self._codec = codec
        self._turns = asyncio.Semaphore(at_once)
        self._patience_s = patience_s

    @asynccontextmanager
    async def open(self, party: Party) -> AsyncIterator[StoreStaging]:
        """A staging for one upload of that party. raises: StoreOutOfReach, also when its turn does not come."""
        with reaching_the_store():
            await asyncio.wait_for(self._turns.acquire(), self._patience_s)
        connection: asyncpg.Connection[Any] | None = None
        try:
            with reaching_the_store():
                connection = await self._connect()
                await connection.execute(TAKE_TURN, TURNS, str(party), timeout=self._patience_s)
                await connection.execute(CREATE)
            yield StoreStaging(connection, self._codec)
        finally:
            self._turns.release()
            if connection is not None:
                connection.terminate()


class StoreStaging:
    """One upload in its session; the `Staging` port of commands."""

    def __init__(self, connection: asyncpg.Connection[Any], codec: Codec) -> None:
        self._connection = connection
        self._codec = codec
        self._kept = 0
        self._location_draft = msgspec.json.Decoder(LocationDraft)
        self._evse_draft = msgspec.json.Decoder(EvseDraft)
        self._placed: msgspec.json.Decoder[Placed | None] = msgspec.json.Decoder(Placed | None)

    async def add(self, locations: Sequence[LocationOfRows], rows: Sequence[EvseRow]) -> None:
        """Keep these, in the order of their numbers. raises: StoreOutOfReach."""
        encode = msgspec.json.encode
        await self._insert(
            ADD_LOCATIONS, ((one.nr, one.row, encode(one.draft), encode(one.placed)) for one in locations)
        )
        await self._insert(ADD_ROWS, ((row.location_nr, row.nr, row.row, encode(row.draft)) for row in rows))

    async def locations(self, first: int, last: int) -> list[LocationOfRows]:
        """The locations of these numbers. raises: StoreOutOfReach."""
        with reaching_the_store():
            rows = await self._connection.fetch(LOCATIONS, first, last)
        draft, placed = self._location_draft.decode, self._placed.decode
        return [LocationOfRows(row[0], row[1], draft(row[2]), placed(row[3])) for row in rows]

    async def rows(self, first: int, last: int) -> AsyncIterator[list[EvseRow]]:
        """The rows of these locations' EVSEs, some at a time. raises: StoreOutOfReach."""
        after = (first, 0, 0)
        draft = self._evse_draft.decode
        while True:
            with reaching_the_store():
                rows = await self._connection.fetch(ROWS, after[0], last, *after[1:], ROWS_AT_ONCE)
            yield [EvseRow(row[0], row[1], row[2], draft(row[3])) for row in rows]
            if len(rows) < ROWS_AT_ONCE:
                return
            after = tuple(rows[-1][:3])

    async def existing(self, streams: Collection[UUID]) -> set[UUID]:
        """Which of these streams there are in the log. raises: StoreOutOfReach."""
        with reaching_the_store():
            return {row[0] for row in await self._connection.fetch(EXISTING, list(streams))}

    async def pending(self, party: Party) -> Pending:
        """How far the party's stream of staged uploads has come. raises: StoreOutOfReach."""
        with reaching_the_store():
            row = await self._connection.fetchrow(PENDING, pending_stream(party), LocationsStaged.TOPIC)
        return Pending(*cast("asyncpg.Record", row))

    async def pending_events(self, party: Party) -> AsyncIterator[LocationsStaged]:
        """What waits for approval, in order. raises: StoreOutOfReach."""
        pending = await self.pending(party)
        for first in range(pending.settled + 1, pending.version + 1, PENDING_AT_ONCE):
            last = min(first + PENDING_AT_ONCE - 1, pending.version)
            with reaching_the_store():
                rows = await self._connection.fetch(PENDING_EVENTS, pending_stream(party), first, last)
            for row in rows:
                yield cast("LocationsStaged", self._codec.decode(Recorded(*row)))

    async def begin(self) -> None:
        """Forget what was decided: it is decided again. raises: StoreOutOfReach."""
        self._kept = 0
        with reaching_the_store():
            await self._connection.execute(FORGET_KEPT)

    async def keep(self, events: Sequence[DomainEvent], claims: Sequence[Claim]) -> None:
        """What was decided, to be appended with all the rest of it. raises: StoreOutOfReach."""
        rows = []
        for event in events:
            self._kept += 1
            stored = self._codec.encode(event)
            rows.append(
                (
                    self._kept,
                    stored.originator_id,
                    stored.originator_version,
                    stored.topic,
                    stored.state,
                    event.timestamp,
                )
            )
        await self._insert(KEEP_EVENTS, rows)
        await self._insert(KEEP_CLAIMS, ((claim.scope, claim.key, claim.owner) for claim in claims))

    async def _insert(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        if columns:
            with reaching_the_store():
                await self._connection.execute(statement, *columns)

    async def append(self, submission: Submission) -> Position:
        """Append all that was kept, or nothing, while nobody else appends.

        raises: Conflict         a stream or a claim was taken meanwhile: decide again
                KeyTaken         the idempotency key was remembered meanwhile
                StoreOutOfReach  where COMMIT's answer was lost, unknown whether it was written
        """
        began = perf_counter()
        try:
            with reaching_the_store():
                async with self._connection.transaction():
                    base = await self._connection.fetchval(LOCK_HEAD)
                    locked = perf_counter()
                    position = await self._append_behind(base, submission)
        except asyncpg.UniqueViolationError as taken:
            raise KeyTaken if taken.table_name == "commands" else Conflict from taken
        LOG.info(
            "upload appended",
            events=self._kept,
            position=position,
            waited_s=round(locked - began, 3),
            held_s=round(perf_counter() - locked, 3),
        )
        return position

    async def _append_behind(self, base: int, submission: Submission) -> Position:
        origin = submission.origin
        party = "" if submission.changes is None else str(submission.changes.party)
        position = Position(base + self._kept)
        execute = self._connection.execute
        await execute(APPEND_EVENTS, base, party, submission.command_id, origin.correlation_id, origin.actor)
        await execute(APPEND_CLAIMS)
        if origin.key is not None:
            answer = orjson.dumps({"data": submission.data, "ignored": submission.ignored}).decode()
            await execute(REMEMBER, origin.key.scope, origin.key.key, origin.key.fingerprint, answer, position)
        await execute(MOVE_HEAD, position)
        await execute(TELL, position)
        return position
