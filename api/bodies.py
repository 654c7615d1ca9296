"""The bodies of the contract's calls, and the commands that they become; past here no `dict` from outside is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Self, TypeAlias

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from api.described import both_or_neither, some_of
from api.forms import ITEMS, Body, understood
from api.values import (
    MAX_INT,
    Address,
    Capabilities,
    Digits,
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
from write_side.accounts.passwords import PasswordChange
from write_side.commands.wishes import (
    ChangeEvseStatus,
    ChangeLocation,
    PushEvse,
    PushLocations,
    RegisterCpo,
)
from write_side.domain.cpo import CpoDraft
from write_side.domain.drafts import ConnectorDraft, ConnectorStatusDraft, EvseDraft, LocationDraft, LocationPatch

if TYPE_CHECKING:
    from ocpi.identifiers import Party

AVAILABLE: Final = "AVAILABLE"
MAX_PAGE: Final = 100


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
    connectors: Annotated[list[ConnectorBody], ITEMS]
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

    model_config = ConfigDict(json_schema_extra=both_or_neither("lat", "lng"))

    lat: Lat | None = None
    lng: Annotated[Lng | None, Field(validate_default=True)] = None

    @field_validator("lng", mode="after")
    @classmethod
    def _both_or_neither(cls, lng: float | None, info: ValidationInfo) -> float | None:
        # A check of the whole object would be left out where another field is wrong, and hide this fault.
        if "lat" in info.data and (info.data["lat"] is None) != (lng is None):
            raise fault("lat and lng: give both or neither")
        return lng


class LocationBody(Coordinates):
    """LOCATION of contract §3."""

    name: Text
    address: Address
    evses: Annotated[list[EvseBody], ITEMS]
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

    locations: Annotated[list[LocationBody], ITEMS]


class PushEvseBody(EvseBody):
    """The body of W2."""

    location_id: Whole


class ConnectorStatusBody(Body):
    """One connector in the body of W3."""

    connector_id: Whole
    status: Status


class ChangeStatusBody(Body):
    """The body of W3."""

    model_config = ConfigDict(json_schema_extra=some_of("status", "connectors"))

    status: Status | None = None
    connectors: Annotated[list[ConnectorStatusBody], ITEMS] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.status is None and self.connectors is None:
            raise fault("nothing to change: expected status or connectors")
        return self


CHANGEABLE: Final = ("lat", "lng", "name", "address", "facilities", "parking_types", "parking_restrictions", "publish")


class ChangeLocationBody(Coordinates):
    """The body of W4."""

    model_config = ConfigDict(json_schema_extra={"allOf": [both_or_neither("lat", "lng"), some_of(*CHANGEABLE)]})

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


class LogoBody(Body):
    """The body of R14."""

    logo: Text


Password: TypeAlias = Annotated[str, Field(strict=True, max_length=1_000)]


class LoginBody(Body):
    """The body of R3. Nothing is trimmed: a password is what it is."""

    username: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    password: Annotated[Password, Field(min_length=1)]


class ChangePasswordBody(Body):
    """The body of R6. Nothing is trimmed; what a password must be is a rule with a code of its own."""

    old_password: Password
    new_password: Password
    confirm_password: Password


class PageQuery(Body):
    """The query of a list that comes in pages."""

    limit: Annotated[int, Field(ge=0, le=MAX_PAGE), Digits] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_INT), Digits] = 0


def push_locations(body: bytes, party: Party, cpo_owner_id: int) -> PushLocations:
    """The command of W1. raises: Faults."""
    form, faults = understood(PushLocationsBody, body)
    drafts = tuple(location.draft() for location in form.locations)
    return PushLocations(party, cpo_owner_id, drafts, faults)


def push_evse(body: bytes, party: Party) -> PushEvse:
    """The command of W2. raises: Faults."""
    form, faults = understood(PushEvseBody, body)
    return PushEvse(party, form.location_id, form.draft(), faults)


def change_status(body: bytes, party: Party, evse_uid: str) -> ChangeEvseStatus:
    """The command of W3. raises: Faults."""
    form, _ = understood(ChangeStatusBody, body)
    connectors = tuple(ConnectorStatusDraft(c.connector_id, c.status) for c in form.connectors or ())
    return ChangeEvseStatus(party, evse_uid, form.status, connectors)


def change_location(body: bytes, party: Party, location_id: int) -> ChangeLocation:
    """The command of W4. raises: Faults."""
    form, faults = understood(ChangeLocationBody, body)
    return ChangeLocation(party, location_id, LocationPatch(**dict(form)), faults)


def register_cpo(body: bytes) -> RegisterCpo:
    """The command of R1. raises: Faults."""
    form, _ = understood(RegisterBody, body)
    return RegisterCpo(
        CpoDraft(
            username=form.username,
            cpo_owner_name=form.cpo_owner_name,
            contact={
                "name": form.contact_name,
                "number": form.contact_number,
                "email": form.contact_email,
            },
            ocpp_ready=form.ocpp_ready,
            logo=form.logo,
        )
    )


def login(body: bytes) -> LoginBody:
    """The pair of R3. raises: Faults."""
    return understood(LoginBody, body)[0]


def logo_name(body: bytes) -> str:
    """The file name of R14. raises: Faults."""
    return understood(LogoBody, body)[0].logo


def change_password(body: bytes) -> PasswordChange:
    """What R6 wishes. raises: Faults."""
    form, _ = understood(ChangePasswordBody, body)
    return PasswordChange(form.old_password, form.new_password, form.confirm_password)
