"""A CPO: how it gets its party_id, and its registration."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from string import ascii_uppercase
from typing import TYPE_CHECKING

from anyascii import anyascii

from write_side.events.cpo import CpoRegistered
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ocpi.identifiers import Party
    from write_side.events.cpo import ContactData

PARTY_ID_LETTERS = 3


@dataclass(frozen=True, slots=True)
class CpoDraft:
    """A registration as it was sent (R1). logo: a file name, or None."""

    username: str
    cpo_owner_name: str
    contact: ContactData
    ocpp_ready: bool
    logo: str | None


def preferred_party_ids(cpo_owner_name: str) -> list[str]:
    """Party ids made of the name, best first: its first two letters and a later one, then any third (contract R1)."""
    letters = [c for c in anyascii(cpo_owner_name).upper() if c in ascii_uppercase]
    letters += "X" * (PARTY_ID_LETTERS - len(letters))
    prefix = "".join(letters[:2])
    return [prefix + third for third in dict.fromkeys((*letters[2:], *ascii_uppercase))]


def all_party_ids() -> Iterator[str]:
    """Every triple of capitals, in alphabetical order."""
    return ("".join(triple) for triple in product(ascii_uppercase, repeat=PARTY_ID_LETTERS))


def register(draft: CpoDraft, *, party: Party, cpo_owner_id: int, at: datetime) -> CpoRegistered:
    """The event that makes a CPO known. A logo that was not uploaded is no fault: it is None until R14."""
    return CpoRegistered(
        cpo_stream(party),
        1,
        at,
        cpo_owner_id,
        party.country_code,
        party.party_id,
        draft.username,
        draft.cpo_owner_name,
        draft.contact,
        draft.ocpp_ready,
        None,
    )
