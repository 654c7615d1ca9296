from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiohttp import web

from api.calls import MAX_IGNORED_LENGTH, _shortened
from api.envelope import envelope, internal_error, refusal
from api.refusals import Forbidden, InvalidCountryCode, PayloadTooLarge, TooManyRequests, UnsupportedMediaType
from write_side.accounts.tokens import TokenExpired, TooManyTries, Unauthorized
from write_side.domain.errors import (
    Conflict,
    DuplicateEvseUid,
    EvseUidDoesNotExist,
    Fault,
    Faults,
    GeocoderOutOfReach,
    StoreOutOfReach,
)


def body_of(response: web.Response | None) -> Any:
    assert response is not None
    assert response.content_type == "application/json"
    assert isinstance(response.body, bytes)
    body = orjson.loads(response.body)
    assert body["status"] == response.status
    return body


def test_success_has_status_data_and_message() -> None:
    answer = envelope(200, [{"location_id": 754}], "Success", {"Emsp-Position": "9"})
    assert body_of(answer) == {"status": 200, "data": [{"location_id": 754}], "message": "Success"}
    assert answer.headers["Emsp-Position"] == "9"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (EvseUidDoesNotExist("x"), 400, "EVSE_UID_DOES_NOT_EXISTS:x"),
        (InvalidCountryCode(), 400, "INVALID_COUNTRY_CODE"),
        (Unauthorized(), 401, "Unauthorized"),
        (TokenExpired(), 401, "Token Expired"),
        (Forbidden(), 403, "Forbidden"),
        (web.HTTPNotFound(), 404, "Not Found"),
        (web.HTTPMethodNotAllowed("GET", ["POST"]), 405, "Method Not Allowed"),
        (PayloadTooLarge(), 413, "PAYLOAD_TOO_LARGE"),
        (UnsupportedMediaType(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (TooManyRequests(3), 429, "TOO_MANY_REQUESTS"),
        (TooManyTries(600), 429, "TOO_MANY_REQUESTS"),
        (StoreOutOfReach(), 503, "SERVICE_UNAVAILABLE"),
        (GeocoderOutOfReach(), 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_every_row_of_the_contract_has_its_status_and_message(error: Exception, status: int, message: str) -> None:
    assert body_of(refusal(error)) == {"status": status, "data": [], "message": message}


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (web.HTTPMethodNotAllowed("GET", ["PUT", "PATCH"]), "Allow", "PATCH, PUT"),
        (TooManyRequests(3), "Retry-After", "3"),
        (TooManyTries(600), "Retry-After", "600"),
        (StoreOutOfReach(), "Retry-After", "2"),
    ],
)
def test_a_refusal_says_what_to_do_next(error: Exception, header: str, value: str) -> None:
    answer = refusal(error)
    assert answer is not None
    assert answer.headers[header] == value


def test_faults_of_form_have_field_and_message() -> None:
    answer = refusal(Faults([Fault("a", "required"), Fault("b[0]", "expected text")]))
    assert body_of(answer) == {
        "status": 400,
        "message": "VALIDATION_ERROR",
        "data": [{"field": "a", "message": "required"}, {"field": "b[0]", "message": "expected text"}],
    }


def test_one_fault_of_a_rule_gives_the_message_its_code() -> None:
    fault = DuplicateEvseUid("123").at("uid")
    assert body_of(refusal(Faults([fault]))) == {
        "status": 400,
        "message": "DUPLICATE_EVSE_UID:123",
        "data": [{"field": "uid", "message": fault.message, "code": "DUPLICATE_EVSE_UID:123"}],
    }


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([DuplicateEvseUid("1").at("a"), DuplicateEvseUid("1").at("b")], "DUPLICATE_EVSE_UID:1"),
        ([DuplicateEvseUid("1").at("a"), DuplicateEvseUid("2").at("b")], "DUPLICATE_EVSE_UID"),
        ([DuplicateEvseUid("1").at("a"), Fault("b", "x", "INVALID_FACILITIES")], "VALIDATION_ERROR"),
        ([DuplicateEvseUid("1").at("a"), Fault("b", "x")], "VALIDATION_ERROR"),
    ],
)
def test_several_faults_share_a_code_or_are_validation_errors(faults: list[Fault], message: str) -> None:
    body = body_of(refusal(Faults(faults)))
    assert body["message"] == message
    assert [entry["code"] for entry in body["data"]] == [fault.code for fault in faults]


@pytest.mark.parametrize("error", [ValueError("secret"), Conflict(), TimeoutError(), OSError()])
def test_what_is_in_no_table_is_a_fault_of_ours(error: Exception) -> None:
    assert refusal(error) is None
    assert body_of(internal_error()) == {"status": 500, "data": [], "message": "Internal Server Error"}


def test_a_long_list_of_ignored_fields_ends_between_two_of_them() -> None:
    names = [f"locations[{number}].address" for number in range(1_000)]
    kept = _shortened(", ".join(names)).split(", ")
    assert len(", ".join(kept)) <= MAX_IGNORED_LENGTH + len(", ...")
    assert kept[-1] == "..."
    assert kept[:-1] == names[: len(kept) - 1]
    assert _shortened("locations[0].lat") == "locations[0].lat"
