"""The deployed service, with two publishers and two projectors, on servers that may be killed, stopped and wiped."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg

from tests.support.emsp import EMSP, deployment
from tests.support.postgres import private_server
from tests.support.proxy import Proxy
from tests.support.rabbitmq import private_node
from tests.support.world import KEYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.support.emsp import Emsp
    from tests.support.postgres import Postgres
    from tests.support.rabbitmq import Node

ROLES: Final = {
    "api": "api",
    "publish-1": "publish",
    "publish-2": "publish",
    "project-1": "project",
    "project-2": "project",
    "mail": "mail",
}
LEADS: Final = {"emsp_publisher_leading 1.0", "emsp_projector_leading 1.0"}
RECOVERY_S: Final = 90.0
TICK_S: Final = 0.02

POSITIONS: Final = """
    select head.pos as head,
           least(publisher.pos, checkpoint.pos) as arrived
      from es.head
     cross join es.publisher
     cross join views.checkpoint
"""
UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@dataclass(frozen=True, slots=True)
class Service:
    """store_line: between the API and PostgreSQL; broker_line: between publishers or projectors and RabbitMQ."""

    emsp: Emsp
    postgres: Postgres
    broker: Node
    store_line: Proxy
    broker_line: Proxy

    def start(self, name: str, program: Sequence[str] = (EMSP,)) -> None:
        """Start that process."""
        role = ROLES[name]
        if role != "api":
            self.emsp.start(role, name, program)
            return
        url = through(self.postgres.url, self.store_line)
        self.emsp.start(role, name, program, event_store_url=url, read_model_url=url)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """A session at PostgreSQL past the proxy."""
        session = await asyncpg.connect(self.postgres.url)
        try:
            yield session
        finally:
            await session.close()

    async def leader_of(self, role: str, *, but: str = "") -> str:
        """The process of that role which leads now; it is waited for. but: who is not asked."""
        names = [name for name, of in ROLES.items() if of == role and name != but and name in self.emsp.running]
        async with asyncio.timeout(RECOVERY_S), aiohttp.ClientSession() as session:
            while True:
                for name in names:
                    if await self._leads(session, name):
                        return name
                await asyncio.sleep(TICK_S)

    async def _leads(self, session: aiohttp.ClientSession, name: str) -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{self.emsp.metrics_ports[name]}/metrics") as answer:
                return not LEADS.isdisjoint((await answer.text()).splitlines())
        except aiohttp.ClientConnectionError:
            return False

    async def until_arrived(self) -> float:
        """Return when all that is in the log now was published and drawn; how many seconds that took."""
        began = time.monotonic()
        head: int | None = None
        async with asyncio.timeout(RECOVERY_S):
            while True:
                try:
                    async with self.session() as session:
                        while True:
                            now = await session.fetchrow(POSITIONS)
                            assert now is not None
                            head = now["head"] if head is None else head
                            if now["arrived"] >= head:
                                return time.monotonic() - began
                            await asyncio.sleep(TICK_S)
                except UNREACHABLE:
                    await asyncio.sleep(TICK_S)


def through(url: str, line: Proxy) -> str:
    """That server's URL, but by way of the proxy."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{line.port}"))


def port_of(url: str) -> int:
    """The port that a URL names."""
    port = urlsplit(url).port
    assert port is not None
    return port


@asynccontextmanager
async def running_service(folder: Path) -> AsyncIterator[Service]:
    """The service with all its processes, migrated and ready."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(private_server(folder / "postgres"))
        broker = await stack.enter_async_context(private_node(folder / "rabbitmq"))
        store_line = await stack.enter_async_context(Proxy("127.0.0.1", port_of(postgres.url)))
        broker_line = await stack.enter_async_context(Proxy("127.0.0.1", port_of(broker.url)))
        emsp = await stack.enter_async_context(
            deployment(
                folder,
                event_store_url=postgres.url,
                amqp_url=through(broker.url, broker_line),
                rate_register="off",
                **KEYS,
            )
        )
        await emsp.command("migrate")
        service = Service(emsp, postgres, broker, store_line, broker_line)
        for name in ROLES:
            service.start(name)
        await emsp.until_ready()
        yield service
