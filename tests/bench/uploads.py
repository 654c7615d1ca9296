"""A CSV of 100,000 rows: how long it takes, how long it holds others up, and in how much memory."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.checkpoint import checkpoint_of
from tests.bench.deployed import deployed
from tests.bench.rows import Group, Row
from tests.support.client import Client
from tests.support.csv_files import write_large
from tests.support.emsp import client_of
from tests.support.processes import forget_highest, highest_mib

if TYPE_CHECKING:
    from tests.bench.deployed import Deployed
    from tests.support.client import Reply
    from tests.support.databases import Databases
    from tests.support.servers import Servers

ROWS: Final = 100_000
DRAW_S: Final = 120.0
MAX_MIB: Final = 200


async def measure_uploads(servers: Servers, databases: Databases) -> Group:
    """One upload to an API process, then publisher and projector on what it made visible at once."""
    async with deployed(servers, databases) as service, client_of(service.emsp) as client:
        file = write_large(service.emsp.folder / "large.csv", ROWS).read_bytes()
        token = await client.log_in(service.cpo)
        pid = service.emsp.running["api"].pid
        forget_highest(pid)
        before = highest_mib(pid)
        began = time.perf_counter()
        uploading = asyncio.create_task(client.upload(token, file))
        waits_ms = await _others(service, client, uploading)
        reply = await uploading
        assert reply.status == 200, reply.body
        took_s = time.perf_counter() - began
        more_mib = highest_mib(pid) - before
        held_s = _held_s(service.emsp.folder / "api.log")
        events_a_second = await _into_the_views(service, reply.position)
    return Group(
        f"A CSV of {ROWS:,} rows over HTTP, one API process",
        (
            Row("from the call to its answer", ROWS / took_s, "rows/s"),
            Row("the log is locked for its insert", held_s, "s"),
            Row("W3 meanwhile, one after the other, p50", waits_ms[len(waits_ms) // 2], "ms"),
            Row("W3 meanwhile, p99", waits_ms[int(0.99 * len(waits_ms))], "ms"),
            Row("W3 meanwhile, longest", waits_ms[-1], "ms"),
            Row("the most memory, beyond what the process had", more_mib, "MiB", aim=f"< {MAX_MIB} MiB"),
            Row("into the views through RabbitMQ, all visible at once", events_a_second, "events/s"),
        ),
    )


async def _others(service: Deployed, client: Client, uploading: asyncio.Task[Reply]) -> list[float]:
    """How long each of them took, ascending."""
    waits_ms: list[float] = []
    uid = service.uids[0]
    while not uploading.done():
        sent_at = time.perf_counter()
        status = ("CHARGING", "AVAILABLE")[len(waits_ms) % 2]
        reply = await client.push_status(service.cpo, uid, status)
        assert reply.status == 200, reply.body
        waits_ms.append(1_000 * (time.perf_counter() - sent_at))
    return sorted(waits_ms)


async def _into_the_views(service: Deployed, position: int) -> float:
    """Events per second from the first batch that is seen in the views to the last."""
    async with checkpoint_of(service.dsn) as checkpoint:
        began = time.perf_counter()
        service.emsp.start("publish")
        service.emsp.start("project")
        ended = await checkpoint.reached(position, at_most_s=DRAW_S)
        first_at, first = checkpoint.after(began)
    return (position - first) / (ended - first_at)


def _held_s(log: Path) -> float:
    """As the store tells it of its longest upload."""
    told = [json.loads(line) for line in log.read_text().splitlines() if '"upload appended"' in line]
    return float(max(one["held_s"] for one in told))
