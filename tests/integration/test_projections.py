"""The projector and the views it draws, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import pytest

from projections import bulk_rows, migrate, view_tables
from projections import projector as projecting
from projections.drawings import Drawings
from projections.migrate import create_views, views_version
from projections.projector import PROJECTIONS, Ignored, Overtaken, Projector, draw_recorded
from projections.view_tables import RowsMissing
from tests.support.builders import (
    CODEC,
    a_connector,
    connector_status_changed,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    recorded,
)
from tests.support.until import until_equal
from write_side.events.location import LocationRegistered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from eventsourcing.domain import DomainEvent

    Connect: TypeAlias = Callable[[], Awaitable[asyncpg.Connection[Any]]]

DATABASE_ID = UUID("00000000-0000-4000-8000-000000000001")

HISTORY: tuple[DomainEvent, ...] = (
    location_registered(1),
    evse_registered("A1", 1),
    evse_registered("B2", 1, capabilities=[], payment_types=[], connectors=[a_connector()]),
    location_registered(2, name='Quote " and \\ slash', lat=-33.9, lng=-70.6),
    evse_status_changed("CHARGING", "A1", 1),
    evse_registered("C3", 2, directions='behind é, {"uid":"x"}'),
    connector_status_changed("CHARGING", 2, "A1", 1, version=3),
    evse_status_changed("REMOVED", "B2", 1),
    location_changed(2, name="New Name", facilities=[], publish=False),
    evse_registered("D4", 2),
    evse_status_changed("AVAILABLE", "B2", 1, version=3),
    location_changed(1, name="Harbor Point II"),
    evse_status_changed("REMOVED", "C3", 2),
)


@pytest.fixture
async def connect(database: str) -> Connect:
    """Sessions on a database with empty views."""
    connection = await asyncpg.connect(database)
    await create_views(connection, database_id=DATABASE_ID)
    await connection.close()

    async def open_one() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(database, server_settings={"search_path": "views, public"})

    return open_one


@pytest.fixture
async def looking(connect: Connect) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A session that looks at the views."""
    connection = await connect()
    yield connection
    await connection.close()


@pytest.fixture
async def projector(connect: Connect) -> AsyncIterator[Projector]:
    """A projector that leads."""
    one = Projector(connect, CODEC)
    assert await one.lead()
    yield one
    one.close()


async def tables(connection: asyncpg.Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    """All rows of the views, in the order of their keys."""
    locations = await connection.fetch("select *, point::text as point from location_view order by id")
    evses = await connection.fetch("select * from evse_view order by country_code, party_id, uid_key")
    places = await connection.fetch("select * from place_view order by province, city")
    history = await connection.fetch("select * from history_view order by location_id, pos")
    return {
        "history": [dict(row) for row in history],
        "locations": [dict(row) for row in locations],
        "evses": [dict(row) for row in evses],
        "places": [dict(row) for row in places],
    }


async def checkpoint(connection: asyncpg.Connection[Any]) -> int:
    position: int = await connection.fetchval("select pos from checkpoint")
    return position


async def bulk_filled(connection: asyncpg.Connection[Any], events: Sequence[DomainEvent]) -> None:
    """The same views by the other way: everything folded at once, then COPY."""
    drawings = Drawings()
    for event, one in zip(events, recorded(events), strict=True):
        draw_recorded(drawings, event, one)
    await bulk_rows.copy(connection, drawings)


@pytest.mark.parametrize("size", [1, 2, 3, len(HISTORY)])
async def test_rows_are_the_same_in_batches_of_any_size_and_by_a_bulk_fill(
    projector: Projector, looking: asyncpg.Connection[Any], size: int
) -> None:
    log = recorded(HISTORY)
    for start in range(0, len(log), size):
        await projector.apply(log[start : start + size])
    drawn = await tables(looking)
    await looking.execute("truncate location_view, evse_view, place_view, history_view")
    await bulk_filled(looking, HISTORY)
    filled = await tables(looking)
    assert drawn == filled
    assert [row["revision"] for row in drawn["locations"]] == [12, 13]
    assert [row["location_name_key"] for row in drawn["evses"]] == ["harbor point ii"] * 2 + ["new name"] * 2
    assert await checkpoint(looking) == projector.checkpoint == 13


async def test_a_point_lies_where_distances_are_measured_from(
    projector: Projector, looking: asyncpg.Connection[Any]
) -> None:
    await projector.apply(
        recorded([location_registered(lat=14.5, lng=121.0), location_registered(2, lat=10.3, lng=123.9)])
    )
    chord = await looking.fetchval(
        "select cube_distance(one.point, other.point) from location_view one, location_view other"
        " where one.id = 1 and other.id = 2"
    )
    phi, psi, lam = math.radians(14.5), math.radians(10.3), math.radians(2.9)
    angle = math.acos(math.sin(phi) * math.sin(psi) + math.cos(phi) * math.cos(psi) * math.cos(lam))
    assert 2 * math.asin(chord / 2) == pytest.approx(angle)


async def test_the_checkpoint_moves_over_what_no_view_wants_and_wakes_those_who_wait(
    projector: Projector, looking: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "PROJECTIONS", PROJECTIONS | {LocationRegistered: Ignored("for this test")})
    heard: asyncio.Queue[str] = asyncio.Queue()
    await looking.add_listener("views_checkpoint", lambda *said: heard.put_nowait(said[3]))
    await projector.apply(recorded([location_registered()]))
    async with asyncio.timeout(5):
        assert await heard.get() == "1"
    assert await tables(looking) == {"history": [], "locations": [], "evses": [], "places": []}


async def test_a_status_change_rewrites_no_other_row(projector: Projector, looking: asyncpg.Connection[Any]) -> None:
    await projector.apply(recorded(HISTORY))
    places = "select uid_key, ctid from evse_view order by uid_key"
    before = dict(await looking.fetch(places))
    heads = dict(await looking.fetch("select id, ctid from location_view"))
    await projector.apply(recorded([evse_status_changed("BLOCKED", "A1", 1, version=4)], 14))
    after = dict(await looking.fetch(places))
    assert [uid for uid in after if after[uid] != before[uid]] == ["a1"]
    moved = dict(await looking.fetch("select id, ctid from location_view"))
    assert [one for one in heads if heads[one] != moved[one]] == [1]


async def test_one_projector_leads_and_another_takes_over(projector: Projector, connect: Connect) -> None:
    other = Projector(connect, CODEC)
    assert not await other.lead()
    await projector.apply(recorded(HISTORY[:3]))
    projector.close()
    await until_equal(other.lead, expected=True)
    assert other.checkpoint == 3
    await other.apply(recorded(HISTORY[3:], 4))
    other.close()


async def test_a_projector_that_was_overtaken_writes_nothing(
    projector: Projector, looking: asyncpg.Connection[Any]
) -> None:
    await looking.execute("update checkpoint set pos = 5")
    with pytest.raises(Overtaken):
        await projector.apply(recorded(HISTORY))
    assert await tables(looking) == {"history": [], "locations": [], "evses": [], "places": []}
    assert await projector.lead()
    assert projector.checkpoint == 5


async def test_a_projector_of_another_generation_writes_nothing(
    projector: Projector, looking: asyncpg.Connection[Any]
) -> None:
    await looking.execute("update checkpoint set generation = generation + 1")
    with pytest.raises(Overtaken):
        await projector.apply(recorded(HISTORY))
    assert await checkpoint(looking) == 0


async def test_a_failed_fold_leaves_everything_as_it_was(
    projector: Projector, looking: asyncpg.Connection[Any]
) -> None:
    await projector.apply(recorded(HISTORY[:2]))
    before = await tables(looking)
    poisoned = [evse_status_changed("CHARGING"), evse_status_changed("CHARGING", "NOBODY"), evse_registered("Z")]
    with pytest.raises(KeyError):
        await projector.apply(recorded(poisoned, 3))
    assert await tables(looking) == before
    assert await checkpoint(looking) == projector.checkpoint == 2
    await projector.apply(recorded(poisoned[:1], 3))
    assert orjson.loads((await tables(looking))["evses"][0]["document"])["status"] == "CHARGING"


async def test_a_backend_killed_under_a_projector_costs_it_the_lead_not_the_views(
    projector: Projector, looking: asyncpg.Connection[Any]
) -> None:
    await projector.apply(recorded(HISTORY[:2]))
    assert projector._connection is not None
    pid = projector._connection.get_server_pid()
    await looking.execute("select pg_terminate_backend($1, 5000)", pid)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await projector.apply(recorded(HISTORY[2:], 3))
    projector.close()
    assert await projector.lead()
    assert projector.checkpoint == 2
    await projector.apply(recorded(HISTORY[2:], 3))


async def test_a_row_that_is_missing_is_an_error_not_a_shrug(
    projector: Projector, looking: asyncpg.Connection[Any]
) -> None:
    await projector.apply(recorded(HISTORY))
    await looking.execute("delete from evse_view where uid_key = 'a1'")
    with pytest.raises(RowsMissing):
        await projector.apply(recorded([evse_status_changed("BLOCKED", "A1", 1, version=4)], 14))
    assert await checkpoint(looking) == 13


@pytest.mark.parametrize("is_analyzed", [True, False])
async def test_every_statement_of_a_batch_finds_its_rows_by_index(
    looking: asyncpg.Connection[Any], *, is_analyzed: bool
) -> None:
    await looking.execute("alter table evse_view set (autovacuum_enabled = false)")
    await looking.execute("alter table location_view set (autovacuum_enabled = false)")
    events: list[DomainEvent] = []
    for location_id in range(1, 2_001):
        events.append(location_registered(location_id))
        events.extend(evse_registered(f"{location_id}-{nr}", location_id) for nr in range(3))
    await bulk_filled(looking, events)
    if is_analyzed:
        await looking.execute("analyze")
    ids = list(range(1, 101))
    texts = [""] * 100
    for statement, parameters in (
        (view_tables.LOCATIONS_BY_ID, (ids,)),
        (view_tables.UPDATE_LOCATION_EVSES, (ids, texts, ids)),
        (view_tables.RENAME_LOCATION_OF_EVSES, (ids, texts)),
        (view_tables.UPDATE_EVSE_DOCUMENTS, (ids, [f"{one}-1" for one in ids], [False] * 100, texts, ids)),
    ):
        plan = "\n".join(row[0] for row in await looking.fetch(f"explain {statement}", *parameters))
        # A rename is rare, and may read a table of this size whole while its statistics are unknown.
        assert "Seq Scan" not in plan or (statement == view_tables.RENAME_LOCATION_OF_EVSES and not is_analyzed), plan
        assert "Filter:" not in plan, plan


async def test_making_the_views_twice_changes_nothing(projector: Projector, database: str) -> None:
    await projector.apply(recorded(HISTORY))
    connection = await asyncpg.connect(database)
    made = await create_views(connection, database_id=UUID(int=2))
    assert (made.database_id, made.version, made.is_anew) == (DATABASE_ID, views_version(), False)
    assert await connection.fetchval("select pos from views.checkpoint") == 13
    await connection.close()


async def test_views_of_another_version_stay_and_are_left_alone(
    projector: Projector, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await projector.apply(recorded(HISTORY))
    connection = await asyncpg.connect(database)
    monkeypatch.setattr(migrate, "VERSION", 2)
    made = await create_views(connection, database_id=UUID(int=2))
    assert (made.database_id, made.is_anew, made.is_outdated) == (DATABASE_ID, False, True)
    assert await connection.fetchval("select pos from views.checkpoint") == 13
    assert not await projector.lead()
    await connection.close()


async def test_many_may_make_the_views_at_once(database: str) -> None:
    async def make(number: int) -> migrate.ViewsMade:
        connection = await asyncpg.connect(database)
        try:
            return await create_views(connection, database_id=UUID(int=number))
        finally:
            await connection.close()

    made = await asyncio.gather(*map(make, range(1, 6)))
    assert sum(one.is_anew for one in made) == 1
    assert len({one.database_id for one in made}) == 1
