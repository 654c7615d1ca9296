"""What can happen to an EVSE and its connectors. Every event names the location: the key by which views are folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from eventsourcing.domain import DomainEvent


class ConnectorData(TypedDict):
    """One connector as it was registered.

    id: our global integer; connector_id: 1, 2, … within the EVSE.
    max_voltage: volt; max_amperage: ampere; max_electric_power: watt (OCPI 2.2.1 §6.3).
    """

    id: int
    connector_id: int
    standard: str
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_electric_power: int
    status: str


@dataclass(frozen=True)
class EvseRegistered(DomainEvent):
    """A CPO made an EVSE of one of its locations known (W1, W2). Always the first event of its stream.

    uid: in the sender's case; status: `ocpi.codes.EVSE_STATUSES`; kwh: the contract's rating, > 0;
    connectors: at least one, in the order of connector_id.
    """

    TOPIC: ClassVar[str] = "evse.registered"
    location_id: int
    country_code: str
    party_id: str
    uid: str
    status: str
    meter_type: str
    kwh: float
    connectors: list[ConnectorData]
    capabilities: list[str]
    payment_types: list[str]
    floor_level: str | None
    directions: str | None


@dataclass(frozen=True)
class EvseStatusChanged(DomainEvent):
    """The EVSE's status became another one (W3). evse_uid: in the case of its registration."""

    TOPIC: ClassVar[str] = "evse.status_changed"
    location_id: int
    evse_uid: str
    status: str


@dataclass(frozen=True)
class ConnectorStatusChanged(DomainEvent):
    """A connector's status became another one (W3). connector_id: 1, 2, … within the EVSE."""

    TOPIC: ClassVar[str] = "evse.connector_status_changed"
    location_id: int
    evse_uid: str
    connector_id: int
    status: str


EvseEvent = EvseRegistered | EvseStatusChanged | ConnectorStatusChanged
