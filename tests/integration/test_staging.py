"""Uploads against a real store: all or nothing, beside a writer, whatever is taken or breaks meanwhile."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
import pytest

from api.csv_rows import rows_of
from ocpi.identifiers import Party
from tests.support.builders import CODEC, PARTY, evse_registered, location_registered
from tests.support.csv_files import a_csv, a_row, large_rows
from tests.support.store import Store, a_command, a_key, a_store, an_event
from tests.support.until import until_equal
from write_side.commands.dispatch import dispatch
from write_side.commands.evses import evses_scope
from write_side.commands.locations import names_scope
from write_side.commands.wishes import ApproveStaged, ImportLocations, RejectStaged, StageLocations
from write_side.domain.changes import Claim
from write_side.domain.errors import DuplicateEvseUid, Faults, NothingPending, StoreOutOfReach
from write_side.events.location import LocationRegistered
from write_side.events.pending import LocationsStaged
from write_side.ports import Answer, IdempotencyKey, Origin
from write_side.store.batch import APPEND, arguments_of, encoded
from write_side.store.staging import Stagings, StoreStaging

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent

UPLOAD: Final = "a test's upload"
OTHER: Final = Party("PH", "XYZ")

WAITING: Final = """
    select count(*)
      from pg_stat_activity
     where datname = current_database()
       and application_name = $1
       and wait_event_type = 'Lock'
"""
SESSIONS: Final = """
    select count(*)
      from pg_stat_activity
     where datname = current_database()
       and application_name = $1
"""
TEMPORARY: Final = "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'"
END: Final = """
    select pg_terminate_backend(pid)
      from pg_stat_activity
     where datname = current_database()
       and application_name = $1
"""
HEAD: Final = "select pos from es.head for update"


def stagings(dsn: str, *, at_once: int = 4, patience_s: float = 10.0) -> Stagings:
    async def connect() -> asyncpg.Connection[Any]:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            dsn, command_timeout=20, server_settings={"application_name": UPLOAD}
        )
        return connection

    return Stagings(connect, CODEC, at_once=at_once, patience_s=patience_s)


async def upload(
    store: Store, file: bytes, *, party: Party = PARTY, is_staged: bool = False, key: IdempotencyKey | None = None
) -> Answer:
    """R9, or R10."""
    rows = partial(rows_of, io.BytesIO(file), max_rows=100_000)
    async with stagings(store.dsn).open(party) as staging:
        command = StageLocations(party, rows, staging) if is_staged else ImportLocations(party, 7, rows, staging)
        return await dispatch(command, Origin("request-1", f"cpo:{party}", key), store.world)


async def settle(store: Store, kind: type[ApproveStaged | RejectStaged]) -> Answer:
    """R16."""
    async with stagings(store.dsn).open(PARTY) as staging:
        command = ApproveStaged(PARTY, 7, staging) if kind is ApproveStaged else RejectStaged(PARTY, staging)
        return await dispatch(command, Origin("request-1", "cpo:PH/ABC"), store.world)


async def events(store: Store) -> list[DomainEvent]:
    return [CODEC.decode(one) for one in await store.log()]


async def topics(store: Store) -> list[str]:
    return [one.topic for one in await store.log()]


@asynccontextmanager
async def nobody_appends(store: Store) -> AsyncIterator[None]:
    """The test holds the log's head until the end."""
    async with store.session.transaction():
        await store.session.fetchval(HEAD)
        yield


async def until_it_waits(store: Store, name: str = UPLOAD) -> None:
    """Return when that session waits for a lock."""
    await until_equal(lambda: store.pool.fetchval(WAITING, name), 1)


async def append_now(store: Store, *appended: DomainEvent, claims: tuple[Claim, ...] = ()) -> None:
    """What another process commits while this upload waits: in the test's own session, which holds the head."""
    rows = encoded(a_command(*appended, claims=claims), CODEC)
    (row,) = await store.session.fetch(APPEND, *arguments_of([rows]))
    assert row["outcome"] == "appended"


async def test_an_upload_is_one_command_at_consecutive_positions(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        answer = await upload(store, a_csv(*large_rows(1_000)))
        log = await store.log()
        assert (answer.data, answer.position) == ([], len(log))
        assert len({one.command_id for one in log}) == 1
        assert {(one.party, one.actor, one.correlation_id) for one in log} == {("PH/ABC", "cpo:PH/ABC", "request-1")}
        found = [CODEC.decode(one) for one in log]
        assert sum(isinstance(one, LocationRegistered) for one in found) == 200
        assert len(found) == 1_200
        seen: set[int] = set()
        for one in found:
            location_id = one.location_id  # type: ignore[attr-defined]
            assert isinstance(one, LocationRegistered) is (location_id not in seen)
            seen.add(location_id)
        assert await store.events.claims_in([names_scope(PARTY)]) == {names_scope(PARTY): 200}
        assert await store.events.claims_in([evses_scope(5)]) == {evses_scope(5): 5}


async def test_connectors_of_rows_far_apart_keep_their_order(empty_store: str) -> None:
    kinds = [f"[{1 + number % 6}]" for number in range(60)]
    rows = [a_row(f"A{number}", connectors=kind) for kind in kinds for number in range(12)]
    async with a_store(empty_store) as store:
        assert (await upload(store, a_csv(*rows))).position == 13
        for one in (await events(store))[1:]:
            connectors = one.connectors  # type: ignore[attr-defined]
            assert [connector["connector_id"] for connector in connectors] == list(range(1, 61))
            assert [connector["standard"] for connector in connectors] == [
                ("TYPE_1", "TYPE_2", "CHADEMO", "GBT", "CCS_1", "CCS_2")[number % 6] for number in range(60)
            ]


async def test_commands_go_on_beside_uploads_and_nothing_is_lost(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        is_done = asyncio.Event()

        async def write(name: str) -> int:
            number = 0
            while not is_done.is_set() or number < 20:
                await store.events.append(a_command(an_event(f"{name}-{number}"), an_event(f"{name}-{number}", 2)))
                number += 1
            return number

        writers = [asyncio.create_task(write(name)) for name in ("x", "y", "z")]
        try:
            await asyncio.gather(
                upload(store, a_csv(*large_rows(600, prefix="P"))),
                upload(store, a_csv(*large_rows(600, prefix="Q")), party=OTHER),
            )
        finally:
            is_done.set()
            written = sum(await asyncio.gather(*writers))
        log = await store.log()
        assert len(log) == 2 * written + 2 * (600 + 120)
        by_command = {one.command_id: one.position for one in log}
        for party in (PARTY, OTHER):
            of_upload = [
                one.position for one in log if one.actor == f"cpo:{party}" and one.topic.endswith("registered")
            ]
            assert len(of_upload) == 720
            assert of_upload == list(range(of_upload[0], of_upload[0] + 720))
        assert len(by_command) == written + 2


async def test_a_uid_that_was_taken_meanwhile_is_a_fault_of_its_row(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        async with nobody_appends(store):
            uploading = asyncio.create_task(upload(store, a_csv(a_row("A1"), a_row("A2"), a_row("A3"))))
            await until_it_waits(store)
            await append_now(store, evse_registered("a2", 999))
        with pytest.raises(Faults) as raised:
            await uploading
        assert raised.value.faults == (DuplicateEvseUid("A2").at("evse_sn", row=3),)
        assert await topics(store) == ["evse.registered"]
        assert await store.events.claims_in([names_scope(PARTY)]) == {}


async def test_a_location_that_was_registered_meanwhile_gets_the_evses(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        async with nobody_appends(store):
            uploading = asyncio.create_task(upload(store, a_csv(a_row("A1"), a_row("B1", "Mall"))))
            await until_it_waits(store)
            claim = Claim(names_scope(PARTY), "harbor point", "999")
            await append_now(store, location_registered(999), claims=(claim,))
        assert (await uploading).position == 4
        found = await events(store)
        assert [type(one).__name__ for one in found] == [
            "LocationRegistered",
            "EvseRegistered",
            "LocationRegistered",
            "EvseRegistered",
        ]
        assert found[1].location_id == 999  # type: ignore[attr-defined]


async def test_the_last_place_at_a_location_is_taken_once(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        await upload(store, a_csv(a_row("A1")))
        (registered, _) = await events(store)
        location_id = registered.location_id  # type: ignore[attr-defined]
        async with nobody_appends(store):
            uploading = asyncio.create_task(upload(store, a_csv(a_row("A2"))))
            await until_it_waits(store)
            there = evse_registered("W1", location_id)
            await append_now(store, there, claims=(Claim(evses_scope(location_id), "2", str(there.originator_id)),))
        await uploading
        assert await store.events.claims_in([evses_scope(location_id)]) == {evses_scope(location_id): 3}


async def test_a_key_that_was_remembered_meanwhile_answers_as_then(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        file = a_csv(a_row("A1"))
        async with nobody_appends(store):
            uploading = asyncio.create_task(upload(store, file, key=a_key()))
            await until_it_waits(store)
            rows = encoded(a_command(an_event("Z1"), key=a_key(), data="then"), CODEC)
            await store.session.fetch(APPEND, *arguments_of([rows]))
        answer = await uploading
        assert (answer.data, answer.position) == ("then", 1)
        assert len(await store.log()) == 1


async def test_a_session_that_is_cut_while_it_inserts_leaves_nothing(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        blocking = await asyncpg.connect(empty_store)
        try:
            # The last event of the upload meets one that is not committed yet: so it stops with the others inserted.
            transaction = blocking.transaction()
            await transaction.start()
            await blocking.execute(
                "insert into es.events values "
                "(1000000, $1, 1, 'evse.registered', '', 'PH/ABC', now(), $2, 'request', 'a-test')",
                evse_registered("A499").originator_id,
                uuid4(),
            )
            rows = [a_row(f"A{number}", f"Station {number // 100}") for number in range(500)]
            uploading = asyncio.create_task(upload(store, a_csv(*rows), key=a_key()))
            await until_it_waits(store)
            await store.pool.execute(END, UPLOAD)
            with pytest.raises(StoreOutOfReach):
                await uploading
            await transaction.rollback()
        finally:
            await blocking.close()
        assert await store.log() == ()
        assert await store.events.claims_in([names_scope(PARTY)]) == {}
        await until_equal(lambda: store.pool.fetchval(TEMPORARY), 0)
        assert (await upload(store, a_csv(*rows), key=a_key())).position == 505


async def test_nothing_is_left_of_an_upload_that_was_refused(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        with pytest.raises(Faults):
            await upload(store, a_csv(a_row("A1"), a_row("A2", kwh="x")))
        await until_equal(lambda: store.pool.fetchval(SESSIONS, UPLOAD), 0)
        await until_equal(lambda: store.pool.fetchval(TEMPORARY), 0)
        assert await store.log() == ()


async def test_a_party_has_one_upload_at_a_time_and_others_are_not_held_up(empty_store: str) -> None:
    async with a_store(empty_store) as store, stagings(empty_store).open(PARTY) as first:
        assert isinstance(first, StoreStaging)
        with pytest.raises(StoreOutOfReach):
            async with stagings(empty_store, patience_s=0.2).open(PARTY):
                pass
        assert (await upload(store, a_csv(a_row("X1")), party=OTHER)).position == 2


async def test_more_uploads_than_a_process_takes_wait_for_their_turn(empty_store: str) -> None:
    some = stagings(empty_store, at_once=1, patience_s=0.2)
    async with some.open(PARTY):
        with pytest.raises(StoreOutOfReach):
            async with some.open(OTHER):
                pass
    async with some.open(OTHER):
        pass


async def test_a_store_out_of_reach_is_told_and_takes_no_turn() -> None:
    async def connect() -> asyncpg.Connection[Any]:
        raise OSError

    some = Stagings(connect, CODEC, at_once=1, patience_s=0.2)
    for _ in range(3):
        with pytest.raises(StoreOutOfReach):
            async with some.open(PARTY):
                pass


async def test_long_uploads_are_staged_in_several_events_and_approved_as_one(empty_store: str) -> None:
    async with a_store(empty_store) as store:
        await upload(store, a_csv(*large_rows(500)), is_staged=True)
        staged = await events(store)
        assert len(staged) == 3
        assert [one.originator_version for one in staged] == [1, 2, 3]
        assert len({one.upload_id for one in staged if isinstance(one, LocationsStaged)}) == 1
        assert (await settle(store, ApproveStaged)).position == 3 + 600 + 1
        assert (await topics(store))[-1] == "cpo.staged_approved"
        assert len({one.command_id for one in (await store.log())[3:]}) == 1
        with pytest.raises(NothingPending):
            await settle(store, ApproveStaged)
        await upload(store, a_csv(a_row("A1")), is_staged=True)
        await settle(store, RejectStaged)
        assert (await topics(store))[-2:] == ["cpo.locations_staged", "cpo.staged_rejected"]


async def test_what_is_approved_is_what_a_direct_upload_would_have_registered(empty_store: str) -> None:
    file = a_csv(*large_rows(60), a_row("L-000003", "L Station 0", address="0 Rizal Avenue, Makati, Metro Manila"))
    async with a_store(empty_store) as store:
        await upload(store, file, party=OTHER)
        directly = [vars(one) for one in await events(store)]
        await upload(store, file, is_staged=True)
        await settle(store, ApproveStaged)
        approved = [vars(one) for one in (await events(store))[len(directly) + 1 : -1]]
    same = ("data", "uid", "status", "meter_type", "kwh", "capabilities", "payment_types", "floor_level", "directions")

    def said(event: dict[str, Any]) -> list[Any]:
        connectors = [{**one, "id": 0} for one in event.get("connectors", ())]
        return [*(event.get(name) for name in same), connectors]

    assert [said(one) for one in approved] == [said(one) for one in directly]
