"""The composed service with Google behind it, here a server that speaks as Google does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.support.client import Cpo, a_location, an_evse
from tests.support.google import KEY, Google, spot
from tests.support.world import Service, service, until_drawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from structlog.typing import EventDict

    from tests.support.databases import Databases

ADDRESS = "Km 37 National Highway, Brgy. Pulo"
CABUYAO = spot(14.2471, 121.1367, locality="Cabuyao City", province="Laguna", region="Calabarzon", postal_code="4025")
PLACE = ("Cabuyao", "Laguna", "CAL", "4025")


@pytest.fixture(scope="module")
async def google() -> AsyncIterator[Google]:
    async with Google() as server:
        yield server


@pytest.fixture(scope="module")
async def emsp(
    google: Google, fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    folder: Path = tmp_path_factory.mktemp("emsp")
    settings = {"geocoder": "google", "google_api_key": KEY, "google_url": google.url}
    async with service(await fresh_database(), folder, **settings) as running:
        yield running


@pytest.fixture
def log_lines() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


async def places_of(emsp: Service, cpo: Cpo) -> list[tuple[object, ...]]:
    await until_drawn(emsp)
    token = await emsp.client.log_in(cpo)
    shown = await emsp.client.ask("{ locations { city province region postal_code } }", token=token)
    return [tuple(each.values()) for each in shown["locations"]]


async def test_a_location_is_placed_by_google(emsp: Service, cpo: Cpo, google: Google) -> None:
    google.by_address[ADDRESS] = [CABUYAO]
    location = {**a_location("SM City", an_evse("G-1")), "address": ADDRESS, "lat": None, "lng": None}
    pushed = await emsp.client.push_locations(cpo, [location])
    assert pushed.status == 200, pushed.body
    assert await places_of(emsp, cpo) == [PLACE]


async def test_coordinates_place_what_the_address_does_not(emsp: Service, cpo: Cpo, google: Google) -> None:
    google.by_point["14.2471000,121.1367000"] = [CABUYAO]
    location = {**a_location("SM City", an_evse("G-1")), "address": "asdfgh", "lat": 14.2471, "lng": 121.1367}
    assert (await emsp.client.push_locations(cpo, [location])).status == 200
    assert await places_of(emsp, cpo) == [PLACE]


async def test_what_google_does_not_know_is_not_found(emsp: Service, cpo: Cpo) -> None:
    location = {**a_location("SM City", an_evse("G-1")), "address": "asdfgh", "lat": None, "lng": None}
    refused = await emsp.client.push_locations(cpo, [location])
    assert (refused.status, refused.body["message"]) == (400, "LOCATION_NOT_FOUND")


@pytest.mark.parametrize(("trouble", "retry_after"), [("OVER_QUERY_LIMIT", "2"), ("REQUEST_DENIED", "60"), (500, "2")])
async def test_while_google_is_down_nothing_is_half_done_and_the_key_is_not_told(
    emsp: Service, cpo: Cpo, google: Google, log_lines: list[EventDict], trouble: str | int, retry_after: str
) -> None:
    google.by_address[ADDRESS] = [CABUYAO]
    google.troubles = [trouble] * 3
    before, counted = await emsp.event_count(), emsp.write_side.geocoding.failures
    location = {**a_location("SM City", an_evse("G-1")), "address": ADDRESS, "lat": None, "lng": None}
    refused = await emsp.client.push_locations(cpo, [location])
    assert (refused.status, refused.body) == (503, {"status": 503, "data": [], "message": "SERVICE_UNAVAILABLE"})
    assert refused.headers["Retry-After"] == retry_after
    assert await emsp.event_count() == before
    assert emsp.write_side.geocoding.failures > counted
    assert KEY not in repr(log_lines)
    google.troubles = []
    assert (await emsp.client.push_locations(cpo, [location])).status == 200
    assert await places_of(emsp, cpo) == [PLACE]
