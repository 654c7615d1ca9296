"""A server of a test's own that speaks the JSON of Google's Geocoding web service, and errs when it is told to.

Its answers are written by hand after the service's documentation: component types, order, spellings with and without
"City", provinces left out. None is a recording.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Self

from aiohttp import web

KEY: Final = "AIza-key-of-a-test+with/letters=that&matter"
LOCALITY: Final = "locality"
PROVINCE: Final = "administrative_area_level_2"
REGION: Final = "administrative_area_level_1"

PHILIPPINES: Final = ("Philippines", "PH")


@dataclass(frozen=True, slots=True)
class Spot:
    """What the server knows of a spot. names: by component type; kind: the result's own type."""

    lat: float
    lng: float
    names: tuple[tuple[str, str], ...]
    country: tuple[str, str] = PHILIPPINES
    kind: str = "street_address"


def spot(
    lat: float, lng: float, *, country: tuple[str, str] = PHILIPPINES, kind: str = "street_address", **names: str
) -> Spot:
    """A spot; names: locality, province, region, postal_code or any other component type."""
    types = {"province": PROVINCE, "region": REGION}
    return Spot(lat, lng, tuple((types.get(each, each), name) for each, name in names.items()), country, kind)


def result_of(of: Spot) -> dict[str, Any]:
    """That spot as the service tells it."""
    components = [{"long_name": name, "short_name": name, "types": [each, "political"]} for each, name in of.names]
    country = {"long_name": of.country[0], "short_name": of.country[1], "types": ["country", "political"]}
    return {
        "address_components": [*components, country],
        "formatted_address": ", ".join(name for _, name in of.names),
        "geometry": {"location": {"lat": of.lat, "lng": of.lng}, "location_type": "GEOMETRIC_CENTER"},
        "place_id": "ChIJ-none",
        "types": [of.kind],
    }


class Google:
    """Listens on a loopback port while it is entered.

    by_address: what it finds, by address; what isn't there has ZERO_RESULTS
    by_point:   the same by `latlng` as it is asked
    troubles:   statuses of the service, numbers of HTTP or bodies, each answered once before anything is found
    silent:     it takes questions and never answers
    asked:      every question, without the key
    """

    def __init__(self) -> None:
        self.by_address: dict[str, list[Spot]] = {}
        self.by_point: dict[str, list[Spot]] = {}
        self.troubles: list[str | int | bytes] = []
        self.silent = False
        self.asked: list[str] = []
        self.most_at_once = 0
        self.url = ""
        self._now = 0
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/maps/api/geocode/json", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/maps/api/geocode/json"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.query["key"] == KEY
        assert (request.query["region"], request.query["language"]) == ("ph", "en")
        self.asked.append(request.query.get("address") or request.query["latlng"])
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self.silent:
                await self._over.wait()
            await asyncio.sleep(0)
            return self._found(request)
        finally:
            self._now -= 1

    def _found(self, request: web.Request) -> web.Response:
        if self.troubles:
            return _trouble(self.troubles.pop(0))
        if "address" in request.query:
            spots = self.by_address.get(request.query["address"], [])
        else:
            spots = self.by_point.get(request.query["latlng"], [])
        return web.json_response(
            {"results": [result_of(each) for each in spots], "status": "OK" if spots else "ZERO_RESULTS"}
        )


def _trouble(trouble: str | int | bytes) -> web.Response:
    match trouble:
        case bytes():
            return web.Response(body=trouble, content_type="application/json")
        case int():
            return web.Response(status=trouble, text=f"the key {KEY} is not welcome")
        case _:
            told = {"status": trouble, "results": [], "error_message": f"the key {KEY} is not welcome"}
            return web.json_response(told)
