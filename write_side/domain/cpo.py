"""A CPO: how it gets its party_id, its registration, and its logo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from string import ascii_uppercase
from typing import TYPE_CHECKING

from anyascii import anyascii

from ocpi.identifiers import Party
from write_side.domain.errors import LogoNotExists, LogoNotUnique
from write_side.events.cpo import (
    ContactData,
    CpoForgotten,
    CpoLogoChanged,
    CpoPasswordReset,
    CpoRegistered,
    CpoTokenCRotated,
    PersonalData,
)
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from write_side.events.cpo import CpoEvent

PARTY_ID_LETTERS = 3


@dataclass(frozen=True, slots=True)
class CpoDraft:
    """A registration as it was sent (R1). logo: a file name, or None."""

    username: str
    cpo_owner_name: str
    contact: ContactData
    ocpp_ready: bool
    logo: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """An image that waits to become a logo (R2). name: of the stored image; filename: as its sender called it."""

    name: str
    filename: str


@dataclass(frozen=True, slots=True)
class Cpo:
    """The state of a CPO. version: of its stream; username, contact: as registered; logo: an upload, or None."""

    party: Party
    cpo_owner_id: int
    version: int
    username: str
    contact: PersonalData
    logo: Upload | None = None
    is_forgotten: bool = False

    @property
    def stream(self) -> UUID:
        """Where its events are."""
        return cpo_stream(self.party)

    @classmethod
    def from_registered(cls, event: CpoRegistered) -> Cpo:
        """The state that the first event makes."""
        logo = None if event.logo is None else Upload(event.logo, event.logo)
        party = Party(event.country_code, event.party_id)
        return cls(party, event.cpo_owner_id, event.originator_version, event.username, event.contact, logo)


def evolve(cpo: Cpo, event: CpoEvent) -> Cpo:
    """The state after one more event."""
    match event:
        case CpoRegistered():
            return Cpo.from_registered(event)
        case CpoLogoChanged(logo=logo, filename=filename):
            return replace(cpo, version=event.originator_version, logo=Upload(logo, filename))
        case CpoTokenCRotated() | CpoPasswordReset():
            return replace(cpo, version=event.originator_version)
        case CpoForgotten():
            return replace(cpo, version=event.originator_version, is_forgotten=True)


def replay(events: Iterable[CpoEvent]) -> Cpo | None:
    """The state after these events of one stream; None where there is none."""
    cpo: Cpo | None = None
    for event in events:
        if isinstance(event, CpoRegistered):
            cpo = Cpo.from_registered(event)
        elif cpo is not None:
            cpo = evolve(cpo, event)
    return cpo


def chosen_logo(cpo: Cpo, filename: str, *, own: Sequence[Upload], shared: Sequence[Upload]) -> Upload:
    """The upload that is meant by a file name, in the contract's order (R14); it may be the logo that the CPO has.

    own: the CPO's uploads of that name, the newest first; shared: those of nobody's that it may take
    raises: LogoNotUnique, LogoNotExists
    """
    if own:
        return own[0]
    if cpo.logo is not None and filename in (cpo.logo.filename, cpo.logo.name):
        return cpo.logo
    if len(shared) > 1:
        raise LogoNotUnique
    if not shared:
        raise LogoNotExists
    return shared[0]


def change_logo(cpo: Cpo, upload: Upload, *, at: datetime) -> CpoLogoChanged | None:
    """The event that makes an upload the logo; None where it is that already."""
    if upload == cpo.logo:
        return None
    return CpoLogoChanged(
        cpo_stream(cpo.party),
        cpo.version + 1,
        at,
        cpo.cpo_owner_id,
        cpo.party.country_code,
        cpo.party.party_id,
        upload.name,
        upload.filename,
    )


def rotate_token_c(cpo: Cpo, *, at: datetime) -> CpoTokenCRotated:
    """The event that another machine token is a CPO's."""
    party = cpo.party
    return CpoTokenCRotated(
        cpo_stream(party), cpo.version + 1, at, cpo.cpo_owner_id, party.country_code, party.party_id
    )


def reset_password(cpo: Cpo, *, at: datetime) -> CpoPasswordReset:
    """The event that a CPO's user has a temporary password again."""
    party = cpo.party
    return CpoPasswordReset(
        cpo_stream(party), cpo.version + 1, at, cpo.cpo_owner_id, party.country_code, party.party_id, cpo.username
    )


def forget(cpo: Cpo, *, at: datetime) -> CpoForgotten | None:
    """The event that a CPO's personal data can't be read any more; None where they can't already."""
    if cpo.is_forgotten:
        return None
    party = cpo.party
    return CpoForgotten(cpo_stream(party), cpo.version + 1, at, cpo.cpo_owner_id, party.country_code, party.party_id)


def preferred_party_ids(cpo_owner_name: str) -> list[str]:
    """Party ids made of the name, best first: its first two letters and a later one, then any third (contract R1)."""
    letters = [c for c in anyascii(cpo_owner_name).upper() if c in ascii_uppercase]
    letters += "X" * (PARTY_ID_LETTERS - len(letters))
    prefix = "".join(letters[:2])
    return [prefix + third for third in dict.fromkeys((*letters[2:], *ascii_uppercase))]


def all_party_ids() -> Iterator[str]:
    """Every triple of capitals, in alphabetical order."""
    return ("".join(triple) for triple in product(ascii_uppercase, repeat=PARTY_ID_LETTERS))


def register(draft: CpoDraft, contact: PersonalData, *, party: Party, cpo_owner_id: int, at: datetime) -> CpoRegistered:
    """The event that makes a CPO known. Its logo is None; where one was uploaded, `change_logo` follows."""
    return CpoRegistered(
        cpo_stream(party),
        1,
        at,
        cpo_owner_id,
        party.country_code,
        party.party_id,
        draft.username,
        draft.cpo_owner_name,
        contact,
        draft.ocpp_ready,
        None,
    )
