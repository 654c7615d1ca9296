"""W2 and W3: an EVSE is added to a location, and its status changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from write_side.domain import evse as evses
from write_side.domain.changes import Changes, Claim, Decision
from write_side.domain.errors import (
    DuplicateEvseUid,
    EvseUidDoesNotExist,
    Fault,
    Faults,
    LocationIdDoesNotExist,
    TooManyEvses,
)
from write_side.domain.evse import Evse
from write_side.domain.location import Location
from write_side.events.ranges import Position
from write_side.events.streams import evse_stream, location_stream

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ocpi.identifiers import Party
    from write_side.commands.wishes import ChangeEvseStatus, PushEvse
    from write_side.ports import History, World

SUCCESS = "SUCCESS"


def evses_scope(location_id: int) -> str:
    """The scope in which each EVSE of a location takes a number: so none has more than it may, whoever adds at once."""
    return f"evse_of/{location_id}"


def location_of(history: History, location_id: int, party: Party) -> Location | None:
    """That location, where it is this party's; another's is as unknown as one that never was."""
    location = history.of(location_stream(location_id))
    return location if isinstance(location, Location) and location.party == party else None


def evse_of(history: History, party: Party, uid: str) -> Evse | None:
    """That EVSE of the party, or None."""
    evse = history.of(evse_stream(party, uid))
    return evse if isinstance(evse, Evse) else None


@dataclass(frozen=True, slots=True)
class PushEvseFacts:
    """connector_ids: one for each connector of the draft."""

    at: datetime
    connector_ids: list[int]
    max_evses: int


@dataclass(frozen=True, slots=True)
class PushEvseState:
    """location None: not this party's; evse_count: EVSEs that the location ever had."""

    location: Location | None
    evse: Evse | None
    evse_count: int
    position: Position


async def prepare_push(command: PushEvse, world: World, _command_id: UUID) -> PushEvseFacts:
    """Time and integers."""
    connector_ids = await world.events.take_ids("connector", len(command.draft.connectors))
    return PushEvseFacts(world.clock(), connector_ids, world.rules.max_evses_per_location)


async def load_push(command: PushEvse, _facts: PushEvseFacts, world: World) -> PushEvseState:
    """The location, whether the uid is known, and how many EVSEs there are."""
    streams = (location_stream(command.location_id), evse_stream(command.party, command.draft.uid))
    history = await world.events.load(streams)
    scope = evses_scope(command.location_id)
    counts = await world.events.claims_in([scope])
    return PushEvseState(
        location_of(history, command.location_id, command.party),
        evse_of(history, command.party, command.draft.uid),
        counts.get(scope, 0),
        Position(0),
    )


def decide_push(command: PushEvse, facts: PushEvseFacts, state: PushEvseState) -> Decision:
    """The EVSE's registration, or every reason against it."""
    faults: list[Fault] = list(command.faults)
    if state.location is None:
        faults.append(LocationIdDoesNotExist(command.location_id).at("location_id"))
    elif state.evse_count >= facts.max_evses:
        faults.append(TooManyEvses().at("location_id"))
    if state.evse is not None:
        faults.append(DuplicateEvseUid(command.draft.uid).at("uid"))
    if faults:
        raise Faults(faults)
    event = evses.register(
        command.draft,
        location_id=command.location_id,
        party=command.party,
        connector_ids=facts.connector_ids,
        at=facts.at,
    )
    claim = Claim(evses_scope(command.location_id), str(state.evse_count + 1), str(event.originator_id))
    return Decision(Changes(command.party, (event,), (claim,)), SUCCESS)


@dataclass(frozen=True, slots=True)
class StatusState:
    """evse None: unknown to this party; position: of its last event."""

    evse: Evse | None
    position: Position


async def prepare_status(_command: ChangeEvseStatus, world: World, _command_id: UUID) -> datetime:
    """The time."""
    return world.clock()


async def load_status(command: ChangeEvseStatus, _at: datetime, world: World) -> StatusState:
    """The EVSE as it is."""
    stream = evse_stream(command.party, command.evse_uid)
    history = await world.events.load([stream])
    return StatusState(evse_of(history, command.party, command.evse_uid), history.positions.get(stream, Position(0)))


def decide_status(command: ChangeEvseStatus, at: datetime, state: StatusState) -> Decision:
    """The changes of status; none where all is so already.

    raises: EvseUidDoesNotExist, Faults of connectors
    """
    if state.evse is None:
        raise EvseUidDoesNotExist(command.evse_uid)
    events = evses.change_status(state.evse, command.status, command.connectors, at=at)
    return Decision(Changes(command.party, events) if events else None, SUCCESS)
