"""The description of the API is the API: its calls, its codes, and it is valid OpenAPI."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import envelope
from api.described import CODE
from api.examples import EXAMPLES
from api.forms import Body, understood
from api.openapi import document
from api.routes import ROUTES
from write_side.domain import errors
from write_side.domain.errors import DomainError


def _is_refusal(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, DomainError) and value is not DomainError


DOCUMENT = document(ROUTES)
OPERATIONS = {
    (method.upper(), path): operation for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
}
ALL_CODES = {
    *(one.rule for one in vars(errors).values() if _is_refusal(one)),
    *(message for _, message in envelope.STATUS_OF.values() if message is not None),
    "Internal Server Error",
    errors.VALIDATION_ERROR,
}


def told_codes(answer: Any) -> set[str]:
    """The messages that an answer of the document may have."""
    match answer:
        case {"x-codes": codes}:
            return set(codes)
        case {"content": {"application/json": {"schema": {"properties": {"message": {"enum": messages}}}}}}:
            return set(messages)
    return set()


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_has_every_call_of_the_table_and_those_without_an_envelope() -> None:
    table = {(route.method, route.path) for route in ROUTES}
    assert len(table) == len(ROUTES)
    assert set(OPERATIONS) - table == {
        ("GET", "/ocpi/cpo/graphql"),
        ("POST", "/ocpi/cpo/graphql"),
        ("GET", "/images/{name}"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
    }
    assert table <= set(OPERATIONS)


@pytest.mark.parametrize("body", [route.body for route in ROUTES if isinstance(route.body, type)])
def test_every_body_has_an_example_that_it_takes(body: type[Body]) -> None:
    understood(body, json.dumps(EXAMPLES[body]).encode())


def test_every_call_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.row} {route.path}")
def test_every_call_tells_its_errors_in_the_order_of_their_status(route: Any) -> None:
    answers = OPERATIONS[route.method, route.path]["responses"]
    assert list(answers) == sorted(answers)
    assert {"200", "400", "500", "503"} <= set(answers)


def test_a_path_names_its_parameters() -> None:
    for (_, path), operation in OPERATIONS.items():
        named = [one["name"] for one in operation["parameters"] if one.get("in") == "path"]
        assert named == re.findall(r"{(\w+)}", path)


def test_it_tells_every_code_that_can_be_answered_and_no_other() -> None:
    answers = [answer for operation in OPERATIONS.values() for answer in operation["responses"].values()]
    told = set().union(*map(told_codes, [*answers, *DOCUMENT["components"]["responses"].values()]))
    of_unknown_values = set(re.findall(rf'"{CODE}": "(\w+)"', json.dumps(DOCUMENT["components"]["schemas"])))
    assert len(of_unknown_values) == 6
    assert told == ALL_CODES | of_unknown_values


def test_every_row_of_the_contract_has_its_calls() -> None:
    assert {route.row for route in ROUTES} == {f"R{number}" for number in range(1, 17)} | {"W1", "W2", "W3", "W4"}
