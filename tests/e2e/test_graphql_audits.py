"""GraphQL over HTTP as the specification's own people ask for it: the audits of the npm package graphql-http."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.support.world import Service

PACKAGES: Final = ("graphql-http@1.23.1", "graphql@16.15.0")
INSTALL: Final = ("install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
AUDITS: Final = Path(__file__).parents[1] / "support/audits.mjs"
NOT_TESTED: Final = "GRAPHQL OVER HTTP IS NOT AUDITED"
INSTALL_S: Final = 60.0


async def run(folder: Path, *command: str) -> tuple[int, str]:
    """Exit code and output of a program in that folder."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(INSTALL_S):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"no end within {INSTALL_S:g} s"
    return process.returncode or 0, told.decode()


@pytest.fixture
async def audits(tmp_path: Path) -> Path:
    """A folder with the audits and what they need."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"{NOT_TESTED}: there is no node with npm on the PATH")
    code, told = await run(tmp_path, npm, *INSTALL, *PACKAGES)
    if code:
        pytest.skip(f"{NOT_TESTED}: npm can't get {' and '.join(PACKAGES)}: {told.strip().splitlines()[-1]}")
    shutil.copy(AUDITS, tmp_path)
    return tmp_path


async def test_all_audits_of_graphql_http_pass(emsp: Service, audits: Path) -> None:
    code, told = await run(audits, "node", AUDITS.name, f"{emsp.base_url}/ocpi/cpo/graphql")
    assert code == 0, told
    results = [json.loads(line) for line in told.splitlines()]
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61
