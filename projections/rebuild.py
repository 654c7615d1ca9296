"""Builds the views anew beside the live ones, and switches over: no query fails, waits long or sees half of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from projections import by_command, replay
from projections.bulk import session_in
from projections.consumer import MAX_BATCH
from projections.folders import working_folder
from projections.generations import (
    DROP_NEXT,
    DROP_OLD,
    LIVE,
    NEXT,
    OLD,
    Refused,
    alone,
    generation_in,
    make_live,
    must_be_in,
)
from projections.migrate import views_version
from projections.projector import Projector
from projections.proof import Untrue, differences
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import asyncpg

    from projections.bulk import Connect, Log
    from projections.consumer import Pull
    from projections.generations import Generation, Schema
    from projections.proof import Oracle
    from projections.replay import Tell


LOOKS: Final = 25
LOOK_S: Final = 0.02
"""How often, and how far apart, to look whether a generation that another process draws has come as far."""


async def unproved(_position: int) -> None:
    """What was live before was compared then."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The views of one database.

    connect: opens a session without a time limit for statements, picklable; log, pull: its events; head: its last
    position; folder: where temporary files may be; tell: how far it is; oracle: what is built is compared with.
    """

    connect: Connect
    log: Log
    pull: Pull
    head: Callable[[], Awaitable[int]]
    folder: Path
    tell: Tell
    oracle: Oracle

    async def run(self) -> Generation:
        """Build the next generation, or go on with one that was begun, and switch over to it. returns: what is live.

        raises: Untrue   what was built is not what the events say: it is removed, the live views stay
                Refused  somebody else builds, an event can't be drawn, or the live views were in use all the time
                what asyncpg and the disk raise: the live views are as before
        """
        session = await self.connect()
        try:
            await alone(session)
            await self._begin(session)
            if not await replay.is_filled(session, NEXT):
                with working_folder(self.folder, "rebuild-") as folder:
                    await replay.Replay(NEXT, self.connect, self.log, self.tell).fill(folder)
            return await self._switch(session, NEXT, self._prove)
        finally:
            await session.close()

    async def back(self) -> Generation:
        """Switch back to the generation before. returns: what is live.

        raises: Refused  there is none, an event can't be drawn, or it is of another version of the code and behind
        """
        session = await self.connect()
        try:
            await alone(session)
            return await self._switch(session, OLD)
        finally:
            await session.close()

    async def drop_old(self) -> bool:
        """Remove the generation before. returns: whether there was one. raises: Refused while one is built."""
        session = await self.connect()
        try:
            await alone(session)
            found = await generation_in(session, OLD)
            await session.execute(DROP_OLD)
            return found is not None
        finally:
            await session.close()

    async def _begin(self, session: asyncpg.Connection[Any]) -> None:
        await must_be_in(session, LIVE)
        found = await generation_in(session, NEXT)
        if found is not None and found.version == views_version():
            return
        await session.execute(DROP_NEXT)
        await replay.begin(session, NEXT, head=await self.head())

    async def _switch(
        self, session: asyncpg.Connection[Any], schema: Schema, prove: Callable[[int], Awaitable[None]] = unproved
    ) -> Generation:
        if (await must_be_in(session, schema)).version != views_version():
            return await make_live(session, schema, lambda live: _is_not_behind(session, schema, live))
        projector = Projector(self.connect, Codec(), schema=schema)
        try:
            if not await projector.lead():
                if schema != OLD:
                    raise Refused(f"another process draws {schema}")
                # Who still runs with this code keeps it current.
                return await make_live(session, schema, lambda live: _is_not_behind(session, schema, live))
            await self._catch_up(projector)
            await prove(projector.checkpoint)
            await self._catch_up(projector)
            return await make_live(session, schema, lambda live: self._bring_to(projector, live))
        finally:
            projector.close()

    async def _bring_to(self, projector: Projector, live: int) -> None:
        """Up to where the live views are, or the log's end, behind which they are where an older copy was restored."""
        await bring_to(projector, self.pull, min(live, await self.head()))

    async def _catch_up(self, projector: Projector) -> None:
        """Draw up to what is the end of the log now; it may go on without end."""
        head = await self.head()
        while projector.checkpoint < head:
            await by_command.apply(projector, await self.pull(projector.checkpoint, MAX_BATCH))
            self.tell("catch up", projector.checkpoint, max(projector.checkpoint, head))

    async def _prove(self, position: int) -> None:
        self.tell("compare with the log", 0, 1)
        session = await session_in(self.connect, NEXT)
        try:
            if found := await differences(session, self.oracle, position):
                await session.execute(DROP_NEXT)
                raise Untrue(found)
        finally:
            await session.close()
        self.tell("compare with the log", 1, 1)


async def bring_to(projector: Projector, pull: Pull, position: int) -> None:
    """Draw what that projector's views lack up to a position of the log, and no further. raises: Refused."""
    while projector.checkpoint < position:
        missing = position - projector.checkpoint
        await by_command.apply(projector, await pull(projector.checkpoint, min(MAX_BATCH, missing)))


async def _is_not_behind(session: asyncpg.Connection[Any], schema: Schema, live: int) -> None:
    """Return when it is there, since a process that keeps it current is there in a moment. raises: Refused."""
    for _ in range(LOOKS):
        found = await must_be_in(session, schema)
        if found.position >= live:
            return
        await asyncio.sleep(LOOK_S)
    raise Refused(
        f"{schema} is {live - found.position} events behind, and only the version of the code that made it can "
        f"draw it ({found.version}): start a projector of that version, and try again"
    )
