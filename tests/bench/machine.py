"""Where it was measured: numbers without their machine say nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import aio_pika
import asyncpg

from tests.support.servers import Servers

LIBRARIES: Final = ("aiohttp", "asyncpg", "aio-pika", "eventsourcing", "psycopg", "uvloop")
POSTGRES_SETTINGS: Final = ("fsync", "synchronous_commit", "shared_buffers")
GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware and versions, each as a person would say it."""

    cpu: str
    cores: int
    memory: str
    system: str
    python: str
    postgres: str
    rabbitmq: str
    libraries: dict[str, str]

    def lines(self) -> list[str]:
        """The same in two lines."""
        libraries = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        return [
            f"{self.cpu}, {self.cores} cores shared by everything below, {self.memory}, {self.system}",
            f"{self.python}, {self.postgres}, {self.rabbitmq}, {libraries}",
        ]


async def this_machine(servers: Servers) -> Machine:
    """This machine, with the servers that are measured."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory=f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.0f} GiB",
        system=f"{platform.system()} {platform.machine()}",
        python=f"Python {platform.python_version()}",
        postgres=await _postgres(servers.postgres_url),
        rabbitmq=await _rabbitmq(servers.amqp_url),
        libraries={name: version(name) for name in LIBRARIES},
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


async def _postgres(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        number = await connection.fetchval("show server_version")
        settings = [f"{name} {await connection.fetchval(f'show {name}')}" for name in POSTGRES_SETTINGS]
    finally:
        await connection.close()
    return f"PostgreSQL {number.split()[0]} ({', '.join(settings)})"


async def _rabbitmq(url: str) -> str:
    connection = await aio_pika.connect(url)
    async with connection:
        transport = connection.transport
        assert transport is not None
        number = transport.connection.server_properties["version"]
    return f"RabbitMQ {number.decode() if isinstance(number, bytes) else number}"
