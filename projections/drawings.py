"""What a batch of events draws: the rows that it touches, by what they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocpi.identifiers import Party
    from projections.cpos import CpoDrawing
    from projections.locations import LocationDrawing
    from projections.pending import PendingDrawing


@dataclass(slots=True)
class Drawings:
    """The locations of a batch, by id, its CPOs, and what these have staged."""

    locations: dict[int, LocationDrawing] = field(default_factory=dict)
    cpos: dict[Party, CpoDrawing] = field(default_factory=dict)
    pending: dict[Party, PendingDrawing] = field(default_factory=dict)
