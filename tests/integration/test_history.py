"""What was: a location as of a moment, and what happened to it, from views that a projector draws."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate, pairwise
from random import Random
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import pytest
from eventsourcing.domain import DomainEvent

from projections.drawings import Drawings
from projections.locations import evses_of, head_of
from projections.migrate import create_views
from projections.projector import Projector, draw
from read_side.engine import GraphQLService, create_engine
from read_side.filters import LocationAsOf, LocationHistory, Page
from read_side.guards import Limits
from read_side.scope import Own, Viewer
from read_side.sql import Statement, render
from tests.support.builders import (
    CODEC,
    NOON,
    PARTY,
    connector_status_changed,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    photo_replaced,
    photos_added,
    recorded,
)
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, views_of

Ask: TypeAlias = Callable[..., Awaitable[Any]]

STATUSES: Final = ("AVAILABLE", "CHARGING", "BLOCKED", "REMOVED")
LOCATION: Final = """{
    id cpo_owner_id name address address_lat address_lng city province region postal_code country_code images publish
    date_created date_modified distance photos { id location_id url date_created date_modified }
    facilities { id code description } parking_types { id code description }
    parking_restrictions { id code description }
    evses {
        uid evse_id serial_number meter_type status cpo_location_id current_ws_connection_id server_id date_created
        floor_level directions capabilities { id code description } payment_types { id code description }
        connectors { id evse_uid connector_id standard format power_type max_voltage max_amperage max_electric_power
                     connector_type rate_setting status date_created date_modified } } }"""


@pytest.fixture
async def dsn(fresh_database: Databases) -> AsyncIterator[str]:
    """A database with empty views."""
    made = await fresh_database()
    connection = await asyncpg.connect(made)
    await create_views(connection, database_id=UUID(int=1))
    await connection.close()
    yield made
    await fresh_database.drop(made)


@pytest.fixture(scope="module")
def name() -> Callable[[], str]:
    numbers = iter(range(100))
    return lambda: f"test_history_{next(numbers)}"


@pytest.fixture
async def ask(dsn: str, name: Callable[[], str]) -> AsyncIterator[Ask]:
    """Asks as a CPO's user; `errors`: what it is refused with instead."""
    async with views_of(dsn) as views:
        service: GraphQLService = await create_engine(views, Limits(), name())

        async def asked(query: str, *, party: Any = PARTY, errors: Sequence[tuple[str, str]] = ()) -> Any:
            answer = await service.execute(query, None, None, caller=Viewer(party=party))
            assert [(one["extensions"]["code"], one["message"]) for one in answer.errors] == list(errors)
            return answer.data and orjson.loads(answer.data)

        yield asked


async def draw_all(dsn: str, events: Sequence[DomainEvent], size: int = 500, first: int = 1) -> None:
    """The projector's work, in batches of that size."""

    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(dsn)

    projector = Projector(connect, CODEC)
    assert await projector.lead()
    log = recorded(events, first)
    for start in range(0, len(log), size):
        await projector.apply(log[start : start + size])
    projector.close()


def a_life(chance: Random, changes: int) -> list[DomainEvent]:
    """A location, its EVSEs and what becomes of them; the clocks differ by some minutes."""
    uids = ["A1", "b 2", "C/3"]
    events: list[DomainEvent] = [location_registered(), evse_registered(uids[0])]
    uids_known, photos = uids[:1], 0
    for number in range(changes):
        match chance.randrange(6):
            case 0 if len(uids_known) < len(uids):
                uids_known = uids[: len(uids_known) + 1]
                event: DomainEvent = evse_registered(uids_known[-1], status=chance.choice(STATUSES))
            case 1:
                photos += 1
                event = photos_added(photos)
            case 2 if photos:
                event = photo_replaced(chance.randint(1, photos), f"new-{number}.png")
            case 3:
                event = location_changed(1, name=f"Name {number}", publish=chance.random() < 0.5)
            case 4:
                event = connector_status_changed(
                    chance.choice(STATUSES), chance.randint(1, 2), chance.choice(uids_known)
                )
            case _:
                event = evse_status_changed(chance.choice(STATUSES), chance.choice(uids_known))
        events.append(replace(event, timestamp=NOON + timedelta(minutes=number + chance.randint(-3, 3))))
    return events


def as_folded(events: Sequence[DomainEvent]) -> dict[str, Any] | None:
    """The location as the views would show it after these events."""
    if not events:
        return None
    drawings = Drawings()
    for position, event in enumerate(events, start=1):
        draw(drawings, event, position)
    drawing = drawings.locations[1]
    return {**head_of(drawing), "distance": None, "evses": evses_of(drawing)}


@pytest.mark.parametrize("size", [1, 7, 500])
async def test_a_location_as_of_every_moment_is_the_fold_of_the_log_until_then(dsn: str, ask: Ask, size: int) -> None:
    events = a_life(Random(size), 60)
    await draw_all(dsn, events, size)
    latest = list(accumulate((event.timestamp for event in events), max))
    moments = sorted({moment + timedelta(microseconds=by) for moment in latest for by in (-1, 0)})
    for moment in moments:
        until = [event for event, since in zip(events, latest, strict=True) if since <= moment]
        found = await ask(f'{{ location(id: 1, as_of: "{moment.isoformat()}") {LOCATION} }}')
        assert found["location"] == as_folded(until)


async def test_the_history_tells_every_event_the_newest_first(dsn: str, ask: Ask) -> None:
    events = a_life(Random(1), 40)
    await draw_all(dsn, events)
    asked = "position at event command_id correlation_id actor evse_uid connector_id"
    whole = (await ask(f"{{ location_history(id: 1, limit: 100) {{ {asked} }} }}"))["location_history"]
    for told, said in zip(whole, reversed(recorded(events)), strict=True):
        assert told["at"] == said.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert (told["position"], told["event"], told["command_id"], told["correlation_id"], told["actor"]) == (
            *(str(said.position), said.topic, str(said.command_id), said.correlation_id, said.actor),
        )
    page = (await ask(f"{{ location_history(id: 1, limit: 5, offset: 7) {{ {asked} }} }}"))["location_history"]
    assert page == whole[7:12]
    after = f'{{ location_history(id: 1, limit: 5, after: "{whole[6]["position"]}") {{ {asked} }} }}'
    assert (await ask(after))["location_history"] == page
    assert len((await ask("{ location_history(id: 1) { at } }"))["location_history"]) == 10


async def test_changes_lead_from_each_state_to_the_next(dsn: str, ask: Ask) -> None:
    events = a_life(Random(2), 40)
    await draw_all(dsn, events)
    asked = "{ location_history(id: 1, limit: 100) { evse_uid connector_id changes { field before after } } }"
    history = reversed((await ask(asked))["location_history"])
    states = [as_folded(events[:count]) for count in range(len(events) + 1)]
    for told, (was, now) in zip(history, pairwise(states), strict=True):
        for change in told["changes"]:
            assert change["before"] == _part(was, told).get(change["field"])
            assert change["after"] == _part(now, told)[change["field"]]
            assert change["before"] != change["after"]
        assert bool(told["changes"]) == (was != now)


def _part(location: dict[str, Any] | None, told: dict[str, Any]) -> dict[str, Any]:
    if location is None or told["evse_uid"] is None:
        return location or {}
    evse: dict[str, Any] = next((one for one in location["evses"] if one["uid"] == told["evse_uid"]), {})
    if told["connector_id"] is None:
        return evse
    connector: dict[str, Any] = evse["connectors"][told["connector_id"] - 1]
    return connector


async def test_a_location_of_another_is_seen_where_it_was_published_then_and_is_now(dsn: str, ask: Ask) -> None:
    hour = timedelta(hours=1)
    await draw_all(
        dsn,
        [
            location_registered(1, publish=False),
            evse_registered("A1", 1),
            evse_registered("A2", 1, status="REMOVED"),
            location_changed(1, NOON + hour, publish=True),
            location_registered(2),
            location_changed(2, NOON + 2 * hour, publish=False),
        ],
    )
    for location_id, after, uids in ((1, 0, None), (1, 1, ["A1"]), (2, 0, None), (2, 2, None)):
        query = f'{{ location(id: {location_id}, as_of: "{(NOON + after * hour).isoformat()}") {{ evses {{ uid }} }} }}'
        found = (await ask(query, party=OTHER))["location"]
        assert found == (uids and {"evses": [{"uid": uid} for uid in uids]})
        assert (await ask(query))["location"] is not None
    refused = [("NOT_FOUND", "id: you have no location with this id")]
    for query, party in (
        ("location_history(id: 1)", OTHER),
        ("location_history(id: 9)", PARTY),
        ("location_history", PARTY),
    ):
        assert await ask(f"{{ {query} {{ at }} }}", party=party, errors=refused) == {"location_history": None}


async def test_what_is_remembered_of_now_is_not_what_was(dsn: str, ask: Ask) -> None:
    await draw_all(dsn, [location_registered(), location_changed(1, name="Now")])
    then = f'location(id: 1, as_of: "{NOON.isoformat()}") {{ name }}'
    for _ in range(3):
        assert await ask(f"{{ {then} }}") == {"location": {"name": "Harbor Point"}}
        assert await ask("{ location(id: 1) { name } }") == {"location": {"name": "Now"}}
        assert await ask(f"{{ location(id: 1) {{ name }} then: {then} }}") == {
            "location": {"name": "Now"},
            "then": {"name": "Harbor Point"},
        }
    await draw_all(dsn, [location_changed(1, name="Later")], first=3)
    assert await ask("{ location(id: 1) { name } }") == {"location": {"name": "Later"}}
    assert await ask(f"{{ {then} }}") == {"location": {"name": "Harbor Point"}}
    assert len((await ask("{ location_history(id: 1) { at } }"))["location_history"]) == 3


@pytest.mark.parametrize("moment", ["yesterday", "", "2026-11-23", "2026-11-23T12:00:00", "0001-01-01T00:00:00+14:00"])
async def test_what_is_no_moment_is_refused_by_the_name_of_its_argument(ask: Ask, moment: str) -> None:
    message = "as_of: must be ISO 8601 with an offset from UTC, as in 2026-11-23T01:02:03Z"
    query = f'{{ location(id: 1, as_of: "{moment}") {{ id }} }}'
    assert await ask(query, errors=[("BAD_USER_INPUT", message)]) == {"location": None}


async def test_the_future_and_what_is_no_position_are_refused(ask: Ask) -> None:
    future = [("BAD_USER_INPUT", "as_of: must not be in the future")]
    assert await ask('{ location(id: 1, as_of: "2999-01-01T00:00:00Z") { id } }', errors=future) == {"location": None}
    refused = [("BAD_USER_INPUT", "after: must be a position")]
    for after in ("x", "-1", "1.5", "²", "9" * 19, "9" * 300):
        await ask(f'{{ location_history(id: 1, after: "{after}") {{ at }} }}', errors=refused)


async def test_a_hundred_thousand_status_changes_are_stepped_over(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await draw_all(dsn, [location_registered(), *(evse_registered(uid) for uid in ("A1", "A2", "A3"))])
    await connection.execute(MANY_CHANGES, 100_000)
    middle = NOON + timedelta(seconds=50_000)
    page = LocationHistory(1, Page(10))
    for wanted in (LocationAsOf(1, middle), LocationAsOf(1, NOON), page, replace(page, page=Page(10, after=50_000))):
        text, values = render(Statement(wanted, Own(PARTY), frozenset()))
        for _ in range(6):  # the sixth by a plan that holds for any values
            (row,) = await connection.fetch(f"explain (analyze, buffers, format json) {text}", *values)
        (plan,) = orjson.loads(row[0])
        assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 200, row[0]
    await connection.close()


MANY_CHANGES: Final = """
    insert into views.history_view
    select 1, nr + 4, at, at, 'evse.status_changed', gen_random_uuid(), '', '', 'A1', 0,
           '{"status":"AVAILABLE"}', '{"status":"CHARGING"}'
      from generate_series(1, $1::int) as nr
     cross join lateral (select '2026-11-23T12:00:00.25Z'::timestamptz + nr * interval '1 second' as at) as moment
"""
