"""Events that can't be drawn: their keys are parked, all else goes on, and nothing is lost. On a real PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from api import connections
from api.connections import KEPT_ALIVE, Databases
from api.projecting import dead_letters
from projections import bulk_rows, letter_table, view_tables
from projections import projector as projecting
from projections.bus import InProcessBus
from projections.consumer import Consumer, _Poison
from projections.dead_letters import HOLD, DeadLetters, StillPoison
from projections.drawings import Drawings
from projections.generations import Refused
from projections.migrate import create_views
from projections.projector import PROJECTIONS, Ignored, Projector, draw_recorded
from tests.support.builders import (
    CODEC,
    cpo_logo_changed,
    cpo_registered,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    recorded,
)
from tests.support.until import until, until_equal
from write_side.events.evse import EvseStatusChanged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from uuid import UUID

    from eventsourcing.domain import DomainEvent
    from structlog.typing import EventDict

    from projections.history import Change
    from write_side.events.ranges import Recorded

POISON: Final = "BLOCKED"
LOCATIONS: Final = 40


@dataclass
class World:
    """A log in memory, and views that consumers draw from it."""

    database: str
    session: asyncpg.Connection[Any]
    log: list[Recorded] = field(default_factory=list)

    def append(self, *events: DomainEvent) -> int:
        self.log += recorded(events, len(self.log) + 1)
        return len(self.log)

    async def pull(self, after: int, limit: int) -> tuple[Recorded, ...]:
        return tuple(self.log[after : after + limit])

    async def connect(self) -> asyncpg.Connection[Any]:
        return await asyncpg.connect(self.database)

    async def kill(self, session: asyncpg.Connection[Any]) -> None:
        """End that session's backend."""
        killer = await self.connect()
        await killer.execute("select pg_terminate_backend($1, 5000)", session.get_server_pid())
        await killer.close()

    async def checkpoint(self) -> int:
        position: int = await self.session.fetchval("select pos from checkpoint")
        return position

    async def letters(self) -> dict[str, list[int]]:
        """Positions of what is parked, by key."""
        rows = await self.session.fetch("select key, array_agg(pos order by pos) from dead_letter group by key")
        return dict(rows)

    async def rows(self) -> list[str]:
        """All rows of locations, EVSEs, places and history, as text."""
        rows = await self.session.fetch(
            "select 1, id::text, l::text from location_view l union all select 2, uid_key, e::text from evse_view e"
            " union all select 3, city, p::text from place_view p"
            " union all select 4, pos::text, h::text from history_view h order by 1, 2"
        )
        return [row[2] for row in rows]

    async def rows_built_anew(self) -> list[str]:
        """What a rebuild of the whole log would make. The views are that afterwards."""
        drawings = Drawings()
        for one in self.log:
            draw_recorded(drawings, CODEC.decode(one), one)
        await self.session.execute("truncate location_view, evse_view, place_view, history_view")
        await bulk_rows.copy(self.session, drawings)
        return await self.rows()

    @asynccontextmanager
    async def consuming(self) -> AsyncIterator[Consumer]:
        consumer = Consumer(
            bus=InProcessBus(),
            queue="views",
            pull=self.pull,
            projector=Projector(self.connect, CODEC),
            silence_s=0.02,
            standby_s=0.02,
        )
        task = asyncio.create_task(consumer.run())
        try:
            yield consumer
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[EventDict]]:
    """What was logged, as data."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    session = await asyncpg.connect(database, server_settings={"search_path": "views, public"})
    database_id: UUID = await session.fetchval("select gen_random_uuid()")
    await create_views(session, database_id=database_id)
    yield World(database, session)
    await session.close()


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no status BLOCKED can be drawn, until that is mended."""
    mended = PROJECTIONS[EvseStatusChanged]
    assert not isinstance(mended, Ignored)

    def broken(drawings: Drawings, event: EvseStatusChanged, position: int) -> Change | None:
        change = mended(drawings, event, position)
        if event.status == POISON:
            raise ZeroDivisionError(f"\0 {event.evse_uid} \ud800")
        return change

    monkeypatch.setattr(projecting, "PROJECTIONS", PROJECTIONS | {EvseStatusChanged: broken})
    return lambda: monkeypatch.setattr(projecting, "PROJECTIONS", PROJECTIONS)


def history(*, poisoned: tuple[int, ...], count: int = 500) -> list[DomainEvent]:
    """Locations with an EVSE each and status changes; in the middle some of those can't be drawn."""
    events: list[DomainEvent] = []
    for location_id in range(1, LOCATIONS + 1):
        events += [location_registered(location_id), evse_registered(f"E{location_id}", location_id)]
    for nr in range(len(events), count):
        location_id = nr % LOCATIONS + 1
        is_poison = count // 2 <= nr < count // 2 + LOCATIONS and location_id in poisoned
        status = POISON if is_poison else ("CHARGING", "AVAILABLE", "RESERVED")[nr % 3]
        events.append(evse_status_changed(status, f"E{location_id}", location_id, version=2 + nr))
    return events


def positions_of(world: World, location_id: int, *, first: int) -> list[int]:
    return [one.position for one in world.log if f'"location_id":{location_id},' in one.state.decode()][-first:]


async def test_of_a_batch_of_500_three_locations_are_parked_and_all_else_is_drawn(
    world: World, poison: Callable[[], None]
) -> None:
    last = world.append(*history(poisoned=(3, 17, 40)))
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, last)
        await until(lambda: consumer.state.checkpoint == last)
        letters = await world.letters()
        assert sorted(letters) == ["location/17", "location/3", "location/40"]
        for location_id in (3, 17, 40):
            waiting = letters[f"location/{location_id}"]
            assert waiting == positions_of(world, location_id, first=len(waiting))
            assert len(waiting) >= 6
        assert (consumer.state.parked_keys, consumer.state.letters) == (3, sum(map(len, letters.values())))
        assert (consumer.state.error, consumer.state.failures) == (None, 0)
        # The next event of a parked location waits too; those of others are drawn.
        last = world.append(
            evse_status_changed("OFFLINE", "E17", 17, version=999),
            evse_status_changed("OFFLINE", "E16", 16, version=999),
        )
        await until_equal(world.checkpoint, last)
        assert (await world.letters())["location/17"][-1] == last - 1
    drawn = await world.rows()
    poison()
    rebuilt = await world.rows_built_anew()
    assert await world.letters() == letters | {"location/17": [*letters["location/17"], last - 1]}
    lacking = 1 + sum(map(len, letters.values()))
    assert (len(set(drawn) - set(rebuilt)), len(set(rebuilt) - set(drawn))) == (2 * 3, 2 * 3 + lacking)


async def test_retried_after_the_fix_the_rows_are_those_of_a_rebuild(world: World, poison: Callable[[], None]) -> None:
    last = world.append(*history(poisoned=(3, 17)))
    letters = DeadLetters(world.session)
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, last)
        before = await world.rows()
        with pytest.raises(StillPoison, match=r"location/3 still can't be drawn: ZeroDivisionError: \\0 E3 \\ud800"):
            await letters.retry("location/3")
        assert await world.rows() == before
        assert {(one.key, one.tries) for one in await letters.keys()} == {("location/3", 4), ("location/17", 3)}
        poison()
        waiting = (await world.letters())["location/3"]
        assert await letters.retry("location/3") == len(waiting)
        last = world.append(evse_status_changed("OFFLINE", "E3", 3, version=999))
        await until_equal(world.checkpoint, last)
        assert set(await world.letters()) == {"location/17"}
        await letters.retry("location/17")
        with pytest.raises(Refused, match="nothing is parked"):
            await letters.retry("location/17")
        await until(lambda: consumer.state.parked_keys == 0)
        assert consumer.state.failures == 0
    drawn = await world.rows()
    assert drawn == await world.rows_built_anew()


async def test_the_letters_say_what_was_raised_and_where(world: World, poison: Callable[[], None]) -> None:
    world.append(location_registered(), evse_registered())
    last = world.append(evse_status_changed(POISON, version=2), evse_status_changed("CHARGING", version=3))
    async with world.consuming():
        await until_equal(world.checkpoint, last)
    first, second = await DeadLetters(world.session).letters_of("location/1")
    assert (first.event, second.event) == tuple(world.log[2:])
    assert (first.error, first.tries) == ("ZeroDivisionError: \\0 A1 \\ud800", 3)
    assert (first.raised_in or "").startswith("test_dead_letters.py:")
    assert (second.error, second.raised_in, second.tries) == (None, None, 0)
    (parked,) = await DeadLetters(world.session).keys()
    assert (parked.key, parked.letters, parked.position) == ("location/1", 2, 3)


async def test_dropped_letters_leave_the_rows_as_they_were(world: World, poison: Callable[[], None]) -> None:
    last = world.append(*history(poisoned=(3,)))
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, last)
        before = await world.rows()
        assert await DeadLetters(world.session).drop("location/3") > 1
        assert await world.rows() == before
        last = world.append(evse_status_changed("OFFLINE", "E3", 3, version=999))
        await until_equal(world.checkpoint, last)
        assert await world.letters() == {}
        assert await world.rows() != before
        await until(lambda: consumer.state.parked_keys == 0)


async def test_who_retries_and_stands_still_holds_up_the_projector_for_a_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENCE_S", 0.2)
    async with dead_letters(Databases(world.database, world.database)) as letters, world.consuming():
        alive = "select name, setting from pg_settings where name like 'tcp_keepalives_%'"
        assert dict(await letters.session.fetch(alive)) == KEPT_ALIVE
        await letters.session.execute("begin")
        await letters.session.execute(HOLD)
        last = world.append(location_registered())
        await until_equal(world.checkpoint, last)
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            await letters.keys()


async def test_what_postgresql_refuses_of_an_event_is_poison_too(world: World) -> None:
    world.append(location_registered(1), location_registered(2))
    last = world.append(location_changed(1, name="a\0b"), location_changed(2, name="Two"))
    async with world.consuming():
        await until_equal(world.checkpoint, last)
    assert await world.letters() == {"location/1": [3]}


async def test_a_cpo_is_a_key_of_its_own(world: World) -> None:
    last = world.append(cpo_logo_changed(), cpo_registered(), location_registered())
    async with world.consuming():
        await until_equal(world.checkpoint, last)
    assert await world.letters() == {"cpo/PH/ABC": [1, 2]}
    assert await world.session.fetchval("select count(*) from location_view") == 1


async def test_a_database_in_trouble_is_no_poison(
    world: World, poison: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.consumer.LONGEST_PAUSE_S", 0.05)
    last = world.append(*history(poisoned=(3,), count=120))
    faults = iter([asyncpg.DiskFullError("full"), TimeoutError(), asyncpg.DeadlockDetectedError("dead"), MemoryError()])
    write = view_tables.write

    async def troubled(*arguments: Any) -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        await write(*arguments)

    monkeypatch.setattr(view_tables, "write", troubled)
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, last)
        assert consumer.state.failures == 4
    assert set(await world.letters()) == {"location/3"}


@pytest.mark.parametrize("moment", ["before the letter", "after the letter"])
async def test_killed_while_it_parks_it_parks_once(
    world: World, poison: Callable[[], None], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr("projections.consumer.FIRST_PAUSE_S", 0.01)
    last = world.append(*history(poisoned=(3,)))
    add, killed = letter_table.add, False

    async def killing(connection: asyncpg.Connection[Any], letters: list[letter_table.Letter]) -> None:
        nonlocal killed
        if moment == "after the letter":
            await add(connection, letters)
        if letters and not killed:
            killed = True
            await world.kill(connection)
        if moment == "before the letter":
            await add(connection, letters)

    monkeypatch.setattr(letter_table, "add", killing)
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, last)
        assert killed
        assert consumer.state.failures == 1
    (waiting,) = (await world.letters()).values()
    assert waiting == positions_of(world, 3, first=len(waiting))


async def test_another_projector_that_takes_over_knows_what_is_parked(world: World, poison: Callable[[], None]) -> None:
    last = world.append(*history(poisoned=(3,)))
    async with world.consuming() as one, world.consuming() as other:
        await until_equal(world.checkpoint, last)
        await until(lambda: one.state.letters + other.state.letters > 0)
        leading = one if one.state.is_leading else other
        session = leading._projector._connection
        assert session is not None
        before = await world.letters()
        await world.kill(session)
        last = world.append(*(evse_status_changed("OFFLINE", "E3", 3, version=999 + nr) for nr in range(5)))
        await until_equal(world.checkpoint, last)
        assert (await world.letters())["location/3"] == [*before["location/3"], *range(last - 4, last + 1)]


async def test_a_poison_that_was_met_before_the_checkpoint_went_back_takes_no_other_event_with_it(
    world: World, poison: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Position 8 is about to be parked; then it begins a batch of 8, since one event a batch becomes two, and four."""
    monkeypatch.setattr("projections.consumer.FIRST_PAUSE_S", 0.01)
    statuses = ["AVAILABLE"] * 3 + [POISON] + ["CHARGING", "RESERVED"] * 10
    events = [
        evse_status_changed(status, f"E{1 + nr % 2}", 1 + nr % 2, version=2 + nr) for nr, status in enumerate(statuses)
    ]
    registered = [location_registered(1), evse_registered("E1", 1), location_registered(2), evse_registered("E2", 2)]
    last = world.append(*registered, *events)
    add, is_lost = letter_table.add, False

    async def losing(connection: asyncpg.Connection[Any], letters: list[letter_table.Letter]) -> None:
        nonlocal is_lost
        if letters and not is_lost:
            is_lost = True
            await world.kill(connection)
            standby = await world.connect()
            await standby.execute("truncate views.location_view, views.evse_view, views.place_view, views.history_view")
            await standby.execute("update views.checkpoint set pos = 0")
            await standby.close()
        await add(connection, letters)

    monkeypatch.setattr(letter_table, "add", losing)
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, last)
        assert (is_lost, consumer.state.failures) == (True, 1)
    assert await world.letters() == {"location/2": list(range(8, last + 1, 2))}
    poison()
    await DeadLetters(world.session).retry("location/2")
    drawn = await world.rows()
    assert drawn == await world.rows_built_anew()


async def test_a_poison_from_before_somebody_else_drew_is_not_tried_further(world: World) -> None:
    world.append(location_registered(1), location_registered(2))
    async with world.consuming() as consumer:
        await until_equal(world.checkpoint, 2)
        consumer._poison = _Poison(1, ZeroDivisionError(), 3)
        await until(lambda: consumer._poison is None)


@pytest.mark.parametrize("state", [b"{", b'{"location_id":2,"class_version":9}'], ids=["no JSON", "of newer code"])
async def test_what_nobody_can_say_anything_about_stops_the_projector(world: World, state: bytes) -> None:
    world.append(location_registered(1))
    (unheard_of,) = recorded([location_registered(2)], 2)
    world.log.append(replace(unheard_of, state=state))
    async with world.consuming() as consumer:
        await until(lambda: consumer.state.failures >= 2)
        assert "position 2, location.registered" in (consumer.state.error or "")
        assert (await world.checkpoint(), await world.letters()) == (1, {})
