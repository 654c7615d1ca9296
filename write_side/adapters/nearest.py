"""Tells the city at a pair of coordinates: the one that has the nearest known point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import cos, floor, hypot, radians
from typing import Final

from write_side.domain.place import Place

FARTHEST_KM: Final = 40.0
"""How far from any known point is still there: reefs and ferry piers, not another country's coast."""
CELLS_A_DEGREE: Final = 20
KM_A_DEGREE: Final = 111.2
CELL_KM: Final = KM_A_DEGREE / CELLS_A_DEGREE * cos(radians(21.5))
"""The least width of a cell, at the northern end of the country."""
REACHES: Final = (1, 2, 4, 8)

_Point = tuple[float, float, Place]


class PointIndex:
    """Points in cells of a twentieth of a degree."""

    def __init__(self, points: Iterable[_Point]) -> None:
        self._cells: dict[tuple[int, int], list[_Point]] = defaultdict(list)
        for point in points:
            self._cells[_cell(point[0], point[1])].append(point)
        self._cells.default_factory = None

    def place_at(self, lat: float, lng: float) -> Place | None:
        """The place of the nearest point; None: outside the Philippines, or out at sea. lat, lng: degrees."""
        if not is_philippine(lat, lng):
            return None
        shrink = cos(radians(lat))
        for reach in REACHES:
            near = [
                (hypot(up - lat, (right - lng) * shrink), place) for up, right, place in self._around(lat, lng, reach)
            ]
            if near:
                distance, place = min(near, key=_distance)
                # A point in a corner may hide a nearer one beyond the reach.
                if distance * KM_A_DEGREE <= min(reach * CELL_KM, FARTHEST_KM):
                    return place
        return None

    def _around(self, lat: float, lng: float, reach: int) -> Iterable[_Point]:
        row, column = _cell(lat, lng)
        span = range(-reach, reach + 1)
        cells = self._cells
        return [point for up in span for right in span for point in cells.get((row + up, column + right), ())]


def is_philippine(lat: float, lng: float) -> bool:
    """Whether coordinates may lie in the Philippines: within its limits, and not on Borneo, which is near its south."""
    if not (4.2 <= lat <= 21.5 and 113.5 <= lng <= 127.0):
        return False
    borneo = (lat < 7.45 and lng < 118.0) or (lat < 6.0 and lng < 118.25) or (lat < 5.7 and lng < 119.3)
    return not borneo


def _cell(lat: float, lng: float) -> tuple[int, int]:
    return floor(lat * CELLS_A_DEGREE), floor(lng * CELLS_A_DEGREE)


def _distance(found: tuple[float, Place]) -> float:
    return found[0]
