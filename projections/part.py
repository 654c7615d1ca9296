"""Some locations and CPOs alone, drawn from the whole log into a schema of their own: to compare, or to mend, a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from projections import by_command
from projections.buckets import NO_LOCATION, location_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from projections.bulk import Log
    from projections.projector import Projector
    from projections.replay import Tell
    from write_side.events.ranges import Recorded


@dataclass(frozen=True, slots=True)
class Some:
    """Which. parties: as `COUNTRY/PARTY`."""

    location_ids: Collection[int]
    parties: Collection[str]

    def keys(self) -> list[str]:
        """As the dead letters name them."""
        return [*(f"location/{one}" for one in self.location_ids), *(f"cpo/{one}" for one in self.parties)]


@dataclass(slots=True)
class Part:
    """They and the log. position: up to which they are drawn."""

    log: Log
    some: Some
    tell: Tell
    position: int = 0

    async def bring_to(self, projector: Projector, position: int) -> None:
        """Draw what that projector's schema lacks of them up to a position of the log. raises: Refused."""
        async for events in self.log(self.position, position):
            if theirs := [event for event in events if self._is_theirs(event)]:
                await by_command.apply(projector, theirs)
            self.position = events[-1].position
            self.tell("read the log", self.position, position)

    def _is_theirs(self, event: Recorded) -> bool:
        location_id = location_of(event)
        return event.party in self.some.parties if location_id == NO_LOCATION else location_id in self.some.location_ids
