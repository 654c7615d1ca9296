"""EVSEs: how they are added (W2), how their status and that of their connectors changes (W3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ocpi.identifiers import Party, folded
from tests.support.builders import (
    NOON,
    PARTY,
    a_connector,
    connector_status_changed,
    evse_registered,
    evse_status_changed,
    location_registered,
)
from tests.support.drafts import a_connector_draft, an_evse_draft
from tests.support.spec import Spec, claims_of
from write_side.commands.evses import (
    PushEvseFacts,
    PushEvseState,
    StatusState,
    decide_push,
    decide_status,
)
from write_side.commands.wishes import ChangeEvseStatus, PushEvse
from write_side.domain import evse, location
from write_side.domain.changes import Claim
from write_side.domain.drafts import ConnectorStatusDraft, EvseDraft
from write_side.domain.errors import (
    ConnectorIdDoesNotExist,
    DuplicateEvseUid,
    EvseUidDoesNotExist,
    Fault,
    LocationIdDoesNotExist,
    TooManyEvses,
)
from write_side.events.evse import ConnectorStatusChanged, EvseRegistered, EvseStatusChanged
from write_side.events.location import LocationRegistered
from write_side.events.ranges import Position

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent

OTHER = Party("PH", "XYZ")
LATER = NOON + timedelta(hours=1)


def evse_after(events: tuple[DomainEvent, ...], party: Party, uid: str) -> evse.Evse | None:
    history = [one for one in events if isinstance(one, EvseRegistered | EvseStatusChanged | ConnectorStatusChanged)]
    state = evse.replay(history)
    return state if state is not None and state.party == party and folded(state.uid) == folded(uid) else None


def push_state(command: PushEvse, events: tuple[DomainEvent, ...]) -> PushEvseState:
    mine = [e for e in events if isinstance(e, LocationRegistered) and e.location_id == command.location_id]
    state = location.replay(mine)
    count = sum(isinstance(e, EvseRegistered) and e.location_id == command.location_id for e in events)
    known = state if state is not None and state.party == command.party else None
    return PushEvseState(known, evse_after(events, command.party, command.draft.uid), count, Position(0))


def status_state(command: ChangeEvseStatus, events: tuple[DomainEvent, ...]) -> StatusState:
    return StatusState(evse_after(events, command.party, command.evse_uid), Position(len(events)))


pushing = Spec(decide_push, push_state)
changing = Spec(decide_status, status_state)


def push(draft: EvseDraft, faults: tuple[Fault, ...] = ()) -> PushEvse:
    return PushEvse(PARTY, 1, draft, faults)


def facts(max_evses: int = 500) -> PushEvseFacts:
    return PushEvseFacts(NOON, [101, 102], max_evses)


TWO_CONNECTORS = (a_connector_draft(), a_connector_draft(standard="CCS_2", power_type="DC", format="CABLE"))


def test_an_evse_is_registered_with_its_connectors() -> None:
    expected = evse_registered("A2")
    decision = (
        pushing.given(location_registered(), evse_registered("A1"))
        .when(push(an_evse_draft("A2", connectors=TWO_CONNECTORS)), facts())
        .then(expected)
    )
    assert decision.data == "SUCCESS"
    assert claims_of(decision) == (Claim("evse_of/1", "2", str(expected.originator_id)),)


def test_a_second_evse_with_the_same_uid_is_refused_in_any_case() -> None:
    given = pushing.given(location_registered(), evse_registered("A1"))
    code = given.when(push(an_evse_draft("a1", connectors=TWO_CONNECTORS)), facts()).refused(
        DuplicateEvseUid("a1").at("uid")
    )
    assert code == "DUPLICATE_EVSE_UID:a1"


def test_another_cpo_may_use_the_same_uid() -> None:
    given = pushing.given(location_registered(), evse_registered("A1", party=OTHER, location_id=9))
    given.when(push(an_evse_draft("A1", connectors=TWO_CONNECTORS)), facts()).then(evse_registered("A1"))


def test_an_unknown_location_is_refused() -> None:
    given = pushing.given().when(push(an_evse_draft(connectors=TWO_CONNECTORS)), facts())
    assert given.refused(LocationIdDoesNotExist(1).at("location_id")) == "LOCATION_ID_DOES_NOT_EXISTS:1"


def test_another_cpos_location_is_as_unknown() -> None:
    given = pushing.given(location_registered(1, OTHER)).when(push(an_evse_draft(connectors=TWO_CONNECTORS)), facts())
    given.refused(LocationIdDoesNotExist(1).at("location_id"))


def test_one_evse_too_many_is_refused() -> None:
    given = pushing.given(location_registered(), evse_registered("A1"))
    command = push(an_evse_draft("A2", connectors=TWO_CONNECTORS))
    given.when(command, facts(max_evses=2)).then(evse_registered("A2"))
    given.when(command, facts(max_evses=1)).refused(TooManyEvses().at("location_id"))


def test_all_faults_are_told_at_once() -> None:
    unknown = Fault("capabilities[0]", "expected one of …", "INVALID_CAPABILITIES")
    given = pushing.given(evse_registered("A1", location_id=9))
    code = given.when(push(an_evse_draft("A1"), (unknown,)), facts()).refused(
        unknown, LocationIdDoesNotExist(1).at("location_id"), DuplicateEvseUid("A1").at("uid")
    )
    assert code == "VALIDATION_ERROR"


def change(status: str | None, *connectors: tuple[int, str], uid: str = "A1") -> ChangeEvseStatus:
    return ChangeEvseStatus(PARTY, uid, status, tuple(ConnectorStatusDraft(*one) for one in connectors))


def status_changed(status: str, version: int = 2) -> EvseStatusChanged:
    return replace(evse_status_changed(status, version=version), timestamp=LATER)


def connector_changed(status: str, connector_id: int, version: int = 2) -> ConnectorStatusChanged:
    return replace(connector_status_changed(status, connector_id, version=version), timestamp=LATER)


def test_a_status_changes() -> None:
    decision = changing.given(evse_registered()).when(change("CHARGING"), LATER).then(status_changed("CHARGING"))
    assert decision.data == "SUCCESS"
    assert claims_of(decision) == ()


def test_the_uid_may_come_in_any_case_and_keeps_that_of_its_registration() -> None:
    changing.given(evse_registered()).when(change("CHARGING", uid="a1"), LATER).then(status_changed("CHARGING"))


def test_the_connectors_named_change_and_the_others_stay() -> None:
    changing.given(evse_registered()).when(change(None, (2, "OUTOFORDER")), LATER).then(
        connector_changed("OUTOFORDER", 2)
    )


def test_status_and_connectors_change_together_numbered_on() -> None:
    changing.given(evse_registered(), evse_status_changed("BLOCKED")).when(
        change("CHARGING", (2, "RESERVED"), (1, "CHARGING")), LATER
    ).then(
        status_changed("CHARGING", 3),
        connector_changed("RESERVED", 2, 4),
        connector_changed("CHARGING", 1, 5),
    )


def test_the_same_status_again_appends_no_event() -> None:
    given = changing.given(evse_registered(), evse_status_changed("CHARGING"), connector_status_changed("BLOCKED"))
    given.when(change("CHARGING", (1, "BLOCKED"), (2, "AVAILABLE")), LATER).silent()


def test_only_what_is_new_is_appended() -> None:
    given = changing.given(evse_registered())
    given.when(change("AVAILABLE", (1, "AVAILABLE"), (2, "BLOCKED")), LATER).then(connector_changed("BLOCKED", 2))


def test_an_unknown_uid_is_refused() -> None:
    changing.given().when(change("CHARGING", uid="A9"), LATER).refused_outright(EvseUidDoesNotExist("A9"))


def test_another_cpos_evse_is_as_unknown() -> None:
    given = changing.given(evse_registered(party=OTHER))
    given.when(change("CHARGING"), LATER).refused_outright(EvseUidDoesNotExist("A1"))


def test_unknown_connectors_and_those_named_twice_are_refused() -> None:
    code = (
        changing.given(evse_registered())
        .when(change("CHARGING", (3, "BLOCKED"), (1, "BLOCKED"), (1, "CHARGING"), (3, "BLOCKED")), LATER)
        .refused(
            ConnectorIdDoesNotExist(3).at("connectors[0].connector_id"),
            Fault("connectors[2].connector_id", "this connector is named twice"),
            ConnectorIdDoesNotExist(3).at("connectors[3].connector_id"),
        )
    )
    assert code == "VALIDATION_ERROR"


def test_one_unknown_connector_is_told_by_its_number() -> None:
    given = changing.given(evse_registered()).when(change(None, (7, "BLOCKED")), LATER)
    assert given.refused(ConnectorIdDoesNotExist(7).at("connectors[0].connector_id")) == (
        "CONNECTOR_ID_DOES_NOT_EXISTS:7"
    )


def test_the_state_is_what_the_events_say() -> None:
    state = evse.replay(
        [evse_registered(), evse_status_changed("CHARGING"), connector_status_changed("BLOCKED", 2, version=3)]
    )
    assert state == evse.Evse(PARTY, "A1", 1, 3, "CHARGING", {1: "AVAILABLE", 2: "BLOCKED"})
    assert evse.replay([]) is None


def test_evolving_does_not_change_the_state_before() -> None:
    before = evse.Evse.from_registered(evse_registered(connectors=[a_connector()]))
    after = evse.evolve(before, connector_status_changed("BLOCKED"))
    assert (before.connectors, after.connectors) == ({1: "AVAILABLE"}, {1: "BLOCKED"})
