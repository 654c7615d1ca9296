"""Whoever names the position of a write reads that write, however warm the cache and whoever else writes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
import pytest

from api.handlers.graphql import GRAPHQL
from ocpi.identifiers import Party
from read_side.scope import Viewer
from tests.support.client import Cpo, a_location, an_evse
from tests.support.databases import Databases
from tests.support.world import Service, service
from write_side.commands.dispatch import dispatch
from write_side.commands.wishes import ChangeEvseStatus
from write_side.ports import Origin

CHANGES: Final = 10_000
CHANGES_OVER_HTTP: Final = 400
UIDS: Final = [f"E{number}" for number in range(20)]
"""Each is changed and read by a chain of its own."""

AT_ONE_LOCATION: Final = 2
"""So that each chain sees fragments that another one makes old."""

STATUSES: Final = ("CHARGING", "AVAILABLE", "BLOCKED")
QUERIES: Final = (
    "{ locations(limit: 50) { id evses { uid status } } }",
    "{ evse(limit: 50) { uid status } }",
    '{ found: evses(limit: 50, order: "DESC") { status uid locations { name evses: id } } }',
    "{ find_ev_locations { name evses { connectors { id } status uid } } }",
)

Change: TypeAlias = Callable[[str, str], Awaitable[int]]
"""UID and status → the position of the write."""

Look: TypeAlias = Callable[[str, int], Awaitable[Any]]
"""Query and position → the data of the answer."""


async def with_evses(emsp: Service) -> Cpo:
    cpo = await emsp.client.registered("luzon", "Luzon Volt", emsp.mails)
    places = [
        a_location(f"Mall {first}", *map(an_evse, UIDS[first : first + AT_ONE_LOCATION]))
        for first in range(0, len(UIDS), AT_ONE_LOCATION)
    ]
    pushed = await emsp.client.push_locations(cpo, places)
    assert pushed.status == 200, pushed.body
    return cpo


def statuses_in(data: dict[str, Any]) -> dict[str, str]:
    """By UID, of whatever was asked for."""
    (found,) = data.values()
    evses = [evse for one in found for evse in (one["evses"] if isinstance(one.get("evses"), list) else [one])]
    return {evse["uid"]: evse["status"] for evse in evses}


async def change_and_look(changes: int, change: Change, look: Look) -> None:
    """One chain an EVSE, all at once."""

    async def chain(uid: str) -> None:
        for number in range(changes // len(UIDS)):
            status = STATUSES[number % len(STATUSES)]
            position = await change(uid, status)
            shown = statuses_in(await look(QUERIES[number % len(QUERIES)], position))
            assert len(shown) == len(UIDS)
            assert shown[uid] == status, f"{uid} at {position}"

    async with asyncio.TaskGroup() as group:
        for uid in UIDS:
            group.create_task(chain(uid))


@pytest.mark.timeout(400)
async def test_ten_thousand_writes_are_each_in_the_next_answer(emsp: Service) -> None:
    cpo, graphql = await with_evses(emsp), emsp.app[GRAPHQL]
    party = Party(cpo.country_code, cpo.party_id)
    viewer = Viewer(party=party, client="app", scopes=frozenset({"read"}))

    async def change(uid: str, status: str) -> int:
        command = ChangeEvseStatus(party, uid, status)
        return (await dispatch(command, Origin("a-test", f"cpo:{party}"), emsp.write_side.world)).position

    async def look(query: str, position: int) -> Any:
        answer = await graphql.execute(query, None, None, caller=viewer, min_position=position)
        assert answer.errors == ()
        return orjson.loads(answer.data or b"")

    await change_and_look(CHANGES, change, look)
    # Of ten locations or twenty EVSEs few are new to an answer.
    assert graphql.fragments.hits > 5 * CHANGES
    assert graphql.fragments.misses > CHANGES


async def test_over_http_and_a_broker_too(fresh_database: Databases, amqp_url: str, tmp_path: Path) -> None:
    async with service(await fresh_database(), tmp_path, amqp_url=amqp_url) as emsp:
        cpo, client = await with_evses(emsp), emsp.client
        token = await client.log_in(cpo)

        async def change(uid: str, status: str) -> int:
            reply = await client.push_status(cpo, uid, status)
            assert reply.status == 200, reply.body
            return reply.position

        async def look(query: str, position: int) -> Any:
            who = None if "find_ev" in query else token
            return await client.ask(query, token=who, Emsp_Min_Position=str(position))

        await change_and_look(CHANGES_OVER_HTTP, change, look)
