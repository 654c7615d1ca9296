"""What can happen to locations that a CPO uploaded for approval (R10, R16): one stream a CPO, beside its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from eventsourcing.domain import DomainEvent


class PendingConnectorData(TypedDict):
    """A connector as it was uploaded. max_voltage: volt; max_amperage: ampere; max_electric_power: watt."""

    standard: str
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_electric_power: int
    status: str


class PendingEvseData(TypedDict):
    """An EVSE as it was uploaded. row: the first of the file that names it, the header is 1."""

    row: int
    uid: str
    status: str
    meter_type: str
    kwh: float
    connectors: list[PendingConnectorData]
    capabilities: list[str]
    payment_types: list[str]
    floor_level: str | None
    directions: str | None


class PendingLocationData(TypedDict):
    """A location as it was uploaded, with some of its EVSEs. lat, lng: degrees, or both None."""

    name: str
    address: str
    lat: float | None
    lng: float | None
    facilities: list[str]
    parking_types: list[str]
    evses: list[PendingEvseData]


@dataclass(frozen=True)
class LocationsStaged(DomainEvent):
    """A CPO uploaded locations that wait for its approval (R10). A long upload is several of these, all or none.

    upload_id: the same for all of one upload; locations: a name may come again in the next event, with more EVSEs,
    and in another upload; a uid comes once
    """

    TOPIC: ClassVar[str] = "cpo.locations_staged"
    country_code: str
    party_id: str
    upload_id: str
    locations: list[PendingLocationData]


@dataclass(frozen=True)
class StagedLocationsApproved(DomainEvent):
    """A CPO approved all that it had staged (R16); what that registered comes before, in the same transaction."""

    TOPIC: ClassVar[str] = "cpo.staged_approved"
    country_code: str
    party_id: str


@dataclass(frozen=True)
class StagedLocationsRejected(DomainEvent):
    """A CPO rejected all that it had staged (R16): it is dropped."""

    TOPIC: ClassVar[str] = "cpo.staged_rejected"
    country_code: str
    party_id: str


PendingEvent = LocationsStaged | StagedLocationsApproved | StagedLocationsRejected
