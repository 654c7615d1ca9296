"""The rooms keep to their doors, and importing them does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "ocpi", "projections", "read_side", "write_side")

# Runs in a process of its own: what an import did can't be undone, nor can an audit hook be taken away.
IMPORT_EVERYTHING = """
import importlib, sys

opened = []
watched = {"socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.posix_spawn", "os.mkdir"}
import asyncio, aiohttp, aio_pika, asyncpg, tartiflette, typer  # what these do is theirs
sys.addaudithook(lambda event, args: opened.append(event) if event in watched else None)
for name in sys.argv[1:]:
    before = list(opened)
    importlib.import_module(name)
    if opened != before:
        print(name, opened[len(before):])
"""


def every_module() -> list[str]:
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    return sorted(".".join(p[:-1] if p[-1] == "__init__" else p) for p in parts)


def test_every_import_keeps_the_contracts() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_importing_every_module_opens_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, *every_module()],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (ended.stdout, ended.returncode) == ("", 0), ended.stderr


def test_every_folder_of_code_is_a_package_that_gets_installed() -> None:
    folders = {file.parent for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
