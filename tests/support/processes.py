"""Starts a program that stops with the process that started it, even when that one is killed."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

STOP_S: Final = 20.0
PR_SET_PDEATHSIG: Final = 1
FIRST_PORT: Final = 12_000
PORTS: Final = 20_000
_ports: Final = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def start(arguments: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """The started program, in a session of its own; call it on the main thread."""
    us = os.getpid()

    def die_with_us() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != us:
            os._exit(1)

    with log.open("ab") as out:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=die_with_us,  # noqa: PLW1509 - calls the kernel only, no lock of ours
        )


def stop(process: subprocess.Popen[bytes], *first: signal.Signals) -> None:
    """End it and its whole session: the signals in their order, each with its time, then SIGKILL."""
    for number in first:
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_S)


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now, and that no connection takes before it is used."""
    while True:
        # Below the ports that the kernel gives to connections, and for each process of a run another part of them.
        port = FIRST_PORT + (os.getpid() * 101 + next(_ports)) % PORTS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def highest_mib(pid: int) -> int:
    """The most memory that a process has had resident (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def forget_highest(pid: int) -> None:
    """From now on the most memory is counted anew: starting may have taken more than anything later (proc(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
