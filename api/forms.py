"""A request body becomes a form of the contract, or everything that is wrong with it, each fault with its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar, cast

import orjson
from multidict import MultiMapping
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from write_side.domain.errors import VALIDATION_ERROR, Fault, Faults

MAX_FAULTS: Final = 1_000
"""So many are told, as of a CSV file (contract §4): a few bytes a fault must not cost a kilobyte each to tell."""

MAX_ITEMS: Final = 50_000
"""More than fit into a body of the contract's size, if they are what the list holds."""

ITEMS: Final = Field(min_length=1, max_length=MAX_ITEMS)

EXPECTED: Final = {
    "missing": "required",
    "model_type": "expected an object",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "too_short": "expected at least one",
    "too_long": f"expected at most {MAX_ITEMS}",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
}
"""Pydantic's faults that speak of Python's types, in words of JSON; the others name their limits well."""

B = TypeVar("B", bound="Body")


@dataclass(slots=True)
class Reading:
    """What is known while a body is read, as pydantic's context. faults: how many were found in what has been read.

    is_lenient: unknown codes are let through, since they are known as faults already
    """

    is_lenient: bool = False
    faults: int = 0


class Body(BaseModel):
    """A JSON object. Unknown fields are ignored; null stands for an optional field that was left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="wrap")
    @classmethod
    def _while_faults_are_few(
        cls, value: object, understand: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        reading = cast("Reading", info.context)
        if reading.faults >= MAX_FAULTS:
            # What is read is refused anyway, and nobody sees this.
            return cls.model_construct()
        before = reading.faults
        try:
            return understand(value)
        except ValidationError as wrong:
            # Those of the bodies inside it are among them.
            reading.faults = before + wrong.error_count()
            raise


def understood(kind: type[B], body: bytes) -> tuple[B, tuple[Fault, ...]]:
    """The body, and the unknown codes in it: those are refused together with what the rules find.

    raises: Faults  it is no JSON, or its form is wrong: then everything that is, unknown codes too, up to MAX_FAULTS
    """
    document = _parsed(body)
    try:
        return kind.model_validate(document, context=Reading()), ()
    except ValidationError as wrong:
        faults = tuple(_fault(error) for error in wrong.errors(include_url=False, include_input=False))
    if len(faults) >= MAX_FAULTS or any(fault.rule == VALIDATION_ERROR for fault in faults):
        raise Faults(faults[:MAX_FAULTS])
    return kind.model_validate(document, context=Reading(is_lenient=True)), faults


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Faults([Fault("", f"not JSON: {wrong}" if body else "expected a JSON object, got nothing")]) from None
    if not isinstance(document, dict):
        raise Faults([Fault("", "expected a JSON object")])
    return document


def queried(kind: type[B], query: MultiMapping[str]) -> B:
    """The query of a call. raises: Faults  also where a field of it is there twice."""
    faults = [Fault(name, "expected once") for name in kind.model_fields if len(query.getall(name, [])) > 1]
    try:
        form = kind.model_validate(dict(query), context=Reading())
    except ValidationError as wrong:
        faults += [_fault(error) for error in wrong.errors(include_url=False, include_input=False)]
    if faults:
        raise Faults(faults)
    return form


def told(error: Any) -> tuple[str, str]:  # noqa: ANN401 - pydantic's ErrorDetails
    """(message, rule) of one of pydantic's faults, as the contract tells it."""
    rule = error["type"] if error["type"].isupper() else VALIDATION_ERROR
    return EXPECTED.get(error["type"], error["msg"]), rule


def _fault(error: Any) -> Fault:  # noqa: ANN401 - pydantic's ErrorDetails
    return Fault(_path(error["loc"]), *told(error))


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return path.removeprefix(".")
