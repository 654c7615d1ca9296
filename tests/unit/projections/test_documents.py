"""Documents: the contract's names and forms."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from projections.documents import change_head, evse_document, head_document, iso, rate_setting
from tests.support.builders import NOON, a_connector, a_place, evse_registered, location_registered

AT = "2026-11-23T12:00:00.250000Z"


def test_a_head_is_what_location_in_evse_shows() -> None:
    assert head_document(location_registered()) == {
        "id": 1,
        "cpo_owner_id": 7,
        "name": "Harbor Point",
        "address": "Rizal Highway, Olongapo",
        "address_lat": 14.8225,
        "address_lng": 120.2828,
        "city": "Olongapo",
        "province": "Zambales",
        "region": "CEN",
        "postal_code": "2200",
        "country_code": "PH",
        "images": [],
        "photos": [],
        "publish": True,
        "date_created": AT,
        "date_modified": AT,
        "facilities": [
            {"id": 9, "code": "MALL", "description": "Mall"},
            {"id": 16, "code": "WIFI", "description": "Wi-Fi"},
        ],
        "parking_restrictions": [{"id": 1, "code": "EV_ONLY", "description": "EV only"}],
        "parking_types": [{"id": 1, "code": "INDOOR", "description": "Indoor"}],
    }


def test_the_keys_of_a_head_stand_in_the_order_of_the_contract() -> None:
    expected = (
        "id cpo_owner_id name address address_lat address_lng city province region postal_code country_code "
        "images photos publish date_created date_modified facilities parking_restrictions parking_types"
    )
    assert list(head_document(location_registered())) == expected.split()


def test_an_evse_is_what_evse_without_locations_shows() -> None:
    document = evse_document(evse_registered(uid="a-1", kwh=7.0))
    connector = document["connectors"][0]
    assert document | {"connectors": None} == {
        "uid": "a-1",
        "evse_id": "PH*ABC*Ea-1",
        "serial_number": "a-1",
        "meter_type": "AC",
        "status": "AVAILABLE",
        "cpo_location_id": 1,
        "current_ws_connection_id": None,
        "server_id": None,
        "date_created": AT,
        "floor_level": "B1",
        "directions": None,
        "connectors": None,
        "capabilities": [{"id": 2, "code": "QR_READER", "description": "QR reader"}],
        "payment_types": [
            {"id": 1, "code": "GCASH", "description": "GCash"},
            {"id": 2, "code": "MAYA", "description": "Maya"},
        ],
    }
    assert connector == {
        "id": 101,
        "evse_uid": "a-1",
        "connector_id": 1,
        "standard": "TYPE_2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 22_000,
        "connector_type": "TYPE_2",
        "rate_setting": "7 KW-H",
        "status": "AVAILABLE",
        "date_created": AT,
        "date_modified": AT,
    }


@pytest.mark.parametrize(
    ("kwh", "text"),
    [
        (7, "7 KW-H"),
        (7.0, "7 KW-H"),
        (7.4, "7.4 KW-H"),
        (100_000.0, "100000 KW-H"),
        (0.1, "0.1 KW-H"),
        (1e-7, "0.0000001 KW-H"),
        (22.050000000000001, "22.05 KW-H"),
    ],
)
def test_a_rate_is_the_shortest_decimal_without_an_exponent(kwh: float, text: str) -> None:
    assert rate_setting(kwh) == text


def test_a_date_is_utc_with_six_digits_whatever_zone_it_came_in() -> None:
    manila = timezone(timedelta(hours=8))
    assert iso(datetime(2026, 11, 23, 8, 0, 0, 0, manila)) == "2026-11-23T00:00:00.000000Z"


def test_a_change_replaces_what_it_names_and_nothing_else() -> None:
    head = head_document(location_registered())
    before = dict(head)
    change_head(head, {"lng": 121.0, "facilities": [], "place": a_place(city="Subic", postal_code=None)})
    assert head == before | {"address_lng": 121.0, "facilities": [], "city": "Subic", "postal_code": None}


def test_a_code_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError, match="SAUNA"):
        evse_document(evse_registered(capabilities=["SAUNA"], connectors=[a_connector()]))


def test_the_documents_of_two_locations_share_no_list() -> None:
    one, other = head_document(location_registered(1)), head_document(location_registered(2))
    one["images"].append("/images/x.png")
    assert other["images"] == []
    assert one["date_created"] == iso(NOON)
