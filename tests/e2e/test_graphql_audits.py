"""GraphQL over HTTP as the specification's own people ask for it: the audits of the npm package graphql-http."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.support import npm
from tests.support.world import Service

PACKAGES: Final = ("graphql-http@1.23.1", "graphql@16.15.0")
AUDITS: Final = Path(__file__).parents[1] / "support/audits.mjs"


@pytest.fixture
async def audits(tmp_path: Path) -> Path:
    """A folder with the audits and what they need."""
    why_not = await npm.install(tmp_path, *PACKAGES)
    if why_not is not None:
        pytest.skip(f"GRAPHQL OVER HTTP IS NOT AUDITED: {why_not}")
    shutil.copy(AUDITS, tmp_path)
    return tmp_path


async def test_all_audits_of_graphql_http_pass(emsp: Service, audits: Path) -> None:
    code, told = await npm.run(audits, "node", AUDITS.name, f"{emsp.base_url}/ocpi/cpo/graphql")
    assert code == 0, told
    results = [json.loads(line) for line in told.splitlines()]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61
