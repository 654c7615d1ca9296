"""Events per second into the views: through RabbitMQ, and pulled from the log without it."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from tests.bench.checkpoint import checkpoint_of
from tests.bench.deployed import EVSES_OF_A_LOCATION, LOCATIONS, migrated
from tests.bench.events import PARTY, submission
from tests.bench.rows import Group, median_row
from tests.bench.store import event_store
from tests.support.builders import evse_registered, evse_status_changed, location_registered
from tests.support.emsp import ROOT

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterable, Iterator

    from eventsourcing.domain import DomainEvent

    from tests.bench.checkpoint import Checkpoint
    from tests.support.databases import Databases
    from tests.support.emsp import Emsp
    from tests.support.servers import Servers
    from write_side.ports import Events

EVENTS: Final = 50_000
ROUNDS: Final = 3
EVSES: Final = LOCATIONS * EVSES_OF_A_LOCATION
EVENTS_OF_A_COMMAND: Final = 100
COMMANDS_AT_ONCE: Final = EVSES // EVENTS_OF_A_COMMAND
STATUSES: Final = ("CHARGING", "BLOCKED")
"""Pushed in turns; as EVENTS is a multiple of twice EVSES, every EVSE ends as the second."""
PATIENCE_S: Final = 120.0
LOOK_S: Final = 0.005
CURSOR: Final = "select pos from es.publisher"

SHOWN: Final = f"""
    select count(*)
      from views.evse_view
     where document like '%"status":"{STATUSES[1]}"%'
       and revision > $1
"""


async def measure_views(servers: Servers, databases: Databases) -> Group:
    """The log is filled while nobody reads it; then publisher and projector, or the projector alone, drain it."""
    async with migrated(servers, databases) as (emsp, dsn), event_store(dsn) as store, checkpoint_of(dsn) as checkpoint:
        await _append(store, _registrations())
        through: list[float] = []
        pulled: list[float] = []
        filled: list[float] = []
        published: list[float] = []
        version = 2
        for _ in range(ROUNDS):
            async with _bus_reader(emsp):
                filled.append(await _fill(store, version))
                version += EVENTS // EVSES
                through.append(await _drained(emsp, "publish", checkpoint, dsn))
            filled.append(await _fill(store, version))
            version += EVENTS // EVSES
            pulled.append(await _drained(emsp, "project", checkpoint, dsn))
            published.append(await _published(emsp, dsn))
    return Group(
        f"{EVENTS:,} status changes of {EVSES:,} EVSEs into the views",
        (
            median_row("through publisher, RabbitMQ and projector", through, "events/s"),
            median_row("pulled from the log by the projector", pulled, "events/s"),
            median_row("published to RabbitMQ and confirmed, nobody reads", published, "events/s"),
            median_row(f"– filling the log, {EVENTS_OF_A_COMMAND} events a command", filled, "events/s"),
        ),
    )


async def _drained(emsp: Emsp, role: str, checkpoint: Checkpoint, dsn: str) -> float:
    """Events per second from the first batch that is seen in the views to the last, once that role has started."""
    head = await _head(dsn)
    began = time.perf_counter()
    emsp.start(role)
    ended = await checkpoint.reached(head, at_most_s=PATIENCE_S)
    first_at, first = checkpoint.after(began)
    await _all_is_shown(dsn, head)
    assert emsp.stop(role) == 0, emsp.logs()
    return (head - first) / (ended - first_at)


async def _published(emsp: Emsp, dsn: str) -> float:
    """Events per second from the first move of the publisher's cursor that is seen to the last, once it has started."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        head, before = await _head(dsn), await connection.fetchval(CURSOR)
        emsp.start("publish")
        seen: list[tuple[float, int]] = []
        async with asyncio.timeout(PATIENCE_S):
            while not seen or seen[-1][1] < head:
                if (cursor := await connection.fetchval(CURSOR)) > before:
                    seen.append((time.perf_counter(), cursor))
                await asyncio.sleep(LOOK_S)
    finally:
        await connection.close()
    assert emsp.stop("publish") == 0, emsp.logs()
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began)


async def _all_is_shown(dsn: str, head: int) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        assert await connection.fetchval(SHOWN, head - EVSES) == EVSES
    finally:
        await connection.close()


async def _head(dsn: str) -> int:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        head: int = await connection.fetchval("select pos from es.head")
    finally:
        await connection.close()
    return head


async def _fill(store: Events, version: int) -> float:
    """Events per second with which the writer takes the status changes. version: of each EVSE's next event."""
    began = time.perf_counter()
    await _append(store, _changes(version))
    return EVENTS / (time.perf_counter() - began)


async def _append(store: Events, events: Iterable[DomainEvent]) -> None:
    """In this order; as many commands at once as do not share a stream."""
    waiting = iter(events)
    while commands := [
        command for _ in range(COMMANDS_AT_ONCE) if (command := list(itertools.islice(waiting, EVENTS_OF_A_COMMAND)))
    ]:
        await asyncio.gather(*(store.append(submission(command)) for command in commands))


def _registrations() -> Iterator[DomainEvent]:
    for location_id in range(1, LOCATIONS + 1):
        yield location_registered(location_id, PARTY, name=f"Bench {location_id}")
    for number in range(EVSES):
        yield evse_registered(_uid(number), 1 + number // EVSES_OF_A_LOCATION, PARTY)


def _changes(version: int) -> Iterator[DomainEvent]:
    for turn in range(EVENTS // EVSES):
        for number in range(EVSES):
            location_id = 1 + number // EVSES_OF_A_LOCATION
            yield evse_status_changed(
                STATUSES[turn % len(STATUSES)], _uid(number), location_id, PARTY, version=version + turn
            )


def _uid(number: int) -> str:
    return f"PH-BENCH-{number:05}"


@asynccontextmanager
async def _bus_reader(emsp: Emsp) -> AsyncIterator[None]:
    """A projector that has caught up and waits at the bus, in a process of its own."""
    with (emsp.folder / "bus_reader.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bench.bus_reader",
            cwd=ROOT,
            env=emsp.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert await _line_of(process) == "reading", emsp.logs()
        yield
        assert process.stdin is not None
        process.stdin.close()
        projected, pulled = map(int, (await _line_of(process)).split())
        assert projected - pulled == EVENTS, (projected, pulled)
        assert await process.wait() == 0, emsp.logs()
    finally:
        if process.returncode is None:
            process.kill()


async def _line_of(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        return (await process.stdout.readline()).decode().strip()
