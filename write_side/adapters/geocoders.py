"""Where addresses lie. GazetteerGeocoder: the embedded default, which asks nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from write_side.adapters.addresses import place_of
from write_side.adapters.gazetteer import gazetteer
from write_side.adapters.nearest import PointIndex
from write_side.domain.place import Ask, Place, Placed

ASKS_AT_A_TIME: Final = 200
"""How many are placed before others have a turn: a few milliseconds."""


class GazetteerGeocoder:
    """Places addresses by a list of Philippine cities and towns, and coordinates by the nearest of its points.

    What it isn't sure of it doesn't place.
    source: contract §3 "Address and place", "Geocoding"; docs/data_sources.md
    """

    def __init__(self) -> None:
        self._gazetteer = gazetteer()
        self._points = PointIndex(self._gazetteer.points)

    async def place_many(self, asked: Sequence[Ask]) -> list[Placed]:
        """Where each lies, in order. Never raises: it asks nobody."""
        placed: list[Placed] = []
        for start in range(0, len(asked), ASKS_AT_A_TIME):
            if start:
                # A file of 100,000 rows takes seconds; other requests are answered meanwhile.
                await asyncio.sleep(0)
            placed.extend(map(self._place, asked[start : start + ASKS_AT_A_TIME]))
        return placed

    def _place(self, ask: Ask) -> Placed:
        return Placed(place_of(self._gazetteer, ask.address), self._at(ask.lat, ask.lng))

    def _at(self, lat: float | None, lng: float | None) -> Place | None:
        if lat is None or lng is None:
            return None
        return self._points.place_at(lat, lng)
