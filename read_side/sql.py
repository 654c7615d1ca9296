"""Turns a statement of the read side into one SQL text and its parameters. Pure; only constants are joined.

The same shape gives the same text, so PostgreSQL's prepared plans are used again. Every text answers with at least one
row: generation and checkpoint of the views, and nulls beside them where nothing matches. The rest of a row:

    locations   id, chord (with lat and lng), is_own (`location`), head, evses: JSON, those of them that are asked for
    EVSEs       location_id, document, head: JSON; after_known (with after): whether the caller has such an EVSE

Pages that must be sorted, or skipped over, are found by keys first (an index-only scan where there is no filter beside
the index) and get their documents afterwards, so that no document is sorted or read in vain. `offset 0` is a fence:
without it the planner may turn a look-up for each row into a hash of the whole table.

No plan hangs on how common what is asked for is: the indexes over facets are walked in the answer's order, and leave
out whole pages that have nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from read_side.evse_sql import own_evses
from read_side.filters import Filter, OneLocation, OwnEvses, OwnLocations, PublicLocations
from read_side.location_sql import one_location, own_locations, public_locations
from read_side.scope import Own, Scope
from read_side.sql_text import Parameters

Question: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL text and the values of $1, $2, …"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One root field, ready to be asked. columns: documents that its cut needs, of `head` and `evses`."""

    filter: Filter
    scope: Scope
    columns: frozenset[str]


def render(statement: Statement) -> Question:
    """One SQL text and its parameters."""
    parameters = Parameters()
    match statement.filter:
        case OwnEvses() as wanted:
            text = own_evses(wanted, _owner(statement.scope), statement.columns, parameters)
        case OwnLocations(page=page):
            text = own_locations(page, _owner(statement.scope), statement.columns, parameters)
        case OneLocation(location_id=location_id):
            text = one_location(location_id, _owner(statement.scope), statement.columns, parameters)
        case PublicLocations() as wanted:
            text = public_locations(wanted, statement.columns, parameters)
    return text, tuple(parameters.values)


def _owner(scope: Scope) -> Own:
    if not isinstance(scope, Own):
        raise TypeError("this question is asked of one CPO's own")
    return scope
