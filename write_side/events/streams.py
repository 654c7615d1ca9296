"""The id of a stream follows from what it is about: nobody has to look it up, nobody can make two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from ocpi.identifiers import folded

if TYPE_CHECKING:
    from ocpi.identifiers import Party

NAMESPACE: Final = UUID("6f5b1f6e-52c1-5e0a-9d0e-0a6c9f1c7b53")
"""Ours, fixed for ever: every stream id in every store is derived from it."""


def location_stream(location_id: int) -> UUID:
    """The stream of one location."""
    return uuid5(NAMESPACE, f"location/{location_id}")


def evse_stream(party: Party, uid: str) -> UUID:
    """The stream of one EVSE; its first version makes the uid unique within the party, ignoring case."""
    return uuid5(NAMESPACE, f"evse/{party}/{folded(uid)}")


def cpo_stream(party: Party) -> UUID:
    """The stream of one CPO."""
    return uuid5(NAMESPACE, f"cpo/{party}")


def pending_stream(party: Party) -> UUID:
    """The stream of what one CPO has uploaded for approval; apart from its own, since it may be long."""
    return uuid5(NAMESPACE, f"pending/{party}")
