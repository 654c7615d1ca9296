"""What operators do with dead letters: look at them, draw them once the code is mended, or forget them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from projections import letter_table
from projections.generations import LIVE, Refused, must_be_in
from projections.migrate import views_version
from projections.projector import decode, draw_all
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from projections.letter_table import Letter, Parked

HOLD: Final = "lock table checkpoint in exclusive mode"
"""Waits for the projector's transaction, and keeps its next one waiting; that finds another generation, and ends."""


class StillPoison(Exception):
    """What is parked still can't be drawn."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Those of the live views. session: one whose search_path is on them."""

    session: asyncpg.Connection[Any]

    async def keys(self) -> list[Parked]:
        """What is parked, in the order of the events that can't be drawn."""
        return await letter_table.keys(self.session)

    async def letters_of(self, key: str) -> list[Letter]:
        """The letters of a key, in their order. raises: Refused where there is none."""
        letters = await letter_table.letters_of(self.session, key)
        if not letters:
            raise Refused(f"{key}: nothing is parked under this key")
        return letters

    async def retry(self, key: str) -> int:
        """Draw the letters of a key, in order, and remove them: all or nothing. returns: how many.

        raises: Refused      nothing is parked there, or the live views are of another version of the code
                StillPoison  the letters are as before, but for the counted try
        """
        live = await must_be_in(self.session, LIVE)
        if live.version != views_version():
            raise Refused(f"the live views were made by another version of the code ({live.version})")
        try:
            async with self._unparking(key) as letters:
                await draw_all(self.session, decode([letter.event for letter in letters], Codec()))
        except Exception as trouble:
            if isinstance(trouble, Refused) or not letter_table.is_of_the_event(trouble):
                raise
            said, raised_in = letter_table.said_by(trouble)
            await self.session.execute(letter_table.TRIED, key, said, raised_in)
            raise StillPoison(f"{key} still can't be drawn: {said} ({raised_in})") from trouble
        return len(letters)

    async def drop(self, key: str) -> int:
        """Remove the letters of a key without drawing them. returns: how many. raises: Refused where there is none."""
        async with self._unparking(key) as letters:
            return len(letters)

    @asynccontextmanager
    async def _unparking(self, key: str) -> AsyncIterator[list[Letter]]:
        """A transaction at whose end the key is parked no more. raises: Refused."""
        async with self.session.transaction():
            await self.session.execute(HOLD)
            letters = await self.letters_of(key)
            yield letters
            await self.session.execute(letter_table.REMOVE, key)
            await letter_table.tell_readers(self.session)
