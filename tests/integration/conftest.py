"""An empty event store for each test; one database serves them all, since dropping one takes its time."""

from __future__ import annotations

import pytest

from tests.support.databases import Databases
from tests.support.store import emptied, migrated


@pytest.fixture(scope="session")
async def store_database(fresh_database: Databases) -> str:
    """A database with the event store's schema; ask for `empty_store` instead."""
    return await migrated(await fresh_database())


@pytest.fixture
async def empty_store(store_database: str) -> str:
    """The DSN of an event store in which nothing happened yet."""
    await emptied(store_database)
    return store_database
