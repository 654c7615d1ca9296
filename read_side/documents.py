"""Makes the contract's documents out of the rows of a statement. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import orjson

from ocpi.codes import REMOVED
from read_side.cut import Document
from read_side.errors import BadUserInput
from read_side.fields import DISTANCE, EVSES, LOCATION_OF_EVSE
from read_side.filters import Filter, OneLocation, OwnEvses
from read_side.geo import km_of

Row: TypeAlias = Mapping[str, Any]
HIDDEN: Final = {"current_ws_connection_id": None, "server_id": None}


def matches(rows: Sequence[Row], wanted: Filter) -> tuple[Sequence[Row], bool]:
    """The rows that match, at most the cap, and whether there are more than the cap. rows: as `sql` says.

    raises: BadUserInput for an `after` that is no EVSE of the caller's: an empty page would say that this was the last
    """
    key = "location_id" if isinstance(wanted, OwnEvses) else "id"
    if rows[0].get("after_known") is False:
        raise BadUserInput("after: no EVSE of yours has this uid")
    if rows[0][key] is None:
        return (), False
    if isinstance(wanted, OneLocation) or wanted.page.cap is None or len(rows) <= wanted.page.cap:
        return rows, False
    return rows[: wanted.page.cap], True


def document_of(row: Row, wanted: Filter) -> Document:
    """The document of one row, whole as its columns allow; for its owner (see `shown_to_everybody`)."""
    document: Document
    if isinstance(wanted, OwnEvses):
        document = orjson.loads(row["document"])
        if (head := row.get("head")) is not None:
            document[LOCATION_OF_EVSE] = orjson.loads(head)
        return document
    head = row.get("head")
    document = {"id": row["id"]} if head is None else orjson.loads(head)
    if (evses := row.get("evses")) is not None:
        document[EVSES] = orjson.loads(evses)
    if (chord := row.get("chord")) is not None:
        document[DISTANCE] = km_of(chord)
    return document


def size_of(row: Row) -> int:
    """Characters of JSON in a row: what cutting it costs."""
    return sum(len(row.get(column) or "") for column in ("document", "head", "evses"))


def is_owners(row: Row, wanted: Filter, *, is_own: bool) -> bool:
    """Whether the row is seen by its owner. is_own: the scope's answer for the whole field."""
    return bool(row["is_own"]) if isinstance(wanted, OneLocation) else is_own


def shown_to_everybody(location: Document) -> Document:
    """The location without its REMOVED EVSEs and without what is the owner's only."""
    return {
        **location,
        EVSES: [{**evse, **HIDDEN} for evse in location[EVSES] if evse["status"] != REMOVED],
    }
