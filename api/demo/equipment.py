"""Makes EVSEs whose connectors could exist: power, voltage and current that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, NotRequired, TypedDict

from ocpi.codes import CAPABILITIES, PAYMENT_TYPES

STATUSES: Final = {"AVAILABLE": 77, "CHARGING": 13, "OUTOFORDER": 4, "OFFLINE": 4, "RESERVED": 1, "INOPERATIVE": 1}
"""How often an EVSE starts with which status."""
FLOORS_INSIDE: Final = ("B2", "B1", "GF", "2F", "3F")
DIRECTIONS: Final = (
    "Beside the entrance, under the green canopy",
    "Follow the EV signs from the main gate",
    "Next to the guard house",
    "At the end of the row, near the lifts",
    "Behind the building, past the loading bay",
)


class ConnectorBody(TypedDict):
    """CONNECTOR as W1 takes it (contract §3). In volts, amperes and watts."""

    standard: str
    status: NotRequired[str]
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_electric_power: int


class EvseBody(TypedDict):
    """EVSE as W1 takes it (contract §3). kwh: its power in kW, the contract's name for it."""

    uid: str
    status: str
    meter_type: str
    kwh: float
    connectors: list[ConnectorBody]
    capabilities: list[str]
    payment_types: list[str]
    floor_level: NotRequired[str]
    directions: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Rating:
    """What a charger can give. phases: 0 for DC. voltage_v: line to neutral for AC, as OCPI 2.2.1 counts it."""

    power_kw: float
    voltage_v: int
    current_a: int
    phases: int
    weight: int


AC_RATINGS: Final = (
    Rating(7.4, 230, 32, phases=1, weight=5),
    Rating(11, 230, 16, phases=3, weight=2),
    Rating(22, 230, 32, phases=3, weight=4),
)
DC_RATINGS: Final = (
    Rating(30, 500, 60, phases=0, weight=3),
    Rating(50, 500, 125, phases=0, weight=3),
    Rating(60, 750, 150, phases=0, weight=5),
    Rating(90, 750, 200, phases=0, weight=1),
    Rating(120, 1000, 250, phases=0, weight=3),
    Rating(180, 1000, 300, phases=0, weight=2),
)
SECOND_DC_STANDARDS: Final = {"CCS_2": 6, "CHADEMO": 5, "GBT": 3, "CCS_1": 1}
HIGHEST: Final = {
    "CHADEMO": (50, 500, 125),
    "CCS_1": (150, 500, 300),
    "GBT": (180, 750, 250),
    "CCS_2": (350, 1000, 500),
}
"""The most that a DC connector takes here: kW, V, A."""


def make_evse(chance: Random, uid: str, *, is_dc: bool, is_indoor: bool, speaks_ocpi: bool) -> EvseBody:
    """An EVSE with one or two connectors. speaks_ocpi: AC with its phases, else the plain AC."""
    ratings = DC_RATINGS if is_dc else AC_RATINGS
    rating = chance.choices(ratings, [each.weight for each in ratings])[0]
    status = chance.choices(list(STATUSES), list(STATUSES.values()))[0]
    standards = _dc_standards(chance) if is_dc else ["TYPE_2"] * chance.choice((1, 1, 1, 2))
    cable = chance.random() < 0.3
    evse: EvseBody = {
        "uid": uid,
        "status": status,
        "meter_type": "DC" if is_dc else "AC",
        "kwh": rating.power_kw,
        "connectors": [
            _dc_connector(rating, standard) if is_dc else _ac_connector(rating, cable=cable, speaks_ocpi=speaks_ocpi)
            for standard in standards
        ],
        "capabilities": _some(chance, [each.code for each in CAPABILITIES.codes], at_least=1),
        "payment_types": _some(chance, [each.code for each in PAYMENT_TYPES.codes], at_least=0),
    }
    tell_connectors(evse, status)
    if is_indoor:
        evse["floor_level"] = chance.choice(FLOORS_INSIDE)
    if chance.random() < 0.4:
        evse["directions"] = chance.choice(DIRECTIONS)
    return evse


def tell_connectors(evse: EvseBody, status: str) -> None:
    """Set the status of an EVSE and what follows for its connectors: one charges, so the other is blocked."""
    evse["status"] = status
    if status == "AVAILABLE":
        return
    for index, connector in enumerate(evse["connectors"]):
        connector["status"] = "BLOCKED" if status == "CHARGING" and index > 0 else status


def _dc_standards(chance: Random) -> list[str]:
    first = "CCS_2" if chance.random() < 0.93 else "GBT"
    if chance.random() < 0.45:
        return [first]
    return [first, chance.choices(list(SECOND_DC_STANDARDS), list(SECOND_DC_STANDARDS.values()))[0]]


def _ac_connector(rating: Rating, *, cable: bool, speaks_ocpi: bool) -> ConnectorBody:
    return {
        "standard": "TYPE_2",
        "format": "CABLE" if cable else "SOCKET",
        "power_type": f"AC_{rating.phases}_PHASE" if speaks_ocpi else "AC",
        "max_voltage": rating.voltage_v,
        "max_amperage": rating.current_a,
        "max_electric_power": round(rating.power_kw * 1000),
    }


def _dc_connector(rating: Rating, standard: str) -> ConnectorBody:
    power_kw, voltage_v, current_a = HIGHEST[standard]
    return {
        "standard": standard,
        "format": "CABLE",
        "power_type": "DC",
        "max_voltage": min(rating.voltage_v, voltage_v),
        "max_amperage": min(rating.current_a, current_a),
        "max_electric_power": round(min(rating.power_kw, power_kw) * 1000),
    }


def _some(chance: Random, codes: list[str], *, at_least: int) -> list[str]:
    taken = set(chance.sample(codes, chance.randint(at_least, len(codes))))
    return [code for code in codes if code in taken]
