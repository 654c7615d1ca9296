"""Great circles as chords of the unit sphere: the order of chords is the order of distances on the ground. Pure."""

from __future__ import annotations

from math import asin, cos, pi, radians, sin
from typing import Final

EARTH_RADIUS_KM: Final = 6371.0088
"""Mean radius (IUGG)."""

HALF_CIRCUMFERENCE_KM: Final = pi * EARTH_RADIUS_KM


def unit_point(lat: float, lng: float) -> tuple[float, float, float]:
    """Degrees → the point of the unit sphere, by the very formula that location_view.point was made with."""
    phi, lam = radians(lat), radians(lng)
    return (cos(phi) * cos(lam), cos(phi) * sin(lam), sin(phi))


def chord_of(distance_km: float) -> float | None:
    """The chord of that distance on the ground: [0, 2]; None where the circle holds the whole earth."""
    if distance_km >= HALF_CIRCUMFERENCE_KM:
        return None
    return 2 * sin(distance_km / (2 * EARTH_RADIUS_KM))


def km_of(chord: float) -> float:
    """The distance on the ground of that chord. Rounding may make a chord of antipodes longer than 2."""
    return 2 * asin(min(1.0, chord / 2)) * EARTH_RADIUS_KM
