"""What is unique stays so, whoever comes at once and from wherever: names, uids, numbers, party ids, keys."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from ocpi.identifiers import Party
from tests.support.builders import CODEC, PARTY
from tests.support.drafts import a_connector_draft, a_cpo_draft, a_location_draft, an_evse_draft
from tests.support.store import Olongapo, Store, a_key, a_store
from write_side.commands.dispatch import dispatch
from write_side.commands.wishes import (
    ChangeEvseStatus,
    ChangeLocation,
    Command,
    PushEvse,
    PushLocations,
    RegisterCpo,
)
from write_side.domain.drafts import ConnectorStatusDraft, LocationDraft, LocationPatch
from write_side.domain.errors import (
    DuplicateEvseUid,
    EvseUidDoesNotExist,
    Faults,
    IdempotencyKeyReused,
    LocationIdDoesNotExist,
    StoreOutOfReach,
)
from write_side.domain.place import Ask, Placed
from write_side.events.cpo import CpoRegistered
from write_side.events.evse import EvseRegistered, EvseStatusChanged
from write_side.events.location import LocationRegistered
from write_side.ports import Answer, Origin, Rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from eventsourcing.domain import DomainEvent

    from write_side.ports import IdempotencyKey

OTHER = Party("PH", "XYZ")
KILL_BLOCKED = """
    select pg_terminate_backend(pid, 5000)
      from pg_stat_activity
     where datname = current_database()
       and wait_event_type = 'Lock'
"""


@pytest.fixture
async def stores(empty_store: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two writers on one database, as two processes have them."""
    rules = Rules(max_evses_per_location=5)
    async with a_store(empty_store, rules=rules) as one, a_store(empty_store, rules=rules) as other:
        yield one, other


@pytest.fixture
async def store(stores: tuple[Store, Store]) -> Store:
    return stores[0]


def ask(store: Store, command: Command, key: IdempotencyKey | None = None) -> Awaitable[Answer]:
    return dispatch(command, Origin(str(uuid4()), "cpo:PH/ABC", key), store.world)


def push(*drafts: LocationDraft, party: Party = PARTY) -> PushLocations:
    return PushLocations(party, 7, drafts)


def located(name: str, *uids: str) -> LocationDraft:
    return a_location_draft(name, evses=tuple(an_evse_draft(uid) for uid in uids))


async def at_once(stores: Sequence[Store], commands: Sequence[Command]) -> list[Answer | BaseException]:
    """All of them at the same moment, by turns to each store."""
    asked = [ask(stores[index % len(stores)], command) for index, command in enumerate(commands)]
    return await asyncio.gather(*asked, return_exceptions=True)


def verdicts(of: Sequence[Answer | BaseException]) -> Counter[str]:
    return Counter(
        "accepted" if isinstance(one, Answer) else one.code if isinstance(one, Faults) else type(one).__name__
        for one in of
    )


async def events_of(store: Store, *kinds: type[DomainEvent]) -> list[DomainEvent]:
    decoded = [CODEC.decode(one) for one in await store.log()]
    return [event for event in decoded if isinstance(event, kinds or (object,))]


async def test_of_two_calls_with_the_same_uid_exactly_one_wins(stores: tuple[Store, Store]) -> None:
    commands = [push(located(f"Place {n}", "A1", f"B{n}")) for n in range(10)]
    assert verdicts(await at_once(stores, commands)) == {"accepted": 1, "DUPLICATE_EVSE_UID:A1": 9}
    assert len(await stores[0].log()) == 3


async def test_two_cpos_may_have_the_same_uid(stores: tuple[Store, Store]) -> None:
    commands = [push(located("Harbor", "A1")), push(located("Harbor", "A1"), party=OTHER)]
    assert verdicts(await at_once(stores, commands)) == {"accepted": 2}


async def test_a_name_pushed_by_many_at_once_is_one_location(stores: tuple[Store, Store]) -> None:
    answers = await at_once(stores, [push(located(name, f"A{n}")) for n, name in enumerate(["Harbor", "HARBOR"] * 2)])
    assert verdicts(answers) == {"accepted": 4}
    assert len({str(one.data) for one in answers if isinstance(one, Answer)}) == 1
    assert len(await events_of(stores[0], LocationRegistered)) == 1
    assert len(await events_of(stores[0], EvseRegistered)) == 4


async def test_a_location_never_gets_more_evses_than_it_may_whoever_adds_them(stores: tuple[Store, Store]) -> None:
    first = await ask(stores[0], push(located("Harbor", "A0")))
    assert first.data == [{"location_id": 1}]
    by_push = [push(located("Harbor", f"A{n}")) for n in range(1, 5)]
    by_evse = [PushEvse(PARTY, 1, an_evse_draft(f"B{n}")) for n in range(1, 5)]
    assert verdicts(await at_once(stores, [*by_push, *by_evse])) == {"accepted": 4, "TOO_MANY_EVSES": 4}
    assert len(await events_of(stores[0], EvseRegistered)) == 5


async def test_all_or_nothing(store: Store) -> None:
    await ask(store, push(located("Harbor", "A1")))
    with pytest.raises(Faults) as refused:
        await ask(store, push(located("Mall", "B1"), located("Port", "B2", "a1")))
    assert refused.value.faults == (DuplicateEvseUid("a1").at("locations[1].evses[1].uid"),)
    assert len(await store.log()) == 2
    assert (await ask(store, push(located("Mall", "B1")))).position == 4


async def test_of_two_renamings_to_one_name_exactly_one_wins(stores: tuple[Store, Store]) -> None:
    await ask(stores[0], push(*(located(f"Place {n}", f"A{n}") for n in range(6))))
    renamings = [ChangeLocation(PARTY, number, LocationPatch(name="Harbor")) for number in range(1, 7)]
    assert verdicts(await at_once(stores, renamings)) == {"accepted": 1, "LOCATION_NAME_EXISTS": 5}


async def test_changes_of_one_location_at_once_are_all_kept(stores: tuple[Store, Store]) -> None:
    await ask(stores[0], push(located("Harbor", "A1")))
    patches = [
        LocationPatch(publish=False),
        LocationPatch(name="Port"),
        LocationPatch(facilities=("CAFE",)),
        LocationPatch(parking_types=()),
        LocationPatch(address="Ayala Avenue", lat=1.0, lng=2.0),
    ]
    assert verdicts(await at_once(stores, [ChangeLocation(PARTY, 1, patch) for patch in patches])) == {"accepted": 5}
    (again,) = await at_once(stores, [ChangeLocation(PARTY, 1, patches[0])])
    assert isinstance(again, Answer)
    log = await stores[0].log()
    assert [one.version for one in log if one.topic == "location.changed"] == [2, 3, 4, 5, 6]
    assert again.position == len(log)


async def test_statuses_of_one_evse_at_once_are_applied_one_after_the_other(stores: tuple[Store, Store]) -> None:
    await ask(stores[0], push(located("Harbor", "A1")))
    statuses = ["CHARGING", "BLOCKED", "RESERVED", "INOPERATIVE"] * 5
    answers = await at_once(stores, [ChangeEvseStatus(PARTY, "a1", status) for status in statuses])
    said = verdicts(answers)
    assert said["accepted"] + said["StoreOutOfReach"] == 20
    assert said["accepted"] >= 15
    log = await stores[0].log()
    changed = [one for one in await events_of(stores[0], EvseStatusChanged) if isinstance(one, EvseStatusChanged)]
    # No two in a row are the same: each was decided on what the one before had left.
    shown = ["AVAILABLE", *(event.status for event in changed)]
    assert all(before != after for before, after in pairwise(shown))
    # Each accepted call either wrote one event of its own or found its wish fulfilled.
    written = {one.position for one in log if one.topic == "evse.status_changed"}
    assert written <= {one.position for one in answers if isinstance(one, Answer)}


async def test_a_status_of_evse_and_connectors_is_changed_whole(store: Store) -> None:
    two = (a_connector_draft(), a_connector_draft())
    await ask(store, push(a_location_draft(evses=(an_evse_draft("A1", connectors=two),))))
    wish = (ConnectorStatusDraft(1, "CHARGING"), ConnectorStatusDraft(2, "BLOCKED"))
    answer = await ask(store, ChangeEvseStatus(PARTY, "A1", "CHARGING", wish))
    assert answer == Answer("SUCCESS", answer.position)
    assert (answer.position, (await ask(store, ChangeEvseStatus(PARTY, "A1", "CHARGING", wish))).position) == (5, 5)
    assert len(await store.log()) == 5


async def test_another_cpos_things_are_as_unknown(store: Store) -> None:
    await ask(store, push(located("Harbor", "A1")))
    with pytest.raises(EvseUidDoesNotExist, match="EVSE_UID_DOES_NOT_EXISTS:A1"):
        await ask(store, ChangeEvseStatus(OTHER, "A1", "CHARGING"))
    with pytest.raises(LocationIdDoesNotExist, match="LOCATION_ID_DOES_NOT_EXISTS:1"):
        await ask(store, ChangeLocation(OTHER, 1, LocationPatch(publish=False)))
    with pytest.raises(Faults, match="LOCATION_ID_DOES_NOT_EXISTS:1"):
        await ask(store, PushEvse(OTHER, 1, an_evse_draft("B1")))
    assert len(await store.log()) == 2


async def test_a_new_address_that_nothing_places_is_placed_by_the_coordinates_that_came_before(store: Store) -> None:
    await ask(store, push(located("Harbor", "A1")))
    seen: list[Ask] = []

    class Listening(Olongapo):
        async def place_many(self, asked: Sequence[Ask]) -> list[Placed]:
            seen.extend(asked)
            return await super().place_many(asked)

    world = replace(store.world, geocoder=Listening())
    origin = Origin("request-1", "cpo:PH/ABC")
    await dispatch(ChangeLocation(PARTY, 1, LocationPatch(address="Kilometre 9")), origin, world)
    await dispatch(ChangeLocation(PARTY, 1, LocationPatch(lat=1.0, lng=2.0)), origin, world)
    await dispatch(ChangeLocation(PARTY, 1, LocationPatch(publish=False)), origin, world)
    assert seen == [Ask("Kilometre 9", 14.8225, 120.2828), Ask("", 1.0, 2.0)]


async def registered_parties(store: Store) -> list[str]:
    return [event.party_id for event in await events_of(store, CpoRegistered) if isinstance(event, CpoRegistered)]


async def test_many_who_register_at_once_get_party_ids_of_their_own(stores: tuple[Store, Store]) -> None:
    commands = [RegisterCpo(a_cpo_draft(f"user{n}", f"Isla Charge {'é' * n}")) for n in range(40)]
    assert verdicts(await at_once(stores, commands)) == {"accepted": 40}
    parties = await registered_parties(stores[0])
    assert len(set(parties)) == 40
    # As long as there are any, they begin with the name's first two letters.
    assert sum(party_id.startswith("IS") for party_id in parties) == 26
    assert await stores[0].session.fetchval("select count(*) from es.party_ids") == 40


async def test_of_many_with_the_same_names_one_registers_and_nothing_of_the_others_stays(
    stores: tuple[Store, Store],
) -> None:
    commands = [
        RegisterCpo(a_cpo_draft(username, name))
        for username, name in [("maria", "Isla"), ("MARIA", "Isla"), ("Maria", "ISLA"), ("maria", "isla")] * 3
    ]
    assert verdicts(await at_once(stores, commands)) == {"accepted": 1, "VALIDATION_ERROR": 11}
    assert len(await registered_parties(stores[0])) == 1
    for table in ("party_ids", "users", "tokens_c", "outbox_mail"):
        assert await stores[0].session.fetchval(f"select count(*) from es.{table}") == 1, table


async def test_no_secret_is_in_an_event_or_an_answer(store: Store) -> None:
    answer = await ask(store, RegisterCpo(a_cpo_draft()), a_key())
    assert answer.data == "SUCCESS"
    sealed = await store.session.fetchval("select sealed from es.outbox_mail")
    mail = store.world.secrets.unseal(sealed).decode()
    said = dict(line.split(": ", 1) for line in mail.splitlines() if ": " in line)
    secrets = [said["Temporary password"], said["Token C"]]
    user = await store.session.fetchrow("select * from es.users")
    token = await store.session.fetchrow("select * from es.tokens_c")
    assert user is not None
    assert token is not None
    assert token["token_hash"] == store.world.secrets.token_hash(said["Token C"])
    everything = [
        str(tuple(row))
        for table in ("events", "users", "tokens_c", "outbox_mail", "claims", "commands", "party_ids")
        for row in await store.session.fetch(f"select * from es.{table}")
    ]
    hashes = [user["password_hash"], token["token_hash"].hex(), str(token["token_hash"])]
    assert all(secret not in row for secret in secrets for row in everything)
    events = [str(tuple(row)) for row in await store.session.fetch("select * from es.events")]
    assert all(hidden not in row for hidden in hashes for row in events)


IDEMPOTENT: dict[str, Command] = {
    "W1": push(located("Harbor", "B1")),
    "W2": PushEvse(PARTY, 1, an_evse_draft("B1")),
    "W3": ChangeEvseStatus(PARTY, "A1", "CHARGING"),
    "W3 that changes nothing": ChangeEvseStatus(PARTY, "A1", "AVAILABLE"),
    "W4": ChangeLocation(PARTY, 1, LocationPatch(publish=False)),
    "R1": RegisterCpo(a_cpo_draft()),
}


@pytest.mark.parametrize("command", IDEMPOTENT.values(), ids=IDEMPOTENT)
async def test_the_same_key_many_times_at_once_is_one_call(stores: tuple[Store, Store], command: Command) -> None:
    await ask(stores[0], push(located("Harbor", "A1")))
    answers = await asyncio.gather(*(ask(stores[n % 2], command, a_key()) for n in range(8)))
    assert all(answer == answers[0] for answer in answers)
    log = await stores[0].log()
    assert len(log) == (2 if command is IDEMPOTENT["W3 that changes nothing"] else 3)
    assert await ask(stores[1], command, a_key()) == answers[0]
    assert await stores[0].log() == log


async def test_the_remembered_answer_is_whole(store: Store) -> None:
    await ask(store, push(located("Harbor", "A1")))
    command = push(a_location_draft("Harbor", address="Elsewhere", evses=(an_evse_draft("A2"),)))
    first = await ask(store, command, a_key())
    assert first == Answer([{"location_id": 1}], first.position, ("locations[0].address",))
    await ask(store, push(located("Mall", "A3")))
    assert await ask(store, command, a_key()) == first


async def test_a_key_used_for_another_body_is_refused(stores: tuple[Store, Store]) -> None:
    await ask(stores[0], push(located("Harbor", "A1")), a_key())
    with pytest.raises(IdempotencyKeyReused):
        await ask(stores[1], push(located("Mall", "A2")), a_key(body=b"\x02"))
    assert len(await stores[0].log()) == 2


async def test_of_two_bodies_under_one_key_at_once_one_is_refused(stores: tuple[Store, Store]) -> None:
    asked = [ask(stores[n], push(located(f"Place {n}", f"A{n}")), a_key(body=bytes([n + 1]))) for n in range(2)]
    said = verdicts(await asyncio.gather(*asked, return_exceptions=True))
    assert said == {"accepted": 1, "IdempotencyKeyReused": 1}
    assert len(await stores[0].log()) == 2


async def test_a_key_is_its_senders_alone(store: Store) -> None:
    await ask(store, push(located("Harbor", "A1")), a_key())
    await ask(store, push(located("Harbor", "A1"), party=OTHER), a_key(scope="cpo:PH/XYZ POST /there"))
    assert len(await store.log()) == 4


async def test_a_refused_call_is_not_remembered(store: Store) -> None:
    with pytest.raises(EvseUidDoesNotExist):
        await ask(store, ChangeEvseStatus(PARTY, "A1", "CHARGING"), a_key())
    await ask(store, push(located("Harbor", "A1")))
    assert (await ask(store, ChangeEvseStatus(PARTY, "A1", "CHARGING"), a_key())).position == 3


async def test_a_registration_whose_store_is_away_keeps_no_name(empty_store: str) -> None:
    async with a_store(empty_store, patience_s=0.4) as store:
        holder = await asyncpg.connect(empty_store)
        await holder.execute("begin; select pos from es.head for update")
        with pytest.raises(StoreOutOfReach):
            await ask(store, RegisterCpo(a_cpo_draft()))
        await store.session.execute(KILL_BLOCKED)
        await holder.close()
        await ask(store, RegisterCpo(a_cpo_draft()))
        assert len(await registered_parties(store)) == 1
