from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from api import bodies
from api.forms import MAX_FAULTS
from ocpi.identifiers import Party
from tests.support.client import a_connector, a_location, an_evse
from write_side.commands.wishes import ChangeEvseStatus, ChangeLocation, PushEvse, PushLocations
from write_side.domain.drafts import ConnectorDraft, ConnectorStatusDraft, EvseDraft, LocationDraft, LocationPatch
from write_side.domain.errors import Fault, Faults

PARTY = Party("PH", "ABC")


def pushed(*locations: object) -> PushLocations:
    return bodies.push_locations(json.dumps({"locations": locations}).encode(), PARTY, 7)


def faults_of(*locations: object) -> list[tuple[str, str]]:
    with pytest.raises(Faults) as refused:
        pushed(*locations)
    return [(fault.field, fault.code) for fault in refused.value.faults]


def evse_of(**changed: Any) -> EvseDraft:
    return pushed(a_location("One", an_evse("1", **changed))).drafts[0].evses[0]


def location_of(**changed: Any) -> LocationDraft:
    return pushed(a_location("One", an_evse("1"), **changed)).drafts[0]


def test_a_push_is_understood_whole() -> None:
    connector = ConnectorDraft(
        standard="TYPE_2",
        format="SOCKET",
        power_type="AC",
        max_voltage=230,
        max_amperage=32,
        max_electric_power=7400,
        status="AVAILABLE",
    )
    evse = EvseDraft(
        uid="1",
        status="AVAILABLE",
        meter_type="AC",
        kwh=7.4,
        connectors=(connector,),
        capabilities=("QR_READER",),
        payment_types=("GCASH",),
        floor_level=None,
        directions=None,
    )
    location = LocationDraft(
        name="One",
        address="Ayala Avenue, Makati, Metro Manila",
        lat=14.5547,
        lng=121.0244,
        facilities=("MALL",),
        parking_types=("INDOOR",),
        parking_restrictions=(),
        publish=None,
        evses=(evse,),
    )
    assert pushed(a_location("One", an_evse("1"))) == PushLocations(PARTY, 7, (location,))


def test_text_is_trimmed_and_null_is_left_out() -> None:
    evse = evse_of(uid=" A 1 ", floor_level="  B2 ", directions=None)
    assert (evse.uid, evse.floor_level, evse.directions) == ("A 1", "B2", None)
    assert location_of(name=" Café  Uno ").name == "Café  Uno"


def test_codes_are_kept_once_in_their_order() -> None:
    assert location_of(facilities=["WIFI", "MALL", "WIFI"]).facilities == ("WIFI", "MALL")
    assert location_of(facilities=[]).facilities == ()


@pytest.mark.parametrize(
    ("sent", "understood"), [(14, 14.0), ("14.5", 14.5), (" -14.5 ", -14.5), ("1e1", 10.0), (90, 90.0), (-0.0, 0.0)]
)
def test_coordinates_are_numbers_or_numeric_strings(sent: object, understood: float) -> None:
    assert location_of(lat=sent, lng="121").lat == understood


@pytest.mark.parametrize(
    "sent", [True, "", "north", "0x10", "1_0", "٣", "nan", "inf", "1e999", [1], {}, 90.0001, "-91", 10**30]
)
def test_what_is_no_latitude_is_refused(sent: object) -> None:
    assert faults_of(a_location("One", an_evse("1"), lat=sent)) == [("locations[0].lat", "VALIDATION_ERROR")]


@pytest.mark.parametrize("alone", ["lat", "lng"])
def test_a_coordinate_alone_is_told_beside_other_faults(alone: str) -> None:
    other = {"lat": "lng", "lng": "lat"}[alone]
    found = faults_of(a_location("", an_evse("1"), **{other: None}))
    assert found == [("locations[0].lng", "VALIDATION_ERROR"), ("locations[0].name", "VALIDATION_ERROR")]


@pytest.mark.parametrize("sent", [0, -1, 2**31, 10**40, 0.0, 1e300, 3.5, True, "3", None, [3]])
def test_what_is_no_whole_number_in_range_is_refused(sent: object) -> None:
    wrong = an_evse("1", connectors=[a_connector(max_voltage=sent)])
    assert faults_of(a_location("One", wrong)) == [
        ("locations[0].evses[0].connectors[0].max_voltage", "VALIDATION_ERROR")
    ]


def test_a_whole_number_may_be_written_with_a_point() -> None:
    (connector,) = evse_of(connectors=[a_connector(max_voltage=230.0)]).connectors
    assert (connector.max_voltage, type(connector.max_voltage)) == (230, int)


def test_the_limits_themselves_are_in() -> None:
    evse = evse_of(kwh=100_000, connectors=[a_connector(max_voltage=1, max_amperage=2**31 - 1)], directions="x" * 1_000)
    assert (evse.kwh, evse.connectors[0].max_voltage, evse.connectors[0].max_amperage) == (100_000, 1, 2**31 - 1)
    location = location_of(name="x" * 255, address="x" * 500)
    assert (len(location.name), len(location.address)) == (255, 500)
    assert evse_of(uid="~" * 36).uid == "~" * 36


@pytest.mark.parametrize("sent", ["", " ", "x" * 256, "a\0", "a\tb", "a\x7fb", "a\x85b", 7, None, ["a"]])
def test_what_is_no_short_text_is_refused(sent: object) -> None:
    assert faults_of(a_location("One", an_evse("1")) | {"name": sent}) == [("locations[0].name", "VALIDATION_ERROR")]


def test_every_power_type_of_ocpi_is_taken() -> None:
    taken = ("AC", "DC", "AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE")
    evse = evse_of(connectors=[a_connector(power_type=power_type) for power_type in taken])
    assert tuple(connector.power_type for connector in evse.connectors) == taken


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Faults) as refused:
        pushed(a_location("One", an_evse("1", meter_type="XY")))
    field = "locations[0].evses[0].meter_type"
    assert refused.value.faults == (Fault(field, "expected one of AC, DC"),)


def test_unknown_codes_alone_travel_with_the_command() -> None:
    command = pushed(a_location("One", an_evse("1", payment_types=["GOLD"]), facilities=["MALL", "MOON"]))
    assert [(fault.field, fault.code) for fault in command.faults] == [
        ("locations[0].evses[0].payment_types[0]", "INVALID_PAYMENT_TYPES"),
        ("locations[0].facilities[1]", "INVALID_FACILITIES"),
    ]
    assert command.drafts[0].evses[0].uid == "1"


def test_unknown_codes_are_told_with_faults_of_form() -> None:
    assert faults_of(a_location("One", an_evse("1", kwh=-1), facilities=["MOON"])) == [
        ("locations[0].evses[0].kwh", "VALIDATION_ERROR"),
        ("locations[0].facilities[0]", "INVALID_FACILITIES"),
    ]


def test_faults_are_told_in_words_of_json() -> None:
    wrong = a_location("One", evses=[1], facilities="MALL", publish=1) | {"name": None, "parking_types": {}}
    del wrong["parking_restrictions"]
    with pytest.raises(Faults) as refused:
        pushed(wrong)
    assert [(fault.field.removeprefix("locations[0]."), fault.message) for fault in refused.value.faults] == [
        ("name", "expected text"),
        ("evses[0]", "expected an object"),
        ("facilities", "expected a list"),
        ("parking_types", "expected a list"),
        ("parking_restrictions", "required"),
        ("publish", "expected true or false"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"evses": [{}] * 10_000},
        {"evses": [{"connectors": [{}] * 10_000}]},
        a_location("One", an_evse("1", capabilities=["X"] * 90)),
    ],
    ids=["locations", "evses", "connectors", "codes"],
)
def test_of_very_many_faults_the_first_are_told(wrong: dict[str, Any]) -> None:
    assert len(faults_of(*[wrong] * 1_000)) == MAX_FAULTS


def test_lists_longer_than_anything_sensible_are_one_fault() -> None:
    assert faults_of(*[{}] * 50_001) == [("locations", "VALIDATION_ERROR")]
    assert faults_of(a_location("One", an_evse("1", capabilities=["X"] * 101))) == [
        ("locations[0].evses[0].capabilities", "VALIDATION_ERROR")
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"a": 1e400}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": 1,}',
        b"[" * 100_000,
        b'\xef\xbb\xbf{"a": 1}',
    ],
)
def test_what_is_no_json_object_is_one_fault_of_the_body(body: bytes) -> None:
    with pytest.raises(Faults) as refused:
        bodies.login(body)
    (fault,) = refused.value.faults
    assert (fault.field, fault.code) == ("", "VALIDATION_ERROR")


def test_an_evse_names_its_location() -> None:
    command = bodies.push_evse(orjson.dumps(an_evse("2") | {"location_id": 176, "unknown": [1]}), PARTY)
    assert isinstance(command, PushEvse)
    assert (command.location_id, command.draft.uid) == (176, "2")


@pytest.mark.parametrize("location_id", ["176", 0, True, 2**31, None])
def test_what_is_no_location_id_is_refused(location_id: object) -> None:
    with pytest.raises(Faults) as refused:
        bodies.push_evse(orjson.dumps(an_evse("2") | {"location_id": location_id}), PARTY)
    assert [fault.field for fault in refused.value.faults] == ["location_id"]


def test_a_status_change_names_an_evse_its_connectors_or_both() -> None:
    body = {"connectors": [{"connector_id": 2, "status": "CHARGING"}]}
    assert bodies.change_status(orjson.dumps(body), PARTY, "1") == ChangeEvseStatus(
        PARTY, "1", None, (ConnectorStatusDraft(2, "CHARGING"),)
    )
    assert bodies.change_status(b'{"status": "OFFLINE"}', PARTY, "1") == ChangeEvseStatus(PARTY, "1", "OFFLINE")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"status": None}, ""),
        ({"status": "ASLEEP"}, "status"),
        ({"connectors": []}, "connectors"),
        ({"connectors": [{"connector_id": 1}]}, "connectors[0].status"),
        ({"connectors": [{"status": "CHARGING"}]}, "connectors[0].connector_id"),
        ({"connectors": [{"connector_id": 1, "status": None}]}, "connectors[0].status"),
    ],
)
def test_a_status_change_that_changes_nothing_sensible_is_refused(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Faults) as refused:
        bodies.change_status(orjson.dumps(body), PARTY, "1")
    assert [fault.field for fault in refused.value.faults] == [field]


def test_a_location_change_holds_what_was_named() -> None:
    body = {"name": " Uno ", "lat": "1", "lng": 2, "facilities": [], "publish": False, "evses": 7}
    patch = LocationPatch(
        name="Uno",
        address=None,
        lat=1.0,
        lng=2.0,
        facilities=(),
        parking_types=None,
        parking_restrictions=None,
        publish=False,
    )
    assert bodies.change_location(orjson.dumps(body), PARTY, 5) == ChangeLocation(PARTY, 5, patch)


@pytest.mark.parametrize("body", [{}, {"name": None}, {"evses": [an_evse("1")]}])
def test_a_location_change_of_nothing_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Faults) as refused:
        bodies.change_location(orjson.dumps(body), PARTY, 5)
    assert [fault.field for fault in refused.value.faults] == [""]


A_CPO: dict[str, Any] = {
    "username": " maria ",
    "cpo_owner_name": "Isla Charge",
    "contact_name": "María Santos",
    "contact_number": "09171234567",
    "contact_email": "maria@isla.test",
    "ocpp_ready": False,
}


def test_a_registration_is_understood_whole() -> None:
    draft = bodies.register_cpo(orjson.dumps(A_CPO | {"logo": None})).draft
    assert (draft.username, draft.cpo_owner_name, draft.ocpp_ready, draft.logo) == ("maria", "Isla Charge", False, None)
    assert draft.contact == {"name": "María Santos", "number": "09171234567", "email": "maria@isla.test"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contact_number", "+639171234567 ext 1"),
        ("contact_number", "+6391712345678"),
        ("contact_number", "+6309171234567"),
        ("contact_number", "0917123456٣"),
        ("contact_number", 9171234567),
        ("contact_email", "Maria <maria@isla.ph>"),
        ("contact_email", "a@b.ph\r\nBcc: c@d.ph"),
        ("contact_email", "a@b.ph, c@d.ph"),
        ("contact_email", f"a@{'x.' * 127}ph"),
        ("contact_email", "a@[127.0.0.1]"),
    ],
)
def test_a_contact_that_cannot_be_reached_is_refused(field: str, value: object) -> None:
    with pytest.raises(Faults) as refused:
        bodies.register_cpo(orjson.dumps(A_CPO | {field: value}))
    assert [fault.field for fault in refused.value.faults] == [field]


def test_a_password_is_taken_as_it_is() -> None:
    pair = bodies.login(b'{"username": " maria", "password": " p\\u0000 "}')
    assert (pair.username, pair.password) == (" maria", " p\0 ")


@pytest.mark.parametrize("body", [b"{}", b'{"username": 1, "password": []}', b'{"username": "", "password": ""}'])
def test_a_login_needs_a_name_and_a_password(body: bytes) -> None:
    with pytest.raises(Faults) as refused:
        bodies.login(body)
    assert [fault.field for fault in refused.value.faults] == ["username", "password"]
