"""Values for tests: valid by default, one word to spoil."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from ocpi.identifiers import Party
from write_side.events.codec import Codec
from write_side.events.cpo import CpoForgotten, CpoLogoChanged, CpoPasswordReset, CpoRegistered, CpoTokenCRotated
from write_side.events.evse import ConnectorData, ConnectorStatusChanged, EvseRegistered, EvseStatusChanged
from write_side.events.location import (
    LocationChanged,
    LocationData,
    LocationPhotoReplaced,
    LocationPhotosAdded,
    LocationRegistered,
    PlaceData,
)
from write_side.events.pending import (
    LocationsStaged,
    PendingEvseData,
    PendingLocationData,
    StagedLocationsApproved,
    StagedLocationsRejected,
)
from write_side.events.ranges import Range, Recorded, range_of
from write_side.events.streams import NAMESPACE, cpo_stream, evse_stream, location_stream, pending_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.domain import DomainEvent

NOON: Final = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC)
PARTY: Final = Party("PH", "ABC")
CODEC: Final = Codec()


def a_place(**spoiled: Any) -> PlaceData:
    place: PlaceData = {
        "city": "Olongapo",
        "province": "Zambales",
        "region": "CEN",
        "postal_code": "2200",
        "by": "address",
    }
    return place | spoiled  # type: ignore[return-value]


def location_data(**spoiled: Any) -> LocationData:
    data: LocationData = {
        "name": "Harbor Point",
        "address": "Rizal Highway, Olongapo",
        "lat": 14.8225,
        "lng": 120.2828,
        "coordinates_by": "cpo",
        "place": a_place(),
        "facilities": ["MALL", "WIFI"],
        "parking_types": ["INDOOR"],
        "parking_restrictions": ["EV_ONLY"],
        "publish": True,
    }
    return data | spoiled  # type: ignore[return-value]


def cpo_registered(party: Party = PARTY, **spoiled: Any) -> CpoRegistered:
    fields: dict[str, Any] = {
        "cpo_owner_id": 7,
        "username": "Luzon",
        "cpo_owner_name": "Luzon Volt",
        "contact": {"key_id": "00000000-0000-4000-8000-000000000003", "sealed": "c2VhbGVk"},
        "ocpp_ready": True,
        "logo": None,
    }
    return CpoRegistered(
        originator_id=cpo_stream(party),
        originator_version=1,
        timestamp=NOON,
        country_code=party.country_code,
        party_id=party.party_id,
        **fields | spoiled,
    )


def cpo_logo_changed(
    logo: str = "0a1b.png", filename: str = "logo.png", party: Party = PARTY, version: int = 2
) -> CpoLogoChanged:
    return CpoLogoChanged(
        originator_id=cpo_stream(party),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        cpo_owner_id=7,
        country_code=party.country_code,
        party_id=party.party_id,
        logo=logo,
        filename=filename,
    )


def cpo_token_c_rotated(party: Party = PARTY, version: int = 2) -> CpoTokenCRotated:
    at = NOON + timedelta(minutes=version)
    return CpoTokenCRotated(cpo_stream(party), version, at, 7, party.country_code, party.party_id)


def cpo_password_reset(party: Party = PARTY, version: int = 2, username: str = "María") -> CpoPasswordReset:
    at = NOON + timedelta(minutes=version)
    return CpoPasswordReset(cpo_stream(party), version, at, 7, party.country_code, party.party_id, username)


def cpo_forgotten(party: Party = PARTY, version: int = 2) -> CpoForgotten:
    at = NOON + timedelta(minutes=version)
    return CpoForgotten(cpo_stream(party), version, at, 7, party.country_code, party.party_id)


def location_registered(
    location_id: int = 1, party: Party = PARTY, at: datetime = NOON, **data: Any
) -> LocationRegistered:
    return LocationRegistered(
        originator_id=location_stream(location_id),
        originator_version=1,
        timestamp=at,
        location_id=location_id,
        country_code=party.country_code,
        party_id=party.party_id,
        cpo_owner_id=7,
        data=location_data(**data),
    )


def location_changed(location_id: int = 1, at: datetime = NOON + timedelta(hours=1), **changes: Any) -> LocationChanged:
    return LocationChanged(
        originator_id=location_stream(location_id),
        originator_version=2,
        timestamp=at,
        location_id=location_id,
        changes=changes,  # type: ignore[arg-type]
    )


def photos_added(*photo_ids: int, location_id: int = 1, version: int = 2) -> LocationPhotosAdded:
    """Each photo's image is named for its id: `5.png`."""
    return LocationPhotosAdded(
        originator_id=location_stream(location_id),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        location_id=location_id,
        photos=[{"id": photo_id, "name": f"{photo_id}.png"} for photo_id in photo_ids],
    )


def photo_replaced(photo_id: int, name: str, location_id: int = 1, version: int = 3) -> LocationPhotoReplaced:
    return LocationPhotoReplaced(
        originator_id=location_stream(location_id),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        location_id=location_id,
        photo_id=photo_id,
        name=name,
    )


def a_connector(connector_id: int = 1, **spoiled: Any) -> ConnectorData:
    connector: ConnectorData = {
        "id": 100 + connector_id,
        "connector_id": connector_id,
        "standard": "TYPE_2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 22_000,
        "status": "AVAILABLE",
    }
    return connector | spoiled  # type: ignore[return-value]


def evse_registered(
    uid: str = "A1", location_id: int = 1, party: Party = PARTY, at: datetime = NOON, **spoiled: Any
) -> EvseRegistered:
    fields: dict[str, Any] = {
        "status": "AVAILABLE",
        "meter_type": "AC",
        "kwh": 7.4,
        "connectors": [a_connector(1), a_connector(2, standard="CCS_2", power_type="DC", format="CABLE")],
        "capabilities": ["QR_READER"],
        "payment_types": ["GCASH", "MAYA"],
        "floor_level": "B1",
        "directions": None,
    } | spoiled
    return EvseRegistered(
        originator_id=evse_stream(party, uid),
        originator_version=1,
        timestamp=at,
        location_id=location_id,
        country_code=party.country_code,
        party_id=party.party_id,
        uid=uid,
        **fields,
    )


def evse_status_changed(
    status: str, uid: str = "A1", location_id: int = 1, party: Party = PARTY, version: int = 2
) -> EvseStatusChanged:
    return EvseStatusChanged(
        originator_id=evse_stream(party, uid),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        location_id=location_id,
        evse_uid=uid,
        status=status,
    )


def connector_status_changed(
    status: str, connector_id: int = 1, uid: str = "A1", location_id: int = 1, version: int = 2
) -> ConnectorStatusChanged:
    return ConnectorStatusChanged(
        originator_id=evse_stream(PARTY, uid),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        location_id=location_id,
        evse_uid=uid,
        connector_id=connector_id,
        status=status,
    )


def pending_evse(uid: str = "A1", row: int = 2, **spoiled: Any) -> PendingEvseData:
    evse: PendingEvseData = {
        "row": row,
        "uid": uid,
        "status": "OFFLINE",
        "meter_type": "AC",
        "kwh": 7.4,
        "connectors": [
            {
                "standard": "TYPE_2",
                "format": "SOCKET",
                "power_type": "AC",
                "max_voltage": 230,
                "max_amperage": 32,
                "max_electric_power": 7_400,
                "status": "AVAILABLE",
            }
        ],
        "capabilities": ["QR_READER"],
        "payment_types": ["GCASH"],
        "floor_level": "B1",
        "directions": None,
    }
    return evse | spoiled  # type: ignore[return-value]


def pending_location(name: str = "Harbor Point", *evses: PendingEvseData, **spoiled: Any) -> PendingLocationData:
    location: PendingLocationData = {
        "name": name,
        "address": "Rizal Highway, Olongapo",
        "lat": 14.8225,
        "lng": 120.2828,
        "facilities": ["MALL"],
        "parking_types": ["INDOOR"],
        "evses": list(evses or [pending_evse()]),
    }
    return location | spoiled  # type: ignore[return-value]


def locations_staged(*locations: PendingLocationData, version: int = 1, party: Party = PARTY) -> LocationsStaged:
    return LocationsStaged(
        originator_id=pending_stream(party),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        country_code=party.country_code,
        party_id=party.party_id,
        upload_id="0d9e4f0c-7a54-4b8a-9d3c-0f2f6a1a5f11",
        locations=list(locations or [pending_location()]),
    )


def staged_approved(version: int = 2, party: Party = PARTY) -> StagedLocationsApproved:
    return StagedLocationsApproved(
        originator_id=pending_stream(party),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        country_code=party.country_code,
        party_id=party.party_id,
    )


def staged_rejected(version: int = 2, party: Party = PARTY) -> StagedLocationsRejected:
    return StagedLocationsRejected(
        originator_id=pending_stream(party),
        originator_version=version,
        timestamp=NOON + timedelta(minutes=version),
        country_code=party.country_code,
        party_id=party.party_id,
    )


def recorded(events: Sequence[DomainEvent], first: int = 1) -> tuple[Recorded, ...]:
    """These events as the log would hold them, from that position on."""
    return tuple(_recorded(event, first + index) for index, event in enumerate(events))


def a_range(events: Sequence[DomainEvent], first: int = 1) -> Range:
    return range_of(recorded(events, first))


def _recorded(event: DomainEvent, position: int) -> Recorded:
    stored = CODEC.encode(event)
    return Recorded(
        position=position,
        stream=_uuid(stored.originator_id),
        version=stored.originator_version,
        topic=stored.topic,
        state=stored.state,
        party=str(PARTY),
        at=event.timestamp,
        command_id=uuid5(NAMESPACE, f"command/{position}"),
        correlation_id=f"request-{position}",
        actor="a-test",
    )


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
