"""The state of any stream: what each event makes of it, whichever kind it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

from write_side.domain import cpo, evse, location
from write_side.events.cpo import CpoEvent
from write_side.events.evse import EvseEvent
from write_side.events.location import LocationEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from eventsourcing.domain import DomainEvent

Aggregate: TypeAlias = location.Location | evse.Evse | cpo.Cpo

EVOLVE: Final[dict[type[DomainEvent], Callable[[Any, Any], Aggregate]]] = {
    **dict.fromkeys(get_args(LocationEvent), location.evolve),
    **dict.fromkeys(get_args(EvseEvent), evse.evolve),
    **dict.fromkeys(get_args(CpoEvent), cpo.evolve),
}
"""For every event the function that evolves the state of its stream."""


def evolved(state: Aggregate | None, event: DomainEvent) -> Aggregate:
    """The state after one more event; the first event of a stream makes it, whatever was before.

    raises: KeyError for an event that is not in EVOLVE
    """
    return EVOLVE[type(event)](state, event)
