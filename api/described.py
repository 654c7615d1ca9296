"""A check of a value together with what JSON Schema says of it, so that the API's description is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import AfterValidator, BeforeValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

CODE: Final = "x-code"
"""Where a schema names the contract's code of what it refuses."""

_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f"
NO_CONTROLS: Final = rf"^[^{_CONTROLS}]*$"
PRINTABLE: Final = r"^[!-~]([ -~]*[!-~])?$"
"""Printable ASCII, no blank first or last."""


def trimmed(max_length: int) -> dict[str, Any]:
    """Text that is not blank and without control characters; blanks around it don't count."""
    letter = rf"[^\s{_CONTROLS}]"
    return {"minLength": 1, "pattern": rf"^\s*{letter}([^{_CONTROLS}]{{0,{max_length - 2}}}{letter})?\s*$"}


def trimmed_printable(max_length: int) -> dict[str, Any]:
    """Printable ASCII that is not blank; blanks around it don't count."""
    return {"minLength": 1, "pattern": rf"^\s*[!-~]([ -~]{{0,{max_length - 2}}}[!-~])?\s*$"}


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """In `Annotated`: this check, and its words of JSON Schema beside those of the type, or a choice instead."""

    check: AfterValidator | BeforeValidator
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's
        """The check, for pydantic."""
        return self.check.__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The description, for pydantic."""
        return dict(self.schema) if "anyOf" in self.schema else handler(core) | dict(self.schema)


def degrees(limit: int, below: str) -> dict[str, Any]:
    """A number within ±limit, or such a one as text. below: a pattern of the whole degrees under the limit."""
    text = {"type": "string", "pattern": rf"^[+-]?(({below})(\.[0-9]*)?|{limit}(\.0*)?)$"}
    return {"anyOf": [{"type": "number", "minimum": -limit, "maximum": limit}, text]}


def given(*names: str) -> dict[str, Any]:
    """All of these fields are there; null is the same as left out."""
    return {"required": [*names], "properties": {name: {"not": {"type": "null"}} for name in names}}


def both_or_neither(one: str, other: str) -> dict[str, Any]:
    """Two fields that are given together, or not at all."""
    return {"anyOf": [given(one, other), {"properties": {one: {"type": "null"}, other: {"type": "null"}}}]}


def some_of(*names: str) -> dict[str, Any]:
    """At least one of these fields is given."""
    return {"anyOf": [given(name) for name in names]}
