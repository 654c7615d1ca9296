"""W3 over HTTP: how many calls a second one API process answers, and how long until the views show them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import asyncpg

from tests.bench.checkpoint import checkpoint_of
from tests.bench.deployed import deployed
from tests.bench.http_load import Answered, as_fast_as_it_goes, at_a_rate, connections, request
from tests.bench.long_stream import measure_long_stream
from tests.bench.rows import Group, Row, median_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.checkpoint import Checkpoint
    from tests.bench.deployed import Deployed
    from tests.bench.http_load import Connection
    from tests.support.databases import Databases
    from tests.support.servers import Servers

CONNECTIONS: Final = 16
ROUNDS: Final = 3
SECONDS: Final = 3.0
WARM_UP_S: Final = 1.0

AIMS_P99: Final = {200: "< 50 ms", 500: ""}
"""At so many calls a second."""
RATE_S: Final = 10.0
CATCH_UP_S: Final = 60.0

LOG: Final = """
    select count(*) as events,
           max(pos) as last
      from es.events
"""


async def measure_calls(servers: Servers, databases: Databases) -> list[Group]:
    """Calls a second of the API alone, of everything at once, and the visibility at a steady rate."""
    async with deployed(servers, databases) as service, connections(service.port, CONNECTIONS) as opened:
        calls = service.status_calls(CONNECTIONS)
        alone = await _calls_a_second(service, opened, calls)
        service.emsp.start("publish")
        service.emsp.start("project")
        await service.emsp.until_ready()
        async with checkpoint_of(service.dsn) as checkpoint:
            await checkpoint.reached(await _head(service.dsn), at_most_s=CATCH_UP_S)
            visibility = [await _visibility(opened, calls, checkpoint, rate) for rate in AIMS_P99]
            busy = await as_fast_as_it_goes(opened, calls, SECONDS)
            await checkpoint.reached(max(answer.position for answer in busy), at_most_s=CATCH_UP_S)
            _all_accepted(busy)
        assert service.emsp.stop("project") == 0, service.emsp.logs()
        assert service.emsp.stop("publish") == 0, service.emsp.logs()
        long_stream = await measure_long_stream(service)
        everything = Row(
            "W3 while publisher and projector work too",
            len(busy) / (max(one.at for one in busy) - min(one.sent_at for one in busy)),
            "calls/s",
        )
    return [
        Group(f"W3 over HTTP, one API process, {CONNECTIONS} connections", (*alone, everything)),
        *visibility,
        long_stream,
    ]


async def _calls_a_second(
    service: Deployed, opened: Sequence[Connection], calls: Sequence[Iterator[bytes]]
) -> list[Row]:
    constant = [itertools.repeat(request("GET", "/healthz"))] * len(opened)
    before = await _head(service.dsn)
    accepted = await as_fast_as_it_goes(opened, calls, WARM_UP_S)
    runs: list[float] = []
    floor: list[float] = []
    p99_ms: list[float] = []
    for _ in range(ROUNDS):
        answers = await as_fast_as_it_goes(opened, calls, SECONDS)
        accepted += answers
        runs.append(len(answers) / SECONDS)
        p99_ms.append(1_000 * _quantile(sorted(one.at - one.sent_at for one in answers), 0.99))
        floor.append(len(await as_fast_as_it_goes(opened, constant, SECONDS)) / SECONDS)
    _all_accepted(accepted)
    assert await _head(service.dsn) == before + len(accepted)
    ours = median_row("W3", runs, "calls/s")
    return [
        ours,
        median_row("– to its answer, p99", p99_ms, "ms"),
        median_row("– a constant answer (GET /healthz)", floor, "calls/s", ours=ours),
    ]


async def _visibility(
    opened: Sequence[Connection], calls: Sequence[Iterator[bytes]], checkpoint: Checkpoint, rate: int
) -> Group:
    await at_a_rate(opened, calls, per_second=rate, seconds=WARM_UP_S)
    answers = await at_a_rate(opened, calls, per_second=rate, seconds=RATE_S)
    await checkpoint.reached(max(answer.position for answer in answers), at_most_s=CATCH_UP_S)
    _all_accepted(answers)
    visible_ms = sorted(1_000 * max(0.0, checkpoint.seen(one.position) - one.at) for one in answers)
    answer_ms = sorted(1_000 * (one.at - one.sent_at) for one in answers)
    return Group(
        f"Visibility of W3 at {rate} calls/s through RabbitMQ",
        (
            Row("from the answer to the views, p50", _quantile(visible_ms, 0.5), "ms"),
            Row("from the answer to the views, p99", _quantile(visible_ms, 0.99), "ms", aim=AIMS_P99[rate]),
            Row("from the answer to the views, longest", visible_ms[-1], "ms"),
            Row("from the call to its answer, p50", _quantile(answer_ms, 0.5), "ms"),
            Row("from the call to its answer, p99", _quantile(answer_ms, 0.99), "ms"),
        ),
    )


def _quantile(ascending: Sequence[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def _all_accepted(answers: Sequence[Answered]) -> None:
    """Each call changed something: accepted, at a position of its own."""
    assert {answer.status for answer in answers} == {200}
    assert len({answer.position for answer in answers}) == len(answers)


async def _head(dsn: str) -> int:
    """The last position, which must be the number of events."""
    connection: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        log = await connection.fetchrow(LOG)
    finally:
        await connection.close()
    assert log is not None
    assert log["events"] == log["last"], log
    return int(log["last"])
