"""Makes the contract's documents out of the rows of a statement. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import orjson

from ocpi.codes import REMOVED
from read_side.cut import Document
from read_side.errors import BadUserInput, NotFound
from read_side.fields import DISTANCE, EVSES, LOCATION_OF_EVSE
from read_side.filters import Filter, LocationAsOf, LocationHistory, OneLocation, OwnEvses
from read_side.geo import km_of
from read_side.history import as_of, event_document


class Row(Protocol):
    """A row of an answer: columns by name."""

    def __getitem__(self, column: str, /) -> Any:  # noqa: ANN401 - of the column's type
        """The value of a column that the statement has."""

    def get(self, column: str, /) -> Any:  # noqa: ANN401 - of the column's type
        """The value of a column, or None."""


HIDDEN: Final = {"current_ws_connection_id": None, "server_id": None}


def matches(rows: Sequence[Row], wanted: Filter) -> tuple[Sequence[Row], bool]:
    """The rows that match, at most the cap, and whether there are more than the cap. rows: as `sql` says.

    raises: BadUserInput for an `after` that is no EVSE of the caller's: an empty page would say that this was the last
            BadUserInput for an `as_of` that is yet to come: it would be answered otherwise then
            NotFound for the history of a location that the caller doesn't have
    """
    first = rows[0]
    if first.get("after_known") is False:
        raise BadUserInput("after: no EVSE of yours has this uid")
    if first.get("is_future"):
        raise BadUserInput("as_of: must not be in the future")
    if first.get("is_known") is False:
        raise NotFound("id: you have no location with this id")
    if first["id"] is None:
        return (), False
    if isinstance(wanted, OneLocation | LocationAsOf) or wanted.page.cap is None or len(rows) <= wanted.page.cap:
        return rows, False
    return rows[: wanted.page.cap], True


def texts_of(row: Row, wanted: Filter) -> tuple[str, str | None]:
    """A row's document, and what is stored beside it: a location's EVSEs, an EVSE's location; as far as asked for."""
    if isinstance(wanted, OwnEvses):
        return row["document"], row.get("head")
    if isinstance(wanted, LocationAsOf):
        return as_of(row["parts"])
    if isinstance(wanted, LocationHistory):
        return orjson.dumps(event_document(row)).decode(), None
    head = row.get("head")
    return f'{{"id":{row["id"]}}}' if head is None else head, row.get("evses")


def distance_of(row: Row) -> float | None:
    """Km from the point that the query names; None where it names none."""
    chord = row.get("chord")
    return None if chord is None else km_of(chord)


def document_of(row: Row, wanted: Filter) -> Document:
    """The document of one row, whole as its columns allow; for its owner (see `shown_to_everybody`)."""
    stored, beside = texts_of(row, wanted)
    document: Document = orjson.loads(stored)
    if isinstance(wanted, OwnEvses):
        if beside is not None:
            document[LOCATION_OF_EVSE] = orjson.loads(beside)
        return document
    if isinstance(wanted, LocationHistory):
        return document
    if beside is not None:
        document[EVSES] = orjson.loads(beside)
    document[DISTANCE] = distance_of(row)
    return document


def is_owners(row: Row, wanted: Filter, *, is_own: bool) -> bool:
    """Whether the row is seen by its owner. is_own: the scope's answer for the whole field."""
    return bool(row["is_own"]) if isinstance(wanted, OneLocation | LocationAsOf) else is_own


def shown_to_everybody(location: Document) -> Document:
    """The location without its REMOVED EVSEs and without what is the owner's only."""
    return {
        **location,
        EVSES: [{**evse, **HIDDEN} for evse in location[EVSES] if evse["status"] != REMOVED],
    }
