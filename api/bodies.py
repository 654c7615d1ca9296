"""Request bodies → commands. All faults at once, each with its path; past here no `dict` from outside is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.values import (
    LENIENT,
    Address,
    Capabilities,
    Directions,
    Email,
    Facilities,
    Flag,
    Format,
    Kwh,
    Lat,
    Lng,
    MeterType,
    ParkingRestrictions,
    ParkingTypes,
    PaymentTypes,
    PhoneNumber,
    PowerType,
    Standard,
    Status,
    Text,
    Uid,
    Whole,
    fault,
)
from write_side.commands.wishes import (
    ChangeEvseStatus,
    ChangeLocation,
    PushEvse,
    PushLocations,
    RegisterCpo,
)
from write_side.domain.cpo import CpoDraft
from write_side.domain.drafts import ConnectorDraft, ConnectorStatusDraft, EvseDraft, LocationDraft, LocationPatch
from write_side.domain.errors import VALIDATION_ERROR, Fault, Faults

if TYPE_CHECKING:
    from ocpi.identifiers import Party

B = TypeVar("B", bound="Body")
AVAILABLE: Final = "AVAILABLE"
AT_LEAST_ONE: Final = Field(min_length=1)


class Body(BaseModel):
    """A JSON object. Unknown fields are ignored; null stands for an optional field that was left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ConnectorBody(Body):
    """CONNECTOR of contract §3."""

    standard: Standard
    status: Status | None = None
    format: Format
    power_type: PowerType
    max_voltage: Whole
    max_amperage: Whole
    max_electric_power: Whole

    def draft(self) -> ConnectorDraft:
        """The connector as the domain takes it."""
        return ConnectorDraft(
            standard=self.standard,
            format=self.format,
            power_type=self.power_type,
            max_voltage=self.max_voltage,
            max_amperage=self.max_amperage,
            max_electric_power=self.max_electric_power,
            status=self.status or AVAILABLE,
        )


class EvseBody(Body):
    """EVSE of contract §3."""

    uid: Uid
    status: Status
    meter_type: MeterType
    kwh: Kwh
    connectors: Annotated[list[ConnectorBody], AT_LEAST_ONE]
    capabilities: Capabilities
    payment_types: PaymentTypes
    floor_level: Text | None = None
    directions: Directions | None = None

    def draft(self) -> EvseDraft:
        """The EVSE as the domain takes it."""
        return EvseDraft(
            uid=self.uid,
            status=self.status,
            meter_type=self.meter_type,
            kwh=self.kwh,
            connectors=tuple(connector.draft() for connector in self.connectors),
            capabilities=self.capabilities,
            payment_types=self.payment_types,
            floor_level=self.floor_level,
            directions=self.directions,
        )


class Coordinates(Body):
    """lat and lng, both or neither: degrees, as numbers or numeric strings."""

    lat: Lat | None = None
    lng: Lng | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.lat is None) != (self.lng is None):
            raise fault("lat and lng: give both or neither")
        return self


class LocationBody(Coordinates):
    """LOCATION of contract §3."""

    name: Text
    address: Address
    evses: Annotated[list[EvseBody], AT_LEAST_ONE]
    facilities: Facilities
    parking_types: ParkingTypes
    parking_restrictions: ParkingRestrictions
    publish: Flag | None = None

    def draft(self) -> LocationDraft:
        """The location as the domain takes it."""
        return LocationDraft(
            name=self.name,
            address=self.address,
            lat=self.lat,
            lng=self.lng,
            facilities=self.facilities,
            parking_types=self.parking_types,
            parking_restrictions=self.parking_restrictions,
            publish=self.publish,
            evses=tuple(evse.draft() for evse in self.evses),
        )


class PushLocationsBody(Body):
    """The body of W1."""

    locations: Annotated[list[LocationBody], AT_LEAST_ONE]


class PushEvseBody(EvseBody):
    """The body of W2."""

    location_id: Whole


class ConnectorStatusBody(Body):
    """One connector in the body of W3."""

    connector_id: Whole
    status: Status


class ChangeStatusBody(Body):
    """The body of W3."""

    status: Status | None = None
    connectors: Annotated[list[ConnectorStatusBody], AT_LEAST_ONE] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.status is None and self.connectors is None:
            raise fault("nothing to change: expected status or connectors")
        return self


class ChangeLocationBody(Coordinates):
    """The body of W4."""

    name: Text | None = None
    address: Address | None = None
    facilities: Facilities | None = None
    parking_types: ParkingTypes | None = None
    parking_restrictions: ParkingRestrictions | None = None
    publish: Flag | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(value is None for value in self.__dict__.values()):
            raise fault("nothing to change: expected a field of a location other than evses")
        return self


class RegisterBody(Body):
    """The body of R1."""

    username: Text
    cpo_owner_name: Text
    contact_name: Text
    contact_number: PhoneNumber
    contact_email: Email
    ocpp_ready: Flag
    logo: Text | None = None


class LoginBody(Body):
    """The body of R3. Nothing is trimmed: a password is what it is."""

    username: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    password: Annotated[str, Field(strict=True, min_length=1, max_length=1_000)]


def push_locations(body: bytes, party: Party, cpo_owner_id: int) -> PushLocations:
    """The command of W1. raises: Faults."""
    understood, faults = _understood(PushLocationsBody, body)
    drafts = tuple(location.draft() for location in understood.locations)
    return PushLocations(party, cpo_owner_id, drafts, faults)


def push_evse(body: bytes, party: Party) -> PushEvse:
    """The command of W2. raises: Faults."""
    understood, faults = _understood(PushEvseBody, body)
    return PushEvse(party, understood.location_id, understood.draft(), faults)


def change_status(body: bytes, party: Party, evse_uid: str) -> ChangeEvseStatus:
    """The command of W3. raises: Faults."""
    understood, _ = _understood(ChangeStatusBody, body)
    connectors = tuple(ConnectorStatusDraft(c.connector_id, c.status) for c in understood.connectors or ())
    return ChangeEvseStatus(party, evse_uid, understood.status, connectors)


def change_location(body: bytes, party: Party, location_id: int) -> ChangeLocation:
    """The command of W4. raises: Faults."""
    understood, faults = _understood(ChangeLocationBody, body)
    return ChangeLocation(party, location_id, LocationPatch(**dict(understood)), faults)


def register_cpo(body: bytes) -> RegisterCpo:
    """The command of R1. raises: Faults."""
    understood, _ = _understood(RegisterBody, body)
    return RegisterCpo(
        CpoDraft(
            username=understood.username,
            cpo_owner_name=understood.cpo_owner_name,
            contact={
                "name": understood.contact_name,
                "number": understood.contact_number,
                "email": understood.contact_email,
            },
            ocpp_ready=understood.ocpp_ready,
            logo=understood.logo,
        )
    )


def login(body: bytes) -> LoginBody:
    """The pair of R3. raises: Faults."""
    return _understood(LoginBody, body)[0]


def _understood(kind: type[B], body: bytes) -> tuple[B, tuple[Fault, ...]]:
    """The body, and the unknown codes in it: those are refused together with what the rules find.

    raises: Faults  it is no JSON, or its form is wrong: then everything that is, unknown codes too
    """
    document = _parsed(body)
    try:
        return kind.model_validate(document), ()
    except ValidationError as wrong:
        faults = tuple(_fault(error) for error in wrong.errors(include_url=False, include_input=False))
    if any(fault.rule == VALIDATION_ERROR for fault in faults):
        raise Faults(faults)
    return kind.model_validate(document, context={LENIENT: True}), faults


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Faults([Fault("", f"not JSON: {wrong}" if body else "expected a JSON object, got nothing")]) from None
    if not isinstance(document, dict):
        raise Faults([Fault("", "expected a JSON object")])
    return document


def _fault(error: Any) -> Fault:  # noqa: ANN401 - pydantic's ErrorDetails
    rule = error["type"] if error["type"].isupper() else VALIDATION_ERROR
    return Fault(_path(error["loc"]), error["msg"], rule)


def _path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return path.removeprefix(".")
