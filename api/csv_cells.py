"""What the cells of a CSV row may hold (contract §4 and §1 "Values"), column by column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias

import orjson
from pydantic import TypeAdapter, ValidationError

from api.forms import Reading, told
from api.values import (
    FEW,
    NUMBER,
    Address,
    Capabilities,
    Directions,
    Facilities,
    Format,
    Kwh,
    Lat,
    Lng,
    ParkingTypes,
    PaymentTypes,
    PowerType,
    Standard,
    Text,
    Uid,
    Whole,
)
from ocpi import codes
from write_side.domain.errors import VALIDATION_ERROR, NoConnector

if TYPE_CHECKING:
    from ocpi.codes import CodeList

Connectors = Annotated[tuple[Standard, ...], FEW]
"""Not once each: an EVSE may have two of a kind."""

DIGITS: Final = re.compile(r"\d{1,12}", re.ASCII)
QUOTES: Final = ('"', "'")


class Cells(NamedTuple):
    """One row as it was understood, its columns in their order (contract §4). Empty cells are None, lists ()."""

    location: str
    address: str
    lat: float | None
    lng: float | None
    evse_sn: str
    kwh: float
    connectors: tuple[str, ...]
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_electric_power: int
    facilities: tuple[str, ...]
    parking_types: tuple[str, ...]
    capabilities: tuple[str, ...]
    payment_types: tuple[str, ...]
    floor_level: str | None
    directions: str | None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a cell can't be taken. found: (message, rule) of each fault."""

    found: tuple[tuple[str, str], ...]


Read: TypeAlias = Callable[[str], object]
"""A cell's text as the value that JSON would hold; what it can't be stays text, for the type to refuse."""


def _as_it_is(cell: str) -> object:
    return cell


def _whole(cell: str) -> object:
    return int(cell) if DIGITS.fullmatch(cell) else _number(cell)


def _number(cell: str) -> object:
    return float(cell) if NUMBER.fullmatch(cell) else cell


def _codes(known: CodeList) -> Read:
    def read(cell: str) -> object:
        array = _array(cell)
        return [_code(known, item) for item in array] if isinstance(array, list) else cell

    return read


def _code(known: CodeList, item: object) -> object:
    """The code of an id of R11; an id that is none stays text, and so an unknown code."""
    if isinstance(item, bool) or not isinstance(item, int | str):
        return item
    text = str(item).strip()
    return (known.code_of(int(text)) if DIGITS.fullmatch(text) else None) or text


def _array(cell: str) -> object:
    """The JSON array in a cell, also wrapped in one more pair of quotes or brackets; None where there is none."""
    value = _json(cell)
    if value is None and len(cell) >= 2 and cell[0] == cell[-1] and cell[0] in QUOTES:
        # The quotes inside them may be doubled: a cell that was written as CSV twice.
        value = _json(cell[1:-1]) or _json(cell[1:-1].replace('""', '"'))
    elif isinstance(value, str):
        value = _json(value)
    if isinstance(value, list) and len(value) == 1:
        inner = _json(value[0]) if isinstance(value[0], str) and value[0].lstrip().startswith("[") else value[0]
        value = inner if isinstance(inner, list) else value
    return value


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file. empty: what an empty cell stands for, or why it can't be empty."""

    name: str
    type: TypeAdapter[Any]
    read: Read
    empty: object

    def understood(self, cell: str) -> object:
        """The value of a cell, or Wrong."""
        try:
            cell.encode()
        except UnicodeEncodeError:
            return _wrong("not UTF-8")
        cell = cell.strip()
        if not cell:
            return self.empty
        try:
            value = self.type.validate_python(self.read(cell), context=Reading())
        except ValidationError as wrong:
            return Wrong(tuple(map(told, wrong.errors(include_url=False, include_input=False))))
        return self.empty if value == () else value


def _wrong(message: str, rule: str = VALIDATION_ERROR) -> Wrong:
    return Wrong(((message, rule),))


REQUIRED: Final = _wrong("required")
NO_CONNECTOR: Final = _wrong(NoConnector.text, NoConnector.rule)

COLUMNS: Final = (
    Column("location", TypeAdapter(Text), _as_it_is, REQUIRED),
    Column("address", TypeAdapter(Address), _as_it_is, REQUIRED),
    Column("lat", TypeAdapter(Lat), _as_it_is, None),
    Column("lng", TypeAdapter(Lng), _as_it_is, None),
    Column("evse_sn", TypeAdapter(Uid), _as_it_is, REQUIRED),
    Column("kwh", TypeAdapter(Kwh), _number, REQUIRED),
    Column("connectors", TypeAdapter(Connectors), _codes(codes.CONNECTOR_TYPES), NO_CONNECTOR),
    Column("format", TypeAdapter(Format), _as_it_is, REQUIRED),
    Column("power_type", TypeAdapter(PowerType), _as_it_is, REQUIRED),
    Column("max_voltage", TypeAdapter(Whole), _whole, REQUIRED),
    Column("max_amperage", TypeAdapter(Whole), _whole, REQUIRED),
    Column("max_electric_power", TypeAdapter(Whole), _whole, REQUIRED),
    Column("facilities", TypeAdapter(Facilities), _codes(codes.FACILITIES), ()),
    Column("parking_types", TypeAdapter(ParkingTypes), _codes(codes.PARKING_TYPES), ()),
    Column("capabilities", TypeAdapter(Capabilities), _codes(codes.CAPABILITIES), ()),
    Column("payment_types", TypeAdapter(PaymentTypes), _codes(codes.PAYMENT_TYPES), ()),
    Column("floor_level", TypeAdapter(Text), _as_it_is, None),
    Column("directions", TypeAdapter(Directions), _as_it_is, None),
)
