"""Streams on a real PostgreSQL: what was appended is what is loaded; nothing is ever changed; trouble has one name."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from eventsourcing.utils import TopicError

from tests.support.builders import CODEC, NOON, PARTY, evse_registered, evse_status_changed, location_registered
from tests.support.proxy import Proxy
from tests.support.store import Store, a_command, a_key, a_store, an_event
from write_side.domain import evse
from write_side.domain.changes import Claim
from write_side.domain.errors import StoreOutOfReach
from write_side.events.ranges import Position
from write_side.events.streams import evse_stream, location_stream
from write_side.ports import Answer, Remembered
from write_side.store.housekeeping import forget_answers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@pytest.fixture
async def store(empty_store: str) -> AsyncIterator[Store]:
    async with a_store(empty_store) as opened:
        yield opened


async def test_streams_are_loaded_as_they_are_now(store: Store) -> None:
    first = (location_registered(), evse_registered("A1"), evse_registered("A2"))
    second = (evse_status_changed("CHARGING", "A1", version=2), evse_status_changed("BLOCKED", "A1", version=3))
    assert await store.events.append(a_command(*first)) == 3
    assert await store.events.append(a_command(*second)) == 5
    a1, a2, unknown = (evse_stream(PARTY, uid) for uid in ("a1", "A2", "A3"))
    history = await store.events.load([a1, a2, unknown])
    assert history.states == {a1: evse.replay((first[1], *second)), a2: evse.replay((first[2],))}
    assert history.positions == {a1: 5, a2: 3}
    assert history.of(unknown) is None
    assert (await store.events.load([])).states == {}
    assert tuple(map(CODEC.decode, await store.events.stream(a1))) == (first[1], *second)
    assert await store.events.stream(unknown) == ()


async def test_what_is_recorded_says_who_when_and_why(store: Store) -> None:
    event = evse_registered("A1")
    await store.events.append(a_command(event, command_id=UUID(int=9)))
    (one,) = await store.log()
    assert (one.stream, one.version, one.topic) == (event.originator_id, 1, "evse.registered")
    assert (one.party, one.at, one.command_id) == ("PH/ABC", NOON, UUID(int=9))
    assert (one.correlation_id, one.actor) == ("request-1", "cpo:PH/ABC")


@pytest.mark.parametrize(
    "statement",
    [
        "update es.events set topic = 'other' where pos = 1",
        "update es.events set pos = pos where false",
        "delete from es.events",
        "truncate es.events",
    ],
)
async def test_what_is_recorded_is_never_changed(store: Store, statement: str) -> None:
    await store.events.append(a_command(an_event()))
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await store.session.execute(statement)
    assert len(await store.log()) == 1


async def test_an_event_that_this_program_does_not_know_is_an_error(store: Store) -> None:
    event = an_event()
    await store.events.append(a_command(event))
    await store.session.execute("set session_replication_role = replica")
    await store.session.execute("update es.events set topic = 'evse.unheard_of'")
    with pytest.raises(TopicError):
        await store.events.load([event.originator_id])


async def test_integers_are_never_given_twice(store: Store) -> None:
    taken = await asyncio.gather(*(store.events.take_ids("connector", count) for count in (1, 50, 0, 100, 7, 3, 39)))
    assert [len(ids) for ids in taken] == [1, 50, 0, 100, 7, 3, 39]
    assert len({number for ids in taken for number in ids}) == 200
    assert await store.events.take_ids("location", 2) == [1, 2]
    assert await store.events.take_ids("cpo_owner", 2) == [1, 2]


async def test_claims_know_their_owners(store: Store) -> None:
    claims = (Claim("name", "a", "1"), Claim("name", "b", "2"), Claim("other", "a", "3"))
    await store.events.append(a_command(an_event(), claims=claims))
    asked = [("name", "a"), ("other", "a"), ("other", "b"), ("name", "c")]
    assert await store.events.claim_owners(asked) == {("name", "a"): "1", ("other", "a"): "3"}
    assert await store.events.claim_owners([]) == {}
    assert await store.events.claims_in(["name", "other", "none"]) == {"name": 2, "other": 1}
    assert await store.events.claims_in([]) == {}


async def test_an_answer_is_remembered_whole(store: Store) -> None:
    data = [{"location_id": 754, "näme": "é😀", "n": None, "f": 1.5, "big": 2**53}]
    submission = a_command(an_event(), key=a_key(), data=data)
    await store.events.append(submission)
    remembered = await store.events.remembered(a_key().scope, "k1")
    assert remembered == Remembered(a_key().fingerprint, Answer(data, Position(1), ()))
    assert await store.events.remembered(a_key().scope, "k2") is None
    assert await store.events.remembered("elsewhere", "k1") is None


async def test_answers_are_forgotten_after_their_time(store: Store) -> None:
    await store.events.append(a_command(key=a_key("old")))
    await store.session.execute("update es.commands set at = now() - interval '31 days'")
    await store.events.append(a_command(key=a_key("new")))
    assert await forget_answers(store.pool, timedelta(days=30)) == 1
    assert await store.events.remembered(a_key().scope, "old") is None
    assert await store.events.remembered(a_key().scope, "new") is not None


async def test_a_party_id_is_reserved_once_and_given_back_by_its_owner_alone(store: Store) -> None:
    one, other = UUID(int=1), UUID(int=2)
    reserve, release = store.events.reserve_party_id, store.events.release_party_id
    assert await reserve("PH", ["ISL", "ISA"], one) == "ISL"
    assert await reserve("PH", ["ISL", "ISA"], other) == "ISA"
    assert await reserve("PH", ["ISL", "ISA"], other) is None
    assert await reserve("SG", ["ISL"], other) == "ISL"
    await release("PH", "ISL", other)
    assert await reserve("PH", ["ISL"], other) is None
    await release("PH", "ISL", one)
    assert await reserve("PH", ["ISL"], other) == "ISL"
    assert await reserve("PH", [], other) is None


async def test_of_many_who_want_a_party_id_each_gets_another(store: Store) -> None:
    candidates = [f"I{letter}X" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    got = await asyncio.gather(
        *(store.events.reserve_party_id("PH", candidates, UUID(int=number)) for number in range(30))
    )
    assert sorted(party_id for party_id in got if party_id is not None) == candidates
    assert got.count(None) == 4


async def test_a_wrong_argument_is_no_trouble_of_the_store(store: Store) -> None:
    with pytest.raises(asyncpg.DataError):
        await store.events.claim_owners([("name", "a\0b")])


ASKING: dict[str, Callable[[Store], Awaitable[object]]] = {
    "load": lambda store: store.events.load([location_stream(1)]),
    "claim_owners": lambda store: store.events.claim_owners([("name", "a")]),
    "claims_in": lambda store: store.events.claims_in(["name"]),
    "take_ids": lambda store: store.events.take_ids("location", 1),
    "remembered": lambda store: store.events.remembered("scope", "key"),
    "append": lambda store: store.events.append(a_command(an_event())),
    "reserve_party_id": lambda store: store.events.reserve_party_id("PH", ["ISL"], UUID(int=1)),
    "release_party_id": lambda store: store.events.release_party_id("PH", "ISL", UUID(int=1)),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
async def test_a_store_that_is_away_is_out_of_reach_and_comes_back(
    empty_store: str, ask: Callable[[Store], Awaitable[object]]
) -> None:
    at = urlsplit(empty_store)
    async with (
        Proxy(at.hostname or "", at.port or 5432) as proxy,
        a_store(empty_store, via=proxy, patience_s=0.3) as store,
    ):
        await store.events.claims_in(["a connection that will be cut"])
        proxy.refuse()
        with pytest.raises(StoreOutOfReach):
            await ask(store)
        proxy.accept()
        await ask(store)
