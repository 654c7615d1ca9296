"""A deployment for measurements: real `emsp` processes, a CPO that registered through the API, its EVSEs."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aio_pika
import asyncpg

from projections.bus import exchange_of, queue_of
from projections.migrate import DATABASE_ID
from tests.bench.http_load import request
from tests.support.client import Cpo, a_location, an_evse
from tests.support.emsp import Emsp, client_of, deployment
from write_side.store.publisher import log_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.databases import Databases
    from tests.support.servers import Servers

LOCATIONS: Final = 200
EVSES_OF_A_LOCATION: Final = 5
STATUSES: Final = ("CHARGING", "AVAILABLE")
"""Pushed in turns; EVSEs start as AVAILABLE, so every call changes something."""

KEYS: Final = {
    "jwt_access_key": "access-key-of-a-bench-deployment-001",
    "jwt_refresh_key": "refresh-key-of-a-bench-deployment-01",
    "seal_key": "seal-key-of-a-bench-deployment-00001",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """dsn: of both schemas; cpo: whose EVSEs these uids are."""

    emsp: Emsp
    dsn: str
    cpo: Cpo
    uids: tuple[str, ...]

    @property
    def port(self) -> int:
        return int(self.emsp.settings["EMSP_HTTP_PORT"])

    def status_calls(self, senders: int) -> list[Iterator[bytes]]:
        """W3 calls without end, for each sender those of EVSEs that are its alone."""
        return [self._status_calls(self.uids[sender::senders]) for sender in range(senders)]

    def status_calls_of(self, uid: str) -> Iterator[bytes]:
        """W3 calls without end, of that EVSE alone."""
        return self._status_calls((uid,))

    def _status_calls(self, uids: tuple[str, ...]) -> Iterator[bytes]:
        path = f"/ocpi/cpo/api/v1/webhook/evse/{self.cpo.country_code}/{self.cpo.party_id}/"
        for status in itertools.cycle(STATUSES):
            body = b'{"status": "%s"}' % status.encode()
            for uid in uids:
                yield request("PATCH", path + uid, body, Authorization=f"Bearer {self.cpo.token_c}")


@asynccontextmanager
async def migrated(servers: Servers, databases: Databases) -> AsyncIterator[tuple[Emsp, str]]:
    """A deployment without processes, and the DSN of its migrated database; gone afterwards, its queue too."""
    dsn = await databases()
    with tempfile.TemporaryDirectory(prefix="emsp-bench-") as folder:
        try:
            async with deployment(Path(folder), event_store_url=dsn, amqp_url=servers.amqp_url, **KEYS) as emsp:
                await emsp.command("migrate")
                yield emsp, dsn
        finally:
            # Only now: a process that still runs would make them anew.
            await _remove_queue(servers.amqp_url, dsn)
    await databases.drop(dsn)


@asynccontextmanager
async def deployed(servers: Servers, databases: Databases) -> AsyncIterator[Deployed]:
    """An API with a registered CPO and its EVSEs. Publisher and projector are not started."""
    async with migrated(servers, databases) as (emsp, dsn):
        emsp.start("api")
        emsp.start("mail")
        await emsp.until_ready()
        uids = [f"PH-BENCH-{number:05}" for number in range(LOCATIONS * EVSES_OF_A_LOCATION)]
        async with client_of(emsp) as client:
            cpo = await client.registered("bench", "Bench Volt", emsp.folder / "var" / "mail")
            assert emsp.stop("mail") == 0, emsp.logs()
            locations = [
                a_location(f"Bench {number}", *(an_evse(uid) for uid in batch))
                for number, batch in enumerate(_batches(uids))
            ]
            pushed = await client.push_locations(cpo, locations)
            assert pushed.status == 200, pushed.body
        yield Deployed(emsp, dsn, cpo, tuple(uids))


async def _remove_queue(amqp_url: str, dsn: str) -> None:
    store: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        exchange, queue = exchange_of(await log_id(store)), queue_of(await store.fetchval(DATABASE_ID))
    finally:
        await store.close()
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        await channel.queue_delete(queue)
        await channel.exchange_delete(exchange)


def _batches(uids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(uids), EVSES_OF_A_LOCATION):
        yield uids[start : start + EVSES_OF_A_LOCATION]
