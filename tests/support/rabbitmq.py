"""A RabbitMQ node of our own, beside whatever the machine runs: own ports, own folder, own port mapper."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aio_pika
from aiormq.exceptions import AMQPError

from tests.support import processes

PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_S: Final = 60.0
TICK_S: Final = 0.1


class NoRabbitmq(Exception):
    """RabbitMQ can't be had here; the message says why and what helps."""


class Node:
    """One node; its data outlive stop and kill, and its address stays."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port, self._dist_port, self._epmd_port = (processes.free_port() for _ in range(3))
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"

    async def start(self) -> None:
        """Ready to take connections when it returns. raises: NoRabbitmq"""
        environment = self._environment()
        log = self._folder / "log"
        if self._epmd is None:
            mapper = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = processes.start(mapper, environment, log)
        self._server = processes.start([str(PROGRAM)], environment, log)
        try:
            async with asyncio.timeout(START_S):
                while not await answers(self.url):
                    if self._server.poll() is not None:
                        last = log.read_text("utf-8", "replace")[-2000:]
                        raise NoRabbitmq(f"a private RabbitMQ node did not start:\n{last}")
                    await asyncio.sleep(TICK_S)
        except TimeoutError:
            raise NoRabbitmq(f"a private RabbitMQ node is not ready after {START_S:.0f} s") from None

    def stop(self) -> None:
        """As an operator would: it closes its connections and writes what it has."""
        if self._server is not None:
            processes.stop(self._server, signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut would."""
        if self._server is not None:
            processes.stop(self._server)

    def wipe(self) -> None:
        """Stop it and remove all that it had: queues, exchanges, messages."""
        self.stop()
        shutil.rmtree(self._folder / "mnesia")

    def close(self) -> None:
        """Stop everything."""
        self.stop()
        if self._epmd is not None:
            processes.stop(self._epmd, signal.SIGTERM)

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        (folder / "plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text("disk_free_limit.absolute = 50MB\n")
        (folder / "env.conf").touch()
        return {
            "PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),
            # The start script then becomes the server instead of waiting for it, so that signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"emsp{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        }


@asynccontextmanager
async def private_node(folder: Path) -> AsyncIterator[Node]:
    """A started node with its data in the folder; `stop`, `kill` and `start` it at will. raises: NoRabbitmq"""
    install_if_missing()
    node = Node(folder)
    try:
        await node.start()
        yield node
    finally:
        node.close()


async def answers(url: str) -> bool:
    """Whether a broker there lets us in."""
    place = urlsplit(url)
    try:
        # First without a word of AMQP: aiormq logs each refused connection as an error.
        _, writer = await asyncio.open_connection(
            place.hostname, place.port or (5671 if place.scheme == "amqps" else 5672)
        )
        writer.close()
        await writer.wait_closed()
        connection = await aio_pika.connect(url, timeout=5)
    except (OSError, TimeoutError, AMQPError):
        return False
    await connection.close()
    return True


def install_if_missing() -> None:
    """Have Debian's RabbitMQ on the machine, installing it when we may. raises: NoRabbitmq"""
    if PROGRAM.exists():
        return
    helps = (
        "name a broker in EMSP_TEST_AMQP_URL, or install rabbitmq-server (apt-get install rabbitmq-server); "
        "EMSP_TEST_WITHOUT_AMQP=1 runs the tests without those that need it"
    )
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise NoRabbitmq(f"RabbitMQ is not on this machine and only root can install it: {helps}")
    print("RabbitMQ is not here: installing Debian's package, about a minute", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "rabbitmq-server"]):
        ended = subprocess.run(
            [apt, *arguments], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
        )
        if ended.returncode != 0:
            break
    # Its start script may fail where there is no init, with the programs in place all the same.
    if not PROGRAM.exists():
        raise NoRabbitmq(f"RabbitMQ is not on this machine and could not be installed: {helps}\n{ended.stderr[-1000:]}")
