"""One EVSE with a stream of 100,000 changes of status: what a command costs there, beside one at a new EVSE."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from ocpi.identifiers import Party
from tests.bench.http_load import connections
from tests.bench.long_log import COLUMNS, COMMAND, FROM
from tests.bench.rows import Group, Row
from tests.support.builders import evse_status_changed
from write_side.events.codec import Codec
from write_side.events.streams import evse_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.deployed import Deployed

CHANGES: Final = 100_000
CALLS: Final = 200
STREAM: Final = """
    select min((convert_from(state, 'UTF8')::json ->> 'location_id')::int) as location_id,
           max(originator_version) as version
      from es.events
     where originator_id = $1
"""


async def measure_long_stream(service: Deployed) -> Group:
    """Nobody may be appending. The first command finds neither a snapshot nor a state that is remembered."""
    await _lengthen(service, service.uids[0])
    long, short = (service.status_calls_of(uid) for uid in (service.uids[0], service.uids[-1]))
    first_ms, *long_ms = await _times_ms(service, long)
    _, *short_ms = await _times_ms(service, short)
    ours = Row("W3, p50", median(long_ms), "ms")
    return Group(
        f"One EVSE after {CHANGES:,} changes of its status",
        (
            ours,
            Row("– of an EVSE that is new", median(short_ms), "ms", times=ours.value / median(short_ms), aim="as fast"),
            Row("– the very first, which folds them all", first_ms, "ms"),
        ),
    )


async def _times_ms(service: Deployed, calls: Iterator[bytes]) -> list[float]:
    async with connections(service.port, 1) as (connection,):
        answers = [await connection.call(next(calls)) for _ in range(CALLS)]
    assert {answer.status for answer in answers} == {200}
    return [1_000 * (answer.at - answer.sent_at) for answer in answers]


async def _lengthen(service: Deployed, uid: str) -> None:
    """Copy that many changes behind the last event of the EVSE's stream and of the log."""
    party = Party(service.cpo.country_code, service.cpo.party_id)
    codec = Codec()
    connection: asyncpg.Connection[Any] = await asyncpg.connect(service.dsn)
    try:
        ((location_id, version),) = await connection.fetch(STREAM, evse_stream(party, uid))
        head = await connection.fetchval("select pos from es.head")
        rows = []
        for nr in range(1, CHANGES + 1):
            status = ("BLOCKED", "OUTOFORDER")[nr % 2]
            stored = codec.encode(evse_status_changed(status, uid, location_id, party, version=version + nr))
            told = (stored.originator_id, stored.originator_version, stored.topic, stored.state, str(party))
            rows.append((head + nr, *told, FROM + timedelta(milliseconds=nr), COMMAND, "bench", f"cpo:{party}"))
        async with connection.transaction():
            await connection.execute("update es.head set pos = $1", head + CHANGES)
            await connection.copy_records_to_table("events", schema_name="es", records=rows, columns=COLUMNS)
    finally:
        await connection.close()
