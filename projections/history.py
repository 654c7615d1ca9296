"""What each event changed of a location: the rows of history_view, which are added and never changed. Pure.

A row is of one part of a location: itself (no uid), one of its EVSEs, or one of an EVSE's connectors. A part as it was
at a moment is its first row overlaid with its last one until then: a new part has its whole document in `after`, an
EVSE or a connector that changed has what changed, a location always its whole document.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

if TYPE_CHECKING:
    from uuid import UUID

    from projections.documents import Document
    from projections.drawings import Drawings
    from write_side.events.ranges import Recorded

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""Before every event."""


class HistoryRow(NamedTuple):
    """One row of history_view, its columns in their order. before, after: JSON."""

    location_id: int
    pos: int
    at: datetime
    since: datetime
    topic: str
    command_id: UUID
    correlation_id: str
    actor: str
    uid: str
    connector_id: int
    before: str | None
    after: str


class Change(NamedTuple):
    """What an event changed of a part of a location.

    before: the fields that it changed, as they were; None where the part is new. after: see above.
    uid: of the EVSE, "" for the location itself; connector_id: 1, 2, … within the EVSE, 0 for the EVSE itself
    """

    location_id: int
    before: Document | None
    after: Document
    uid: str = ""
    connector_id: int = 0


def differing(was: Document, now: Document) -> Document:
    """The fields of a document that are others now, as they were."""
    return {key: value for key, value in was.items() if now[key] != value}


def keep(drawings: Drawings, change: Change, recorded: Recorded) -> None:
    """Put a change behind those of its location.

    Clocks differ and commands overtake each other: `since` never goes back, so that a moment cuts the events in two.
    """
    drawing = drawings.locations[change.location_id]
    drawing.since = max(drawing.since, recorded.at)
    drawing.history.append(
        HistoryRow(
            change.location_id,
            recorded.position,
            recorded.at,
            drawing.since,
            recorded.topic,
            recorded.command_id,
            recorded.correlation_id,
            recorded.actor,
            change.uid,
            change.connector_id,
            None if change.before is None else orjson.dumps(change.before).decode(),
            orjson.dumps(change.after).decode(),
        )
    )
