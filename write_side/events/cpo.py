"""What can happen to a CPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypedDict

from eventsourcing.domain import DomainEvent


class ContactData(TypedDict):
    """The person to reach at a CPO: personal data, kept together so that one key can make it unreadable."""

    name: str
    number: str
    email: str


@dataclass(frozen=True)
class CpoRegistered(DomainEvent):
    """A CPO registered (R1). Always the first event of its stream. Its secrets are in no event.

    cpo_owner_id: our integer; username, cpo_owner_name: in the sender's case; logo: a stored image's name or None.
    """

    TOPIC: ClassVar[str] = "cpo.registered"
    cpo_owner_id: int
    country_code: str
    party_id: str
    username: str
    cpo_owner_name: str
    contact: ContactData
    ocpp_ready: bool
    logo: str | None


@dataclass(frozen=True)
class CpoLogoChanged(DomainEvent):
    """An uploaded image became the CPO's logo (R14, or R1 with the name of an upload).

    logo: the stored image's name, `/images/<logo>`; filename: the name under which it was uploaded.
    """

    TOPIC: ClassVar[str] = "cpo.logo_changed"
    cpo_owner_id: int
    country_code: str
    party_id: str
    logo: str
    filename: str


@dataclass(frozen=True)
class CpoTokenCRotated(DomainEvent):
    """A CPO got another machine token by mail, and the one before stopped. Neither is in any event."""

    TOPIC: ClassVar[str] = "cpo.token_c_rotated"
    cpo_owner_id: int
    country_code: str
    party_id: str


@dataclass(frozen=True)
class CpoPasswordReset(DomainEvent):
    """A CPO's user got a temporary password by mail. username: in the case of its registration."""

    TOPIC: ClassVar[str] = "cpo.password_reset"
    cpo_owner_id: int
    country_code: str
    party_id: str
    username: str


CpoEvent = CpoRegistered | CpoLogoChanged | CpoTokenCRotated | CpoPasswordReset
