"""R9, R10 and R16: files of locations are registered, or staged and then approved or rejected (contract §4).

An upload may be larger than memory: its rows, and what is decided of them, wait in a `Staging` of the store. So
`prepare` reads it, `load` holds it page by page against what is registered, and `decide` says yes or no to all of it.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ocpi.identifiers import folded
from write_side.commands.evses import evses_scope, location_of
from write_side.commands.locations import names_scope
from write_side.commands.upload_pages import Known, Page, RegisterFacts, faults_of, ignored_of, register
from write_side.domain import pending
from write_side.domain.changes import Changes, Decision
from write_side.domain.errors import Fault, Faults, NothingPending
from write_side.domain.place import Ask
from write_side.domain.uploads import MAX_FAULTS, Folding, Group, Grouping, LocationOfRows, Rows
from write_side.events.ranges import Position
from write_side.events.streams import evse_stream, location_stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from ocpi.identifiers import Party
    from write_side.commands.wishes import ApproveStaged, ImportLocations, RejectStaged, StageLocations
    from write_side.ports import Pending, Staging, Submission, World

    Upload = ImportLocations | StageLocations | ApproveStaged

ROWS_AT_ONCE: Final = 200
"""Of a page: what is decided without a pause, and in one event where it is staged."""

NOTHING: Final[list[object]] = []
"""What these calls answer."""


@dataclass(frozen=True, slots=True)
class UploadFacts:
    """What was read. pages: (first, last) number of locations; faults: of the rows; pending: what was staged before."""

    at: datetime
    upload_id: UUID
    pages: tuple[tuple[int, int], ...]
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...]
    pending: Pending


@dataclass(frozen=True, slots=True)
class UploadState:
    """What became of it. faults: every reason against it; where there is none, what is decided waits in the staging."""

    faults: tuple[Fault, ...]
    ignored: tuple[str, ...]
    position: Position = Position(0)


@dataclass(frozen=True, slots=True)
class RejectState:
    """What waits for approval."""

    pending: Pending
    position: Position = Position(0)


async def prepare_import(command: ImportLocations, world: World, command_id: UUID) -> UploadFacts:
    """Reads the file and places its addresses. raises: Faults of the file as a whole; GeocoderOutOfReach."""
    grouping = Grouping(world.rules.max_evses_per_location)
    faults = await _read(command.rows(), grouping, command, world)
    return await _facts(command, grouping, faults, (world, command_id))


async def prepare_stage(command: StageLocations, world: World, command_id: UUID) -> UploadFacts:
    """The same, beside what waits for approval already."""
    grouping = Grouping(world.rules.max_evses_per_location)
    async for rows in _staged_rows(command.staging, command.party):
        grouping.add(rows.rows)
    grouping.next_upload()
    faults = await _read(command.rows(), grouping, command, world)
    return await _facts(command, grouping, faults, (world, command_id))


async def prepare_approve(command: ApproveStaged, world: World, command_id: UUID) -> UploadFacts:
    """The same, of what waits for approval."""
    grouping = Grouping(world.rules.max_evses_per_location)
    faults = await _read(_staged_rows(command.staging, command.party), grouping, command, world)
    return await _facts(command, grouping, faults, (world, command_id))


async def _staged_rows(staging: Staging, party: Party) -> AsyncGenerator[Rows, None]:
    async for event in staging.pending_events(party):
        yield Rows(pending.rows_of(event))


async def _read(rows: AsyncGenerator[Rows, None], grouping: Grouping, command: Upload, world: World) -> list[Fault]:
    faults: list[Fault] = []
    async with aclosing(rows):
        async for some in rows:
            faults += some.faults
            locations, evses = grouping.add(some.rows)
            if len(faults) + len(grouping.faults) >= MAX_FAULTS:
                raise _refusal([*faults, *grouping.faults])
            await command.staging.add(await _placed(locations, command.party, world), evses)
    return [*faults, *grouping.faults]


async def _placed(locations: Sequence[LocationOfRows], party: Party, world: World) -> list[LocationOfRows]:
    """These locations with where they lie, but for those that the party has already: nobody needs to place them."""
    known = await _owners(locations, party, world)
    new = [location for location in locations if folded(location.draft.name) not in known]
    places = await world.geocoder.place_many([Ask(one.draft.address, one.draft.lat, one.draft.lng) for one in new])
    placed = {location.nr: place for location, place in zip(new, places, strict=True)}
    return [LocationOfRows(one.nr, one.row, one.draft, placed.get(one.nr)) for one in locations]


async def _owners(locations: Iterable[LocationOfRows], party: Party, world: World) -> dict[str, int]:
    """Ids of those that the party has, by folded name."""
    scope = names_scope(party)
    owners = await world.events.claim_owners({(scope, folded(location.draft.name)) for location in locations})
    return {name: int(owner) for (_, name), owner in owners.items()}


async def _facts(command: Upload, grouping: Grouping, faults: list[Fault], by: tuple[World, UUID]) -> UploadFacts:
    world, command_id = by
    return UploadFacts(
        world.clock(),
        command_id,
        tuple(grouping.pages(ROWS_AT_ONCE)),
        tuple(faults),
        tuple(grouping.ignored),
        await command.staging.pending(command.party),
    )


@dataclass(slots=True)
class _Check:
    """What was found so far, page by page."""

    max_evses: int
    faults: list[Fault]
    ignored: list[str]

    def passes(self, page: Page) -> bool:
        """Whether nothing is wrong yet, after this page."""
        self.faults += faults_of(page, max_evses=self.max_evses)
        if len(self.ignored) < MAX_FAULTS:
            self.ignored += ignored_of(page)
        return not self.faults


async def load_import(command: ImportLocations | ApproveStaged, facts: UploadFacts, world: World) -> UploadState:
    """Whether it can be registered; if so, its events wait in the staging."""
    check = _check(facts, world)
    async for page in _pages(command, facts, world, check):
        if check.passes(page):
            ids = RegisterFacts(
                facts.at,
                command.cpo_owner_id,
                await world.events.take_ids("location", len(page.new)),
                await world.events.take_ids("connector", page.connector_count),
            )
            await command.staging.keep(*register(page, ids))
    return UploadState(tuple(check.faults), tuple(check.ignored))


async def load_approve(command: ApproveStaged, facts: UploadFacts, world: World) -> UploadState:
    """The same, and the approval behind it. raises: NothingPending."""
    if facts.pending.is_empty:
        raise NothingPending
    state = await load_import(command, facts, world)
    approved = pending.approve(party=command.party, version=facts.pending.version + 1, at=facts.at)
    await command.staging.keep([approved], [])
    return state


async def load_stage(command: StageLocations, facts: UploadFacts, world: World) -> UploadState:
    """Whether it could be registered now; if so, its events wait in the staging."""
    check = _check(facts, world)
    version = facts.pending.version
    async for page in _pages(command, facts, world, check):
        if check.passes(page):
            version += 1
            staged = pending.stage(
                page.groups, party=command.party, upload_id=facts.upload_id, version=version, at=facts.at
            )
            await command.staging.keep([staged], [])
    return UploadState(tuple(check.faults), tuple(check.ignored))


def _check(facts: UploadFacts, world: World) -> _Check:
    return _Check(world.rules.max_evses_per_location, list(facts.faults), list(facts.ignored))


async def _pages(command: Upload, facts: UploadFacts, world: World, check: _Check) -> AsyncGenerator[Page, None]:
    """The upload with what the store knows now, until there is enough to refuse it for."""
    await command.staging.begin()
    for first, last in facts.pages:
        if len(check.faults) >= MAX_FAULTS:
            return
        folding = Folding(await command.staging.locations(first, last))
        async for rows in command.staging.rows(first, last):
            folding.add(rows)
        groups = folding.groups()
        yield Page(command.party, groups, await _known(groups, command, world), folding.ignored)


async def _known(groups: Sequence[Group], command: Upload, world: World) -> Known:
    party = command.party
    ids = await _owners((group.location for group in groups), party, world)
    history = await world.events.load([location_stream(location_id) for location_id in ids.values()])
    known = {name: location_of(history, location_id, party) for name, location_id in ids.items()}
    uids = [evse.draft.uid for group in groups for evse in group.evses]
    return Known(
        {name: location for name, location in known.items() if location is not None},
        await world.events.claims_in([evses_scope(location_id) for location_id in ids.values()]),
        await command.staging.existing([evse_stream(party, uid) for uid in uids]),
    )


def decide_upload(command: Upload, _facts: UploadFacts, state: UploadState) -> Decision:
    """Yes to all of it, or every reason against it (contract §4 "all or nothing"). raises: Faults."""
    if state.faults:
        raise _refusal(state.faults)
    return Decision(Changes(command.party, ()), NOTHING, state.ignored)


def _refusal(faults: Iterable[Fault]) -> Faults:
    """The first thousand, by row."""
    return Faults(sorted(faults, key=lambda fault: fault.row or 0)[:MAX_FAULTS])


async def append_upload(command: Upload, submission: Submission, _world: World) -> Position:
    """What waits in the staging goes into the log. raises: Conflict, KeyTaken, StoreOutOfReach."""
    return await command.staging.append(submission)


async def prepare_reject(_command: RejectStaged, world: World, _command_id: UUID) -> datetime:
    """The time."""
    return world.clock()


async def load_reject(command: RejectStaged, _at: datetime, _world: World) -> RejectState:
    """What is staged."""
    return RejectState(await command.staging.pending(command.party))


def decide_reject(command: RejectStaged, at: datetime, state: RejectState) -> Decision:
    """All that is staged is dropped. raises: NothingPending."""
    if state.pending.is_empty:
        raise NothingPending
    event = pending.reject(party=command.party, version=state.pending.version + 1, at=at)
    return Decision(Changes(command.party, (event,)), NOTHING)
