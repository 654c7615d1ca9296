"""W1 and W4: locations are pushed, and changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocpi.identifiers import folded
from write_side.commands.evses import SUCCESS, evse_of, evses_scope, location_of
from write_side.domain import evse as evses
from write_side.domain import location as locations
from write_side.domain.changes import Changes, Claim, Decision
from write_side.domain.errors import (
    DuplicateEvseUid,
    Fault,
    Faults,
    LocationIdDoesNotExist,
    LocationNameExists,
    LocationNotFound,
    TooManyEvses,
)
from write_side.domain.place import Ask, Placed
from write_side.events.ranges import Position
from write_side.events.streams import evse_stream, location_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

    from ocpi.identifiers import Party
    from write_side.commands.wishes import ChangeLocation, PushLocations
    from write_side.domain.drafts import LocationDraft
    from write_side.domain.evse import Evse
    from write_side.domain.location import Location
    from write_side.events.location import LocationData
    from write_side.ports import World


def names_scope(party: Party) -> str:
    """The scope in which a party's location names are taken; a name once taken stays its location's."""
    return f"location_name/{party}"


@dataclass(frozen=True, slots=True)
class PushFacts:
    """placed: one for each draft; location_ids: one for each draft (those of known locations stay unused)."""

    at: datetime
    placed: list[Placed]
    location_ids: list[int]
    connector_ids: list[int]
    max_evses: int


@dataclass(frozen=True, slots=True)
class PushState:
    """known: the party's locations by folded name; evses: those of the drafts' uids that exist, by folded uid."""

    known: dict[str, Location]
    evses: dict[str, Evse]
    evse_counts: dict[str, int]
    position: Position = Position(0)


async def prepare_push(command: PushLocations, world: World, _command_id: UUID) -> PushFacts:
    """Places the addresses, takes integers and the time."""
    placed = await world.geocoder.place_many([Ask(d.address, d.lat, d.lng) for d in command.drafts])
    connectors = sum(len(evse.connectors) for draft in command.drafts for evse in draft.evses)
    return PushFacts(
        world.clock(),
        placed,
        await world.events.take_ids("location", len(command.drafts)),
        await world.events.take_ids("connector", connectors),
        world.rules.max_evses_per_location,
    )


async def load_push(command: PushLocations, _facts: PushFacts, world: World) -> PushState:
    """Which of the names and uids the party has already."""
    party = command.party
    scope = names_scope(party)
    owners = await world.events.claim_owners({(scope, folded(draft.name)) for draft in command.drafts})
    ids = {name: int(owner) for (_, name), owner in owners.items()}
    uids = {folded(evse.uid) for draft in command.drafts for evse in draft.evses}
    history = await world.events.load(
        [location_stream(location_id) for location_id in ids.values()] + [evse_stream(party, uid) for uid in uids]
    )
    known = {name: location_of(history, location_id, party) for name, location_id in ids.items()}
    existing = {uid: evse_of(history, party, uid) for uid in uids}
    return PushState(
        {name: location for name, location in known.items() if location is not None},
        {uid: evse for uid, evse in existing.items() if evse is not None},
        await world.events.claims_in([evses_scope(location_id) for location_id in ids.values()]),
    )


@dataclass(slots=True)
class _Push:
    """What has been decided of a push so far, draft by draft. Its lists grow; nothing outside sees it."""

    command: PushLocations
    facts: PushFacts
    state: PushState
    connector_ids: Iterator[int]
    data: dict[str, tuple[int, LocationData]]
    counts: dict[str, int]
    uids: set[str]
    events: list[DomainEvent] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def location(self, index: int, draft: LocationDraft) -> int:
        """The id of the draft's location: known by its name, or registered now."""
        name = folded(draft.name)
        if name in self.data:
            location_id, data = self.data[name]
            self.ignored += [f"locations[{index}].{field}" for field in locations.differing(data, draft)]
            return location_id
        location_id = self.facts.location_ids[index]
        try:
            event = locations.register(
                draft,
                location_id=location_id,
                party=self.command.party,
                cpo_owner_id=self.command.cpo_owner_id,
                placed=self.facts.placed[index],
                at=self.facts.at,
            )
        except LocationNotFound as refusal:
            self.faults.append(refusal.at(f"locations[{index}].address"))
            return location_id
        self.data[name] = (location_id, event.data)
        self.events.append(event)
        self.claims.append(Claim(names_scope(self.command.party), name, str(location_id)))
        return location_id

    def evses(self, index: int, draft: LocationDraft, location_id: int) -> None:
        """Register the draft's EVSEs at that location."""
        scope = evses_scope(location_id)
        for number, evse in enumerate(draft.evses):
            uid = folded(evse.uid)
            connector_ids = [next(self.connector_ids) for _ in evse.connectors]
            if uid in self.uids:
                self.faults.append(DuplicateEvseUid(evse.uid).at(f"locations[{index}].evses[{number}].uid"))
                continue
            self.uids.add(uid)
            event = evses.register(
                evse,
                location_id=location_id,
                party=self.command.party,
                connector_ids=connector_ids,
                at=self.facts.at,
            )
            self.counts[scope] = self.counts.get(scope, 0) + 1
            self.events.append(event)
            self.claims.append(Claim(scope, str(self.counts[scope]), str(event.originator_id)))
        if self.counts.get(scope, 0) > self.facts.max_evses:
            self.faults.append(TooManyEvses().at(f"locations[{index}].evses"))


def decide_push(command: PushLocations, facts: PushFacts, state: PushState) -> Decision:
    """Everything that the push registers, or every reason against it (contract §3 "all or nothing")."""
    push = _Push(
        command,
        facts,
        state,
        iter(facts.connector_ids),
        {name: (location.id, location.data) for name, location in state.known.items()},
        dict(state.evse_counts),
        set(state.evses),
        faults=list(command.faults),
    )
    ids: list[int] = []
    for index, draft in enumerate(command.drafts):
        location_id = push.location(index, draft)
        push.evses(index, draft, location_id)
        ids.append(location_id)
    if push.faults:
        raise Faults(push.faults)
    return Decision(
        Changes(command.party, tuple(push.events), tuple(push.claims)),
        [{"location_id": location_id} for location_id in ids],
        tuple(push.ignored),
    )


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """placed: of the patch's address, and of the CPO's coordinates after the change."""

    at: datetime
    placed: Placed


@dataclass(frozen=True, slots=True)
class ChangeState:
    """location None: not this party's; name_owner: whose the wished name is, where it is taken."""

    location: Location | None
    name_owner: str | None
    position: Position


async def prepare_change(command: ChangeLocation, world: World, _command_id: UUID) -> ChangeFacts:
    """Places what the patch names, and takes the time."""
    patch = command.patch
    placed = Placed(None, None)
    if patch.address is not None or patch.lat is not None:
        lat, lng = await _coordinates(command, world)
        placed = (await world.geocoder.place_many([Ask(patch.address or "", lat, lng)]))[0]
    return ChangeFacts(world.clock(), placed)


async def _coordinates(command: ChangeLocation, world: World) -> tuple[float | None, float | None]:
    """The CPO's coordinates after the change: those of the patch, or what it sent before."""
    if command.patch.lat is not None:
        return command.patch.lat, command.patch.lng
    history = await world.events.load([location_stream(command.location_id)])
    location = location_of(history, command.location_id, command.party)
    if location is None or location.data["coordinates_by"] != "cpo":
        return None, None
    return location.data["lat"], location.data["lng"]


async def load_change(command: ChangeLocation, _facts: ChangeFacts, world: World) -> ChangeState:
    """The location as it is, and whose the wished name is."""
    stream = location_stream(command.location_id)
    history = await world.events.load([stream])
    claims: Sequence[tuple[str, str]] = ()
    if command.patch.name is not None:
        claims = [(names_scope(command.party), folded(command.patch.name))]
    owners = await world.events.claim_owners(claims)
    return ChangeState(
        location_of(history, command.location_id, command.party),
        next(iter(owners.values()), None),
        history.positions.get(stream, Position(0)),
    )


def decide_change(command: ChangeLocation, facts: ChangeFacts, state: ChangeState) -> Decision:
    """The change of the fields that are new, or every reason against it.

    raises: LocationIdDoesNotExist; Faults
    """
    if state.location is None:
        raise LocationIdDoesNotExist(command.location_id)
    faults = list(command.faults)
    owner, name = str(command.location_id), command.patch.name
    if state.name_owner not in (None, owner):
        faults.append(LocationNameExists().at("name"))
    event = None
    try:
        event = locations.change(state.location, command.patch, placed=facts.placed, at=facts.at)
    except LocationNotFound as refusal:
        faults.append(refusal.at("address" if command.patch.address is not None else "lat"))
    if faults:
        raise Faults(faults)
    if event is None:
        return Decision(None, SUCCESS)
    claims = () if name is None else (Claim(names_scope(command.party), folded(name), owner),)
    return Decision(Changes(command.party, (event,), claims), SUCCESS)
