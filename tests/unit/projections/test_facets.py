"""What a location can be found by: its own codes, its EVSEs' codes, and those that one EVSE has together."""

from __future__ import annotations

from typing import Any

from ocpi.facets import FACETS, PAIRS, place_facets
from projections.documents import evse_document, head_document
from projections.facets import facets_of
from tests.support.builders import a_connector, evse_registered, location_registered

HEAD = head_document(location_registered())
OWN = {
    FACETS["facilities", "MALL"],
    FACETS["facilities", "WIFI"],
    FACETS["parking_types", "INDOOR"],
    FACETS["parking_restrictions", "EV_ONLY"],
    *place_facets("city", "olongapo"),
    *place_facets("province", "zambales"),
}


def of_evses(*evses: dict[str, Any]) -> set[int]:
    documents = [evse_document(evse_registered(f"A{number}", **evse)) for number, evse in enumerate(evses)]
    return set(facets_of(HEAD, documents)) - OWN


def plain(**spoiled: Any) -> dict[str, Any]:
    return {"capabilities": [], "payment_types": [], "connectors": [a_connector(power_type="DC")]} | spoiled


def test_a_location_without_evses_has_its_own_alone() -> None:
    assert set(facets_of(HEAD, [])) == OWN


def test_an_ac_connector_is_found_as_ac_and_as_what_it_is() -> None:
    kinds = ("connector_types", "power_types")
    assert of_evses(plain(connectors=[a_connector()])) == {
        FACETS["connector_types", "TYPE_2"],
        FACETS["power_types", "AC"],
        FACETS["power_types", "AC_3_PHASE"],
        PAIRS[kinds, "TYPE_2", "AC"],
        PAIRS[kinds, "TYPE_2", "AC_3_PHASE"],
    }


def test_what_two_connectors_have_is_no_pair() -> None:
    kinds = ("connector_types", "power_types")
    found = of_evses(plain(connectors=[a_connector(1), a_connector(2, standard="CCS_2", power_type="DC")]))
    assert PAIRS[kinds, "CCS_2", "DC"] in found
    assert PAIRS[kinds, "CCS_2", "AC"] not in found
    assert PAIRS[kinds, "TYPE_2", "DC"] not in found


def test_what_two_evses_have_is_no_pair() -> None:
    kinds = ("capabilities", "payment_types")
    apart = of_evses(plain(capabilities=["QR_READER"]), plain(payment_types=["MAYA"]))
    assert {FACETS["capabilities", "QR_READER"], FACETS["payment_types", "MAYA"]} < apart
    assert PAIRS[kinds, "QR_READER", "MAYA"] not in apart
    together = of_evses(plain(capabilities=["QR_READER"], payment_types=["MAYA"]))
    assert PAIRS[kinds, "QR_READER", "MAYA"] in together
