"""One page of a CPO's locations with every field, over HTTP by wrk: ours, beside what such a page could cost.

As a program: `python -m tests.bench.pages`, with --query for another one. Needs wrk on the PATH.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import orjson
from rich.console import Console

from ocpi.identifiers import Party
from read_side.fields import FIELDS
from tests.bench.deployed import KEYS
from tests.bench.filled import filled
from tests.support.databases import Databases
from tests.support.emsp import Emsp, client_of, deployment
from tests.support.processes import free_port, start
from tests.support.servers import Servers, servers
from write_side.accounts import tokens

CONNECTIONS: Final = 16
SECONDS: Final = 5
ROUNDS: Final = 3
PATH: Final = "/ocpi/cpo/graphql"
RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
WRONG: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)")

A_PARTY: Final = """
    select country_code, party_id, cpo_owner_id
      from views.location_view
     order by id
     limit 1
"""

A_SESSION: Final = """
    insert into es.sessions (id, user_key, refresh_hash, created_at, expires_at)
    values ($1, 'bench', '-', $2, $3)
"""

SCRIPT: Final = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
wrk.body = [==[%s]==]
"""


def every_field(type_name: str) -> str:
    """A selection of all that there is."""
    return " ".join(
        name if field.of is None else f"{name} {{ {every_field(field.of)} }}"
        for name, field in FIELDS[type_name].items()
    )


QUERY: Final = f"{{ locations(limit: 10) {{ {every_field('LOCATIONS')} }} }}"


async def load(port: int, path: str, script: Path | None = None, *, seconds: int = SECONDS) -> float:
    """Requests a second. All must be answered well."""
    arguments = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *(["-s", str(script)] if script else [])]
    process = await asyncio.create_subprocess_exec(
        "wrk", *arguments, f"http://127.0.0.1:{port}{path}", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    told = out.decode()
    found = RATE.search(told)
    assert found is not None, told
    assert not WRONG.search(told), told
    return float(found[1])


@asynccontextmanager
async def an_api(
    found: Servers, databases: Databases, views_dsn: str, **settings: str
) -> AsyncIterator[tuple[Emsp, str]]:
    """An API over these views, and an access token of the CPO of their first location."""
    dsn = await databases()
    views = await asyncpg.connect(views_dsn)
    party = await views.fetchrow(A_PARTY)
    await views.close()
    assert party is not None
    with tempfile.TemporaryDirectory(prefix="emsp-bench-") as folder:
        async with deployment(
            Path(folder), event_store_url=dsn, read_model_url=views_dsn, amqp_url=found.amqp_url, **KEYS, **settings
        ) as emsp:
            await emsp.command("migrate")
            emsp.start("api")
            await emsp.until_ready()
            async with client_of(emsp) as client:
                registered = await client.register("bench", "Bench Volt")
                assert registered.status == 200, registered.body
            token = await _token(dsn, Party(party["country_code"], party["party_id"]), party["cpo_owner_id"])
            yield emsp, token
    await databases.drop(dsn)


async def _token(dsn: str, party: Party, cpo_owner_id: int) -> str:
    at = datetime.now(UTC)
    bearer = tokens.Bearer("bench", uuid4(), uuid4(), party, cpo_owner_id)
    store = await asyncpg.connect(dsn)
    await store.execute(A_SESSION, bearer.session_id, at, at + timedelta(days=1))
    await store.close()
    keys = tokens.Keys(KEYS["jwt_access_key"].encode(), KEYS["jwt_refresh_key"].encode())
    return tokens.issue(bearer, "access", keys, at=at, lifetime=timedelta(days=1))


@asynccontextmanager
async def peers(views_dsn: str, folder: Path) -> AsyncIterator[int]:
    """The port of `page_peers`."""
    port = free_port()
    arguments = [sys.executable, "-m", "tests.bench.page_peers", str(port), views_dsn]
    process = start(arguments, {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}, folder / "log")
    try:
        async with asyncio.timeout(30):
            while not await _is_open(port):
                assert process.poll() is None, (folder / "log").read_text()
                await asyncio.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def measure(query: str, size: int) -> None:
    """Prints the medians of some rounds, one after the other so that all see the same machine."""
    console = Console()
    async with servers() as found, Databases(found.postgres_url) as databases, AsyncExitStack() as stack:
        views_dsn = await filled(found.postgres_url, size, console)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emsp-bench-")))
        script = folder / "ask.lua"
        warm, token = await stack.enter_async_context(an_api(found, databases, views_dsn))
        cold, other = await stack.enter_async_context(an_api(found, databases, views_dsn, fragment_cache_bytes="0"))
        script.write_text(SCRIPT % (token, orjson.dumps({"query": query}).decode()))
        cold_script = folder / "cold.lua"
        cold_script.write_text(SCRIPT % (other, orjson.dumps({"query": query}).decode()))
        peer = await stack.enter_async_context(peers(views_dsn, folder))
        runs: dict[str, list[float]] = {}
        for turn in range(ROUNDS):
            for name, port, path, lua in (
                ("warm", _port(warm), PATH, script),
                ("cold", _port(cold), PATH, cold_script),
                ("constant", peer, "/constant", None),
                ("floor", peer, "/floor", None),
                ("executor", peer, "/executor", script),
            ):
                runs.setdefault(name, []).append(await load(port, path, lua))
                console.print(turn, name, f"{runs[name][-1]:,.0f}")
        for name, rates in runs.items():
            console.print(f"{name:10} {median(rates):>9,.0f} requests/s", *(f"{rate:,.0f}" for rate in rates))


def _port(emsp: Emsp) -> int:
    return urlsplit(emsp.base_url).port or 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("--query", default=QUERY)
    parser.add_argument("--size", type=int, default=10_000)
    asked = parser.parse_args()
    asyncio.run(measure(asked.query, asked.size))


if __name__ == "__main__":
    main()
