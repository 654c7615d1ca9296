"""Where the databases are, and sessions to them: opened here, for everybody who needs any."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from api.embedded import embedded_postgres
from api.sessions import Sessions
from read_side.views import SESSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.settings import Settings

    Pool = asyncpg.Pool[Any]

CONNECT_TIMEOUT_S: Final = 5.0
STATEMENT_TIMEOUT_S: Final = 30.0
LOOKERS: Final = 2
"""Sessions that look after the views: whether they can be reached, and how far they are."""
SILENCE_S: Final = 10.0
"""Whoever stands still inside a transaction for so long loses its session: nobody else may append meanwhile."""

KEPT_ALIVE: Final = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""The server misses a machine that vanished after 25 s, and lets go of its locks; others lead then."""

BY_KEY: Final = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
"""The write side asks by key alone; a plan made while its tables were small must not scan them when they are large."""


STORE: Final[dict[str, Any]] = {
    "timeout": CONNECT_TIMEOUT_S,
    "command_timeout": STATEMENT_TIMEOUT_S,
    "server_settings": {"application_name": "emsp store", **BY_KEY},
}
"""Of a session for the write side's questions."""


@dataclass(frozen=True, slots=True)
class Databases:
    """Where the event store and the views are."""

    event_store: str
    read_model: str


@asynccontextmanager
async def databases(settings: Settings) -> AsyncIterator[Databases]:
    """The configured databases; the embedded one is started where none is configured, and stopped at the end."""
    read_model = settings.read_model_url.get_secret_value() if settings.read_model_url else None
    if settings.event_store_url is not None:
        event_store = settings.event_store_url.get_secret_value()
        yield Databases(event_store, read_model or event_store)
        return
    async with embedded_postgres(settings.data_dir, binaries=settings.postgres_binaries) as embedded:
        yield Databases(embedded.dsn, read_model or embedded.dsn)


@dataclass(frozen=True, slots=True)
class Connector:
    """Opens sessions to a database, also in another process. application: its name in pg_stat_activity.

    timeout_s: for each statement, and then no silence inside a transaction; None: as long as it takes.
    """

    url: str
    application: str
    timeout_s: float | None = STATEMENT_TIMEOUT_S

    async def __call__(self) -> asyncpg.Connection[Any]:
        """A new session."""
        return await asyncpg.connect(
            self.url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=self.timeout_s,
            server_settings=_letting_go(0 if self.timeout_s is None else SILENCE_S)
            | {"application_name": self.application},
        )


def _letting_go(silence_s: float) -> dict[str, str]:
    """Settings of a session whose locks others get when its machine vanishes, or stands still within a transaction."""
    return {"idle_in_transaction_session_timeout": str(int(silence_s * 1000)), **KEPT_ALIVE}


async def nothing_to_reset(_connection: asyncpg.Connection[Any]) -> None:
    """What uses the pools leaves no setting, lock or cursor behind in a session: a round trip saved at each release."""


@asynccontextmanager
async def event_store_pool(settings: Settings, url: str, *, sessions: int | None = None) -> AsyncIterator[Pool]:
    """Sessions for the write side's questions. sessions: at most so many instead of the configured number."""
    most = sessions or settings.store_connections
    async with asyncpg.create_pool(url, min_size=1, max_size=most, reset=nothing_to_reset, **STORE) as pool:
        yield pool


@asynccontextmanager
async def login_sessions(url: str) -> AsyncIterator[Sessions]:
    """The one session that asks who is logged in, for all who call at once."""
    async with _lent(url, 1, STORE) as sessions:
        yield sessions


@asynccontextmanager
async def views_pool(settings: Settings, url: str) -> AsyncIterator[Pool]:
    """Sessions for a look at the views now and then."""
    of_each = _reading(settings)
    async with asyncpg.create_pool(url, min_size=1, max_size=LOOKERS, reset=nothing_to_reset, **of_each) as pool:
        yield pool


@asynccontextmanager
async def query_sessions(settings: Settings, url: str) -> AsyncIterator[Sessions]:
    """Sessions for queries."""
    async with _lent(url, settings.read_connections, _reading(settings)) as sessions:
        yield sessions


def _reading(settings: Settings) -> dict[str, Any]:
    """Of a session to the views: read-only, each statement with its time limit."""
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": settings.statement_timeout_s + CONNECT_TIMEOUT_S,
        "server_settings": {**SESSION, "statement_timeout": str(int(settings.statement_timeout_s * 1000))},
    }


@asynccontextmanager
async def _lent(url: str, most: int, of_each: dict[str, Any]) -> AsyncIterator[Sessions]:
    async def connect() -> asyncpg.Connection[Any]:
        session: asyncpg.Connection[Any] = await asyncpg.connect(url, **of_each)
        return session

    sessions = Sessions(connect, most, wait_s=CONNECT_TIMEOUT_S)
    try:
        yield sessions
    finally:
        await sessions.close()


@asynccontextmanager
async def one_session(url: str, **settings: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """One session, closed at the end; it loses what it holds where it stands still. settings: of PostgreSQL."""
    connection = await asyncpg.connect(
        url, timeout=CONNECT_TIMEOUT_S, server_settings=_letting_go(SILENCE_S) | settings
    )
    try:
        yield connection
    finally:
        await connection.close()
