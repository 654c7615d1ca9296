"""20,000 different query texts, then 20,000 malformed ones: the process lives, grows by nothing, is never held up."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random
from typing import Final

import orjson
import pytest

from tests.support.client import a_location, an_evse
from tests.support.emsp import Emsp, client_of, deployment
from tests.support.malformed import malformed
from tests.support.queries import Writer
from tests.support.world import KEYS

WARM_UP: Final = 2_500
"""Of each kind, long ones and short ones: the caches are full after it."""

LONG: Final = range(150, 500)
SHORT: Final = range(10, 50)
"""Choices that a query is made of."""

TEXTS: Final = 20_000
LOOKED_AT_EVERY: Final = 500
MOST_GROWTH: Final = 1.1
LONGEST_S: Final = 1.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
SETTINGS: Final = {"rate_read": "off", "fragment_cache_bytes": str(4 * 1024 * 1024), **KEYS}


@pytest.fixture
async def emsp(tmp_path: Path, database: str) -> AsyncIterator[tuple[Emsp, list[str]]]:
    """A process that knows some locations, and the two that ask it: a driver's app and a CPO's user."""
    async with deployment(tmp_path, event_store_url=database, **SETTINGS) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var" / "mail")
            places = [a_location(f"Mall {nr}", an_evse(f"A{nr}"), an_evse(f"B{nr}")) for nr in range(5)]
            assert (await client.push_locations(cpo, places)).status == 200
            yield emsp, [client.basic, f"Bearer {await client.log_in(cpo)}"]


@dataclass(slots=True)
class Asking:
    """Asks one process, one request after the other, and remembers what it cost. longest_s: of the process's work."""

    emsp: Emsp
    callers: list[str]
    chance: Random
    longest_s: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def pid(self) -> int:
        return self.emsp.running["run"].pid

    def resident_kib(self) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def worked_s(self) -> float:
        """All processor time that the process has used (proc(5))."""
        times = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, times)) / TICKS_PER_S

    def ask(self, bodies: Iterator[bytes]) -> list[int]:
        """Send them all; the memory in use, looked at now and then."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.emsp.settings["EMSP_HTTP_PORT"]), timeout=60)
        resident = []
        worked_s = self.worked_s()
        for number, body in enumerate(bodies):
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/graphql-response+json",
                "Authorization": self.chance.choice(self.callers),
            }
            began_s = time.monotonic()
            connection.request("POST", "/ocpi/cpo/graphql", body, headers)
            with connection.getresponse() as response:
                self.statuses[response.status] += 1
                json.loads(response.read())
            # Others may use the machine: what the process itself did is what counts.
            waited_s, before_s, worked_s = time.monotonic() - began_s, worked_s, self.worked_s()
            self.longest_s = max(self.longest_s, min(waited_s, worked_s - before_s))
            if number % LOOKED_AT_EVERY == 0:
                resident.append(self.resident_kib())
        connection.close()
        return resident


def valid(chance: Random, count: int, length: range) -> Iterator[bytes]:
    for _ in range(count):
        asked = Writer(chance.randbytes(chance.choice(length))).request()
        text = f"{asked.text} # {chance.random()}"
        yield orjson.dumps({"query": text, "variables": asked.variables, "operationName": asked.operation})


def spoiled(chance: Random, count: int, length: range) -> Iterator[bytes]:
    for _ in range(count):
        yield malformed(Writer(chance.randbytes(chance.choice(length))).request().text, chance)


@pytest.mark.timeout(900)
def test_memory_stays_and_no_request_is_long(emsp: tuple[Emsp, list[str]]) -> None:
    chance = Random(20261128)
    asking = Asking(*emsp, chance)
    warm = [
        kib
        for kind, length in product((valid, spoiled), (LONG, SHORT))
        for kib in asking.ask(kind(chance, WARM_UP, length))
    ]
    for kind in (valid, spoiled):
        asking.statuses.clear()
        resident = asking.ask(kind(chance, TEXTS, SHORT))
        assert max(resident) < max(warm) * MOST_GROWTH
        assert asking.longest_s < LONGEST_S
        assert set(asking.statuses) <= {200, 400}
        assert (asking.statuses[200] == TEXTS) if kind is valid else (asking.statuses[400] > 0.9 * TEXTS)
