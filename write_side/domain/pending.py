"""What a CPO has uploaded for approval: as events, and as rows again when it is approved. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from write_side.domain.drafts import ConnectorDraft, EvseDraft, LocationDraft
from write_side.domain.uploads import EvseOfRows, Group, Row
from write_side.events.pending import (
    LocationsStaged,
    PendingEvseData,
    PendingLocationData,
    StagedLocationsApproved,
    StagedLocationsRejected,
)
from write_side.events.streams import pending_stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from ocpi.identifiers import Party


def stage(groups: Sequence[Group], *, party: Party, upload_id: UUID, version: int, at: datetime) -> LocationsStaged:
    """The event that keeps these locations for approval. version: of the pending stream after it."""
    return LocationsStaged(
        pending_stream(party),
        version,
        at,
        party.country_code,
        party.party_id,
        str(upload_id),
        [_location_data(group) for group in groups],
    )


def approve(*, party: Party, version: int, at: datetime) -> StagedLocationsApproved:
    """The event behind the registration of all that is staged."""
    return StagedLocationsApproved(pending_stream(party), version, at, party.country_code, party.party_id)


def reject(*, party: Party, version: int, at: datetime) -> StagedLocationsRejected:
    """The event that drops all that is staged."""
    return StagedLocationsRejected(pending_stream(party), version, at, party.country_code, party.party_id)


def _location_data(group: Group) -> PendingLocationData:
    draft = group.location.draft
    return {
        "name": draft.name,
        "address": draft.address,
        "lat": draft.lat,
        "lng": draft.lng,
        "facilities": list(draft.facilities),
        "parking_types": list(draft.parking_types),
        "evses": [_evse_data(evse) for evse in group.evses],
    }


def _evse_data(evse: EvseOfRows) -> PendingEvseData:
    draft = evse.draft
    return {
        "row": evse.row,
        "uid": draft.uid,
        "status": draft.status,
        "meter_type": draft.meter_type,
        "kwh": draft.kwh,
        "connectors": [
            {
                "standard": connector.standard,
                "format": connector.format,
                "power_type": connector.power_type,
                "max_voltage": connector.max_voltage,
                "max_amperage": connector.max_amperage,
                "max_electric_power": connector.max_electric_power,
                "status": connector.status,
            }
            for connector in draft.connectors
        ],
        "capabilities": list(draft.capabilities),
        "payment_types": list(draft.payment_types),
        "floor_level": draft.floor_level,
        "directions": draft.directions,
    }


def rows_of(event: LocationsStaged) -> tuple[Row, ...]:
    """What was staged as rows: one for each EVSE, with all its connectors."""
    return tuple(
        Row(evse["row"], location, _evse_draft(evse))
        for data in event.locations
        for location in (_location_draft(data),)
        for evse in data["evses"]
    )


def _location_draft(data: PendingLocationData) -> LocationDraft:
    return LocationDraft(
        data["name"],
        data["address"],
        data["lat"],
        data["lng"],
        tuple(data["facilities"]),
        tuple(data["parking_types"]),
        (),
        None,
        (),
    )


def _evse_draft(data: PendingEvseData) -> EvseDraft:
    return EvseDraft(
        data["uid"],
        data["status"],
        data["meter_type"],
        data["kwh"],
        tuple(ConnectorDraft(**connector) for connector in data["connectors"]),
        tuple(data["capabilities"]),
        tuple(data["payment_types"]),
        data["floor_level"],
        data["directions"],
    )
