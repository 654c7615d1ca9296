"""How the events of a CPO change what the views say of it. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocpi.identifiers import Party

if TYPE_CHECKING:
    from projections.documents import Document
    from projections.drawings import Drawings
    from write_side.events.cpo import CpoForgotten, CpoLogoChanged, CpoRegistered


@dataclass(slots=True)
class CpoDrawing:
    """One CPO. details: the document of R13 (contract §2), its contact as sealed as it is in the event."""

    party: Party
    cpo_owner_id: int
    details: Document
    revision: int


def on_cpo_registered(drawings: Drawings, event: CpoRegistered, position: int) -> None:
    """A CPO appears."""
    party = Party(event.country_code, event.party_id)
    drawings.cpos[party] = CpoDrawing(
        party=party,
        cpo_owner_id=event.cpo_owner_id,
        details={
            "party_id": event.party_id,
            "cpo_owner_name": event.cpo_owner_name,
            "contact": event.contact,
            "logo": event.logo,
        },
        revision=position,
    )


def on_cpo_logo_changed(drawings: Drawings, event: CpoLogoChanged, position: int) -> None:
    """Another stored image is the CPO's logo."""
    drawing = drawings.cpos[Party(event.country_code, event.party_id)]
    drawing.details["logo"] = event.logo
    drawing.revision = position


def on_cpo_forgotten(drawings: Drawings, event: CpoForgotten, position: int) -> None:
    """Nobody can read the CPO's contact any more."""
    drawing = drawings.cpos[Party(event.country_code, event.party_id)]
    drawing.details["contact"] = None
    drawing.revision = position
