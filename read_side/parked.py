"""Which keys are parked: an event of theirs could not be drawn, so that their rows are older than the checkpoint says.

A query without a position gets those rows. One that names a position must not get anything older: it is refused where
an event until then waits that what it asks for may show. Whoever parks a key, or frees one, makes another generation,
so that what is known of a generation stays true, and nothing is asked while nothing is parked. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ocpi.identifiers import Party
from read_side.filters import LocationAsOf, LocationHistory, OneLocation
from read_side.scope import Own
from read_side.sql import Question, Statement

PARKED: Final[Question] = (
    """
    select c.generation, c.pos, d.key, d.party, d.first
      from (select generation, pos from views.checkpoint limit 1) as c
      left join (
        select key, party, min(pos) as first
          from views.dead_letter
         group by key, party) as d on true
    """,
    (),
)


@dataclass(frozen=True, slots=True)
class Parked:
    """A key, `location/ID` or `cpo/COUNTRY/PARTY`, of that party. first: position of the first event that waits."""

    key: str
    party: str
    first: int

    @property
    def is_location(self) -> bool:
        """Whether it is a location with its EVSEs."""
        return self.key.startswith("location/")


Concern: TypeAlias = Callable[[Parked], bool]
"""Whether what is asked for may show what waits under a key."""


def any_location(parked: Parked) -> bool:
    """The concern of who counts or searches locations."""
    return parked.is_location


def of_cpo(party: Party) -> Concern:
    """The concern of who asks for a CPO's details or what it has staged."""
    key = f"cpo/{party}"
    return lambda parked: parked.key == key


def of_statements(statements: Iterable[Statement]) -> Concern:
    """The concern of a GraphQL request."""
    return lambda parked: any(_may_show(statement, parked) for statement in statements)


def _may_show(statement: Statement, parked: Parked) -> bool:
    """A location shows itself. To a page what waits may belong, or no longer, whatever its row says."""
    match statement.filter, statement.scope:
        case (OneLocation() | LocationAsOf() | LocationHistory()) as wanted, _:
            return parked.key == f"location/{wanted.location_id}"
        case _, Own(party=party):
            return parked.is_location and parked.party == str(party)
        case _:
            return parked.is_location
