"""place_view is what counting location_view would say, whatever happens to locations; cpo_view knows every CPO."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from ocpi.identifiers import Party
from projections.migrate import create_views
from projections.projector import Projector
from read_side.errors import Unavailable
from read_side.reports import Reports
from tests.support.builders import (
    CODEC,
    PARTY,
    a_place,
    cpo_logo_changed,
    cpo_registered,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    recorded,
)
from tests.support.filled_views import views_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eventsourcing.domain import DomainEvent

SAN_FERNANDO = a_place(city="San Fernando", province="La Union")
OTHER_SAN_FERNANDO = a_place(city="San Fernando", province="Pampanga")

HISTORY: tuple[DomainEvent, ...] = (
    cpo_registered(),
    location_registered(1),
    location_registered(2, place=SAN_FERNANDO),
    evse_registered("A1", 1),
    evse_registered("A2", 1),
    evse_registered("B1", 2),
    location_registered(3, place=OTHER_SAN_FERNANDO),
    evse_registered("C1", 3),
    location_registered(4, publish=False),
    evse_registered("D1", 4),
    location_changed(3, place=SAN_FERNANDO),
    location_changed(4, publish=True),
    location_changed(4, name="Another Name"),
    location_changed(2, publish=False),
    evse_status_changed("REMOVED", "A1", 1),
    evse_status_changed("REMOVED", "A2", 1),
    evse_status_changed("AVAILABLE", "A2", 1, version=3),
    evse_status_changed("CHARGING", "A2", 1, version=4),
    location_changed(1, publish=False),
    location_changed(4, place=OTHER_SAN_FERNANDO, publish=False),
)


@pytest.fixture
async def projector(database: str) -> AsyncIterator[Projector]:
    connection = await asyncpg.connect(database)
    await create_views(connection, database_id=UUID(int=1))
    await connection.close()

    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(database, server_settings={"search_path": "views, public"})

    one = Projector(connect, CODEC)
    assert await one.lead()
    yield one
    one.close()


async def counted(connection: asyncpg.Connection[Any]) -> dict[tuple[str, str], int]:
    heads = [
        orjson.loads(row["head"]) for row in await connection.fetch("select head from location_view where is_public")
    ]
    return Counter((head["province"], head["city"]) for head in heads)


async def told(connection: asyncpg.Connection[Any]) -> dict[tuple[str, str], int]:
    rows = await connection.fetch("select * from place_view")
    assert all(row["province_key"] == row["province"].casefold() for row in rows)
    return {(row["province"], row["city"]): row["locations"] for row in rows}


@pytest.mark.parametrize("size", [1, 2, 3, 5, len(HISTORY)])
async def test_places_are_what_counting_says_after_every_batch(projector: Projector, database: str, size: int) -> None:
    log = recorded(HISTORY)
    looking = await asyncpg.connect(database, server_settings={"search_path": "views, public"})
    for start in range(0, len(log), size):
        await projector.apply(log[start : start + size])
        assert await told(looking) == await counted(looking)
    assert await told(looking) == {("La Union", "San Fernando"): 1}
    await looking.close()


async def test_places_that_were_damaged_stop_the_projector(projector: Projector, database: str) -> None:
    log = recorded(HISTORY)
    await projector.apply(log[:6])
    looking = await asyncpg.connect(database, server_settings={"search_path": "views, public"})
    await looking.execute("update place_view set locations = 0")
    with pytest.raises(asyncpg.CheckViolationError):
        await projector.apply(recorded([location_changed(1, publish=False)], 7))
    assert await looking.fetchval("select pos from checkpoint") == 6
    await looking.close()


async def test_a_cpo_is_shown_with_its_details(projector: Projector, database: str) -> None:
    await projector.apply(recorded(HISTORY[:2]))
    looking = await asyncpg.connect(database, server_settings={"search_path": "views, public"})
    (row,) = await looking.fetch("select * from cpo_view")
    assert (row["country_code"], row["party_id"], row["cpo_owner_id"], row["revision"]) == (
        PARTY.country_code,
        PARTY.party_id,
        7,
        1,
    )
    assert orjson.loads(row["details"]) == {
        "party_id": PARTY.party_id,
        "cpo_owner_name": "Luzon Volt",
        "contact": {"key_id": "00000000-0000-4000-8000-000000000003", "sealed": "c2VhbGVk"},
        "logo": None,
    }
    await looking.close()


async def test_details_are_read_with_the_logo_that_was_chosen_last(projector: Projector, database: str) -> None:
    logos = [cpo_logo_changed("one.png"), cpo_logo_changed("two.svg", version=3)]
    for position, event in enumerate([cpo_registered(), *logos], start=1):
        await projector.apply(recorded([event], position))
    async with views_of(database) as views:
        details = await Reports(views, 1.0).details(PARTY, min_position=3)
        assert (details["cpo_owner_name"], details["logo"]) == ("Luzon Volt", "two.svg")
        with pytest.raises(Unavailable):
            await Reports(views, 1.0).details(Party("PH", "ZZZ"))
