"""An EVSE with its connectors: what it is after its events, and what may be decided about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocpi.identifiers import Party
from write_side.domain.errors import ConnectorIdDoesNotExist, Fault, Faults
from write_side.events.evse import (
    ConnectorData,
    ConnectorStatusChanged,
    EvseEvent,
    EvseRegistered,
    EvseStatusChanged,
)
from write_side.events.streams import evse_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from write_side.domain.drafts import ConnectorStatusDraft, EvseDraft


@dataclass(frozen=True, slots=True)
class Evse:
    """The state of an EVSE. version: of its stream; connectors: status by connector number."""

    party: Party
    uid: str
    location_id: int
    version: int
    status: str
    connectors: dict[int, str]

    @classmethod
    def from_registered(cls, event: EvseRegistered) -> Evse:
        """The state that the first event makes."""
        return cls(
            Party(event.country_code, event.party_id),
            event.uid,
            event.location_id,
            1,
            event.status,
            {connector["connector_id"]: connector["status"] for connector in event.connectors},
        )


def evolve(evse: Evse, event: EvseEvent) -> Evse:
    """The state after one more event."""
    match event:
        case EvseRegistered():
            return Evse.from_registered(event)
        case EvseStatusChanged(status=status):
            return replace(evse, version=event.originator_version, status=status)
        case ConnectorStatusChanged(connector_id=number, status=status):
            connectors = {**evse.connectors, number: status}
            return replace(evse, version=event.originator_version, connectors=connectors)


def replay(events: Iterable[EvseEvent]) -> Evse | None:
    """The state after these events of one stream; None where there is none."""
    evse: Evse | None = None
    for event in events:
        if isinstance(event, EvseRegistered):
            evse = Evse.from_registered(event)
        elif evse is not None:
            evse = evolve(evse, event)
    return evse


def register(
    draft: EvseDraft, *, location_id: int, party: Party, connector_ids: Sequence[int], at: datetime
) -> EvseRegistered:
    """The event that makes an EVSE known. connector_ids: one of our integers for each connector of the draft."""
    connectors: list[ConnectorData] = [
        {
            "id": connector_id,
            "connector_id": number,
            "standard": connector.standard,
            "format": connector.format,
            "power_type": connector.power_type,
            "max_voltage": connector.max_voltage,
            "max_amperage": connector.max_amperage,
            "max_electric_power": connector.max_electric_power,
            "status": connector.status,
        }
        for number, (connector_id, connector) in enumerate(zip(connector_ids, draft.connectors, strict=True), start=1)
    ]
    return EvseRegistered(
        evse_stream(party, draft.uid),
        1,
        at,
        location_id,
        party.country_code,
        party.party_id,
        draft.uid,
        draft.status,
        draft.meter_type,
        draft.kwh,
        connectors,
        list(draft.capabilities),
        list(draft.payment_types),
        draft.floor_level,
        draft.directions,
    )


def change_status(
    evse: Evse, status: str | None, connectors: Sequence[ConnectorStatusDraft], *, at: datetime
) -> tuple[EvseStatusChanged | ConnectorStatusChanged, ...]:
    """The events that bring an EVSE and the connectors named to these statuses; none where all is so already.

    raises: Faults  a connector is unknown (CONNECTOR_ID_DOES_NOT_EXISTS) or named twice
    """
    _check_connectors(evse, connectors)
    stream = evse_stream(evse.party, evse.uid)
    events: list[EvseStatusChanged | ConnectorStatusChanged] = []
    if status is not None and status != evse.status:
        events.append(EvseStatusChanged(stream, evse.version + 1, at, evse.location_id, evse.uid, status))
    for wish in connectors:
        if evse.connectors[wish.connector_id] != wish.status:
            version = evse.version + len(events) + 1
            events.append(
                ConnectorStatusChanged(stream, version, at, evse.location_id, evse.uid, wish.connector_id, wish.status)
            )
    return tuple(events)


def _check_connectors(evse: Evse, connectors: Sequence[ConnectorStatusDraft]) -> None:
    faults: list[Fault] = []
    seen: set[int] = set()
    for index, wish in enumerate(connectors):
        field = f"connectors[{index}].connector_id"
        if wish.connector_id not in evse.connectors:
            faults.append(ConnectorIdDoesNotExist(wish.connector_id).at(field))
        elif wish.connector_id in seen:
            faults.append(Fault(field, "this connector is named twice"))
        seen.add(wish.connector_id)
    if faults:
        raise Faults(faults)
