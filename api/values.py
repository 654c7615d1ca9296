"""The values that a body may hold (contract §1 "Values"), as types that say what is wrong with them."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.described import CODE, Checked, degrees, trimmed, trimmed_printable
from ocpi import codes
from write_side.domain.errors import VALIDATION_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationInfo

    from api.forms import Reading
    from ocpi.codes import CodeList

MAX_INT: Final = 2_147_483_647
MAX_KWH: Final = 100_000
MAX_LAT: Final = 90
MAX_LNG: Final = 180
UID_LENGTH: Final = 36
SHORT: Final = 255
ADDRESS_LENGTH: Final = 500
DIRECTIONS_LENGTH: Final = 1_000
EMAIL_LENGTH: Final = 254
MAX_CODES: Final = 100
MAX_DIGITS: Final = 10
NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
PHILIPPINE_NUMBER: Final = re.compile(r"(\+639|09)\d{9}", re.ASCII)


def fault(message: str, rule: str = VALIDATION_ERROR) -> PydanticCustomError:
    """A fault of the contract, as pydantic collects it: its type is the rule's code."""
    return PydanticCustomError(rule, "{message}", {"message": message})


def has_controls(text: str) -> bool:
    """Whether a control character or a lone surrogate is in the text."""
    return any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in text)


def _text(max_length: int) -> Checked:
    def checked(value: str) -> str:
        trimmed = value.strip()
        if not 1 <= len(trimmed) <= max_length:
            raise fault(f"expected 1 to {max_length} characters")
        if has_controls(trimmed):
            raise fault("control characters are not allowed")
        return trimmed

    return Checked(AfterValidator(checked), trimmed(max_length))


def _uid(value: str) -> str:
    uid = value.strip()
    if not 1 <= len(uid) <= UID_LENGTH or not uid.isascii() or not uid.isprintable():
        raise fault(f"expected 1 to {UID_LENGTH} printable ASCII characters")
    return uid


def _one_of(allowed: Sequence[str]) -> Checked:
    def checked(value: str) -> str:
        if value not in allowed:
            raise fault(f"expected one of {', '.join(allowed)}")
        return value

    return Checked(AfterValidator(checked), {"enum": [*allowed]})


def _code_of(known: CodeList, rule: str) -> Checked:
    codes_of_list = [code.code for code in known.codes]

    def checked(value: str, info: ValidationInfo[Reading]) -> str:
        if value not in known and not info.context.is_lenient:
            raise fault(f"expected one of {', '.join(codes_of_list)}", rule)
        return value

    return Checked(AfterValidator(checked), {"enum": codes_of_list, CODE: rule})


def _few(value: object) -> object:
    # Before the codes are looked at: a million unknown ones would be a million faults.
    if isinstance(value, list) and len(value) > MAX_CODES:
        raise fault(f"expected at most {MAX_CODES} codes")
    return value


def _once_each(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _whole(value: object) -> object:
    # JSON has one kind of number: 230.0 is as whole as 230.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS):
        raise fault("expected a whole number")
    return value


def _degrees(limit: int, below: str) -> Checked:
    def checked(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -limit <= value <= limit:
            raise fault(f"expected a number of degrees within ±{limit}")
        return float(value)

    return Checked(BeforeValidator(checked), degrees(limit, below))


def _email(value: str) -> str:
    try:
        # .test is a name like others here: whether mail arrives shows when it is sent.
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise fault("expected an e-mail address") from None
    return value


def _phone_number(value: str) -> str:
    if not PHILIPPINE_NUMBER.fullmatch(value):
        raise fault("expected +639XXXXXXXXX or 09XXXXXXXXX")
    return value


_String = Annotated[str, Field(strict=True)]

Text = Annotated[_String, _text(SHORT)]
Address = Annotated[_String, _text(ADDRESS_LENGTH)]
Directions = Annotated[_String, _text(DIRECTIONS_LENGTH)]
Uid = Annotated[_String, Checked(AfterValidator(_uid), trimmed_printable(UID_LENGTH))]
Whole = Annotated[int, Field(strict=True, ge=1, le=MAX_INT), BeforeValidator(_whole)]
Digits = BeforeValidator(_digits)
"""Before an int: from the text of a query, which pydantic would take in other forms too."""
Kwh = Annotated[float, Field(strict=True, gt=0, le=MAX_KWH, allow_inf_nan=False)]
Lat = Annotated[float, _degrees(MAX_LAT, "[1-8]?[0-9]")]
Lng = Annotated[float, _degrees(MAX_LNG, "1[0-7][0-9]|[1-9]?[0-9]")]
Flag = Annotated[bool, Field(strict=True)]
Email = Annotated[Text, Checked(AfterValidator(_email), {"format": "email", "maxLength": EMAIL_LENGTH})]
PhoneNumber = Annotated[Text, Checked(AfterValidator(_phone_number), {"pattern": f"^{PHILIPPINE_NUMBER.pattern}$"})]

Status = Annotated[_String, _one_of(codes.EVSE_STATUSES)]
MeterType = Annotated[_String, _one_of(codes.METER_TYPES)]
Format = Annotated[_String, _one_of(codes.CONNECTOR_FORMATS)]
PowerType = Annotated[_String, _one_of(codes.ACCEPTED_POWER_TYPES)]

Standard = Annotated[_String, _code_of(codes.CONNECTOR_TYPES, "INVALID_CONNECTOR_STANDARD")]
_Facility = Annotated[_String, _code_of(codes.FACILITIES, "INVALID_FACILITIES")]
_ParkingType = Annotated[_String, _code_of(codes.PARKING_TYPES, "INVALID_PARKING_TYPES")]
_ParkingRestriction = Annotated[_String, _code_of(codes.PARKING_RESTRICTIONS, "INVALID_PARKING_RESTRICTIONS")]
_Capability = Annotated[_String, _code_of(codes.CAPABILITIES, "INVALID_CAPABILITIES")]
_PaymentType = Annotated[_String, _code_of(codes.PAYMENT_TYPES, "INVALID_PAYMENT_TYPES")]

FEW: Final = Checked(BeforeValidator(_few), {"maxItems": MAX_CODES})
Facilities = Annotated[tuple[_Facility, ...], FEW, AfterValidator(_once_each)]
ParkingTypes = Annotated[tuple[_ParkingType, ...], FEW, AfterValidator(_once_each)]
ParkingRestrictions = Annotated[tuple[_ParkingRestriction, ...], FEW, AfterValidator(_once_each)]
Capabilities = Annotated[tuple[_Capability, ...], FEW, AfterValidator(_once_each)]
PaymentTypes = Annotated[tuple[_PaymentType, ...], FEW, AfterValidator(_once_each)]
