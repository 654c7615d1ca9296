"""How uploads that wait for approval show in the views. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from ocpi.identifiers import Party, folded

if TYPE_CHECKING:
    from projections.drawings import Drawings
    from write_side.events.pending import LocationsStaged, StagedLocationsApproved, StagedLocationsRejected


@dataclass(slots=True)
class PendingLocation:
    """What a batch stages of one location. staged_pos, nr: its place among all; head, evses: JSON."""

    staged_pos: int
    nr: int
    head: str
    evses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PendingDrawing:
    """What a batch does to what a CPO has staged.

    is_settled: all that was staged before is gone; locations: staged now, by casefolded name
    """

    is_settled: bool = False
    locations: dict[str, PendingLocation] = field(default_factory=dict)


def on_locations_staged(drawings: Drawings, event: LocationsStaged, position: int) -> None:
    """Locations wait for approval; of one that does so already there are more EVSEs."""
    drawing = drawings.pending.setdefault(Party(event.country_code, event.party_id), PendingDrawing())
    for nr, data in enumerate(event.locations):
        name_key = folded(data["name"])
        location = drawing.locations.get(name_key)
        if location is None:
            head = orjson.dumps({key: value for key, value in data.items() if key != "evses"}).decode()
            location = drawing.locations[name_key] = PendingLocation(position, nr, head)
        location.evses += [orjson.dumps(evse).decode() for evse in data["evses"]]


def on_staged_settled(
    drawings: Drawings, event: StagedLocationsApproved | StagedLocationsRejected, _position: int
) -> None:
    """Nothing waits any more."""
    drawings.pending[Party(event.country_code, event.party_id)] = PendingDrawing(is_settled=True)
