"""What the calls answer under `data`, as types: the description of the API is made of them (contract §2)."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

Nothing = Annotated[list[str], Field(max_length=0)]
"""`[]`"""

Success = Literal["SUCCESS"]


class LocationId(TypedDict):
    """One entry of W1's answer."""

    location_id: int


class Tokens(TypedDict):
    """R3's answer. Both `…_expires_in`: epoch seconds."""

    access_token: str
    access_expires_in: int
    refresh_token: str
    refresh_expires_in: int
    role: Literal["CPO_OWNER"]
    must_change_password: NotRequired[Literal[True]]


class Code(TypedDict):
    """One value of a reference list (contract §6)."""

    id: int
    code: str
    description: str


class City(TypedDict):
    """A city that has a location."""

    city: str


class Province(TypedDict):
    """A province and how many locations it has."""

    province: str
    total_locations: int


class Filters(TypedDict):
    """R11's answer."""

    connector_types: list[Code]
    facilities: list[Code]
    capabilities: list[Code]
    payment_types: list[Code]
    parking_types: list[Code]
    parking_restrictions: list[Code]
    power_types: list[Code]
    provinces: list[Province]
    cities: list[City]


class Details(TypedDict):
    """R13's answer. logo: the name under which `/images/` serves it."""

    party_id: str
    cpo_owner_name: str
    contact_name: str | None
    contact_number: str | None
    contact_email: str | None
    logo: str | None


class PendingCounts(TypedDict):
    """The one entry of R15's answer."""

    pending_locations: int
    pending_evses: int


NothingPending = Literal["NO_PENDING_LOCATIONS_AND_EVSES"]
"""R15's answer where nothing is staged."""


class PendingConnector(TypedDict):
    """A connector of a staged EVSE."""

    standard: str
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_electric_power: int
    status: str


class PendingEvse(TypedDict):
    """A staged EVSE. row: the first of its file that names it."""

    row: int
    uid: str
    status: str
    meter_type: str
    kwh: float
    connectors: list[PendingConnector]
    capabilities: list[str]
    payment_types: list[str]
    floor_level: str | None
    directions: str | None


class PendingLocation(TypedDict):
    """One staged location, as it was uploaded."""

    name: str
    address: str
    lat: float | None
    lng: float | None
    facilities: list[str]
    parking_types: list[str]
    evses: list[PendingEvse]
