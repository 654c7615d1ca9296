"""Queries while a location is parked: who names a position never gets older data, and nobody else is bothered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from projections.dead_letters import DeadLetters
from tests.support.client import Cpo, a_location, an_evse, bearer
from tests.support.until import until_equal
from tests.support.world import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DAMAGE = "update views.evse_view set uid_key = 'damaged' where location_id = $1"
MEND = "update views.evse_view set uid_key = 'a1' where location_id = $1"

LOCATION = "{{ location(id: {id}) {{ evses {{ status }} }} }}"
HISTORY = "{{ location_history(id: {id}) {{ position }} }}"
OWN = ("{ locations { id } }", "{ evse { uid } }")


class Asking:
    """One CPO's session. position: the one that it names, None: none."""

    def __init__(self, emsp: Service, token: str, position: int | None) -> None:
        self._emsp = emsp
        self._token = token
        self._headers = {} if position is None else {"Emsp_Min_Position": str(position)}

    async def graphql(self, query: str, *, as_app: bool = False) -> str:
        """`ok`, or the code of the first error."""
        authorization = self._emsp.client.basic if as_app else f"Bearer {self._token}"
        reply = await self._emsp.client.call(
            "POST", "/ocpi/cpo/graphql", {"query": query}, Authorization=authorization, **self._headers
        )
        return str(reply.body["errors"][0]["extensions"]["code"]) if "errors" in reply.body else "ok"

    async def rest(self, path: str) -> int:
        """The status of a report."""
        as_user = path.endswith(("details", "pending"))
        headers = bearer(self._token) if as_user else {"Authorization": self._emsp.client.basic}
        return (await self._emsp.client.call("GET", f"/ocpi/cpo/2.2/{path}", **headers, **self._headers)).status


@pytest.fixture
async def ids(emsp: Service, cpo: Cpo) -> list[int]:
    """Two locations of the CPO, each with an EVSE."""
    locations = [a_location("Mall", an_evse("A1")), a_location("Pier", an_evse("B1"))]
    pushed = await emsp.client.push_locations(cpo, locations)
    token = await emsp.client.log_in(cpo)
    data = await emsp.client.ask("{ locations { id } }", token=token, Emsp_Min_Position=str(pushed.position))
    return [location["id"] for location in data["locations"]]


@pytest.fixture
async def parked(emsp: Service, cpo: Cpo, ids: list[int]) -> AsyncIterator[int]:
    """The first one is parked from that position on."""
    views = await asyncpg.connect(emsp.dsn, server_settings={"search_path": "views, public"})
    await views.execute(DAMAGE, ids[0])
    reply = await emsp.client.push_status(cpo, "A1", "CHARGING")
    assert reply.position is not None
    await until_equal(lambda: views.fetchval("select pos from checkpoint"), reply.position)
    yield reply.position
    await views.close()


async def freed(emsp: Service, location_id: int) -> None:
    """Mend what was damaged, and retry."""
    views = await asyncpg.connect(emsp.dsn, server_settings={"search_path": "views, public"})
    await views.execute(MEND, location_id)
    await DeadLetters(views).retry(f"location/{location_id}")
    await views.close()


async def test_who_names_no_position_gets_the_rows_as_they_are(
    emsp: Service, cpo: Cpo, ids: list[int], parked: int
) -> None:
    asking = Asking(emsp, await emsp.client.log_in(cpo), None)
    for query in (*OWN, LOCATION.format(id=ids[0]), HISTORY.format(id=ids[0])):
        assert await asking.graphql(query) == "ok"
    assert await asking.graphql("{ find_ev_locations { id } }", as_app=True) == "ok"
    assert await asking.rest("filters") == 200
    await freed(emsp, ids[0])


async def test_who_names_a_position_gets_nothing_that_may_be_older(
    emsp: Service, cpo: Cpo, other: Cpo, ids: list[int], parked: int
) -> None:
    asking = Asking(emsp, await emsp.client.log_in(cpo), parked)
    for query in (*OWN, LOCATION.format(id=ids[0]), HISTORY.format(id=ids[0])):
        assert await asking.graphql(query) == "UNAVAILABLE"
    assert await asking.graphql("{ find_ev_locations { id } }", as_app=True) == "UNAVAILABLE"
    assert [await asking.rest(path) for path in ("filters", "details", "locations/pending")] == [503, 200, 200]
    assert await asking.graphql(LOCATION.format(id=ids[1])) == "ok"
    assert await asking.graphql(HISTORY.format(id=ids[1])) == "ok"

    of_another = Asking(emsp, await emsp.client.log_in(other), parked)
    for query in OWN:
        assert await of_another.graphql(query) == "ok"

    before = Asking(emsp, await emsp.client.log_in(cpo), parked - 1)
    for query in (*OWN, LOCATION.format(id=ids[0])):
        assert await before.graphql(query) == "ok"

    await freed(emsp, ids[0])
    for query in (*OWN, LOCATION.format(id=ids[0]), HISTORY.format(id=ids[0])):
        assert await asking.graphql(query) == "ok"
    assert await asking.rest("filters") == 200
