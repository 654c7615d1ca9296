"""A page of an upload held against what its CPO has already: what it registers, or what is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from ocpi.identifiers import folded
from write_side.commands.evses import evses_scope
from write_side.commands.locations import names_scope
from write_side.domain import evse as evses
from write_side.domain import location as locations
from write_side.domain.changes import Claim
from write_side.domain.errors import DuplicateEvseUid, Fault, LocationNotFound, TooManyEvses
from write_side.domain.place import Placed
from write_side.domain.uploads import LOCATION_COLUMNS, Group
from write_side.events.streams import evse_stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

    from ocpi.identifiers import Party
    from write_side.domain.location import Location
    from write_side.events.location import LocationRegistered

SAID_COLUMNS: Final = ("address", *LOCATION_COLUMNS)
NOWHERE: Final = Placed(None, None)


@dataclass(frozen=True, slots=True)
class Known:
    """What the party has already of a page.

    locations: by folded name; evse_counts: by the scope of their numbers; streams: those of EVSEs that exist
    """

    locations: dict[str, Location]
    evse_counts: dict[str, int]
    streams: set[UUID]


@dataclass(frozen=True, slots=True)
class Page:
    """Some locations of an upload. ignored: what rows of an EVSE say otherwise than its first."""

    party: Party
    groups: Sequence[Group]
    known: Known
    ignored: Sequence[str]

    @property
    def new(self) -> list[Group]:
        """The locations that the party does not have."""
        return [group for group in self.groups if self.location_of(group) is None]

    @property
    def connector_count(self) -> int:
        """How many connectors there are."""
        return sum(len(evse.draft.connectors) for group in self.groups for evse in group.evses)

    def location_of(self, group: Group) -> Location | None:
        """The location that the party has of this name."""
        return self.known.locations.get(folded(group.location.draft.name))


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """location_ids: one for each new location of the page; connector_ids: one for each connector."""

    at: datetime
    cpo_owner_id: int
    location_ids: Sequence[int]
    connector_ids: Sequence[int]


def faults_of(page: Page, *, max_evses: int) -> list[Fault]:
    """Every rule that the page breaks (contract §3, §4)."""
    faults: list[Fault] = []
    for group in page.groups:
        location = page.location_of(group)
        count = len(group.evses)
        if location is None:
            try:
                locations.where(group.location.placed or NOWHERE)
            except LocationNotFound as refusal:
                faults.append(refusal.at("address", row=group.location.row))
        else:
            count += page.known.evse_counts.get(evses_scope(location.id), 0)
        if count > max_evses:
            faults.append(TooManyEvses().at("location", row=group.location.row))
        faults += [
            DuplicateEvseUid(evse.draft.uid).at("evse_sn", row=evse.row)
            for evse in group.evses
            if evse_stream(page.party, evse.draft.uid) in page.known.streams
        ]
    return faults


def ignored_of(page: Page) -> list[str]:
    """What the page says of a location otherwise than what the party has: that stays, as in W1 (contract §3)."""
    return [
        *page.ignored,
        *(
            f"rows[{group.location.row}].{name}"
            for group in page.groups
            if (location := page.location_of(group)) is not None
            for name in locations.differing(location.data, group.location.draft)
            if name in SAID_COLUMNS
        ),
    ]


def register(page: Page, facts: RegisterFacts) -> tuple[list[DomainEvent], list[Claim]]:
    """The events of a page without faults, each location before its EVSEs, and the claims that hold its rules."""
    events: list[DomainEvent] = []
    claims: list[Claim] = []
    location_ids, connector_ids = iter(facts.location_ids), iter(facts.connector_ids)
    for group in page.groups:
        known = page.location_of(group)
        if known is None:
            location = _register_location(page, group, next(location_ids), facts)
            location_id, name = location.location_id, folded(group.location.draft.name)
            events.append(location)
            claims.append(Claim(names_scope(page.party), name, str(location_id)))
        else:
            location_id = known.id
        scope = evses_scope(location_id)
        for number, evse in enumerate(group.evses, start=page.known.evse_counts.get(scope, 0) + 1):
            registered = evses.register(
                evse.draft,
                location_id=location_id,
                party=page.party,
                connector_ids=list(islice(connector_ids, len(evse.draft.connectors))),
                at=facts.at,
            )
            events.append(registered)
            claims.append(Claim(scope, str(number), str(registered.originator_id)))
    return events, claims


def _register_location(page: Page, group: Group, location_id: int, facts: RegisterFacts) -> LocationRegistered:
    return locations.register(
        group.location.draft,
        location_id=location_id,
        party=page.party,
        cpo_owner_id=facts.cpo_owner_id,
        placed=group.location.placed or NOWHERE,
        at=facts.at,
    )
