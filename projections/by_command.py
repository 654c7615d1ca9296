"""How a command draws what nobody reads yet: alone, parking nothing, and naming the event that can't be drawn."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from projections.generations import Refused
from projections.letter_table import is_of_the_event, said_by
from projections.projector import Overtaken, Projector
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from projections.generations import Schema
    from projections.projector import Connect
    from write_side.events.ranges import Recorded


@asynccontextmanager
async def only_projector(connect: Connect, schema: Schema) -> AsyncIterator[Projector]:
    """Of that schema, closed at the end. raises: Refused where another process draws it."""
    projector = Projector(connect, Codec(), schema=schema)
    try:
        if not await projector.lead():
            raise Refused(f"another process draws {schema}")
        yield projector
    finally:
        projector.close()


async def apply(projector: Projector, events: Sequence[Recorded]) -> None:
    """As the projector does. raises: Refused for an event that can't be drawn, naming it: what came before is drawn."""
    try:
        await projector.apply(events)
    except Exception as trouble:
        if not events or isinstance(trouble, Overtaken) or not is_of_the_event(trouble):
            raise
        if len(events) == 1:
            raise undrawable(events[0], trouble) from trouble
        for event in events:
            await apply(projector, [event])


def undrawable(event: Recorded, trouble: Exception) -> Refused:
    """What is said of an event that can't be drawn. trouble: what was raised."""
    said, raised_in = said_by(trouble)
    return Refused(
        f"event {event.position} ({event.topic}) can't be drawn: {said} ({raised_in}); the live views are as before"
    )
