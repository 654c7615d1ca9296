"""A process that writes to a store as fast as it can: `python -m tests.support.writing DSN NAME COMMANDS`.

Says when it is ready, waits for a line, and prints the position of each accepted command, one a line.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from tests.support.store import a_command, a_store, an_event

AT_ONCE: Final = 20


async def write(dsn: str, name: str, commands: int) -> list[int]:
    """Positions of that many commands, each with two events on a stream of its own."""
    numbers = iter(range(commands))
    positions: list[int] = []
    async with a_store(dsn) as store:
        await store.events.append(a_command(an_event(f"{name}-first")))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

        async def some() -> None:
            for number in numbers:
                uid = f"{name}-{number}"
                positions.append(await store.events.append(a_command(an_event(uid, 1), an_event(uid, 2))))

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return positions


if __name__ == "__main__":
    for position in asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3]))):
        print(position)
