"""What the log says by itself, as `projections.proof` asks: counted by PostgreSQL, folded by the write side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from write_side.domain import evse as evses
from write_side.domain import location as locations
from write_side.events.codec import Codec
from write_side.events.streams import evse_stream, location_stream
from write_side.store import census

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from projections.proof import Facts, Named
    from write_side.domain.evse import Evse
    from write_side.domain.location import Location


LOCATIONS_AT_ONCE: Final = 10
"""All their events are in memory together, and a location may have many."""


@dataclass(frozen=True, slots=True)
class StoreOracle:
    """`projections.proof.Oracle` over a session to the event store."""

    session: asyncpg.Connection[Any]

    async def counts(self, until: int) -> Mapping[str, int]:
        """How many events there are of each topic."""
        return await census.counts(self.session, until)

    async def last_positions(self, topics: Sequence[str], until: int) -> int:
        """The sum of the positions of the last event of each stream that has such events."""
        return await census.last_positions(self.session, topics, until)

    async def facts(self, named: Sequence[Named], until: int) -> Mapping[int, Facts]:
        """Of these locations, by id; nothing of one that has no events."""
        facts: dict[int, Facts] = {}
        for start in range(0, len(named), LOCATIONS_AT_ONCE):
            facts |= await self._facts_of_few(named[start : start + LOCATIONS_AT_ONCE], until)
        return facts

    async def _facts_of_few(self, named: Sequence[Named], until: int) -> dict[int, Facts]:
        wanted = [location_stream(one.location_id) for one in named]
        wanted += [evse_stream(one.party, uid) for one in named for uid in one.uids]
        recorded = await census.streams_until(self.session, wanted, until)
        codec = Codec()
        streams: dict[Any, list[Any]] = {
            stream: [codec.decode(event) for event in events] for stream, events in recorded.items()
        }
        facts: dict[int, Facts] = {one.location_id: {} for one in named}
        for one in named:
            location = locations.replay(streams.get(location_stream(one.location_id), ()))
            of_it = [evses.replay(streams.get(evse_stream(one.party, uid), ())) for uid in one.uids]
            if location is not None:
                facts[one.location_id] = facts_of(location, [evse for evse in of_it if evse is not None])
        return facts


def facts_of(location: Location, of_it: Sequence[Evse]) -> Facts:
    """What the states of a location and its EVSEs say."""
    data = location.data
    facts: Facts = {key: data[key] for key in ("name", "address", "publish", "lat", "lng")}
    facts |= {key: data["place"][key] for key in ("city", "province", "region", "postal_code")}
    facts |= {key: data[key] for key in ("facilities", "parking_types", "parking_restrictions")}
    facts["photos"] = [[photo_id, name] for photo_id, name in location.photos.items()]
    facts["EVSEs"] = [evse.uid for evse in of_it]
    for evse in of_it:
        facts[f"EVSE {evse.uid} status"] = evse.status
        for number, status in evse.connectors.items():
            facts[f"EVSE {evse.uid} connector {number} status"] = status
    return facts
