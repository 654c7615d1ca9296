"""Finds or starts the PostgreSQL and RabbitMQ that tests run on; what it started ends with the run, however that ends.

For each server in this order: the one named in EMSP_TEST_POSTGRES_URL or EMSP_TEST_AMQP_URL, the one on the standard
local port if it lets us work, a private one. The value `private` in those variables asks for a private one at once.

Private servers are held by a keeper process that watches the run, since any of pytest-xdist's workers may be the first
to need them and none of them may be the last to leave. Run as a program this module is that keeper; with `prepare`
it makes sure that private servers could be started, and says so where a person can read it.
"""

from __future__ import annotations

import asyncio
import fcntl
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import asyncpg

from api.embedded import embedded_postgres
from api.embedded_programs import EmbeddedPostgresFailed
from tests.support import processes, rabbitmq

Kind = Literal["postgres", "rabbitmq"]
NAMED_IN: Final[dict[Kind, str]] = {"postgres": "EMSP_TEST_POSTGRES_URL", "rabbitmq": "EMSP_TEST_AMQP_URL"}
WITHOUT_AMQP: Final = "EMSP_TEST_WITHOUT_AMQP"
PRIVATE: Final = "private"
OLDEST: Final = 15
KEEPER_END_S: Final = 40.0
TICK_S: Final = 0.05
ROOT: Final = Path(__file__).parents[2]
# Gives nothing away: a private server of a test, on the loopback, for as long as the test runs.
TRUST: Final = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
# Kept from being collected while they run, which would warn.
_keepers: Final[list[subprocess.Popen[bytes]]] = []


class NoServer(Exception):
    """A server that tests need can't be had; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are. postgres_url: any database of it, as a user who may create others."""

    postgres_url: str
    amqp_url: str


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Both servers, for programs that aren't tests (the bench); private ones end with the context. raises: NoServer"""
    with run_folder() as folder:
        postgres_url = await asyncio.to_thread(url_of, "postgres", folder)
        amqp_url = await asyncio.to_thread(url_of, "rabbitmq", folder)
        yield Servers(postgres_url, amqp_url)


@contextmanager
def run_folder() -> Iterator[Path]:
    """What the processes of one run share; private servers that were started for it end before it goes."""
    folder = Path(tempfile.mkdtemp(prefix="emsp-test-"))
    (folder / "run.pid").write_text(str(os.getpid()))
    try:
        yield folder
    finally:
        for mark in folder.glob("*.keeper"):
            _end(mark)
        while _keepers:
            _keepers.pop().wait(KEEPER_END_S)
        shutil.rmtree(folder, ignore_errors=True)


def url_of(kind: Kind, folder: Path) -> str:
    """The server's URL, found or started by the first process of the run that asks.

    folder: as from run_folder
    raises: NoServer  each time, without trying again
    """
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said, trouble = folder / f"{kind}.url", folder / f"{kind}.trouble"
        if said.exists():
            return said.read_text()
        if trouble.exists():
            raise NoServer(trouble.read_text())
        try:
            url = _found(kind) or _kept(kind, folder)
        except NoServer as why:
            trouble.write_text(str(why))
            raise
        said.write_text(url)
        return url


def _found(kind: Kind) -> str | None:
    named = os.environ.get(NAMED_IN[kind], "")
    if named == PRIVATE:
        return None
    if named:
        if _lets_us_work(kind, named):
            return named
        raise NoServer(f"the server that {NAMED_IN[kind]} names does not answer, or not as tests need it")
    if kind == "postgres":
        standard = [f"postgresql://{user}@127.0.0.1:5432/postgres" for user in ("postgres", getpass.getuser())]
    else:
        standard = ["amqp://guest:guest@127.0.0.1:5672/"]
    return next((url for url in standard if _lets_us_work(kind, url)), None)


def _lets_us_work(kind: Kind, url: str) -> bool:
    asking = rabbitmq.answers(url) if kind == "rabbitmq" else _may_create_databases(url)
    # In a thread, since the caller may be inside a loop of its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asking).result()


async def _may_create_databases(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        may = await connection.fetchval("select rolsuper or rolcreatedb from pg_roles where rolname = current_user")
        return bool(may) and connection.get_server_version().major >= OLDEST
    finally:
        await connection.close()


def _kept(kind: Kind, folder: Path) -> str:
    """The URL of a private server, held by a keeper of its own."""
    with (folder / f"{kind}.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.support.servers", kind, str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    _keepers.append(keeper)
    assert keeper.stdout is not None
    with keeper.stdout as told:
        url = told.readline().decode().strip()
    if not url:
        keeper.wait()
        why = (folder / f"{kind}.log").read_text("utf-8", "replace").strip()
        raise NoServer(why or f"the keeper of a private {kind} ended without a word")
    return url


def _end(mark: Path) -> None:
    # A keeper's mark goes with its last act. Its number does not tell: a child's stays until it is waited for.
    with suppress(ProcessLookupError):
        os.kill(int(mark.read_text()), signal.SIGTERM)
    for _ in range(int(KEEPER_END_S / TICK_S)):
        if not mark.exists():
            return
        time.sleep(TICK_S)


async def keep(kind: Kind, folder: Path) -> None:
    """Start a private server, print its URL, hold it until told to stop or until the run that needs it is no more."""
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    run = int((folder / "run.pid").read_text())
    mark = folder / f"{kind}.keeper"
    mark.write_text(str(os.getpid()))
    try:
        async with _private(kind, folder / kind) as url:
            print(url, flush=True)
            sys.stdout.close()
            while not told_to_stop.is_set() and _lives(run):
                with suppress(TimeoutError):
                    await asyncio.wait_for(told_to_stop.wait(), 0.5)
    finally:
        # A run that was killed could not tidy up.
        if _lives(run):
            mark.unlink(missing_ok=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _private(kind: Kind, folder: Path) -> AsyncIterator[str]:
    if kind == "rabbitmq":
        async with rabbitmq.private_node(folder) as node:
            yield node.url
        return
    async with private_postgres(folder) as url:
        yield url


@asynccontextmanager
async def private_postgres(folder: Path, **settings: str) -> AsyncIterator[str]:
    """A server of one's own on the loopback, fast rather than durable unless settings say else; its data stay.

    folder: as a data folder; a second call on it finds the same databases
    """
    port = settings.setdefault("port", str(processes.free_port()))
    fast = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
    with tempfile.TemporaryDirectory(prefix="emsp-test-") as readable:
        # As root the server is another user, who may not reach the folder by name.
        Path(readable).chmod(0o711)
        trust = Path(readable, "hba.conf")
        trust.write_text(TRUST)
        trust.chmod(0o644)
        reachable = {"listen_addresses": "127.0.0.1", "hba_file": str(trust)}
        async with embedded_postgres(folder, settings={**fast, **reachable, **settings}):
            yield f"postgresql://emsp@127.0.0.1:{port}/postgres"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _prepare() -> None:
    """Have what private servers need, with words for a person where that takes time or fails."""
    if os.environ.get(WITHOUT_AMQP) == "1":
        return
    if _found("rabbitmq") is None:
        rabbitmq.install_if_missing()


def main() -> None:
    """What this module does as a program."""
    try:
        match sys.argv[1:]:
            case ["prepare"]:
                _prepare()
            case ["postgres" | "rabbitmq" as kind, folder]:
                asyncio.run(keep(kind, Path(folder)))
            case _:
                sys.exit("usage: python -m tests.support.servers prepare")
    except (NoServer, rabbitmq.NoRabbitmq, EmbeddedPostgresFailed) as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
