"""Turns a statement of the read side into one SQL text and its parameters. Pure; only constants are joined.

The same shape gives the same text, so PostgreSQL's prepared plans are used again. Every text answers with at least one
row: generation and checkpoint of the views, and nulls beside them where nothing matches. The rest of a row:

    locations   id, revision, chord (with lat and lng), is_own (`location`); head, evses: JSON
                parts instead of these, is_future (`location` with as_of): see `history_sql`
    history     id: position; is_known: whether the caller has the location; the columns of history_view
    EVSEs       id, revision, location_id, uid_key, after_known (with after): whether the caller has such an EVSE;
                document, head: JSON. id: position of registration; revision: where head is asked for its location's

Pages that must be sorted, or skipped over, are found by keys first (an index-only scan where there is no filter beside
the index) and get their documents afterwards, so that no document is sorted or read in vain. `offset 0` is a fence:
without it the planner may turn a look-up for each row into a hash of the whole table.

No plan hangs on how common what is asked for is: the indexes over facets are walked in the answer's order, and leave
out whole pages that have nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from read_side.evse_sql import Columns, own_evses
from read_side.filters import (
    Filter,
    LocationAsOf,
    LocationHistory,
    OneLocation,
    OwnEvses,
    OwnLocations,
    PublicLocations,
)
from read_side.history_sql import location_as_of, location_history
from read_side.location_sql import one_location, own_locations, public_locations
from read_side.scope import Own, Scope
from read_side.sql_text import Parameters

Question: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL text and the values of $1, $2, …"""

REVISION: Final = frozenset({"revision"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One root field, ready to be asked.

    columns: JSON that its cut needs, of `head`, `evses` and `document`
    has_documents: whether that JSON is asked for; else which documents there are, and their revisions
    """

    filter: Filter
    scope: Scope
    columns: frozenset[str]
    has_documents: bool = True

    @property
    def is_of_now(self) -> bool:
        """Whether its documents are those of the views, each known by its id and revision."""
        return not isinstance(self.filter, LocationAsOf | LocationHistory)

    @property
    def asked(self) -> frozenset[str]:
        """Columns of the answer beside its keys."""
        return REVISION | self.columns if self.has_documents else REVISION


def render(statement: Statement) -> Question:
    """One SQL text and its parameters."""
    parameters = Parameters()
    match statement.filter:
        case OwnEvses() as wanted:
            text = own_evses(wanted, _owner(statement.scope), _columns_of_evses(statement), parameters)
        case OwnLocations(page=page):
            text = own_locations(page, _owner(statement.scope), statement.asked, parameters)
        case OneLocation(location_id=location_id):
            text = one_location(location_id, _owner(statement.scope), statement.asked, parameters)
        case LocationAsOf() as wanted:
            text = location_as_of(wanted, _owner(statement.scope), parameters)
        case LocationHistory() as wanted:
            text = location_history(wanted, _owner(statement.scope), parameters)
        case PublicLocations() as wanted:
            text = public_locations(wanted, statement.asked, parameters)
    return text, tuple(parameters.values)


def _owner(scope: Scope) -> Own:
    if not isinstance(scope, Own):
        raise TypeError("this question is asked of one CPO's own")
    return scope


def _columns_of_evses(statement: Statement) -> Columns:
    """A location's revision is at least that of each of its EVSEs, so that it says both where both are asked for."""
    of_evse = ["uid_key"] + ["document"] * statement.has_documents
    if "head" not in statement.columns:
        return (*of_evse, "revision"), ()
    return tuple(of_evse), ("revision", *["head"] * statement.has_documents)
