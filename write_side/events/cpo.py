"""What can happen to a CPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

from eventsourcing.domain import DomainEvent


class ContactData(TypedDict):
    """The person to reach at a CPO: personal data, kept together so that one key can make it unreadable."""

    name: str
    number: str
    email: str


class PersonalData(TypedDict, total=False):
    """A contact as an event keeps it: `key_id` and `sealed` (base64, see commands/personal.py).

    clear: of events that were written before personal data were sealed; those can't be forgotten.
    """

    key_id: str
    sealed: str
    clear: ContactData


@dataclass(frozen=True)
class CpoRegistered(DomainEvent):
    """A CPO registered (R1). Always the first event of its stream. Its secrets are in no event.

    cpo_owner_id: our integer; username, cpo_owner_name: in the sender's case; logo: a stored image's name or None.
    """

    TOPIC: ClassVar[str] = "cpo.registered"
    class_version: ClassVar[int] = 2
    cpo_owner_id: int
    country_code: str
    party_id: str
    username: str
    cpo_owner_name: str
    contact: PersonalData
    ocpp_ready: bool
    logo: str | None

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Version 1 had the contact in clear."""
        state["contact"] = {"clear": state["contact"]}


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


@dataclass(frozen=True)
class CpoForgotten(DomainEvent):
    """A CPO's personal data became unreadable (`emsp forget`): the key that they were sealed with is destroyed."""

    TOPIC: ClassVar[str] = "cpo.forgotten"
    cpo_owner_id: int
    country_code: str
    party_id: str


CpoEvent = CpoRegistered | CpoLogoChanged | CpoTokenCRotated | CpoPasswordReset | CpoForgotten
