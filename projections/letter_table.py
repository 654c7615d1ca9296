"""The only module that reads and writes dead_letter: events that can't be drawn, and those that follow of their keys.

They are part of the generation whose rows lack them, and go with it: one that is built anew has none. Whoever writes
here holds the checkpoint in the same transaction. Unqualified names: search_path says the schema.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from write_side.events.codec import CLASS_VERSIONS
from write_side.events.ranges import decode_range, encode_range, range_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from write_side.events.ranges import Recorded

ADD: Final = """
    insert into dead_letter (pos, key, party, topic, event, error, raised_in, tries)
    select *
      from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::integer[])
"""

COUNTS: Final = """
    select key, count(*)
      from dead_letter
     group by key
"""

KEYS: Final = """
    select key, letters, pos, parked_at, error, tries
      from (
        select *,
               count(*) over (partition by key) as letters,
               row_number() over (partition by key order by pos) as nr
          from dead_letter) as numbered
     where nr = 1
     order by pos
"""

OF_KEY: Final = """
    select event, error, raised_in, tries, parked_at
      from dead_letter
     where key = $1
     order by pos
"""

TRIED: Final = """
    update dead_letter
       set tries = tries + 1,
           error = $2,
           raised_in = $3
     where pos = (
           select min(pos)
             from dead_letter
            where key = $1)
"""

REMOVE: Final = """
    delete from dead_letter
     where key = $1
"""

NEW_GENERATION: Final = """
    update checkpoint
       set generation = generation + 1
 returning generation
"""

OF_THE_EVENT: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.CardinalityViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What PostgreSQL says of rows that can't be: the fault of what was drawn. All else that it says is its own trouble."""

TROUBLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, MemoryError)

LONGEST_ERROR: Final = 1_000


class _About(msgspec.Struct):
    location_id: int | None = None
    class_version: int = 1


_ABOUT: Final = msgspec.json.Decoder(_About)


class Unparkable(Exception):
    """Nobody can say what an event is about: its topic or its version is unknown here, or its state is no JSON object.

    That is no poison: this code is older than the log, or the log is damaged. Everything stands still until it is not.
    """


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that is not in the views.

    error, raised_in, tries: of the first of its key: what the projection raised, where, how often; the others wait.
    since: when it was set aside, of one that is.
    """

    key: str
    event: Recorded
    error: str | None = None
    raised_in: str | None = None
    tries: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """A key with its letters: how many, and of the first one what `Letter` says."""

    key: str
    letters: int
    position: int
    since: datetime
    error: str
    tries: int


def is_of_the_event(trouble: Exception) -> bool:
    """Whether it was raised by what an event is, and not by a database or a machine that is in trouble."""
    return isinstance(trouble, OF_THE_EVENT) or not isinstance(trouble, TROUBLE)


def key_of(event: Recorded) -> str | None:
    """What an event is about, decoded or not: `location/ID` or `cpo/COUNTRY/PARTY`; None where nobody can say."""
    try:
        about = _ABOUT.decode(event.state)
    except msgspec.MsgspecError:
        return None
    if about.class_version > CLASS_VERSIONS.get(event.topic, 0):
        return None
    return f"cpo/{event.party}" if about.location_id is None else f"location/{about.location_id}"


def letter_of(event: Recorded, trouble: Exception, *, tries: int) -> Letter:
    """The letter of an event that can't be drawn. raises: Unparkable."""
    key = key_of(event)
    if key is None:
        raise Unparkable(f"position {event.position}, {event.topic}: {type(trouble).__name__}: {trouble}") from trouble
    return Letter(key, event, *said_by(trouble), tries)


def said_by(trouble: Exception) -> tuple[str, str]:
    """What was raised, and in which line of which function; as text that PostgreSQL takes."""
    last = traceback.extract_tb(trouble.__traceback__)[-1]
    said = f"{type(trouble).__name__}: {trouble}"[:LONGEST_ERROR]
    plain = said.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return plain, f"{Path(last.filename).name}:{last.lineno} in {last.name}"


async def add(connection: asyncpg.Connection, letters: Sequence[Letter]) -> None:
    """Set these aside."""
    if letters:
        await connection.execute(ADD, *map(list, zip(*map(_row, letters), strict=True)))


def _row(letter: Letter) -> tuple[object, ...]:
    event = letter.event
    stored = encode_range(range_of((event,)))
    of_trouble = (letter.error, letter.raised_in, letter.tries)
    return (event.position, letter.key, event.party, event.topic, stored, *of_trouble)


async def tell_readers(connection: asyncpg.Connection) -> int:
    """Another generation, since a key was parked or is not parked any more; which."""
    generation: int = await connection.fetchval(NEW_GENERATION)
    return generation


async def counts(connection: asyncpg.Connection) -> dict[str, int]:
    """How many events wait, by key."""
    return {row["key"]: row["count"] for row in await connection.fetch(COUNTS)}


async def keys(connection: asyncpg.Connection) -> list[Parked]:
    """What is parked, in the order of the events that can't be drawn."""
    return [Parked(*row) for row in await connection.fetch(KEYS)]


async def letters_of(connection: asyncpg.Connection, key: str) -> list[Letter]:
    """The letters of a key, in their order."""
    return [Letter(key, decode_range(event).events[0], *kept) for event, *kept in await connection.fetch(OF_KEY, key)]
