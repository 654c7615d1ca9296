"""The states of streams, as commands need them: remembered in this process, kept as snapshots, brought up to date.

What is remembered is never taken for the truth: each load asks the log for what came since, in the same question that
a load from nothing needs. So a command costs the same on a stream of a hundred thousand events and on a new one.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from write_side.domain.aggregates import Aggregate, evolved
from write_side.domain.cpo import Cpo
from write_side.domain.evse import Evse
from write_side.domain.location import Location
from write_side.events.ranges import Position, Recorded
from write_side.ports import History
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    import asyncpg

    from write_side.events.codec import Codec

KINDS: Final[dict[str, type[Aggregate]]] = {"Location": Location, "Evse": Evse, "Cpo": Cpo}

EVOLVE_VERSION: Final = 1
"""Raised when the same events make another state, though its fields are the same."""

SHAPE: Final = hashlib.sha256(
    msgspec.json.encode((EVOLVE_VERSION, msgspec.json.schema_components(tuple(KINDS.values()))), order="deterministic")
).hexdigest()[:16]

SNAPSHOT_EVENTS: Final = 500
"""A snapshot is written when so many events had to be folded: that is some milliseconds."""

SINCE: Final = """
    select asked.stream,
           kept.originator_version as kept_version,
           kept.pos as kept_pos,
           kept.kind,
           kept.state as kept_state,
           event.*
      from unnest($1::uuid[], $2::int[]) as asked (stream, version)
      left join es.snapshots as kept
        on kept.originator_id = asked.stream
       and kept.originator_version > asked.version
       and kept.shape = $3
      left join lateral (
           select pos, originator_id, originator_version, topic, state, party, occurred_at, command_id,
                  correlation_id, actor
             from es.events
            where originator_id = asked.stream
              and originator_version > greatest(asked.version, kept.originator_version)
            order by originator_version) as event on true
"""
"""What each of these streams has beyond a version: a snapshot, where there is one, and the events behind it."""

KEEP: Final = """
    insert into es.snapshots (originator_id, originator_version, pos, kind, shape, state)
    values ($1, $2, $3, $4, $5, $6)
        on conflict (originator_id) do update
       set originator_version = excluded.originator_version,
           pos = excluded.pos,
           kind = excluded.kind,
           shape = excluded.shape,
           state = excluded.state
     where snapshots.originator_version < excluded.originator_version
        or snapshots.shape <> excluded.shape
"""


@dataclass(slots=True)
class _Loaded:
    """One stream: its state, version and last position; folded: events since the snapshot."""

    state: Aggregate | None = None
    version: int = 0
    position: Position = Position(0)
    folded: int = 0


class Aggregates:
    """States by their streams. capacity: of how many the newest state is remembered, those used last."""

    def __init__(self, pool: asyncpg.Pool[Any], codec: Codec, *, capacity: int) -> None:
        self._pool = pool
        self._codec = codec
        self._capacity = capacity
        self._remembered: OrderedDict[UUID, _Loaded] = OrderedDict()

    async def load(self, streams: Collection[UUID]) -> History:
        """These streams as they are now. raises: StoreOutOfReach."""
        asked = list(dict.fromkeys(streams))
        known = [self._remembered.get(stream) for stream in asked]
        versions = [0 if one is None else one.version for one in known]
        with reaching_the_store():
            rows = await self._pool.fetch(SINCE, asked, versions, SHAPE) if asked else []
        loaded = {
            stream: _Loaded() if one is None else _Loaded(one.state, one.version, one.position, one.folded)
            for stream, one in zip(asked, known, strict=True)
        }
        for row in rows:
            self._fold(loaded[row["stream"]], row)
        found = {stream: one for stream, one in loaded.items() if one.state is not None}
        for stream, one in found.items():
            if one.folded >= SNAPSHOT_EVENTS:
                await self._keep(stream, one)
            self._remember(stream, one)
        return History(
            {stream: one.state for stream, one in found.items() if one.state is not None},
            {stream: one.position for stream, one in found.items()},
        )

    def _fold(self, one: _Loaded, row: asyncpg.Record) -> None:
        if row["kind"] is not None and row["kept_version"] > one.version:
            one.state = msgspec.json.decode(row["kept_state"], type=KINDS[row["kind"]])
            one.version, one.position, one.folded = row["kept_version"], Position(row["kept_pos"]), 0
        if row["topic"] is not None:
            recorded = Recorded(*tuple(row)[5:])
            one.state = evolved(one.state, self._codec.decode(recorded))
            one.version, one.position = recorded.version, Position(recorded.position)
            one.folded += 1

    async def _keep(self, stream: UUID, one: _Loaded) -> None:
        state = msgspec.json.encode(one.state)
        with reaching_the_store():
            await self._pool.execute(KEEP, stream, one.version, one.position, type(one.state).__name__, SHAPE, state)
        one.folded = 0

    def _remember(self, stream: UUID, one: _Loaded) -> None:
        """The newer of two that were loaded at once stays."""
        before = self._remembered.get(stream)
        if before is None or before.version <= one.version:
            self._remembered[stream] = one
        self._remembered.move_to_end(stream)
        while len(self._remembered) > self._capacity:
            self._remembered.popitem(last=False)
