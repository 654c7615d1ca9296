"""The facets of a public location, from its documents (see `ocpi.facets`). Pure."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, product
from typing import TYPE_CHECKING, Final

from ocpi.codes import OCPI_AC_POWER_TYPES
from ocpi.facets import EVSE_LISTS, FACETS, PAIRS, place_facets
from ocpi.identifiers import folded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from projections.documents import Document

LISTS_OF_LOCATION: Final = ("facilities", "parking_types", "parking_restrictions")
ONE_CONNECTOR: Final = ("connector_types", "power_types")
EQUIPMENTS: Final = 4096
"""How many kinds of EVSEs are remembered: a country has few."""


def facets_of(head: Document, shown: Iterable[Document]) -> list[int]:
    """Sorted. shown: the EVSEs that are not REMOVED."""
    found = {FACETS[kind, entry["code"]] for kind in LISTS_OF_LOCATION for entry in head[kind]}
    found.update(place_facets("city", folded(head["city"])))
    found.update(place_facets("province", folded(head["province"])))
    for evse in shown:
        found |= _evse_facets(
            tuple(entry["code"] for entry in evse["capabilities"]),
            tuple(entry["code"] for entry in evse["payment_types"]),
            tuple((connector["standard"], connector["power_type"]) for connector in evse["connectors"]),
        )
    return sorted(found)


@lru_cache(EQUIPMENTS)
def _evse_facets(
    capabilities: tuple[str, ...], payment_types: tuple[str, ...], connectors: tuple[tuple[str, str], ...]
) -> frozenset[int]:
    plugs = {(standard, power) for standard, sent in connectors for power in powers_of(sent)}
    codes = {
        "capabilities": set(capabilities),
        "payment_types": set(payment_types),
        "connector_types": {standard for standard, _ in plugs},
        "power_types": {power for _, power in plugs},
    }
    found = {FACETS[kind, code] for kind in EVSE_LISTS for code in codes[kind]}
    for kinds in combinations(EVSE_LISTS, 2):
        pairs = plugs if kinds == ONE_CONNECTOR else product(codes[kinds[0]], codes[kinds[1]])
        found.update(PAIRS[kinds, one, other] for one, other in pairs)
    return frozenset(found)


def powers_of(sent: str) -> tuple[str, ...]:
    """The power types that a connector answers to: `AC` for every AC_… of OCPI, too."""
    return (sent, "AC") if sent in OCPI_AC_POWER_TYPES else (sent,)
