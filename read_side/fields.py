"""Each type and field of the schema with the key of the stored document that answers it. A test holds it to the SDL.

Fields stand in the order in which documents are stored, so that what is selected whole need not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a type. key: in the stored document; of: its object type, None for scalars and lists of them.

    is_owners_only: answers null to everybody but the owning CPO (contract §3).
    """

    key: str
    of: str | None = None
    is_list: bool = False
    is_owners_only: bool = False


def _scalars(*names: str) -> dict[str, Field]:
    return {name: Field(name) for name in names}


def _lists(**types: str) -> dict[str, Field]:
    return {name: Field(name, of, is_list=True) for name, of in types.items()}


_DESCRIBED: Final = _scalars("id", "code", "description")

_LOCATION: Final = {
    **_scalars("id", "cpo_owner_id", "name", "address", "address_lat", "address_lng", "city", "province", "region"),
    **_scalars("postal_code", "country_code"),
    "images": Field("images", is_list=True),
    **_lists(photos="LOCATION_IMAGE"),
    **_scalars("publish", "date_created", "date_modified"),
    **_lists(facilities="FACILITY", parking_restrictions="PARKING_RESTRICTION", parking_types="PARKING_TYPE"),
}

_EVSE: Final = {
    **_scalars("uid", "evse_id", "serial_number", "meter_type", "status", "cpo_location_id"),
    "current_ws_connection_id": Field("current_ws_connection_id", is_owners_only=True),
    "server_id": Field("server_id", is_owners_only=True),
    **_scalars("date_created", "floor_level", "directions"),
    **_lists(connectors="CONNECTOR", capabilities="EVSE_CAPABILITY", payment_types="PAYMENT_TYPES"),
}

FIELDS: Final[dict[str, dict[str, Field]]] = {
    "LOCATIONS": {
        **_LOCATION,
        "distance": Field("distance"),
        "evses": Field("evses", "EVSE_WITHOUT_LOCATIONS", is_list=True),
    },
    "LOCATION_IN_EVSE": _LOCATION,
    "LOCATION_EVENT": {
        **_scalars("position", "at", "event", "command_id", "correlation_id", "actor", "evse_uid", "connector_id"),
        **_lists(changes="LOCATION_CHANGE"),
    },
    "LOCATION_CHANGE": _scalars("field", "before", "after"),
    "LOCATION_IMAGE": _scalars("id", "location_id", "url", "date_created", "date_modified"),
    "EVSE": {**_EVSE, "locations": Field("locations", "LOCATION_IN_EVSE")},
    "EVSE_WITHOUT_LOCATIONS": _EVSE,
    "CONNECTOR": {
        **_scalars("id", "evse_uid", "connector_id", "standard", "format", "power_type", "max_voltage"),
        **_scalars("max_amperage", "max_electric_power", "connector_type", "rate_setting", "status"),
        **_scalars("date_created", "date_modified"),
    },
    "FACILITY": _DESCRIBED,
    "PARKING_RESTRICTION": _DESCRIBED,
    "PARKING_TYPE": _DESCRIBED,
    "EVSE_CAPABILITY": _DESCRIBED,
    "PAYMENT_TYPES": _DESCRIBED,
}

QUERIES: Final[dict[str, Field]] = {
    "evse": Field("evse", "EVSE", is_list=True),
    "evses": Field("evses", "EVSE", is_list=True),
    "locations": Field("locations", "LOCATIONS", is_list=True),
    "location": Field("location", "LOCATIONS"),
    "location_history": Field("location_history", "LOCATION_EVENT", is_list=True),
    "find_ev_locations": Field("find_ev_locations", "LOCATIONS", is_list=True),
    "find_ev_filter_locations": Field("find_ev_filter_locations", "LOCATIONS", is_list=True),
}
"""The root fields."""

DISTANCE: Final = "distance"
EVSES: Final = "evses"
LOCATION_OF_EVSE: Final = "locations"
