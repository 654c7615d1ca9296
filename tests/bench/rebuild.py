"""The views built anew from a long log, quietly and while queries go on; beside it the library's own runner."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
import orjson

from tests.bench.deployed import migrated
from tests.bench.http_load import at_a_rate, connections, request
from tests.bench.long_log import write_log
from tests.bench.peer_projection import library_rate
from tests.bench.rows import Group, Row
from tests.support.emsp import EMSP, SECRET

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from tests.bench.http_load import Answered
    from tests.support.databases import Databases
    from tests.support.emsp import Emsp
    from tests.support.servers import Servers

RUNS: Final = 3
QUERIES_A_SECOND: Final = 100.0
QUIET_S: Final = 10.0
CONNECTIONS: Final = 16
SAMPLE: Final = 5_000
LOOK_S: Final = 0.1
MEMORY_LOOK_S: Final = 0.5
"""Looking costs the cores that are measured."""
PAGE_BYTES: Final = 4_096
COPIED: Final = ("location_view", "evse_view", "history_view")
QUERY: Final = {"query": "{ find_ev_locations(limit: 10) { id name evses { uid status connectors { id status } } } }"}


async def measure_rebuild(servers: Servers, databases: Databases, locations: int) -> Group:
    """Rebuilds of the same log, alone and beside queries, whose errors are errors of the measurement."""
    async with migrated(servers, databases) as (emsp, dsn):
        events = await write_log(dsn, locations)
        quiet = [await _rebuilt(emsp) for _ in range(RUNS)]
        quiet_s = median(seconds for seconds, _ in quiet)
        floor_s = await _copied(dsn)
        emsp.start("api")
        await _until_up(emsp)
        before = await _asked(emsp, QUIET_S)
        began = time.perf_counter()
        rebuilding = asyncio.create_task(_rebuilt(emsp))
        during = await _asked(emsp, quiet_s)
        while not rebuilding.done():
            during += await _asked(emsp, 1.0)
        await rebuilding
        busy_s = time.perf_counter() - began
        assert emsp.stop("api") == 0, emsp.logs()
        assert {answer.status for answer in (*before, *during)} == {200}
        peer = await asyncio.to_thread(library_rate, await databases(), SAMPLE)
    rates = tuple(events / seconds for seconds, _ in quiet)
    ours = Row("emsp rebuild, nobody else", events / quiet_s, "events/s", rates, aim="≥ 30,000")
    p99 = _p99_ms(before)
    return Group(
        f"Views anew from {events:,} events of {locations:,} locations",
        (
            ours,
            Row(
                f"– the library's ProjectionRunner, {SAMPLE:,} of them",
                peer,
                "events/s",
                times=ours.value / peer,
                aim="≥ 20 ×",
            ),
            Row("– plain COPY of the same rows", events / floor_s, "events/s", times=floor_s / quiet_s),
            Row("– most memory, all its processes", max(most for _, most in quiet) / 2**20, "MiB", aim="< 1,024"),
            Row(f"emsp rebuild under {QUERIES_A_SECOND:.0f} queries/s", events / busy_s, "events/s"),
            Row("– a query meanwhile, p99", _p99_ms(during), "ms", aim="≤ 3 × the quiet one"),
            Row("– a query before, p99", p99, "ms", times=_p99_ms(during) / p99),
            Row("– queries that failed", sum(answer.status != 200 for answer in during), "", aim="0"),
        ),
    )


def _p99_ms(answers: list[Answered]) -> float:
    return 1_000 * quantiles([answer.at - answer.sent_at for answer in answers], n=100)[98]


async def _asked(emsp: Emsp, seconds: float) -> list[Answered]:
    asked = request(
        "POST",
        "/ocpi/cpo/graphql",
        orjson.dumps(QUERY),
        Authorization=aiohttp.encode_basic_auth("app", SECRET),
    )
    async with connections(int(emsp.settings["EMSP_HTTP_PORT"]), CONNECTIONS) as opened:
        senders = [itertools.repeat(asked) for _ in opened]
        return await at_a_rate(opened, senders, per_second=QUERIES_A_SECOND, seconds=seconds)


async def _copied(dsn: str) -> float:
    """Seconds in which one session copies the rows of the views, made beforehand, into tables without any index."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    seconds = 0.0
    try:
        for table in COPIED:
            await connection.execute(f"create table views.floor_{table} (like views.{table})")
            with tempfile.TemporaryFile() as rows:
                await connection.copy_from_table(table, schema_name="views", output=rows, format="binary")
                rows.seek(0)
                began = time.perf_counter()
                await connection.copy_to_table(f"floor_{table}", schema_name="views", source=rows, format="binary")
                seconds += time.perf_counter() - began
            await connection.execute(f"drop table views.floor_{table}")
    finally:
        await connection.close()
    return seconds


async def _until_up(emsp: Emsp) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{emsp.base_url}/healthz") as response:
                    assert response.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(LOOK_S)


async def _rebuilt(emsp: Emsp) -> tuple[float, int]:
    """Seconds of `emsp rebuild`, start of the process included, and the most memory of it and its workers."""
    began = time.perf_counter()
    with (emsp.folder / "rebuild.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            EMSP, "rebuild", cwd=emsp.folder, env=emsp.environment, stdout=log, stderr=log
        )
    most = 0
    while (resident := _resident_bytes(process)) is not None:
        most = max(most, resident)
        await asyncio.sleep(MEMORY_LOOK_S)
    assert await process.wait() == 0, (emsp.folder / "rebuild.log").read_text()
    return time.perf_counter() - began, most


def _resident_bytes(process: Process) -> int | None:
    """Of the process and its children; None where it has ended."""
    if process.returncode is not None:
        return None
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            numbers = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if process.pid in (int(status.parent.name), int(numbers[1])):
            total += int(numbers[21]) * PAGE_BYTES
    return total
