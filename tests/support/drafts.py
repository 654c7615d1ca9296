"""What comes in, for tests: valid by default, one word to spoil."""

from __future__ import annotations

from typing import Any, Final

from write_side.domain.cpo import CpoDraft
from write_side.domain.drafts import ConnectorDraft, EvseDraft, LocationDraft
from write_side.domain.place import Place, Placed

OLONGAPO: Final = Place("Olongapo", "Zambales", "CEN", "2200", 14.8386, 120.2842)
MAKATI: Final = Place("Makati", "Metro Manila", "NCR", None, 14.5567, 121.0214)
BY_ADDRESS: Final = Placed(OLONGAPO, None)
BY_COORDINATES: Final = Placed(None, MAKATI)
NOWHERE: Final = Placed(None, None)


def a_connector_draft(**spoiled: Any) -> ConnectorDraft:
    fields: dict[str, Any] = {
        "standard": "TYPE_2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 22_000,
        "status": "AVAILABLE",
    }
    return ConnectorDraft(**fields | spoiled)


def an_evse_draft(uid: str = "A1", **spoiled: Any) -> EvseDraft:
    fields: dict[str, Any] = {
        "status": "AVAILABLE",
        "meter_type": "AC",
        "kwh": 7.4,
        "connectors": (a_connector_draft(),),
        "capabilities": ("QR_READER",),
        "payment_types": ("GCASH", "MAYA"),
        "floor_level": "B1",
        "directions": None,
    }
    return EvseDraft(uid=uid, **fields | spoiled)


def a_location_draft(name: str = "Harbor Point", **spoiled: Any) -> LocationDraft:
    fields: dict[str, Any] = {
        "address": "Rizal Highway, Olongapo",
        "lat": 14.8225,
        "lng": 120.2828,
        "facilities": ("MALL", "WIFI"),
        "parking_types": ("INDOOR",),
        "parking_restrictions": ("EV_ONLY",),
        "publish": None,
        "evses": (an_evse_draft(),),
    }
    return LocationDraft(name=name, **fields | spoiled)


def a_cpo_draft(username: str = "maria", cpo_owner_name: str = "Isla Charge", **spoiled: Any) -> CpoDraft:
    fields: dict[str, Any] = {
        "contact": {"name": "María Santos", "number": "+639171234567", "email": "maria@isla.example"},
        "ocpp_ready": True,
        "logo": None,
    }
    return CpoDraft(username=username, cpo_owner_name=cpo_owner_name, **fields | spoiled)
