"""The installed `emsp` command as real processes, one a role."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

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

    def start(self, role: str, name: str | None = None, program: Sequence[str] = (EMSP,), **settings: str) -> None:
        """Start a process of that role. name: by which it is known, where a role has several; settings: its own."""
        name = name or role
        self.metrics_ports[name] = port = processes.free_port()
        environment = self.environment | named({"metrics_port": str(port)} | settings)
        self.running[name] = processes.start([*program, role], environment, self.folder / f"{name}.log")

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self.running.pop(name)
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
        code, said, fault = await self.ended(*arguments)
        assert code == 0, fault
        return said

    async def failed(self, *arguments: str) -> str:
        """Run a command that must end with 1; all that it said."""
        code, said, fault = await self.ended(*arguments)
        assert code == 1, said + fault
        return said + fault

    async def ended(self, *arguments: str) -> tuple[int | None, str, str]:
        """Run a command that ends: its exit code, what it printed, and what it said on standard error."""
        process = await asyncio.create_subprocess_exec(
            EMSP,
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def readiness(self, name: str) -> dict[str, Any]:
        """What `/readyz` of that process says."""
        url = f"http://127.0.0.1:{self.metrics_ports[name]}/readyz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            said: dict[str, Any] = await answer.json()
            return said

    async def until_ready(self) -> None:
        """Return when every process says that it is ready."""
        unready: dict[str, str] = {}
        try:
            async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
                while unready := {name: why for name in self.running if (why := await self._unready(session, name))}:
                    assert all(process.poll() is None for process in self.running.values()), self.logs()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not ready after {START_S:.0f} s: {unready}\n{self.logs()}") from None

    async def _unready(self, session: aiohttp.ClientSession, name: str) -> str | None:
        try:
            async with session.get(f"http://127.0.0.1:{self.metrics_ports[name]}/readyz") as response:
                return None if response.status == 200 else await response.text()
        except aiohttp.ClientConnectionError as trouble:
            return repr(trouble)

    def logs(self) -> str:
        """The end of every role's log."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-2_000:]}" for path in self.folder.glob("*.log"))


def named(settings: Mapping[str, str]) -> dict[str, str]:
    """These settings as the environment has them."""
    return {f"EMSP_{name.upper()}": value for name, value in settings.items()}


@asynccontextmanager
async def deployment(folder: Path, **settings: str) -> AsyncIterator[Emsp]:
    """A deployment on free ports in that folder; whatever runs at the end is killed."""
    defaults = {
        "EMSP_HTTP_PORT": str(processes.free_port()),
        "EMSP_DATA_DIR": str(folder / "var"),
        "EMSP_CLIENTS": f"app:{SECRET}",
        "EMSP_LOG_FORMAT": "json",
    }
    emsp = Emsp(folder, defaults | named(settings))
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
