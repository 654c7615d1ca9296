"""Who asks, and so what may be seen: one CPO's own, or what is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from ocpi.identifiers import Party
from read_side.errors import Forbidden, Unauthenticated

READ: Final = "read"
"""The scope that a Basic client needs for `find_ev_*` (contract §1)."""

UNAUTHORIZED: Final = "Unauthorized"
TOKEN_EXPIRED: Final = "Token Expired"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of a query, as its Authorization header tells.

    party: of a CPO's access token; client: name of a Basic client, with its scopes
    rejected: why its token was refused, `Unauthorized` or `Token Expired`; None where none was
    """

    party: Party | None = None
    client: str | None = None
    scopes: frozenset[str] = frozenset()
    rejected: str | None = None


NOBODY: Final = Viewer()
"""A caller without a token."""


@dataclass(frozen=True, slots=True)
class Own:
    """Everything of one CPO: unpublished locations and REMOVED EVSEs too."""

    party: Party


@dataclass(frozen=True, slots=True)
class Public:
    """What is published, of all CPOs, without REMOVED EVSEs and without what is the owner's only."""


Scope: TypeAlias = Own | Public
PUBLIC: Final = Public()


def own_scope(viewer: Viewer) -> Own:
    """The scope of `evse`, `locations` and `location`. raises: Unauthenticated."""
    if viewer.party is None:
        raise Unauthenticated(viewer.rejected or UNAUTHORIZED)
    return Own(viewer.party)


def public_scope(viewer: Viewer) -> Public:
    """The scope of `find_ev_*`. raises: Unauthenticated, Forbidden for a client without the scope `read`."""
    if viewer.client is None:
        raise Unauthenticated(viewer.rejected or UNAUTHORIZED)
    if READ not in viewer.scopes:
        raise Forbidden("Forbidden")
    return PUBLIC
