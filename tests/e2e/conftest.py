from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.client import Cpo
from tests.support.databases import Databases
from tests.support.world import Service, service


@pytest.fixture(scope="module")
async def emsp(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """One service for the tests of a module; each makes CPOs of its own."""
    dsn = await fresh_database()
    async with service(dsn, tmp_path_factory.mktemp("emsp")) as running:
        yield running


@pytest.fixture
async def cpo(emsp: Service, request: pytest.FixtureRequest) -> Cpo:
    """A CPO of this test alone."""
    return await emsp.client.registered(request.node.name[:200], f"Luzon {request.node.name}"[:200], emsp.mails)


@pytest.fixture
async def other(emsp: Service, request: pytest.FixtureRequest) -> Cpo:
    """Another CPO of this test alone."""
    return await emsp.client.registered(
        f"o-{request.node.name}"[:200], f"Visayas {request.node.name}"[:200], emsp.mails
    )
