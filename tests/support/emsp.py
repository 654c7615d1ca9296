"""The installed `emsp` command as real processes, one a role."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from tests.support import processes
from tests.support.client import Client

EMSP: Final = str(Path(sys.executable).with_name("emsp"))
START_S: Final = 60.0
SECRET: Final = "a-secret-of-a-test-client"
ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Emsp:
    """One deployment: its settings, and the processes that run."""

    folder: Path
    settings: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    metrics_ports: dict[str, int] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.settings['EMSP_HTTP_PORT']}"

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | self.settings

    def start(self, role: str) -> None:
        """Start that role's process."""
        self.metrics_ports[role] = port = processes.free_port()
        environment = self.environment | {"EMSP_METRICS_PORT": str(port)}
        self.running[role] = processes.start([EMSP, role], environment, self.folder / f"{role}.log")

    def kill(self, role: str) -> None:
        """kill -9."""
        process = self.running.pop(role)
        process.send_signal(signal.SIGKILL)
        process.wait(processes.STOP_S)

    def terminate(self, role: str) -> subprocess.Popen[bytes]:
        """SIGTERM, as whoever runs containers does; the process, which may still have something to end."""
        process = self.running[role]
        process.terminate()
        return process

    def stop(self, role: str) -> int:
        """As Ctrl-C does; its exit code."""
        process = self.running.pop(role)
        process.send_signal(signal.SIGINT)
        return process.wait(START_S)

    async def command(self, *arguments: str) -> str:
        """Run a command that ends; what it printed. It must succeed."""
        process = await asyncio.create_subprocess_exec(
            EMSP,
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def until_ready(self) -> None:
        """Return when every process says that it is ready."""
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
            while not all([await self._is_ready(session, role) for role in self.running]):
                assert all(process.poll() is None for process in self.running.values()), self.logs()
                await asyncio.sleep(0.05)

    async def _is_ready(self, session: aiohttp.ClientSession, role: str) -> bool:
        try:
            async with session.get(f"http://127.0.0.1:{self.metrics_ports[role]}/readyz") as response:
                return response.status == 200
        except aiohttp.ClientConnectionError:
            return False

    def logs(self) -> str:
        """The end of every role's log."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-2_000:]}" for path in self.folder.glob("*.log"))


@asynccontextmanager
async def deployment(folder: Path, **settings: str) -> AsyncIterator[Emsp]:
    """A deployment on free ports in that folder; whatever runs at the end is killed."""
    defaults = {
        "EMSP_HTTP_PORT": str(processes.free_port()),
        "EMSP_DATA_DIR": str(folder / "var"),
        "EMSP_CLIENTS": f"app:{SECRET}",
        "EMSP_LOG_FORMAT": "json",
    }
    emsp = Emsp(folder, defaults | {f"EMSP_{name.upper()}": value for name, value in settings.items()})
    try:
        yield emsp
    finally:
        for role in list(emsp.running):
            emsp.kill(role)


@asynccontextmanager
async def client_of(emsp: Emsp) -> AsyncIterator[Client]:
    """A client of that deployment."""
    async with aiohttp.ClientSession() as session:
        yield Client(session, emsp.base_url, aiohttp.encode_basic_auth("app", SECRET))
