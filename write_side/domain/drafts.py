"""What came in and was understood, but is not yet decided. None: not given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectorDraft:
    """A connector as it was sent. max_voltage: volt; max_amperage: ampere; max_electric_power: watt."""

    standard: str
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_electric_power: int
    status: str


@dataclass(frozen=True, slots=True)
class EvseDraft:
    """An EVSE as it was sent; at least one connector."""

    uid: str
    status: str
    meter_type: str
    kwh: float
    connectors: tuple[ConnectorDraft, ...]
    capabilities: tuple[str, ...]
    payment_types: tuple[str, ...]
    floor_level: str | None
    directions: str | None


@dataclass(frozen=True, slots=True)
class LocationDraft:
    """A location as it was sent. lat, lng: degrees, both or neither; publish None: true, the contract's default."""

    name: str
    address: str
    lat: float | None
    lng: float | None
    facilities: tuple[str, ...]
    parking_types: tuple[str, ...]
    parking_restrictions: tuple[str, ...]
    publish: bool | None
    evses: tuple[EvseDraft, ...]


@dataclass(frozen=True, slots=True)
class LocationPatch:
    """The fields of a location to change (W4); None: stays. lat, lng: degrees, both or neither."""

    name: str | None = None
    address: str | None = None
    lat: float | None = None
    lng: float | None = None
    facilities: tuple[str, ...] | None = None
    parking_types: tuple[str, ...] | None = None
    parking_restrictions: tuple[str, ...] | None = None
    publish: bool | None = None


@dataclass(frozen=True, slots=True)
class ConnectorStatusDraft:
    """The status that a connector shall have (W3). connector_id: 1, 2, … within the EVSE."""

    connector_id: int
    status: str
