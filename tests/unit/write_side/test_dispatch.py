"""Every command goes one way: remembered, prepared once, decided until it is written, and tidied up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from obstore.store import MemoryStore

from tests.support.builders import NOON, PARTY, evse_registered, evse_status_changed
from tests.support.drafts import BY_ADDRESS, a_cpo_draft, a_location_draft
from tests.support.loose_images import LooseImagesInMemory
from write_side.accounts.secrets import SystemSecrets
from write_side.adapters.images import ObjectImages
from write_side.adapters.pictures import PictureCheck
from write_side.commands.dispatch import MAX_DECISIONS, dispatch
from write_side.commands.wishes import ChangeEvseStatus, Command, PushLocations, RegisterCpo
from write_side.domain import evse
from write_side.domain.aggregates import Aggregate, evolved
from write_side.domain.errors import (
    Conflict,
    CpoOwnerNameExists,
    EvseUidDoesNotExist,
    Faults,
    GeocoderOutOfReach,
    IdempotencyKeyReused,
    KeyTaken,
    StoreOutOfReach,
)
from write_side.events.ranges import Position
from write_side.events.streams import evse_stream
from write_side.ports import Answer, History, IdempotencyKey, Origin, Remembered, Rules, World

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eventsourcing.domain import DomainEvent

    from write_side.domain.place import Ask, Placed
    from write_side.ports import IdKind, Submission

KEY = IdempotencyKey("cpo:PH/ABC PATCH /there", "k1", b"\x01" * 32)
PLAIN = Origin("r1", "cpo:PH/ABC")
KEYED = Origin("r1", "cpo:PH/ABC", KEY)
SECRETS = SystemSecrets(b"seal-key-of-a-test-deployment-0000001")
ANSWER = Answer({"first": True}, Position(77), ("locations[0].name",))


@dataclass
class Store:
    """The Events port as a story: what each load finds, what each append comes to, what was remembered when."""

    loads: list[tuple[DomainEvent, ...]] = field(default_factory=list)
    appends: list[Exception | Position] = field(default_factory=list)
    memories: list[Remembered | None] = field(default_factory=list)
    taken: list[dict[tuple[str, str], str]] = field(default_factory=list)
    submitted: list[Submission] = field(default_factory=list)
    reserved: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    free: tuple[str, ...] = ("ISL",)
    pauses: list[int] = field(default_factory=list)

    async def load(self, streams: Collection[UUID]) -> History:
        events = self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]
        found: dict[UUID, Aggregate] = {}
        for event in events:
            found[event.originator_id] = evolved(found.get(event.originator_id), event)
        wanted = {stream: found[stream] for stream in streams if stream in found}
        return History(wanted, {stream: Position(40 + len(events)) for stream in wanted})

    async def claim_owners(self, claims: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:  # noqa: ARG002 - a port
        return self.taken.pop(0) if self.taken else {}

    async def claims_in(self, scopes: Collection[str]) -> dict[str, int]:  # noqa: ARG002 - a port
        return {}

    async def take_ids(self, kind: IdKind, count: int) -> list[int]:  # noqa: ARG002 - a port
        return list(range(1, count + 1))

    async def remembered(self, scope: str, key: str) -> Remembered | None:
        assert (scope, key) == (KEY.scope, KEY.key)
        return self.memories.pop(0)

    async def append(self, submission: Submission) -> Position:
        self.submitted.append(submission)
        outcome = self.appends.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def personal_key(self, key_id: UUID) -> bytes | None:  # noqa: ARG002 - a port
        return None

    async def reserve_party_id(self, country_code: str, candidates: Sequence[str], command_id: UUID) -> str | None:
        party_id = next((one for one in candidates if one in self.free), None)
        if party_id is not None:
            self.reserved.append(f"{country_code}/{party_id} {command_id.int}")
        return party_id

    async def release_party_id(self, country_code: str, party_id: str, command_id: UUID) -> None:
        self.released.append(f"{country_code}/{party_id} {command_id.int}")


@dataclass
class Map:
    """A geocoder; trouble: what it raises instead."""

    asked: list[Ask] = field(default_factory=list)
    trouble: Exception | None = None

    async def place_many(self, asked: Sequence[Ask]) -> list[Placed]:
        self.asked.extend(asked)
        if self.trouble is not None:
            raise self.trouble
        return [BY_ADDRESS for _ in asked]


def world(store: Store, geocoder: Map | None = None) -> World:
    ids = iter(range(1, 100))

    async def pause(attempt: int) -> None:
        store.pauses.append(attempt)

    return World(
        store,
        geocoder or Map(),
        SECRETS,
        PictureCheck(max_bytes=1_000_000),
        ObjectImages(MemoryStore()),
        LooseImagesInMemory(),
        Rules(),
        lambda: NOON,
        lambda: UUID(int=next(ids)),
        pause,
    )


def change(status: str = "CHARGING") -> ChangeEvseStatus:
    return ChangeEvseStatus(PARTY, "A1", status)


async def told(command: Command, store: Store, origin: Origin = PLAIN) -> Answer:
    return await dispatch(command, origin, world(store))


async def test_an_accepted_command_answers_with_the_position_of_its_last_event() -> None:
    store = Store(loads=[(evse_registered(),)], appends=[Position(42)])
    assert await told(change(), store) == Answer("SUCCESS", Position(42))
    (submission,) = store.submitted
    assert (submission.origin, submission.command_id) == (PLAIN, UUID(int=1))
    assert submission.changes is not None
    assert [event.originator_version for event in submission.changes.events] == [2]


async def test_where_nothing_changes_nothing_is_written_and_the_streams_position_answers() -> None:
    store = Store(loads=[(evse_registered(), evse_status_changed("CHARGING"))])
    assert await told(change(), store) == Answer("SUCCESS", Position(42))
    assert store.submitted == []


async def test_under_a_key_even_that_answer_is_to_be_remembered() -> None:
    store = Store(loads=[(evse_registered(), evse_status_changed("CHARGING"))], memories=[None], appends=[Position(42)])
    assert await told(change(), store, KEYED) == Answer("SUCCESS", Position(42))
    assert [(one.changes, one.position) for one in store.submitted] == [(None, Position(42))]


async def test_after_a_conflict_it_is_loaded_and_decided_again_under_the_same_id() -> None:
    store = Store(
        loads=[(evse_registered(),), (evse_registered(), evse_status_changed("BLOCKED"))],
        appends=[Conflict(), Position(43)],
    )
    assert await told(change(), store) == Answer("SUCCESS", Position(43))
    assert [one.changes.events[0].originator_version for one in store.submitted if one.changes] == [2, 3]
    assert {one.command_id for one in store.submitted} == {UUID(int=1)}
    assert store.pauses == [0]


async def test_facts_are_gathered_once_however_often_it_is_decided() -> None:
    geocoder = Map()
    store = Store(loads=[()], appends=[Conflict(), Conflict(), Position(2)])
    command = PushLocations(PARTY, 7, (a_location_draft(),))
    await dispatch(command, PLAIN, world(store, geocoder))
    assert len(geocoder.asked) == 1
    assert store.submitted[0] == store.submitted[1] == store.submitted[2]


async def test_a_conflict_may_show_that_nothing_is_left_to_do() -> None:
    store = Store(
        loads=[(evse_registered(),), (evse_registered(), evse_status_changed("CHARGING"))], appends=[Conflict()]
    )
    assert await told(change(), store) == Answer("SUCCESS", Position(42))


async def test_who_never_gets_its_turn_is_sent_back_and_nothing_stays_reserved() -> None:
    store = Store(appends=[Conflict() for _ in range(MAX_DECISIONS)])
    with pytest.raises(StoreOutOfReach):
        await told(RegisterCpo(a_cpo_draft()), store)
    assert store.pauses == list(range(MAX_DECISIONS))
    assert store.released == store.reserved == ["PH/ISL 1"]


async def test_a_refusal_after_a_conflict_gives_back_what_was_reserved() -> None:
    taken = {("cpo_owner_name", "isla charge"): "9"}
    store = Store(taken=[{}, {}, taken], appends=[Conflict()])
    with pytest.raises(Faults) as refused:
        await told(RegisterCpo(a_cpo_draft()), store)
    assert refused.value.faults == (CpoOwnerNameExists().at("cpo_owner_name"),)
    assert store.released == store.reserved == ["PH/ISL 1"]


async def test_a_taken_name_is_refused_before_anything_is_reserved() -> None:
    store = Store(taken=[{("cpo_owner_name", "isla charge"): "9"}])
    with pytest.raises(Faults):
        await told(RegisterCpo(a_cpo_draft()), store)
    assert (store.reserved, store.submitted) == ([], [])


async def test_when_its_fate_is_unknown_what_was_reserved_stays_so() -> None:
    store = Store(appends=[StoreOutOfReach()])
    with pytest.raises(StoreOutOfReach):
        await told(RegisterCpo(a_cpo_draft()), store)
    assert (store.reserved, store.released) == (["PH/ISL 1"], [])


async def test_where_the_names_letters_are_taken_any_party_id_is_given() -> None:
    store = Store(free=("QZX",), appends=[Position(1)])
    await told(RegisterCpo(a_cpo_draft()), store)
    assert store.reserved == ["PH/QZX 1"]


async def test_a_country_without_a_free_party_id_refuses() -> None:
    store = Store(free=())
    with pytest.raises(Exception, match="NO_PARTY_ID_LEFT"):
        await told(RegisterCpo(a_cpo_draft()), store)


async def test_a_remembered_call_answers_as_the_first_time_and_does_nothing() -> None:
    store = Store(memories=[Remembered(KEY.fingerprint, ANSWER)])
    assert await told(change(), store, KEYED) == ANSWER
    assert store.submitted == []


async def test_a_key_used_for_another_body_is_refused() -> None:
    store = Store(memories=[Remembered(b"\x02" * 32, ANSWER)])
    with pytest.raises(IdempotencyKeyReused):
        await told(change(), store, KEYED)


async def test_a_refusal_that_its_own_twin_brought_about_answers_as_the_twin() -> None:
    store = Store(loads=[()], memories=[None, Remembered(KEY.fingerprint, ANSWER)])
    assert await told(change(), store, KEYED) == ANSWER


async def test_a_key_that_was_taken_meanwhile_answers_as_its_taker() -> None:
    store = Store(
        loads=[(evse_registered(),)], appends=[KeyTaken()], memories=[None, Remembered(KEY.fingerprint, ANSWER)]
    )
    assert await told(change(), store, KEYED) == ANSWER


async def test_a_key_that_was_taken_meanwhile_for_another_body_is_refused() -> None:
    store = Store(loads=[(evse_registered(),)], appends=[KeyTaken()], memories=[None, Remembered(b"\x02" * 32, ANSWER)])
    with pytest.raises(IdempotencyKeyReused):
        await told(change(), store, KEYED)


async def test_a_refusal_stays_a_refusal_where_nobody_took_the_key() -> None:
    store = Store(loads=[()], memories=[None, None])
    with pytest.raises(EvseUidDoesNotExist):
        await told(change(), store, KEYED)


async def test_a_geocoder_out_of_reach_leaves_everything_as_it_was() -> None:
    store = Store()
    with pytest.raises(GeocoderOutOfReach):
        await dispatch(
            PushLocations(PARTY, 7, (a_location_draft(),)), PLAIN, world(store, Map(trouble=GeocoderOutOfReach()))
        )
    assert store.submitted == []


async def test_an_evse_of_the_history_is_found_by_its_stream() -> None:
    history = History({evse_stream(PARTY, "A1"): evolved(None, evse_registered("A1"))}, {})
    assert history.of(evse_stream(PARTY, "a1")) == evse.replay([evse_registered("A1")])
    assert history.of(UUID(int=9)) is None
