"""Who is asked: two processes of ours, one of which keeps no fragments, and the peers, all over one views database."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import aiohttp
import asyncpg
import orjson
from rich.console import Console

from ocpi.identifiers import Party
from read_side.executor import sdl
from tests.bench import country, peer_sql
from tests.bench.deployed import KEYS
from tests.bench.http_load import request
from tests.bench.query_peers import SESSIONS
from tests.bench.query_set import Query, Request
from tests.support import npm, processes
from tests.support.databases import Databases
from tests.support.emsp import ROOT, SECRET, Emsp, client_of, deployment
from tests.support.servers import Servers
from write_side.accounts import tokens

WARM: Final = "ours, warm"
COLD: Final = "ours, cold"
CONSTANT: Final = "a constant answer"
FLOOR: Final = "the floor: stored documents joined as text"
TARTIFLETTE: Final = "Tartiflette's own executor"
EXECUTOR: Final = "Tartiflette's own executor, as ours is set"
GRAPHQL_CORE: Final = "graphql-core"
MERCURIUS: Final = "fastify and mercurius with JIT"

PATH: Final = "/ocpi/cpo/graphql"
START_S: Final = 30.0

NODE_PACKAGES: Final = ("fastify@5.12.8", "mercurius@16.10.1", "graphql@16.15.0", "pg@8.23.1")
MERCURIUS_PROGRAM: Final = Path(__file__).with_name("mercurius.mjs")

A_SESSION: Final = """
    insert into es.sessions (id, user_key, refresh_hash, created_at, expires_at)
    values ($1, 'bench', '-', $2, $3)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One server of the loopback. tokens: an Authorization header for each caller, None for drivers' apps."""

    name: str
    port: int
    path: str
    tokens: Mapping[Party | None, str]

    def call(self, query: Query, asked: Request) -> tuple[dict[str, str], bytes]:
        """Headers and body of one request."""
        headers = {"Authorization": self.tokens[asked.party]}
        if asked.party is not None:
            headers[peer_sql.HEADER] = str(asked.party)
        return headers, orjson.dumps({"query": query.text, "variables": asked.variables})

    def requests(self, query: Query, size: int) -> list[bytes]:
        """All of that query's, as bytes."""
        calls = [self.call(query, asked) for asked in query.requests(size)]
        return [request("POST", self.path, body, **headers) for headers, body in calls]


@asynccontextmanager
async def targets(
    found: Servers, databases: Databases, views_dsn: str, node_modules: Path | None
) -> AsyncIterator[dict[str, Target]]:
    """All of them, started; gone at the end. node_modules: the folder of mercurius, None where it can't be had."""
    dsn = await databases()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emsp-bench-")))
        ours: list[Emsp] = []
        for name, bytes_kept in (("warm", {}), ("cold", {"fragment_cache_bytes": "0"})):
            (folder / name).mkdir()
            emsp = await stack.enter_async_context(
                deployment(
                    folder / name,
                    event_store_url=dsn,
                    read_model_url=views_dsn,
                    amqp_url=found.amqp_url,
                    **KEYS,
                    **bytes_kept,
                )
            )
            if not ours:
                await emsp.command("migrate")
            emsp.start("api")
            ours.append(emsp)
        for emsp in ours:
            await emsp.until_ready()
        callers = await _callers(ours[0], dsn)
        peers = await stack.enter_async_context(_python_peers(views_dsn, folder, callers))
        if node_modules is not None:
            peers[MERCURIUS] = await stack.enter_async_context(_mercurius(views_dsn, folder, callers, node_modules))
        warm, cold = (int(emsp.settings["EMSP_HTTP_PORT"]) for emsp in ours)
        yield {WARM: Target(WARM, warm, PATH, callers), COLD: Target(COLD, cold, PATH, callers)} | peers
    await databases.drop(dsn)


async def _callers(emsp: Emsp, dsn: str) -> dict[Party | None, str]:
    """An Authorization header for drivers' apps, and one for a session of each CPO of the country."""
    async with client_of(emsp) as client:
        registered = await client.register("bench", "Bench Volt")
        assert registered.status == 200, registered.body
    at, lifetime = datetime.now(UTC), timedelta(days=1)
    keys = tokens.Keys(KEYS["jwt_access_key"].encode(), KEYS["jwt_refresh_key"].encode())
    callers: dict[Party | None, str] = {None: aiohttp.encode_basic_auth("app", SECRET)}
    store = await asyncpg.connect(dsn)
    for party in country.PARTIES:
        bearer = tokens.Bearer("bench", uuid4(), uuid4(), party, 1)
        await store.execute(A_SESSION, bearer.session_id, at, at + lifetime)
        callers[party] = f"Bearer {tokens.issue(bearer, 'access', keys, at=at, lifetime=lifetime)}"
    await store.close()
    return callers


@asynccontextmanager
async def _python_peers(
    views_dsn: str, folder: Path, callers: Mapping[Party | None, str]
) -> AsyncIterator[dict[str, Target]]:
    port = processes.free_port()
    arguments = [sys.executable, "-m", "tests.bench.query_peers", str(port), views_dsn]
    async with _running(arguments, {"PYTHONPATH": str(ROOT)}, port, folder / "peers.log"):
        paths = {
            CONSTANT: "constant",
            FLOOR: "floor",
            TARTIFLETTE: "tartiflette",
            EXECUTOR: "executor",
            GRAPHQL_CORE: "graphql_core",
        }
        yield {name: Target(name, port, f"/{path}", callers) for name, path in paths.items()}


@asynccontextmanager
async def _mercurius(
    views_dsn: str, folder: Path, callers: Mapping[Party | None, str], node_modules: Path
) -> AsyncIterator[Target]:
    port = processes.free_port()
    told = {
        "port": port,
        "dsn": views_dsn,
        "sessions": SESSIONS,
        "options": "-c jit=off -c random_page_cost=1.1",
        "schema": sdl(),
        "facets": peer_sql.FACETS_OF,
        "sql": {"locations": peer_sql.LOCATIONS, "evses": peer_sql.EVSES, "nearest": peer_sql.NEAREST},
    }
    environment = {"NODE_ENV": "production", "EMSP_PEER": orjson.dumps(told).decode()}
    arguments = ["node", str(node_modules / MERCURIUS_PROGRAM.name)]
    async with _running(arguments, environment, port, folder / "mercurius.log"):
        yield Target(MERCURIUS, port, "/graphql", callers)


@asynccontextmanager
async def _running(
    arguments: Sequence[str], environment: Mapping[str, str], port: int, log: Path
) -> AsyncIterator[None]:
    """A server that listens on that port."""
    process = processes.start(list(arguments), {"PATH": os.environ["PATH"], **environment}, log)
    try:
        async with asyncio.timeout(START_S):
            while not await _listens(port):
                assert process.poll() is None, log.read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def mercurius_folder(console: Console) -> Path | None:
    """Where mercurius is, got from npm once and kept outside of the project; None, loudly, where it can't be had."""
    of_versions = hashlib.sha256(repr(NODE_PACKAGES).encode()).hexdigest()[:10]
    folder = Path.home() / ".cache" / "emsp_bench" / f"mercurius_{of_versions}"
    if not folder.is_dir():
        half = folder.with_name(f"{folder.name}_half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        why_not = await npm.install(half, *NODE_PACKAGES)
        if why_not is not None:
            console.print(f"MERCURIUS IS NOT MEASURED: {why_not}", style="bold red")
            return None
        half.rename(folder)
    shutil.copy(MERCURIUS_PROGRAM, folder)
    return folder
