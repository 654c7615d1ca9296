"""Fixtures of every test that needs a server; none of them starts anything before it is asked for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.support.databases import Databases
from tests.support.servers import WITHOUT_AMQP, run_folder, url_of

# Set by the process that was called (with pytest-xdist the controller) and inherited by its workers.
RUN: Final = "EMSP_TEST_RUN"
_at_end: Final = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.stash[_at_end] = stack = ExitStack()
        os.environ[RUN] = str(stack.enter_context(run_folder()))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _at_end in config.stash:
        config.stash[_at_end].close()


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A server as a user who may create databases; not a place to create tables."""
    return url_of("postgres", Path(os.environ[RUN]))


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """A broker; queues that a test makes on it are the test's to name uniquely and to delete."""
    if os.environ.get(WITHOUT_AMQP) == "1":
        pytest.skip(f"RABBITMQ IS NOT TESTED: {WITHOUT_AMQP}=1")
    return url_of("rabbitmq", Path(os.environ[RUN]))


@pytest.fixture(scope="session")
async def fresh_database(postgres_url: str) -> AsyncIterator[Databases]:
    """`await fresh_database()` is the DSN of a new empty database; `template=` another's DSN for a copy of it."""
    async with Databases(postgres_url) as databases:
        yield databases


@pytest.fixture
async def database(fresh_database: Databases) -> AsyncIterator[str]:
    """The DSN of a new empty database of this test alone."""
    dsn = await fresh_database()
    yield dsn
    await fresh_database.drop(dsn)
