"""Commands per second of the event store, beside the library's recorder and a floor of plain INSERTs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg

from tests.bench.events import EVENTS_OF_A_COMMAND, submission, two_events
from tests.bench.peer_recorder import append_by_threads, library_recorder
from tests.bench.rows import Group, Row, median_row
from tests.bench.store import event_store, migrate
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from tests.support.databases import Databases
    from write_side.ports import Events

WRITERS: Final = (1, 16, 100)
ROUNDS: Final = 3
SECONDS: Final = 2.5
AIM_WRITERS: Final = 16

PLAIN_INSERT: Final = """
    insert into es.events (
           pos, originator_id, originator_version, topic, state, party, occurred_at, command_id, correlation_id, actor)
    select pos, stream, version, topic, state, 'PH/ABC', now(), stream, 'bench', 'cpo:PH/ABC'
      from unnest($1::bigint[], $2::uuid[], $3::int[], $4::text[], $5::bytea[])
           as new (pos, stream, version, topic, state)
"""

LOG: Final = """
    select count(*) as events,
           coalesce(max(pos), 0) as last,
           (select pos from es.head) as head
      from es.events
"""

LIBRARY_LOG: Final = "select count(*) from stored_events"


async def measure_append(databases: Databases) -> Group:
    """Ours, the library's and the floor in turns, so that all three meet the same moods of the machine."""
    ours, library, floor = [await databases() for _ in range(3)]
    await migrate(ours)
    await migrate(floor)
    runs: dict[tuple[str, int], list[float]] = {}
    told = {"ours": 0, "library": 0}
    for _ in range(ROUNDS):
        for writers in WRITERS:
            async with event_store(ours) as store:
                commands, rate = await _ours(store, writers)
            told["ours"] += commands
            runs.setdefault(("ours", writers), []).append(rate)
            commands, rate = await _library(library, writers)
            told["library"] += commands
            runs.setdefault(("library", writers), []).append(rate)
            runs.setdefault(("floor", writers), []).append(await _floor(floor, writers))
    await _nothing_is_lost(ours, library, told)
    for dsn in (ours, library, floor):
        await databases.drop(dsn)
    return Group(
        f"Event store, {EVENTS_OF_A_COMMAND} events a command",
        tuple(row for writers in WRITERS for row in _rows(writers, runs)),
    )


def _rows(writers: int, runs: dict[tuple[str, int], list[float]]) -> list[Row]:
    ours = median_row(f"writers at once: {writers}", runs["ours", writers], "commands/s")
    aim = "≥ 10 ×" if writers == AIM_WRITERS else ""
    return [
        ours,
        median_row(f"– the library, threads: {writers}", runs["library", writers], "commands/s", ours=ours, aim=aim),
        median_row(f"– plain INSERT, commands each: {writers}", runs["floor", writers], "commands/s", ours=ours),
    ]


async def _ours(store: Events, writers: int) -> tuple[int, float]:
    began = time.perf_counter()
    until = began + SECONDS

    async def write() -> int:
        stream = uuid4()
        version = 1
        while time.perf_counter() < until:
            await store.append(submission(two_events(stream, version)))
            version += EVENTS_OF_A_COMMAND
        return version // EVENTS_OF_A_COMMAND

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(write()) for _ in range(writers)]
    commands = sum(task.result() for task in tasks)
    return commands, commands / (time.perf_counter() - began)


async def _library(dsn: str, workers: int) -> tuple[int, float]:
    def work() -> tuple[int, float]:
        with library_recorder(dsn, workers) as recorder:
            return append_by_threads(recorder, workers, SECONDS)

    commands, seconds = await asyncio.to_thread(work)
    return commands, commands / seconds


async def _floor(dsn: str, batch: int) -> float:
    """Commands per second of one connection that only inserts rows made beforehand, without lock, check or notice."""
    stored = [Codec().encode(event) for event in two_events(uuid4(), 1)] * batch
    topics, states = [event.topic for event in stored], [event.state for event in stored]
    versions = [1, 2] * batch
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    try:
        position: int = await connection.fetchval("select coalesce(max(pos), 0) from es.events")
        commands = 0
        began = time.perf_counter()
        while time.perf_counter() < began + SECONDS:
            streams = [stream for _ in range(batch) for stream in [uuid4()] * EVENTS_OF_A_COMMAND]
            positions = list(range(position + 1, position + len(stored) + 1))
            await connection.execute(PLAIN_INSERT, positions, streams, versions, topics, states)
            position += len(stored)
            commands += batch
        return commands / (time.perf_counter() - began)
    finally:
        await connection.close()


async def _nothing_is_lost(ours: str, library: str, told: dict[str, int]) -> None:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(ours)
    try:
        log = await connection.fetchrow(LOG)
    finally:
        await connection.close()
    assert log is not None
    assert log["events"] == log["last"] == log["head"] == told["ours"] * EVENTS_OF_A_COMMAND, log
    connection = await asyncpg.connect(library)
    try:
        assert await connection.fetchval(LIBRARY_LOG) == told["library"] * EVENTS_OF_A_COMMAND
    finally:
        await connection.close()
