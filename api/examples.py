"""Bodies as a client would send them, for those who read the description or try a call out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api import bodies

if TYPE_CHECKING:
    from api.forms import Body

CONNECTOR: Final = {
    "standard": "TYPE_2",
    "format": "SOCKET",
    "power_type": "AC",
    "max_voltage": 230,
    "max_amperage": 32,
    "max_electric_power": 7400,
}
EVSE: Final = {
    "uid": "ISLA-1",
    "status": "AVAILABLE",
    "meter_type": "AC",
    "kwh": 7.4,
    "connectors": [CONNECTOR],
    "capabilities": ["QR_READER"],
    "payment_types": ["GCASH"],
    "floor_level": "2",
}
LOCATION: Final = {
    "name": "Isla Mall",
    "address": "Rizal Avenue, Olongapo City, Zambales",
    "lat": 14.8386,
    "lng": 120.2842,
    "facilities": ["MALL", "WIFI"],
    "parking_types": ["INDOOR"],
    "parking_restrictions": [],
    "evses": [EVSE],
}

EXAMPLES: Final[dict[type[Body], dict[str, Any]]] = {
    bodies.RegisterBody: {
        "username": "maria",
        "cpo_owner_name": "Isla Charge",
        "contact_name": "Maria Santos",
        "contact_number": "+639171234567",
        "contact_email": "maria@islacharge.example",
        "ocpp_ready": True,
    },
    bodies.LoginBody: {"username": "maria", "password": "the password of the mail"},
    bodies.ChangePasswordBody: {
        "old_password": "the password of the mail",
        "new_password": "one of my own",
        "confirm_password": "one of my own",
    },
    bodies.LogoBody: {"logo": "isla.png"},
    bodies.PushLocationsBody: {"locations": [LOCATION]},
    bodies.PushEvseBody: EVSE | {"uid": "ISLA-2", "location_id": 1},
    bodies.ChangeStatusBody: {"status": "CHARGING", "connectors": [{"connector_id": 1, "status": "CHARGING"}]},
    bodies.ChangeLocationBody: {"facilities": ["MALL", "WIFI", "RESTROOM"], "publish": True},
}
