"""The ids of the field, each with a type of its own, so that none is taken for another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

EvseUid = NewType("EvseUid", str)
"""OCPI `uid`: unique within its CPO, compared without case, kept in the sender's case (OCPI 2.2.1 §6.2)."""

EvseId = NewType("EvseId", str)
"""eMI3 id for people: `PH*ABC*E<uid>` (contract §3)."""

LocationId = NewType("LocationId", int)
"""Our global integer of a location; never changes."""

ConnectorNumber = NewType("ConnectorNumber", int)
"""1, 2, … within its EVSE; the contract's `connector_id`."""

ConnectorId = NewType("ConnectorId", int)
"""Our global integer of a connector; the contract's `id`."""

CpoOwnerId = NewType("CpoOwnerId", int)
"""Our global integer of a CPO; the contract's `cpo_owner_id`."""


@dataclass(frozen=True, slots=True)
class Party:
    """A CPO as OCPI names it: ISO 3166 alpha-2 country and three capitals, unique together."""

    country_code: str
    party_id: str

    def __str__(self) -> str:
        return f"{self.country_code}/{self.party_id}"


def folded(text: str) -> str:
    """The form in which names and uids are compared: without case (contract §3, OCPI CiString)."""
    return text.casefold()


def evse_id_of(party: Party, uid: str) -> EvseId:
    """The eMI3 id of an EVSE, made from its party and uid (contract §3 "What we derive")."""
    return EvseId(f"{party.country_code}*{party.party_id}*E{uid}")
