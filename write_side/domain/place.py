"""Where an address lies, as a geocoder tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address lies. city, province: as people say them; region: three letters; postal_code: or None.

    lat, lng: degrees of the city's centre, or better.
    """

    city: str
    province: str
    region: str
    postal_code: str | None
    lat: float
    lng: float


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be placed. lat, lng: degrees, where the sender gave them."""

    address: str
    lat: float | None
    lng: float | None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the address lies, and where the coordinates do; None: can't be placed, or was not given.

    by_coordinates may be None too where the address tells: then nobody needs it.
    """

    by_address: Place | None
    by_coordinates: Place | None
