"""GoogleGeocoder when Google errs, is slow or talks nonsense; and that its key is never told."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.support.google import KEY, Google, Spot, spot
from write_side.adapters import google as adapter
from write_side.adapters.google import GeocodingState, GoogleAccount, GoogleGeocoder, Pace
from write_side.domain.errors import GeocoderOutOfReach
from write_side.domain.place import Ask, Place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from structlog.typing import EventDict

ADDRESS: Final = "Rizal Avenue, Olongapo City"
OLONGAPO: Final = spot(14.8292, 120.2828, locality="Olongapo", province="Zambales", region="Central Luzon")
RUBBISH: Final = [
    b"",
    b"<html>busy</html>",
    b"[]",
    b'{"results": []}',
    b'{"status": "OK", "results": [{"geometry": {}}]}',
    b'{"status": "OK", "results": [{"geometry": {"location": {"lat": 1000, "lng": 0}}}]}',
    b'{"status": 7}',
    b"\xff\xfe",
    b'{"status": "OK", "results": "' + b"x" * (1 << 21) + b'"}',
]


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    async with Google() as server:
        server.by_address[ADDRESS] = [OLONGAPO]
        yield server


@asynccontextmanager
async def geocoder_at(
    url: str, state: GeocodingState | None = None, *, call_limit_s: float = 5, patience_s: float = 12
) -> AsyncIterator[GoogleGeocoder]:
    account = GoogleAccount(KEY, url, 1_000, call_limit_s, patience_s)
    async with aiohttp.ClientSession() as session:
        yield GoogleGeocoder(session, account, state or GeocodingState())


async def place(google: Google, address: str = ADDRESS) -> Place | None:
    async with geocoder_at(google.url) as geocoder:
        return (await geocoder.place_many([Ask(address, None, None)]))[0].by_address


@pytest.mark.parametrize("trouble", ["UNKNOWN_ERROR", "OVER_QUERY_LIMIT", 500, 503, 302, *RUBBISH])
async def test_a_passing_trouble_is_tried_again(google: Google, trouble: str | int | bytes) -> None:
    google.troubles = [trouble]
    found = await place(google)
    assert found is not None
    assert found.city == "Olongapo"
    assert len(google.asked) == 2


@pytest.mark.parametrize(
    ("trouble", "calls", "retry_after_s"),
    [
        ("UNKNOWN_ERROR", 3, 2),
        ("OVER_QUERY_LIMIT", 3, 2),
        (503, 3, 2),
        (b"rubbish", 3, 2),
        ("REQUEST_DENIED", 1, 60),
        ("OVER_DAILY_LIMIT", 1, 60),
        ("SOMETHING_NEW", 1, 60),
    ],
)
async def test_a_lasting_trouble_is_out_of_reach_and_its_key_is_not_told(
    google: Google, log_lines: list[EventDict], trouble: str | int | bytes, calls: int, retry_after_s: int
) -> None:
    google.troubles = [trouble] * 9
    state = GeocodingState()
    async with geocoder_at(google.url, state) as geocoder:
        with pytest.raises(GeocoderOutOfReach) as out:
            await geocoder.place_many([Ask(ADDRESS, None, None)])
    assert out.value.retry_after_s == retry_after_s
    assert len(google.asked) == state.calls == state.failures == calls
    told = [line for line in log_lines if line["log_level"] == "error"]
    assert [line["event"] for line in told] == ["geocoder out of reach"]
    assert isinstance(trouble, bytes) or str(trouble) in told[0]["reason"]
    assert_key_is_hidden(out.value, log_lines)


@pytest.mark.parametrize("status", ["ZERO_RESULTS", "INVALID_REQUEST"])
async def test_what_is_not_found_is_not_placed_and_not_asked_again(google: Google, status: str) -> None:
    google.troubles = [status]
    assert await place(google) is None
    assert google.asked == [ADDRESS]


async def test_a_server_that_is_away_is_out_of_reach(google: Google, log_lines: list[EventDict]) -> None:
    await google.__aexit__()
    async with geocoder_at(google.url) as geocoder:
        with pytest.raises(GeocoderOutOfReach) as out:
            await geocoder.place_many([Ask(ADDRESS, None, None)])
    assert_key_is_hidden(out.value, log_lines)


async def test_a_server_that_never_answers_is_out_of_reach(google: Google, log_lines: list[EventDict]) -> None:
    google.silent = True
    async with geocoder_at(google.url, call_limit_s=0.05) as geocoder:
        with pytest.raises(GeocoderOutOfReach) as out:
            await geocoder.place_many([Ask(ADDRESS, None, None)])
    assert len(google.asked) == 3
    assert_key_is_hidden(out.value, log_lines)


async def test_patience_ends_all_tries(google: Google) -> None:
    google.silent = True
    async with geocoder_at(google.url, patience_s=0.3) as geocoder:
        with pytest.raises(GeocoderOutOfReach):
            await geocoder.place_many([Ask(ADDRESS, None, None)])
    assert len(google.asked) == 1


async def test_one_that_fails_ends_the_others(google: Google) -> None:
    google.troubles = ["REQUEST_DENIED"] * 1_000
    async with geocoder_at(google.url) as geocoder:
        with pytest.raises(GeocoderOutOfReach):
            await geocoder.place_many([Ask(f"{number} Rizal St.", None, None) for number in range(500)])
    assert len(google.asked) <= 2 * adapter.CALLS_OF_A_COMMAND


async def test_many_are_asked_a_few_at_a_time_and_the_same_once(google: Google) -> None:
    asked = [Ask(f"{number % 60} Rizal St.", None, None) for number in range(120)]
    google.by_address = {ask.address: [OLONGAPO] for ask in asked}
    async with geocoder_at(google.url) as geocoder:
        answers = await asyncio.gather(*(geocoder.place_many(asked) for _ in range(4)))
    assert all(placed.by_address and placed.by_address.city == "Olongapo" for each in answers for placed in each)
    assert len(google.asked) == 4 * 60
    assert google.most_at_once <= adapter.CALLS_AT_A_TIME


async def test_coordinates_are_asked_for_only_where_the_address_tells_nothing(google: Google) -> None:
    async with geocoder_at(google.url) as geocoder:
        await geocoder.place_many([Ask(ADDRESS, 14.8, 120.28), Ask("asdfgh", 14.8, 120.28), Ask("qwertz", 51.5, 0.0)])
    assert sorted(google.asked) == ["14.8000000,120.2800000", ADDRESS, "asdfgh", "qwertz"]


def test_callers_have_their_turn_in_their_order_and_at_their_pace() -> None:
    pace = Pace(4)
    assert [pace.wait_s(10.0) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    assert pace.wait_s(10.5) == 0.5
    assert pace.wait_s(20.0) == 0.0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # A name that several have: the one of the province that is told, or the nearest.
        (spot(15.03, 120.68, locality="San Fernando", region="Central Luzon"), ("San Fernando", "Pampanga")),
        (spot(16.61, 120.32, locality="San Fernando"), ("San Fernando", "La Union")),
        (spot(14.56, 121.13, locality="Taytay", province="Rizal", region="Calabarzon"), ("Taytay", "Rizal")),
        (spot(10.82, 119.51, locality="Taytay", province="Palawan", region="Mimaropa"), ("Taytay", "Palawan")),
        # Where the name is unknown, or the province doesn't fit it, the point tells.
        (spot(14.5592, 121.0175, locality="Poblacion", region="Metro Manila"), ("Makati", "Metro Manila")),
        (spot(14.5592, 121.0175, locality="Olongapo", province="Cebu"), ("Makati", "Metro Manila")),
        (spot(14.5592, 121.0175, kind="route", route="Ayala Avenue"), ("Makati", "Metro Manila")),
        (
            spot(14.8292, 120.2828, locality="City of Olongapo", province="Province of Zambales"),
            ("Olongapo", "Zambales"),
        ),
        (spot(15.71, 120.90, locality="Science City of Muñoz", province="Nueva Ecija"), ("Muñoz", "Nueva Ecija")),
        # A province or a country is no city, and at sea there is none.
        (spot(10.3, 123.8, kind="administrative_area_level_2", province="Cebu"), None),
        (spot(14.6, 130.0, kind="natural_feature", natural_feature="Philippine Sea"), None),
        (spot(10.38, 123.63, country=("Spain", "ES"), locality="Toledo", province="Cebu"), None),
    ],
)
async def test_what_google_tells_becomes_a_place(google: Google, found: Spot, expected: tuple[str, str] | None) -> None:
    google.by_address["there"] = [found]
    told = await place(google, "there")
    assert (None if told is None else (told.city, told.province)) == expected


async def test_the_first_answer_that_tells_a_philippine_city_counts(google: Google) -> None:
    spain = spot(39.86, -4.02, country=("Spain", "ES"), locality="Toledo")
    google.by_address["there"] = [
        spain,
        spot(10.3, 123.8, kind="administrative_area_level_2", province="Cebu"),
        OLONGAPO,
    ]
    told = await place(google, "there")
    assert told is not None
    assert (told.city, told.lat, told.lng) == ("Olongapo", 14.8292, 120.2828)


def assert_key_is_hidden(error: BaseException, log_lines: list[EventDict]) -> None:
    told = (
        "".join(traceback.format_exception(error)) + repr(error.__context__) + repr(error.__cause__) + repr(log_lines)
    )
    assert KEY not in told
    assert "AIza" not in told
    assert "AIza" not in repr(GoogleAccount(KEY))
