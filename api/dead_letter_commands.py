"""`emsp dead-letters`: events that a projection could not draw, and what follows of their keys."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Column, Table

from api.connections import databases
from api.projecting import dead_letters
from projections.dead_letters import StillPoison

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from api.settings import Settings
    from projections.dead_letters import DeadLetters

TIME: Final = "%Y-%m-%d %H:%M:%S UTC"


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[DeadLetters, Console]]:
    async with databases(settings) as urls, dead_letters(urls) as letters:
        yield letters, Console(soft_wrap=True, markup=False, highlight=False)


async def print_keys(settings: Settings) -> None:
    """A table of what is parked."""
    async with _opened(settings) as (letters, console):
        parked = await letters.keys()
    if not parked:
        console.print("Nothing is parked.")
        return
    table = Table(Column("key", no_wrap=True), "events", Column("since", no_wrap=True), "tries", "error")
    for one in parked:
        table.add_row(one.key, str(one.letters), f"{one.since:{TIME}}", str(one.tries), one.error)
    console.print(table)


async def print_letters(settings: Settings, key: str) -> None:
    """Each letter of a key, a line. raises: Refused."""
    async with _opened(settings) as (letters, console):
        for letter in await letters.letters_of(key):
            event = letter.event
            console.print(f"position {event.position}  {event.topic}, parked since {letter.since:{TIME}}")
            if letter.error is not None:
                console.print(f"  {letter.error}, raised in {letter.raised_in}, tries {letter.tries}")


async def retry(settings: Settings, keys: Sequence[str], *, every: bool) -> None:
    """Draw what is parked under these keys, or every key. raises: Refused; StillPoison when all have been tried."""
    still: list[str] = []
    async with _opened(settings) as (letters, console):
        for key in [one.key for one in await letters.keys()] if every else keys:
            try:
                console.print(f"{key}: {await letters.retry(key)} events drawn.")
            except StillPoison as poison:
                still.append(str(poison))
    if still:
        raise StillPoison("\n".join(still))


async def drop(settings: Settings, keys: Sequence[str]) -> None:
    """Forget what is parked under these keys. raises: Refused."""
    async with _opened(settings) as (letters, console):
        for key in keys:
            console.print(
                f"{key}: {await letters.drop(key)} events dropped; `emsp verify` names what the views lack, "
                f"`emsp verify --repair {key}` mends it."
            )
