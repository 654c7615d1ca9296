"""The eventsourcing library's own PostgreSQL recorder, as its applications use it: threads over a pool of psycopg."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from tests.bench.events import EVENTS_OF_A_COMMAND, two_events
from write_side.events.codec import Codec

MOST_CONNECTIONS: Final = 50
"""A server takes 100 unless it is told otherwise; more threads than this wait for one another at the pool."""
POOL_S: Final = 30.0


@contextmanager
def library_recorder(dsn: str, workers: int) -> Iterator[ApplicationRecorder]:
    """The recorder with a table of its own, and a connection for each worker."""
    at = urlsplit(dsn)
    with PostgresDatastore(
        at.path.removeprefix("/"),
        at.hostname or "127.0.0.1",
        at.port or 5432,
        unquote(at.username or ""),
        unquote(at.password or ""),
        connect_timeout=POOL_S,
        pool_size=min(workers, MOST_CONNECTIONS),
    ) as datastore:
        recorder = PostgresApplicationRecorder(datastore)
        recorder.create_table()
        yield recorder


def append_by_threads(recorder: ApplicationRecorder, workers: int, seconds: float) -> tuple[int, float]:
    """Commands that so many threads appended, and the seconds that it took them."""
    codec = Codec()
    ready = Barrier(workers + 1)

    def work() -> int:
        stream = uuid4()
        version = 1
        ready.wait()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            recorder.insert_events([codec.encode(event) for event in two_events(stream, version)])
            version += EVENTS_OF_A_COMMAND
        return version // EVENTS_OF_A_COMMAND

    with ThreadPoolExecutor(workers) as threads:
        working = [threads.submit(work) for _ in range(workers)]
        ready.wait()
        began = time.perf_counter()
        commands = sum(one.result() for one in working)
        return commands, time.perf_counter() - began
