"""What the views' indexes cost whoever draws them: the same events into copies of a filled database, with and without.

Counted is the time that the server's process of the session was at work, which does not hang on what else the machine
does. What waits for the disk later, in other processes, is not in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from projections import view_tables
from projections.projector import SESSION_SETTINGS, draw
from tests.bench import country
from tests.bench.filled import FILLING
from tests.bench.rows import Group, median_row
from tests.support.builders import evse_status_changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.domain import DomainEvent
    from rich.console import Console

    from tests.support.databases import Databases

ROUNDS: Final = 3
LOCATIONS: Final = 3_000
CHANGES: Final = 12_000
"""At most: of as many EVSEs of different locations."""
BATCH: Final = 500
"""Events of a transaction, as the projector takes them."""

UNIT: Final = "µs of the server"

SECONDARY: Final = """
    select relname as name
      from pg_class
     where relkind = 'i'
       and relnamespace = 'views'::regnamespace
       and relname ~ '^(location|evse)_'
       and relname !~ '_pkey$'
       and relname <> 'evse_of_location'
"""
"""Those that only questions need: drawing itself looks up by the one left out."""


async def measure_index_cost(databases: Databases, filled: str, size: int, console: Console) -> Group:
    """filled: DSN of a database of that size, which is copied for each run."""
    runs: dict[str, list[tuple[float, float]]] = {"all": [], "none": []}
    for turn in range(ROUNDS):
        console.print(f"  round {turn + 1} of {ROUNDS} …", style="dim")
        for kept, of_kind in runs.items():
            of_kind.append(await _drawn(databases, filled, size, has_indexes=kept == "all"))
    rows = []
    for number, what in enumerate(("registration", "status change")):
        ours = median_row(f"a {what}", [run[number] for run in runs["all"]], UNIT)
        bare = median_row("– without the indexes", [run[number] for run in runs["none"]], UNIT, ours=ours)
        rows += [ours, bare]
    return Group(f"An event drawn into views of {size:,} locations, in the server", tuple(rows))


async def _drawn(databases: Databases, filled: str, size: int, *, has_indexes: bool) -> tuple[float, float]:
    """Microseconds of the server for an event: new locations with their EVSEs, and status changes of old ones."""
    dsn = await databases(template=filled)
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn, server_settings=FILLING)
    try:
        await connection.execute(SESSION_SETTINGS)
        if not has_indexes:
            for index in await connection.fetch(SECONDARY):
                await connection.execute(f"drop index {index['name']}")
        new = [event for number in range(size + 1, size + 1 + LOCATIONS) for event in country.events(number)]
        return await _us_an_event(connection, new), await _us_an_event(connection, _changes(size))
    finally:
        await connection.close()
        await databases.drop(dsn)


def _changes(size: int) -> list[DomainEvent]:
    chance = Random(1)
    numbers = chance.sample(range(1, size + 1), min(size, CHANGES))
    return [evse_status_changed(chance.choice(country.STATUSES[:2]), country.uid_of(n, 0), n) for n in numbers]


async def _us_an_event(connection: asyncpg.Connection[Any], events: Sequence[DomainEvent]) -> float:
    pid = connection.get_server_pid()
    began = _ticks_of(pid)
    for start in range(0, len(events), BATCH):
        batch: Sequence[Any] = events[start : start + BATCH]
        async with connection.transaction():
            drawings = await view_tables.load(connection, {event.location_id for event in batch}, set())
            for position, event in enumerate(batch, start=start + 1):
                draw(drawings, event, position)
            await view_tables.write(connection, view_tables.changes_of(drawings))
    return (_ticks_of(pid) - began) / os.sysconf("SC_CLK_TCK") * 1e6 / len(events)


def _ticks_of(pid: int) -> int:
    """User and system time of a process of this machine."""
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])
