"""Views built anew beside the live ones, and compared with the log: on a whole service that is in use meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from structlog.testing import capture_logs

from api import loops, projecting
from api.connections import Databases as Urls
from api.oracle import LOCATIONS_AT_ONCE
from api.settings import Settings
from projections import generations, migrate, projector
from projections.folders import working_folder
from projections.generations import CHECK, LIVE, NEXT, OLD, Refused, generation_in, must_be_in
from projections.projector import LEADER_LOCK, PROJECTIONS
from projections.proof import Untrue
from projections.verify import DIFFERING
from tests.support.client import Cpo, a_location, an_evse
from tests.support.csv_files import a_csv, a_row
from tests.support.servers import private_postgres
from tests.support.world import KEYS, Service, service, until_drawn
from write_side.events.evse import EvseStatusChanged
from write_side.events.location import LocationRegistered
from write_side.store import census

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from structlog.typing import EventDict

    from projections.differences import Difference
    from projections.drawings import Drawings
    from projections.history import Change
    from projections.rebuild import Rebuild
    from projections.replay import Tell
    from projections.verify import Verify
    from tests.support.databases import Databases
    from write_side.events.ranges import Recorded

LOCATIONS = 60
EVERY_ROW = """
    select 'location', to_jsonb(l)::text from views.location_view l
    union all select 'evse', to_jsonb(e)::text from views.evse_view e
    union all select 'cpo', to_jsonb(c)::text from views.cpo_view c
    union all select 'pending', to_jsonb(w)::text from views.pending_view w
    union all select 'place', to_jsonb(p)::text from views.place_view p
    union all select 'history', to_jsonb(h)::text from views.history_view h
    order by 1, 2
"""


def silent(_phase: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@pytest.fixture
async def emsp(fresh_database: Databases, tmp_path: Path) -> AsyncIterator[Service]:
    async with service(await fresh_database(), tmp_path) as running:
        yield running


@pytest.fixture
async def cpo(emsp: Service) -> Cpo:
    """A CPO whose locations have changed a little."""
    registered = await emsp.client.registered("luzon", "Luzon Volt", emsp.mails)
    places = ("Olongapo City", "Makati City", "Cebu City")
    reply = await emsp.client.push_locations(
        registered,
        [a_location(f"Mall {n}", an_evse(f"A{n}"), an_evse(f"B{n}"), address=places[n % 3]) for n in range(LOCATIONS)],
    )
    assert reply.status == 200
    for n in range(0, LOCATIONS, 3):
        await emsp.client.push_status(registered, f"A{n}", "REMOVED" if n % 2 else "CHARGING")
        await emsp.client.push_status(registered, f"B{n}", "REMOVED" if n % 2 else "BLOCKED")
    token = await emsp.client.log_in(registered)
    for uid, verb in (("C1", "approve"), ("C2", "reject"), ("C3", None), ("C4", None)):
        assert (await emsp.client.upload(token, a_csv(a_row(uid)), is_staged=True)).status == 200
        if verb is not None:
            assert (await emsp.client.settle(token, verb)).status == 200
    await until_drawn(emsp)
    return registered


RESTLESS_S: Final = 30
RESTLESS: Final = f"""
    do $$
    begin
        while clock_timestamp() < statement_timestamp() + interval '{RESTLESS_S} s' loop
            update views.checkpoint set at = now();
            perform pg_sleep(0.05);
            commit;
        end loop;
    end
    $$
"""
"""A projector's transactions, each at the heels of the one before."""

VACUUM_SLOWLY: Final = """
    alter table views.location_view set (
        autovacuum_vacuum_threshold = 0,
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_cost_limit = 1,
        autovacuum_vacuum_cost_delay = 100
    )
"""
VACUUMED: Final = """
    select pid
      from pg_stat_progress_vacuum
     where relid = 'views.location_view'::regclass
"""


def settings_of(emsp: Service, folder: Path) -> tuple[Settings, Urls]:
    dsn = emsp.dsn
    return Settings.model_validate({"event_store_url": dsn, "data_dir": folder, **KEYS}), Urls(dsn, dsn)


@asynccontextmanager
async def rebuilding(emsp: Service, folder: Path, tell: Tell = silent) -> AsyncIterator[Rebuild]:
    async with projecting.views_rebuild(*settings_of(emsp, folder), tell) as views:
        yield views


@asynccontextmanager
async def verifying(emsp: Service, folder: Path) -> AsyncIterator[Verify]:
    async with projecting.views_verify(*settings_of(emsp, folder), silent) as views:
        yield views


async def differences(emsp: Service, folder: Path, *, sample: int | None = None) -> list[Difference]:
    async with verifying(emsp, folder) as views:
        return [one async for one in views.differences(sample=sample)]


async def rows(emsp: Service) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await emsp.store.fetch(EVERY_ROW)]


async def test_what_is_built_anew_is_what_was_drawn(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    before = await rows(emsp)
    async with rebuilding(emsp, tmp_path) as views:
        live = await views.run()
    assert (live.schema, live.number, live.version) == (LIVE, 2, migrate.views_version())
    assert await rows(emsp) == before
    indexes = "select count(*) from pg_indexes where schemaname = $1"
    assert await emsp.store.fetchval(indexes, LIVE) == await emsp.store.fetchval(indexes, OLD)
    assert await emsp.store.fetchval("select count(*) from pg_tables where tablename like 'replay%'") == 0
    reply = await emsp.client.push_status(cpo, "A1", "RESERVED")
    found = await emsp.client.ask(
        "{ find_ev_locations { evses { uid status } } }", Emsp_Min_Position=str(reply.position)
    )
    statuses = {evse["uid"]: evse["status"] for one in found["find_ev_locations"] for evse in one["evses"]}
    assert statuses["A1"] == "RESERVED"


async def test_calls_and_queries_go_on_meanwhile(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    is_done = False
    answered = 0

    async def write() -> None:
        turn = 0
        while not is_done:
            turn += 1
            reply = await emsp.client.push_status(cpo, f"A{turn % LOCATIONS}", ("CHARGING", "AVAILABLE")[turn % 2])
            assert reply.status == 200

    async def read() -> None:
        nonlocal answered
        while not is_done:
            found = await emsp.client.ask("{ find_ev_locations { id name evses { uid status } } }")
            # Three of the locations of `cpo` lost both of their EVSEs every six.
            assert len(found["find_ev_locations"]) >= LOCATIONS - LOCATIONS // 6
            answered += 1

    async with asyncio.TaskGroup() as group:
        for task in (write, read, read):
            group.create_task(task())
        try:
            async with rebuilding(emsp, tmp_path) as views:
                for _ in range(3):
                    await views.run()
        finally:
            is_done = True
    assert answered > 10
    await until_drawn(emsp)
    assert await differences(emsp, tmp_path) == []


@pytest.mark.parametrize("phase", ["read the log", "draw the locations", "make the indexes"])
async def test_one_that_was_stopped_goes_on(
    emsp: Service, cpo: Cpo, tmp_path: Path, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.buckets.EVENTS_A_BUCKET", 30)
    told: list[tuple[str, int, int]] = []

    class Stopped(Exception):
        pass

    def stop(current: str, done: int, total: int) -> None:
        if current == phase and (done > 1 or phase == "read the log"):
            raise Stopped

    before = await rows(emsp)
    async with rebuilding(emsp, tmp_path, stop) as views:
        with pytest.raises(Stopped):
            await views.run()
    assert (await emsp.client.push_status(cpo, "A2", "CHARGING")).status == 200
    async with rebuilding(emsp, tmp_path, lambda *one: told.append(one)) as views:
        live = await views.run()
    assert live.number == 2
    if phase == "make the indexes":
        assert not [one for one in told if one[0] in {"read the log", "draw the locations"} and one[1] < one[2]]
    await until_drawn(emsp)
    assert len(await rows(emsp)) == len(before) + 1  # the change of A2 in the history
    assert await differences(emsp, tmp_path) == []
    assert list(tmp_path.glob("rebuild-*")) == []


WRONG = {
    "update views_next.location_view set head = overlay(head placing '~' from 60) where id = 5": "location/5",
    "update views_next.location_view set evses = replace(evses, 'BLOCKED', 'OFFLINE')": "location/1",
    "update views_next.location_view set evses = (select format('[%s]', document) from views_next.evse_view "
    "where uid_key = 'b10') where id = 11": "location/11",
    "update views_next.location_view set evses = (select format('[%s]', string_agg(document, ',' "
    "order by uid_key desc)) from views_next.evse_view where location_id = 12) where id = 12": "location/12",
    "delete from views_next.evse_view where uid_key = 'b9'": "all",
    "update views_next.evse_view set revision = revision - 1 where uid_key = 'a7'": "all",
    "delete from views_next.history_view where location_id = 8 and uid = ''": "all",
    "update views_next.place_view set locations = locations + 1 where city = 'Makati'": "all",
}


async def test_what_was_built_wrongly_does_not_go_live(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    before = await rows(emsp)

    class Stopped(Exception):
        pass

    def stop(phase: str, _done: int, _total: int) -> None:
        if phase == "compare with the log":
            raise Stopped

    for damage, key in WRONG.items():
        async with rebuilding(emsp, tmp_path, stop) as views:
            with pytest.raises(Stopped):
                await views.run()
        assert await emsp.store.execute(damage) not in {"UPDATE 0", "DELETE 0"}
        async with rebuilding(emsp, tmp_path) as views:
            with pytest.raises(Untrue) as refused:
                await views.run()
        assert key in {one.key for one in refused.value.differences}
        assert await generation_in(emsp.store, NEXT) is None
        assert await rows(emsp) == before
    async with rebuilding(emsp, tmp_path) as views:
        assert (await views.run()).number == 2
    assert await rows(emsp) == before


async def test_back_and_forth(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    async with rebuilding(emsp, tmp_path) as views:
        with pytest.raises(Refused, match="no views_old"):
            await views.back()
        await views.run()
        reply = await emsp.client.push_status(cpo, "A1", "RESERVED")
        assert reply.status == 200
        await until_drawn(emsp)
        live = await views.back()
        assert (live.number, live.position) == (3, reply.position)
        assert await differences(emsp, tmp_path) == []
        assert await views.drop_old()
        assert not await views.drop_old()
    assert (await emsp.client.push_status(cpo, "A1", "AVAILABLE")).status == 200
    await until_drawn(emsp)


async def test_what_other_code_made_is_gone_back_to_only_when_it_is_current(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "VERSION", 2)
    session = await asyncpg.connect(emsp.dsn)
    assert (await migrate.create_views(session, database_id=emsp.write_side.world.new_id())).is_outdated
    async with rebuilding(emsp, tmp_path) as views:
        live = await views.run()
        assert live.version == migrate.views_version()
        await until_drawn(emsp)
        assert (await generation_in(session, OLD)) != live
        assert (await emsp.client.push_status(cpo, "A1", "RESERVED")).status == 200
        await until_drawn(emsp)
        with pytest.raises(Refused, match="1 events behind"):
            await views.back()
    await session.close()


async def test_a_version_that_was_replaced_is_not_built_by_itself_again(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "REBUILD", ("false",))

    async def start_again(version: int) -> list[EventDict]:
        """A process of that version starts; what it says."""
        monkeypatch.setattr(migrate, "VERSION", version)
        with capture_logs() as said:
            await asyncio.wait_for(loops.build_outdated_views(lambda: asyncpg.connect(emsp.dsn)), 15)
        return said

    async with rebuilding(emsp, tmp_path) as views:
        monkeypatch.setattr(migrate, "VERSION", 2)
        await views.run()
        assert await start_again(2) == []
        (said,) = await start_again(1)
        assert (said["log_level"], "were replaced" in said["event"]) == ("error", True)
        await views.back()
        assert await start_again(1) == []
        (said,) = await start_again(2)
        assert "were replaced" in said["event"]


@pytest.mark.parametrize("state", ['{"location_id": 1}', "{}"], ids=["of a location", "of no location"])
async def test_an_event_that_cannot_be_drawn_stops_it_and_the_live_views_stay(
    emsp: Service, cpo: Cpo, tmp_path: Path, state: str
) -> None:
    async with rebuilding(emsp, tmp_path) as views:
        await views.run()
        before = await rows(emsp)
        await emsp.store.execute(
            "insert into es.events (pos, originator_id, originator_version, topic, state, party, occurred_at, "
            "command_id, correlation_id, actor) select pos + 1, gen_random_uuid(), 1, 'evse.unheard_of', "
            "convert_to($1, 'utf8'), '', now(), gen_random_uuid(), '', '' from es.head",
            state,
        )
        await emsp.store.execute("update es.head set pos = pos + 1")
        for build in (views.run, views.back):
            with pytest.raises(Refused, match=r"event \d+ \(evse\.unheard_of\) can't be drawn"):
                await build()
    assert await rows(emsp) == before
    assert (await generation_in(emsp.store, LIVE)).number == 2  # type: ignore[union-attr]


async def test_what_another_process_draws_is_left_to_it(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    for schema in (NEXT, CHECK):
        await emsp.store.execute("select pg_advisory_lock($1, hashtext($2))", LEADER_LOCK, schema)
    async with rebuilding(emsp, tmp_path) as views:
        with pytest.raises(Refused, match="another process draws views_next"):
            await views.run()
    async with verifying(emsp, tmp_path) as views:
        with pytest.raises(Refused, match="another process draws views_check"):
            await views.repair(["location/1"])


async def test_what_a_killed_rebuild_left_in_its_folder_goes_with_the_next(
    emsp: Service, cpo: Cpo, tmp_path: Path
) -> None:
    (tmp_path / "rebuild-killed").mkdir()
    (tmp_path / "rebuild-killed" / "share").write_bytes(b"dealt")
    with working_folder(tmp_path, "rebuild-") as in_use:
        async with rebuilding(emsp, tmp_path) as views:
            await views.run()
        assert list(tmp_path.glob("rebuild-*")) == [in_use]
    assert not list(tmp_path.glob("rebuild-*"))


async def test_one_that_stands_still_as_it_switches_over_lets_the_projector_go_on(
    emsp: Service, cpo: Cpo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "HOLD_LIVE", generations.HOLD_LIVE.replace("10s", "200ms"))
    session = await asyncpg.connect(emsp.dsn)

    async def stand_still(_position: int) -> None:
        assert (await emsp.client.push_status(cpo, "A1", "RESERVED")).status == 200
        await until_drawn(emsp)

    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await generations.make_live(session, NEXT, stand_still)
    assert (await must_be_in(emsp.store, LIVE)).number == 1


async def test_a_projector_that_never_pauses_lets_it_switch_over(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    restless = await asyncpg.connect(emsp.dsn)
    drawing = asyncio.create_task(restless.execute(RESTLESS))
    async with rebuilding(emsp, tmp_path) as views:
        began = monotonic()
        assert (await views.run()).number == 2
        assert monotonic() - began < RESTLESS_S
    assert not drawing.done()
    restless.terminate()
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await drawing


async def test_autovacuum_gives_way(tmp_path: Path) -> None:
    server = private_postgres(tmp_path / "server", autovacuum_naptime="1s")
    async with server as dsn, service(dsn, tmp_path) as emsp:
        cpo = await emsp.client.registered("luzon", "Luzon Volt", emsp.mails)
        malls = [a_location(f"Mall {n}", an_evse(f"A{n}")) for n in range(LOCATIONS)]
        assert (await emsp.client.push_locations(cpo, malls)).status == 200
        await until_drawn(emsp)
        await emsp.store.execute(VACUUM_SLOWLY)
        for _ in range(100):
            await emsp.store.execute("update views.location_view set id = id")
        async with asyncio.timeout(20):
            while await emsp.store.fetchval(VACUUMED) is None:
                await asyncio.sleep(0.05)
        async with rebuilding(emsp, tmp_path) as views:
            assert await emsp.store.fetchval(VACUUMED) is not None
            began = monotonic()
            assert (await views.run()).number == 2
            assert monotonic() - began < generations.PATIENCE_S / 2


async def test_who_reads_for_too_long_is_named_and_nothing_is_lost(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = await asyncpg.connect(emsp.dsn, server_settings={"application_name": "a dump"})
    async with rebuilding(emsp, tmp_path) as views:
        await views.run()
        monkeypatch.setattr(generations, "PATIENCE_S", 1.0)
        async with reader.transaction():
            await reader.fetch("select from views.evse_view")
            with pytest.raises(Refused, match=r"in use for 1 s: (.*, )?a dump \(pid \d+, \d+ s\)"):
                await views.run()
            kept = {schema: await generation_in(emsp.store, schema) for schema in (LIVE, NEXT, OLD)}
        assert [one and one.number for one in kept.values()] == [2, 1, 1]
        assert (await views.run()).number == 3
    await reader.close()


async def test_who_reads_the_views_before_the_last_keeps_nobody_waiting(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "DROP_GONE", generations.DROP_GONE.replace("10s", "200ms"))
    monkeypatch.setattr(generations, "PATIENCE_S", 1.0)
    reader = await asyncpg.connect(emsp.dsn, server_settings={"application_name": "a dump"})
    async with rebuilding(emsp, tmp_path) as views:
        await views.run()
        async with reader.transaction():
            await reader.fetch("select from views_old.evse_view")
            assert (await views.run()).number == 3
            with pytest.raises(Refused, match="a dump"):
                await views.run()
        assert (await views.run()).number == 4
    assert await emsp.store.fetchval("select to_regnamespace('views_gone')") is None
    await reader.close()


async def test_few_locations_at_once_are_compared_with_the_log(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams_until = census.streams_until
    asked: list[int] = []

    async def counted(
        connection: asyncpg.Connection[Any], streams: Sequence[UUID], until: int
    ) -> dict[UUID, list[Recorded]]:
        asked.append(len(streams))
        return await streams_until(connection, streams, until)

    monkeypatch.setattr(census, "streams_until", counted)
    async with rebuilding(emsp, tmp_path) as views:
        await views.run()
    every = "select (select count(*) from views.location_view) + (select count(*) from views.evse_view)"
    assert sum(asked) == await emsp.store.fetchval(every)
    assert max(asked) <= 3 * LOCATIONS_AT_ONCE


async def test_two_at_once_are_one_too_many(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    async with rebuilding(emsp, tmp_path) as one, rebuilding(emsp, tmp_path) as other:
        results = await asyncio.gather(one.run(), other.run(), return_exceptions=True)
    assert [type(result) for result in results].count(Refused) == 1


async def test_a_flipped_byte_is_found_and_mended(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    assert await differences(emsp, tmp_path) == []
    before = await rows(emsp)
    await emsp.store.execute("update views.location_view set head = overlay(head placing '~' from 40) where id = 5")
    await emsp.store.execute("update views.evse_view set is_removed = not is_removed where uid_key = 'a7'")
    await emsp.store.execute("delete from views.evse_view where uid_key = 'b9'")
    await emsp.store.execute("update views.place_view set locations = locations + 1 where city = 'Cebu City'")
    await emsp.store.execute("update views.pending_view set evse_count = 5")
    await emsp.store.execute("update views.history_view set actor = 'nobody' where uid = 'A3' and before is not null")
    await emsp.store.execute("delete from views.history_view where uid = 'B4'")
    await emsp.store.execute("update views.cpo_view set details = overlay(details placing '~' from 40)")
    found = await differences(emsp, tmp_path)
    assert {(one.key, one.table, one.column) for one in found} == {
        ("location/5", "location_view", "head"),
        ("location/8", "evse_view", "is_removed"),
        ("location/10", "evse_view", "*"),
        ("location/4", "history_view", "actor"),
        ("location/5", "history_view", "*"),
        ("places", "place_view", "locations"),
        (f"cpo/PH/{cpo.party_id}", "pending_view", "evse_count"),
        (f"cpo/PH/{cpo.party_id}", "cpo_view", "details"),
    }
    of_some = await differences(emsp, tmp_path, sample=1_000)
    assert {one for one in of_some if one.key != "all"} == {one for one in found if one.key != "places"}
    assert {(one.key, one.table) for one in of_some if one.key == "all"} == {
        ("all", "evse_view"),
        ("all", "history_view"),
        ("all", "place_view"),
    }
    generation = await emsp.store.fetchval("select generation from views.checkpoint")
    async with verifying(emsp, tmp_path) as views:
        await views.repair(["location/4", "location/5", "location/8"])
        assert await emsp.store.fetchval("select generation from views.checkpoint") == generation + 1
        assert {one.key for one in await differences(emsp, tmp_path)} == {
            "location/10",
            "places",
            f"cpo/PH/{cpo.party_id}",
        }
        await views.repair(["location/10", "places", f"cpo/PH/{cpo.party_id}"])
        with pytest.raises(Refused, match="expected location/ID"):
            await views.repair(["locations/5"])
    assert await differences(emsp, tmp_path) == []
    assert await rows(emsp) == before
    assert (await emsp.client.push_status(cpo, "A1", "RESERVED")).status == 200
    await until_drawn(emsp)


def is_poison(event: LocationRegistered | EvseStatusChanged) -> bool:
    """What the projector of the next test can't draw."""
    return event.evse_uid == "P" if isinstance(event, EvseStatusChanged) else event.data["name"] == "Poison"


@pytest.mark.parametrize(("kind", "also"), [(LocationRegistered, ()), (EvseStatusChanged, ("places",))])
async def test_a_parked_location_is_mended_with_the_count_of_its_place(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Any], also: tuple[str, ...]
) -> None:
    mended: Any = PROJECTIONS[kind]

    def broken(drawings: Drawings, event: Any, position: int) -> Change:
        if is_poison(event):
            raise ZeroDivisionError
        change: Change = mended(drawings, event, position)
        return change

    with monkeypatch.context() as patch:
        patch.setattr(projector, "PROJECTIONS", PROJECTIONS | {kind: broken})
        there = {"address": "Mayon Avenue, Legazpi City"}
        pair = [a_location("Poison", an_evse("P"), **there), a_location("Neighbour", an_evse("N"), **there)]
        assert (await emsp.client.push_locations(cpo, pair)).status == 200
        if kind is EvseStatusChanged:
            assert (await emsp.client.push_status(cpo, "P", "REMOVED")).status == 200
        await until_drawn(emsp)
        async with projecting.dead_letters(settings_of(emsp, tmp_path)[1]) as letters:
            (key,) = [one.key for one in await letters.keys()]
        async with verifying(emsp, tmp_path) as views:
            with pytest.raises(Refused, match=r"event \d+ \(\w+\.\w+\) can't be drawn: ZeroDivisionError"):
                await views.repair([key])
    async with verifying(emsp, tmp_path) as views:
        with pytest.raises(Refused, match=f"places: {key} must be retried first"):
            await views.repair(["places"])
        await views.repair([key.replace("/", "/00"), *also])
    assert await emsp.store.fetchval("select count(*) from views.dead_letter") == 0
    assert await differences(emsp, tmp_path) == []
    for uid in ("P", "N"):
        assert (await emsp.client.push_status(cpo, uid, "REMOVED")).status == 200
        await until_drawn(emsp)
    assert await differences(emsp, tmp_path) == []


async def test_what_is_damaged_in_one_city_is_mended_together(emsp: Service, cpo: Cpo, tmp_path: Path) -> None:
    await emsp.store.execute("update views.location_view set head = left(head, 60) where id in (5, 8)")
    async with verifying(emsp, tmp_path) as views:
        with pytest.raises(Refused, match="location/8 is damaged too"):
            await views.repair(["location/5"])
        await views.repair(["location/5", "location/8"])
    assert await differences(emsp, tmp_path) == []


async def test_the_projector_is_held_only_when_less_than_a_batch_is_missing(
    emsp: Service, cpo: Cpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.verify.MAX_BATCH", 2)
    read: list[int] = []
    async with verifying(emsp, tmp_path) as views:

        async def log_that_grows(after: int, until: int) -> AsyncIterator[tuple[Recorded, ...]]:
            async for events in views.log(after, until):
                yield events
            read.append(until - after)
            if len(read) <= 3:
                for uid in ("A1", "A2"):
                    await emsp.client.push_status(cpo, uid, ("CHARGING", "RESERVED")[len(read) % 2])
                await until_drawn(emsp)

        await replace(views, log=log_that_grows).repair(["location/2"])
    assert read[1:] == [2, 2, 2, 0]
    assert await differences(emsp, tmp_path) == []


async def test_every_view_is_compared(emsp: Service) -> None:
    tables = await emsp.store.fetch("select tablename from pg_tables where schemaname = 'views'")
    assert {row["tablename"] for row in tables} == set(DIFFERING) | {"checkpoint", "dead_letter"}
