"""Packages of npm for what only Node can do; where it can't be had, tests and the bench say so."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

INSTALL: Final = ("install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
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


async def install(folder: Path, *packages: str) -> str | None:
    """Put packages into a folder. returns: why that can't be; None where they are there."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "there is no node with npm on the PATH"
    code, told = await run(folder, npm, *INSTALL, *packages)
    return f"npm can't get {' and '.join(packages)}: {told.strip().splitlines()[-1]}" if code else None
