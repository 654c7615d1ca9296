"""The event store of PostgreSQL: streams are loaded here; `writer.py` appends to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from write_side.events.ranges import Position, Recorded
from write_side.ports import Answer, Remembered
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    import asyncpg

    from write_side.ports import History, IdKind, Submission
    from write_side.store.aggregates import Aggregates
    from write_side.store.writer import Writer

EVENTS_OF_STREAM: Final = """
    select pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor
      from es.events
     where originator_id = $1
     order by originator_version
"""

EVENTS_OF_STREAM_AFTER: Final = """
    select pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor
      from es.events
     where originator_id = $1
       and originator_version > $2
     order by originator_version
     limit $3
"""

CLAIM_OWNERS: Final = """
    select scope, key, owner
      from es.claims
      join unnest($1::text[], $2::text[]) as asked (scope, key) using (scope, key)
"""

CLAIMS_IN_SCOPES: Final = """
    select scope, count(*) as taken
      from es.claims
     where scope = any($1)
     group by scope
"""

TAKE_LOCATION_IDS: Final = "select nextval('es.location_ids') from generate_series(1, $1)"
TAKE_CONNECTOR_IDS: Final = "select nextval('es.connector_ids') from generate_series(1, $1)"
TAKE_CPO_OWNER_IDS: Final = "select nextval('es.cpo_owner_ids') from generate_series(1, $1)"
TAKE_PHOTO_IDS: Final = "select nextval('es.photo_ids') from generate_series(1, $1)"
TAKE_IDS: Final[dict[IdKind, str]] = {
    "location": TAKE_LOCATION_IDS,
    "connector": TAKE_CONNECTOR_IDS,
    "cpo_owner": TAKE_CPO_OWNER_IDS,
    "photo": TAKE_PHOTO_IDS,
}

REMEMBERED: Final = """
    select fingerprint, answer::text, pos
      from es.commands
     where scope = $1
       and key = $2
"""

PERSONAL_KEY: Final = """
    select sealed_key
      from es.personal_keys
     where key_id = $1
"""

RESERVE_PARTY_ID: Final = "select es.reserve_party_id($1, $2, $3)"

RELEASE_PARTY_ID: Final = """
    delete from es.party_ids
     where country_code = $1
       and party_id = $2
       and reserved_by = $3
"""


async def stream_after(
    connection: asyncpg.Connection[Any], stream: UUID, version: int, *, limit: int
) -> tuple[Recorded, ...]:
    """The events of a stream that follow a version, in order; () at its end. limit: how many at most."""
    return tuple(Recorded(*row) for row in await connection.fetch(EVENTS_OF_STREAM_AFTER, stream, version, limit))


class EventStore:
    """Streams, claims and ids; the `Events` port of commands."""

    def __init__(self, pool: asyncpg.Pool[Any], writer: Writer, aggregates: Aggregates) -> None:
        self._pool = pool
        self._writer = writer
        self._aggregates = aggregates

    async def load(self, streams: Collection[UUID]) -> History:
        """These streams as they are now. raises: StoreOutOfReach."""
        return await self._aggregates.load(streams)

    async def stream(self, stream: UUID) -> tuple[Recorded, ...]:
        """One stream as it was recorded, whole and in order. raises: StoreOutOfReach."""
        with reaching_the_store():
            return tuple(Recorded(*row) for row in await self._pool.fetch(EVENTS_OF_STREAM, stream))

    async def claim_owners(self, claims: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The owner of each (scope, key) that is taken. raises: StoreOutOfReach."""
        if not claims:
            return {}
        scopes, keys = zip(*claims, strict=True)
        with reaching_the_store():
            rows = await self._pool.fetch(CLAIM_OWNERS, scopes, keys)
        return {(row["scope"], row["key"]): row["owner"] for row in rows}

    async def claims_in(self, scopes: Collection[str]) -> dict[str, int]:
        """How many keys are taken in each scope; scopes without any are left out. raises: StoreOutOfReach."""
        if not scopes:
            return {}
        with reaching_the_store():
            rows = await self._pool.fetch(CLAIMS_IN_SCOPES, list(scopes))
        return {row["scope"]: row["taken"] for row in rows}

    async def take_ids(self, kind: IdKind, count: int) -> list[int]:
        """That many new integers, never given again. raises: StoreOutOfReach."""
        with reaching_the_store():
            rows = await self._pool.fetch(TAKE_IDS[kind], count)
        return [row[0] for row in rows]

    async def remembered(self, scope: str, key: str) -> Remembered | None:
        """What was answered under that idempotency key. raises: StoreOutOfReach."""
        with reaching_the_store():
            row = await self._pool.fetchrow(REMEMBERED, scope, key)
        if row is None:
            return None
        said = orjson.loads(row["answer"])
        return Remembered(row["fingerprint"], Answer(said["data"], Position(row["pos"]), tuple(said["ignored"])))

    async def append(self, submission: Submission) -> Position:
        """Write everything of one command, or nothing. raises: Conflict, KeyTaken, StoreOutOfReach."""
        return await self._writer.append(submission)

    async def personal_key(self, key_id: UUID) -> bytes | None:
        """That key of personal data, sealed; None where it was destroyed. raises: StoreOutOfReach."""
        with reaching_the_store():
            sealed_key: bytes | None = await self._pool.fetchval(PERSONAL_KEY, key_id)
        return sealed_key

    async def reserve_party_id(self, country_code: str, candidates: Sequence[str], command_id: UUID) -> str | None:
        """The first candidate that nobody has, reserved in a transaction of its own. raises: StoreOutOfReach."""
        with reaching_the_store():
            party_id: str | None = await self._pool.fetchval(RESERVE_PARTY_ID, country_code, candidates, command_id)
        return party_id

    async def release_party_id(self, country_code: str, party_id: str, command_id: UUID) -> None:
        """Give back what a refused command had reserved. raises: StoreOutOfReach."""
        with reaching_the_store():
            await self._pool.execute(RELEASE_PARTY_ID, country_code, party_id, command_id)
