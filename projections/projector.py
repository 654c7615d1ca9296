"""Draws a batch of events into the views: folded in memory, then rows and checkpoint in one transaction.

PROJECTIONS says for every event that can happen which function draws it. No side effects but the views.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ocpi.identifiers import Party
from projections import cpos, history, letter_table, locations, pending, view_tables
from projections.generations import LIVE, OLD, generation_in
from projections.letter_table import Letter, key_of
from projections.migrate import views_version
from write_side.events.cpo import CpoForgotten, CpoLogoChanged, CpoPasswordReset, CpoRegistered, CpoTokenCRotated
from write_side.events.evse import ConnectorStatusChanged, EvseRegistered, EvseStatusChanged
from write_side.events.location import (
    LocationChanged,
    LocationPhotoReplaced,
    LocationPhotosAdded,
    LocationRegistered,
)
from write_side.events.pending import LocationsStaged, StagedLocationsApproved, StagedLocationsRejected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    import asyncpg
    from eventsourcing.domain import DomainEvent

    from projections.drawings import Drawings
    from projections.generations import Schema
    from projections.history import Change
    from write_side.events.codec import Codec
    from write_side.events.ranges import Recorded

    Projection: TypeAlias = Callable[[Drawings, Any, int], Change | None]
    Connect: TypeAlias = Callable[[], Awaitable[asyncpg.Connection]]


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that no view shows. because: why that is right."""

    because: str


PROJECTIONS: Final[dict[type[DomainEvent], Projection | Ignored]] = {
    CpoRegistered: cpos.on_cpo_registered,
    CpoLogoChanged: cpos.on_cpo_logo_changed,
    CpoTokenCRotated: Ignored("no view shows a secret"),
    CpoPasswordReset: Ignored("no view shows a secret"),
    CpoForgotten: cpos.on_cpo_forgotten,
    LocationRegistered: locations.on_location_registered,
    LocationChanged: locations.on_location_changed,
    LocationPhotosAdded: locations.on_location_photos_added,
    LocationPhotoReplaced: locations.on_location_photo_replaced,
    EvseRegistered: locations.on_evse_registered,
    EvseStatusChanged: locations.on_evse_status_changed,
    ConnectorStatusChanged: locations.on_connector_status_changed,
    LocationsStaged: pending.on_locations_staged,
    StagedLocationsApproved: pending.on_staged_settled,
    StagedLocationsRejected: pending.on_staged_settled,
}

LEADER_LOCK: Final = 0x454D5350
"""First key of the advisory lock; the second is the schema's name, so that each schema has one leader."""

TRY_TO_LEAD: Final = """
    select pg_try_advisory_lock($1, hashtext(current_schema()))
"""

FOLLOW: Final = """
    select pg_advisory_unlock_all(),
           set_config('search_path', $1, false)
"""

CHECKPOINT: Final = """
    select generation, pos
      from checkpoint
"""

MOVE_CHECKPOINT: Final = """
    with moved as (
        update checkpoint
           set pos = $3,
               at = now()
         where generation = $1
           and pos = $2
     returning pos
    )
    select pg_notify('views_checkpoint', pos::text)
      from moved
"""

SESSION_SETTINGS: Final = """
    set synchronous_commit = off;
    set jit = off
"""
"""A crash of the server may take the last commits back, rows and checkpoint together; the log gives them again.
Compiling a statement takes longer than any of ours runs."""


class Overtaken(Exception):
    """The checkpoint is not where it was left: somebody else draws, or mends, these views."""


class Projector:
    """One views schema, drawn by one process at a time.

    connect opens a session; schema: where the views are, or None: live where this code made them, else those before.
    (After a rebuild by other code, that one draws what is live, and this one goes on with what it may be gone back to.)
    checkpoint: the last position that is in the views, as this process knows it.
    parked: how many events wait in the dead letters, by key: they are not in the views, nor is what follows of the key.
    """

    def __init__(self, connect: Connect, codec: Codec, *, schema: Schema | None = None) -> None:
        self.checkpoint = 0
        self.parked: dict[str, int] = {}
        self._connect = connect
        self._codec = codec
        self._wanted = schema
        self._schema: Schema | None = None
        self._generation = 0
        self._connection: asyncpg.Connection | None = None
        self._is_leading = False

    async def lead(self) -> bool:
        """Whether this process draws these views now; reads the checkpoint anew when it does.

        raises: what asyncpg raises when the database is out of reach
        """
        if self._connection is None or self._connection.is_closed():
            self._is_leading = False
            self._connection = await self._connect()
            await self._connection.execute(SESSION_SETTINGS)
        schema = self._wanted or await self._made_by_this_code(self._connection)
        if schema is None:
            return False
        if not self._is_leading or schema != self._schema:
            await self._connection.execute(FOLLOW, f"{schema}, public")
            self._schema = schema
            self._is_leading = await self._connection.fetchval(TRY_TO_LEAD, LEADER_LOCK)
        if not self._is_leading:
            return False
        row = await self._connection.fetchrow(CHECKPOINT)
        if row is None:
            raise Overtaken
        self._generation, self.checkpoint = row["generation"], row["pos"]
        self.parked = await letter_table.counts(self._connection)
        return True

    async def _made_by_this_code(self, connection: asyncpg.Connection) -> Schema | None:
        for schema in (LIVE, OLD):
            found = await generation_in(connection, schema)
            if found is not None and found.version == views_version():
                return schema
        return None

    @property
    def is_live(self) -> bool:
        """Whether the views that it draws are those that are read."""
        return self._schema == LIVE

    def close(self) -> None:
        """Gives up the lead and the session at once; whatever transaction was open is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def apply(self, events: Sequence[Recorded]) -> float:
        """Draws these events, which follow the checkpoint without a hole, and moves it behind them.

        All or nothing. Events of a parked key join its letters. Answers the seconds for which it held the event loop.
        raises: Overtaken · what the codec or a projection raises
        """
        began = perf_counter()
        letters = self._letters_among(events) if self.parked else []
        waiting = {letter.event.position for letter in letters}
        decoded = decode((event for event in events if event.position not in waiting), self._codec)
        busy_s = perf_counter() - began
        async with self._moving(events[-1].position) as connection:
            busy_s += await draw_all(connection, decoded)
            await letter_table.add(connection, letters)
        for letter in letters:
            self.parked[letter.key] += 1
        return busy_s

    def _letters_among(self, events: Sequence[Recorded]) -> list[Letter]:
        return [Letter(key, event) for event in events if (key := key_of(event)) is not None and key in self.parked]

    async def park(self, event: Recorded, trouble: Exception, *, tries: int) -> str:
        """Sets aside the event that follows the checkpoint, which can't be drawn, and with it what follows of its key.

        Answers the key. raises: Overtaken; Unparkable where nobody can say what the event is about
        """
        letter = letter_table.letter_of(event, trouble, tries=tries)
        async with self._moving(event.position) as connection:
            await letter_table.add(connection, [letter])
            generation = await letter_table.tell_readers(connection)
        self._generation = generation
        self.parked[letter.key] = 1
        return letter.key

    @asynccontextmanager
    async def _moving(self, last: int) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that moves the checkpoint there. raises: Overtaken."""
        if self._connection is None:
            raise Overtaken
        async with self._connection.transaction():
            if not await self._connection.fetch(MOVE_CHECKPOINT, self._generation, self.checkpoint, last):
                raise Overtaken
            yield self._connection
        self.checkpoint = last


def decode(events: Iterable[Recorded], codec: Codec) -> list[tuple[DomainEvent, Recorded]]:
    """Those that a view shows, each with its record. raises: what the codec raises."""
    decoded = ((codec.decode(recorded), recorded) for recorded in events)
    return [one for one in decoded if not isinstance(PROJECTIONS[type(one[0])], Ignored)]


async def draw_all(connection: asyncpg.Connection, decoded: Sequence[tuple[DomainEvent, Recorded]]) -> float:
    """Draws these into the rows, in the caller's transaction, which holds the checkpoint.

    Answers the seconds for which it held the event loop. raises: what a projection raises, and RowsMissing
    """
    location_ids, parties = _subjects(event for event, _ in decoded)
    drawings = await view_tables.load(connection, location_ids, parties)
    began = perf_counter()
    for event, recorded in decoded:
        draw_recorded(drawings, event, recorded)
    changes = view_tables.changes_of(drawings)
    busy_s = perf_counter() - began
    await view_tables.write(connection, changes)
    return busy_s


def _subjects(events: Iterable[Any]) -> tuple[set[int], set[Party]]:
    """What the rows of the views are needed for: locations, each named by its id, and CPOs."""
    location_ids: set[int] = set()
    parties: set[Party] = set()
    for event in events:
        if isinstance(event, CpoRegistered | CpoLogoChanged | CpoForgotten):
            parties.add(Party(event.country_code, event.party_id))
        elif (location_id := getattr(event, "location_id", None)) is not None:
            location_ids.add(location_id)
    return location_ids, parties


def draw(drawings: Drawings, event: DomainEvent, position: int) -> Change | None:
    """Folds one event into the drawings of its batch; an ignored one changes nothing.

    returns: what it changed of a location
    raises: KeyError for an event that PROJECTIONS does not know, or about what was never registered
    """
    projection = PROJECTIONS[type(event)]
    return None if isinstance(projection, Ignored) else projection(drawings, event, position)


def draw_recorded(drawings: Drawings, event: DomainEvent, recorded: Recorded) -> None:
    """As `draw`, with the location's history. recorded: what the event was decoded from."""
    change = draw(drawings, event, recorded.position)
    if change is not None:
        history.keep(drawings, change, recorded)
