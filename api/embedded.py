"""Runs the PostgreSQL of the data folder: started with us and stopped with us, or met running and left alone."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import asyncpg

from api.embedded_place import USER, WHERE_IT_STANDS, Place, log_of, make_cluster, prepared
from api.embedded_programs import ENVIRONMENT, EmbeddedPostgresFailed, Programs, popen_arguments, programs_for

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresFailed", "embedded_postgres"]

PORT: Final = 5432
# sun_path of unix(7): 108 bytes with the closing NUL.
SOCKET_PATH_BYTES: Final = 107
START_S: Final = 60.0
STOP_S: Final = 30.0
TICK_S: Final = 0.02
PR_SET_PDEATHSIG: Final = 1
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "port": str(PORT),
        "listen_addresses": "",
        "unix_socket_directories": "../run",
        "cluster_name": "emsp",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "max_wal_size": "512MB",
        # Our statements are short and by index: compiling them costs more than it saves.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)
# A server that goes away in mid-handshake makes asyncpg fail inside its own protocol.
UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A server that answers.

    dsn:          for asyncpg, over the Unix socket; good while the context is open
    started_here: whether it stops with us; else another process of ours runs it
    """

    dsn: str
    started_here: bool


@asynccontextmanager
async def embedded_postgres(
    data_dir: Path, *, binaries: Path | None = None, settings: Mapping[str, str] = NO_MORE
) -> AsyncIterator[EmbeddedPostgres]:
    """The data folder's PostgreSQL, made at the first call: whoever comes first starts and stops it, others attach.

    Enter it on the main thread: the kernel stops the server when the thread that started it ends, even by kill -9.

    settings: more settings of PostgreSQL, for tests; they win over ours
    raises:   EmbeddedPostgresFailed  with one line for the operator
    source:   contract §7 DATA_DIR
    """
    place = prepared(data_dir)
    wanted = {**SETTINGS, **settings}
    with _dsn(place.sockets, wanted["port"]) as dsn, _open_lock(place) as lock:
        if not await _is_ours(lock, dsn, place):
            yield EmbeddedPostgres(dsn, started_here=False)
            return
        programs = await asyncio.to_thread(programs_for, place.cluster, binaries, place.user)
        await asyncio.to_thread(make_cluster, place, programs, is_durable=wanted.get("fsync") != "off")
        await _wait_for_orphans(place)
        with _server(place, programs, wanted) as server:
            await _wait_until_ready(server, dsn, place)
            yield EmbeddedPostgres(dsn, started_here=True)


@contextmanager
def _dsn(sockets: Path, port: str) -> Iterator[str]:
    with ExitStack() as stack:
        host = sockets
        # A comma would be read as a second host.
        if len(os.fsencode(sockets / f".s.PGSQL.{port}")) > SOCKET_PATH_BYTES or "," in str(sockets):
            host = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emsp-")), "run")
            host.symlink_to(sockets)
        yield f"postgresql://{USER}@/postgres?host={quote(str(host))}&port={port}"


@contextmanager
def _open_lock(place: Place) -> Iterator[int]:
    # Whoever holds the lock owns the server; the kernel frees it with the process. The server does not inherit it.
    try:
        lock = os.open(place.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as wrong:
        line = f"{place.folder} belongs to another user ({wrong.strerror}): start as that one, or set EMSP_DATA_DIR"
        raise EmbeddedPostgresFailed(line) from wrong
    try:
        yield lock
    finally:
        os.close(lock)


async def _is_ours(lock: int, dsn: str, place: Place) -> bool:
    try:
        async with asyncio.timeout(START_S):
            while not _taken(lock):
                if await _answers(dsn):
                    return False
                await asyncio.sleep(TICK_S)
    except TimeoutError:
        line = f"another emsp holds {place.folder} but its PostgreSQL does not answer: see {place.log}"
        raise EmbeddedPostgresFailed(line) from None
    return True


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except UNREACHABLE:
        return False
    await connection.close()
    return True


async def _wait_for_orphans(place: Place) -> None:
    # We hold the lock, so a server that still stands in the folder has lost its owner and is on its way out. When none
    # is left its pid file only misleads: the number may be somebody else's by now (in a container it often is).
    try:
        async with asyncio.timeout(STOP_S):
            while _orphans(place.cluster):  # noqa: ASYNC110 - another process's end sends no event
                await asyncio.sleep(TICK_S)
    except TimeoutError:
        pids = ", ".join(map(str, _orphans(place.cluster)))
        line = f"a PostgreSQL that emsp did not start runs in {place.cluster} (process {pids}): stop it"
        raise EmbeddedPostgresFailed(line) from None
    (place.cluster / "postmaster.pid").unlink(missing_ok=True)


def _orphans(cluster: Path) -> list[int]:
    return [
        pid for process in Path("/proc").glob("[0-9]*") if _is_server_of(cluster, process, pid := int(process.name))
    ]


def _is_server_of(cluster: Path, process: Path, pid: int) -> bool:
    try:
        if not (process / "comm").read_text().startswith("postgres"):
            return False
        return (process / "cwd").samefile(cluster)
    except PermissionError:
        # Root of a container may not look where another user's process stands; then the pid file is believed.
        return pid == _written_pid(cluster)
    except OSError:  # it has ended
        return False


def _written_pid(cluster: Path) -> int | None:
    try:
        return int((cluster / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


@contextmanager
def _server(place: Place, programs: Programs, wanted: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    us = os.getpid()

    def die_with_us() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != us:
            os._exit(1)

    settings = [f"--{name}={value}" for name, value in wanted.items()]
    with log_of(place) as log:
        server = subprocess.Popen(  # noqa: S603 - a program found by us; no argument comes from a request
            [programs.folder / "postgres", "-D", WHERE_IT_STANDS if place.user else str(place.cluster), *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place.cluster,
            env=ENVIRONMENT,
            # Ctrl-C on the terminal is ours; the server stops after our last transaction.
            start_new_session=True,
            preexec_fn=die_with_us,  # noqa: PLW1509 - calls the kernel only, no lock of ours
            **popen_arguments(place.user),
        )
    try:
        yield server
    finally:
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    # Not awaited: a cancelled task would leave before the server has.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(number)
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue
        return


async def _wait_until_ready(server: subprocess.Popen[bytes], dsn: str, place: Place) -> None:
    try:
        async with asyncio.timeout(START_S):
            while not await _answers(dsn):
                if server.poll() is not None:
                    raise EmbeddedPostgresFailed(f"PostgreSQL did not start: {_last_words(place.log)}")
                await asyncio.sleep(TICK_S)
    except TimeoutError:
        raise EmbeddedPostgresFailed(f"PostgreSQL is not ready after {START_S:.0f} s: see {place.log}") from None


def _last_words(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()[-20:]
    fatal = [line for line in lines if "FATAL" in line or "error while loading" in line]
    return f"{fatal[-1]} (see {log})" if fatal else f"see {log}"
