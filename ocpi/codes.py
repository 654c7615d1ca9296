"""Reference data of the contract, §6: every code with the id that it keeps for ever. Adding a value = this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """One value of a reference list. id: from 1, never reused or changed."""

    id: int
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """One reference list, in the order of its ids."""

    name: str
    codes: tuple[Code, ...]

    def __contains__(self, code: object) -> bool:
        return any(known.code == code for known in self.codes)

    def __getitem__(self, code: str) -> Code:
        """The entry of that code; KeyError where it isn't in the list."""
        for known in self.codes:
            if known.code == code:
                return known
        raise KeyError(code)

    def code_of(self, number: int) -> str | None:
        """The code that has this id, or None."""
        return next((known.code for known in self.codes if known.id == number), None)


CONNECTOR_TYPES: Final = CodeList(
    "connector_types",
    (
        Code(1, "TYPE_1", "Type 1"),
        Code(2, "TYPE_2", "Type 2"),
        Code(3, "CHADEMO", "CHADEMO"),
        Code(4, "GBT", "GBT"),
        Code(5, "CCS_1", "CCS 1"),
        Code(6, "CCS_2", "CCS 2"),
    ),
)
FACILITIES: Final = CodeList(
    "facilities",
    (
        Code(1, "BANKS/ATM", "Banks/ATM"),
        Code(2, "CAFE", "Cafe"),
        Code(3, "CINEMA", "Cinema"),
        Code(4, "DRUGSTORE", "Drugstore"),
        Code(5, "GAS_STATION", "Gas station"),
        Code(6, "GROCERIES", "Groceries"),
        Code(7, "HARDWARE_SHOPS", "Hardware shops"),
        Code(8, "HOTEL", "Hotel"),
        Code(9, "MALL", "Mall"),
        Code(10, "PARKING_LOT", "Parking lot"),
        Code(11, "POOL", "Pool"),
        Code(12, "RESTAURANTS", "Restaurants"),
        Code(13, "RESTROOM", "Restroom"),
        Code(14, "SHOPS", "Shops"),
        Code(15, "WATER_SPORTS", "Water sports"),
        Code(16, "WIFI", "Wi-Fi"),
    ),
)
CAPABILITIES: Final = CodeList(
    "capabilities",
    (
        Code(1, "CREDIT_DEBIT_PAYABLE", "Credit or debit card"),
        Code(2, "QR_READER", "QR reader"),
        Code(3, "PRIVILEGE_AND_LOYALTY", "Privilege and loyalty"),
    ),
)
PAYMENT_TYPES: Final = CodeList("payment_types", (Code(1, "GCASH", "GCash"), Code(2, "MAYA", "Maya")))
PARKING_TYPES: Final = CodeList("parking_types", (Code(1, "INDOOR", "Indoor"), Code(2, "OUTDOOR", "Outdoor")))
PARKING_RESTRICTIONS: Final = CodeList(
    "parking_restrictions",
    (
        Code(1, "EV_ONLY", "EV only"),
        Code(2, "PLUGGED", "Plugged"),
        Code(3, "DISABLED", "Disabled"),
        Code(4, "CUSTOMERS", "Customers"),
        Code(5, "MOTORCYCLES", "Motorcycles"),
    ),
)
POWER_TYPES: Final = CodeList("power_types", (Code(1, "AC", "AC"), Code(2, "DC", "DC")))

OCPI_AC_POWER_TYPES: Final = ("AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE")
"""OCPI's finer words (OCPI 2.2.1 §6.5), taken wherever a power type is; the contract's `AC` covers them all."""

ACCEPTED_POWER_TYPES: Final = ("AC", "DC", *OCPI_AC_POWER_TYPES)
METER_TYPES: Final = ("AC", "DC")
CONNECTOR_FORMATS: Final = ("SOCKET", "CABLE")

REMOVED: Final = "REMOVED"
EVSE_STATUSES: Final = (
    "AVAILABLE",
    "BLOCKED",
    "CHARGING",
    "INOPERATIVE",
    "OUTOFORDER",
    "PLANNED",
    REMOVED,
    "RESERVED",
    "UNKNOWN",
    "OFFLINE",
)
"""OCPI's Status and the contract's `OFFLINE` (contract §3)."""

REFERENCE_LISTS: Final = (
    CONNECTOR_TYPES,
    FACILITIES,
    CAPABILITIES,
    PAYMENT_TYPES,
    PARKING_TYPES,
    PARKING_RESTRICTIONS,
    POWER_TYPES,
)
