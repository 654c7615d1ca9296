"""The contract's names, the SDL and the table of fields say the same."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

import pytest

from projections.documents import evse_document, head_document
from read_side.executor import cooked, sdl
from read_side.fields import DISTANCE, EVSES, FIELDS, LOCATION_OF_EVSE, QUERIES, Field
from read_side.filters import understood
from read_side.plan import OF_EVERYBODY
from tests.support.builders import evse_registered, location_registered

# Contract §5, "Types (exact names)"; what has no type there is a String.
LOCATION: Final = """
    id Int, cpo_owner_id Int, name, address, address_lat Float, address_lng Float, city, province, region,
    postal_code, country_code, images [String], photos [LOCATION_IMAGE], publish Boolean, date_created, date_modified,
    facilities [FACILITY], parking_restrictions [PARKING_RESTRICTION], parking_types [PARKING_TYPE]"""
EVSE: Final = """
    uid, evse_id, serial_number, meter_type, status, cpo_location_id Int, current_ws_connection_id, server_id,
    date_created, floor_level, directions, connectors [CONNECTOR], capabilities [EVSE_CAPABILITY],
    payment_types [PAYMENT_TYPES]"""
DESCRIBED: Final = "id Int, code, description"
CONTRACT: Final = {
    "LOCATIONS": f"{LOCATION}, distance Float, evses [EVSE_WITHOUT_LOCATIONS]",
    "LOCATION_IN_EVSE": LOCATION,
    "LOCATION_IMAGE": "id Int, location_id Int, url, date_created, date_modified",
    "EVSE": f"{EVSE}, locations LOCATION_IN_EVSE",
    "EVSE_WITHOUT_LOCATIONS": EVSE,
    "CONNECTOR": """id Int, evse_uid, connector_id Int, standard, format, power_type, max_voltage Int, max_amperage Int,
        max_electric_power Int, connector_type, rate_setting, status, date_created, date_modified""",
    "FACILITY": DESCRIBED,
    "PARKING_RESTRICTION": DESCRIBED,
    "PARKING_TYPE": DESCRIBED,
    "EVSE_CAPABILITY": DESCRIBED,
    "PAYMENT_TYPES": DESCRIBED,
    # Ours, as is what asks for them.
    "LOCATION_EVENT": """position, at DateTime, event, command_id, correlation_id, actor, evse_uid, connector_id Int,
        changes [LOCATION_CHANGE]""",
    "LOCATION_CHANGE": "field, before JSON, after JSON",
    "Query": "evse [EVSE], evses [EVSE], locations [LOCATIONS], location LOCATIONS, find_ev_locations [LOCATIONS], "
    "find_ev_filter_locations [LOCATIONS], location_history [LOCATION_EVENT]",
}
EVSE_ARGUMENTS: Final = "location_name, order_by, order, limit Int, offset Int, after"
LISTS: Final = "facilities capabilities payment_types parking_types parking_restrictions connector_types power_types"
ARGUMENTS: Final = {
    "evse": EVSE_ARGUMENTS,
    "evses": EVSE_ARGUMENTS,
    "locations": "limit Int, offset Int, after Int",
    "location": "id Int, as_of DateTime",
    "location_history": "id Int, limit Int, offset Int, after",
    "find_ev_locations": "limit Int, offset Int, after Int",
    "find_ev_filter_locations": "lat Float, lng Float, distance Float, city, province, limit Int, offset Int, "
    + ", ".join(f"{name} [String]" for name in LISTS.split()),
}


def named(text: str) -> dict[str, str]:
    words = [entry.split() for entry in text.split(",")]
    return {word[0]: word[1] if len(word) > 1 else "String" for word in words}


@pytest.fixture(scope="module")
async def schema() -> Any:
    return await cooked("test_fields")


def test_the_schema_is_the_contracts(schema: Any) -> None:
    ours = {name: kind for name, kind in schema.type_definitions.items() if hasattr(kind, "implemented_fields")}
    ours = {name: kind for name, kind in ours.items() if not name.startswith("__")}
    assert set(ours) == set(CONTRACT)
    for name, kind in ours.items():
        fields = {key: str(field.gql_type) for key, field in kind.implemented_fields.items() if key[:2] != "__"}
        assert fields == named(CONTRACT[name]), name


def test_every_argument_is_the_contracts(schema: Any) -> None:
    fields = schema.find_type("Query").implemented_fields
    for name in QUERIES:
        arguments = {key: str(argument.gql_type) for key, argument in fields[name].arguments.items()}
        assert arguments == named(ARGUMENTS[name]), name


def test_no_field_of_ours_is_non_null() -> None:
    assert "!" not in sdl()
    assert not re.search(r"\benum\b|\binput\b|\binterface\b", sdl())


def test_the_table_of_fields_is_the_schema() -> None:
    def told(field: Field, contracted: str) -> bool:
        is_list = contracted.startswith("[")
        of = contracted.strip("[]")
        return (field.is_list, field.of) == (is_list, of if of in CONTRACT else None)

    for types in (FIELDS, {"Query": QUERIES}):
        for name, fields in types.items():
            contracted = named(CONTRACT[name])
            assert set(fields) == set(contracted)
            assert all(told(fields[key], contracted[key]) for key in fields), name


def test_every_key_is_in_the_documents_that_the_projections_draw() -> None:
    head = head_document(location_registered())
    evse = evse_document(evse_registered())
    assert {field.key for field in FIELDS["LOCATIONS"].values()} == set(head) | {DISTANCE, EVSES}
    assert {field.key for field in FIELDS["LOCATION_IN_EVSE"].values()} == set(head)
    assert {field.key for field in FIELDS["EVSE"].values()} == set(evse) | {LOCATION_OF_EVSE}
    assert {field.key for field in FIELDS["EVSE_WITHOUT_LOCATIONS"].values()} == set(evse)
    assert {field.key for field in FIELDS["CONNECTOR"].values()} == set(evse["connectors"][0])
    assert {field.key for field in FIELDS["FACILITY"].values()} == set(head["facilities"][0])


def test_only_what_a_gateway_sets_is_the_owners_alone() -> None:
    hidden = {name for fields in FIELDS.values() for name, field in fields.items() if field.is_owners_only}
    assert hidden == {"current_ws_connection_id", "server_id"}


def test_every_query_is_understood_and_has_an_audience() -> None:
    assert set(QUERIES) >= OF_EVERYBODY
    for name in QUERIES:
        assert inspect.isclass(type(understood(name, {}, cap=10)))
