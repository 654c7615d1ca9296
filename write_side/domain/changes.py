"""What a decision returns, and the store writes as one: all of it, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

    from ocpi.identifiers import Party


@dataclass(frozen=True, slots=True)
class Claim:
    """A name taken in the append's transaction. Taken already by the same owner: fine; by another: decide again."""

    scope: str
    key: str
    owner: str


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to create: who may log in for a CPO. Its password is only known as its argon2id hash."""

    username: str
    cpo_owner_id: int
    role: str
    password_hash: str
    temporary_until: datetime


@dataclass(frozen=True, slots=True)
class NewTokenC:
    """A CPO's machine token, known only as its SHA-256. replaces: those that the CPO had stop at once."""

    token_hash: bytes
    cpo_owner_id: int
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class NewPersonalKey:
    """A key that personal data of a party are sealed with, itself sealed with the configured one."""

    key_id: UUID
    sealed_key: bytes


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """A temporary password in place of a user's own."""

    username: str
    password_hash: str
    temporary_until: datetime


@dataclass(frozen=True, slots=True)
class SealedMail:
    """A mail to send, encrypted until then. message_id: the same at every try."""

    message_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that one command changes.

    party: whose data; events: of several streams, each numbered on from the version that was loaded;
    images_used, images_replaced: names of stored images that these events begin, or cease, to speak of;
    ends_sessions: whoever is logged in for the party is not any more;
    forgets: its personal keys, tokens and waiting mails are destroyed.
    """

    party: Party
    events: tuple[DomainEvent, ...]
    claims: tuple[Claim, ...] = ()
    users: tuple[NewUser, ...] = ()
    tokens: tuple[NewTokenC, ...] = ()
    mails: tuple[SealedMail, ...] = ()
    images_used: tuple[str, ...] = ()
    images_replaced: tuple[str, ...] = ()
    resets: tuple[PasswordReset, ...] = ()
    ends_sessions: bool = False
    personal_keys: tuple[NewPersonalKey, ...] = ()
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command comes to.

    changes: None where everything is already as wished; data: the contract's answer (JSON data);
    ignored: paths of the fields that the call sent but the rules leave alone (header `Emsp-Ignored`).
    """

    changes: Changes | None
    data: object
    ignored: tuple[str, ...] = ()
