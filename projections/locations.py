"""How the events of a location and its EVSEs change what the views say of it: one drawing a location.

A drawing is a view row with its EVSEs' documents apart. It stays JSON text but for what the events of a batch touch,
which is opened, changed in place and written back. It lives no longer than its batch: remembered drawings were tried,
and made status changes 1.3 times as fast while everything was in memory, slower when half of it was.
No I/O, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from ocpi.codes import REMOVED
from ocpi.identifiers import folded
from projections.documents import add_photos, change_head, evse_document, head_document, iso, replace_photo
from projections.history import EARLIEST, Change, differing

if TYPE_CHECKING:
    from datetime import datetime

    from projections.documents import Document
    from projections.drawings import Drawings
    from projections.history import HistoryRow
    from write_side.events.evse import ConnectorStatusChanged, EvseRegistered, EvseStatusChanged
    from write_side.events.location import (
        LocationChanged,
        LocationPhotoReplaced,
        LocationPhotosAdded,
        LocationRegistered,
    )


@dataclass(slots=True)
class OpenEvse:
    """One EVSE that this batch changes. document: EVSE_WITHOUT_LOCATIONS.

    created_at, registered_pos: of an EVSE that this batch registers, None of one whose row knows them already.
    """

    document: Document
    revision: int
    created_at: datetime | None = None
    registered_pos: int | None = None


@dataclass(slots=True)
class LocationDrawing:
    """One location. head: JSON; evses: JSON by casefolded uid, in the order of registration.

    drawn_head: the head that the views have, "" of a new location; was_public: whether the public sees it there.
    since: of its last event's row in the history.
    What this batch changed: open_head, open_evses; is_redrawn: columns that filters use may be others now;
    is_renamed: its EVSEs' rows carry another name; history: a row for each of its events.
    """

    location_id: int
    country_code: str
    party_id: str
    head: str
    evses: dict[str, str]
    revision: int
    drawn_head: str = ""
    was_public: bool = False
    since: datetime = EARLIEST
    open_head: Document | None = None
    open_evses: dict[str, OpenEvse] = field(default_factory=dict)
    is_redrawn: bool = False
    is_renamed: bool = False
    history: list[HistoryRow] = field(default_factory=list)

    def write_back(self) -> None:
        """What is open goes into the texts."""
        if self.open_head is not None:
            self.head = orjson.dumps(self.open_head).decode()
        for uid_key, evse in self.open_evses.items():
            self.evses[uid_key] = orjson.dumps(evse.document).decode()


def head_of(drawing: LocationDrawing) -> Document:
    """The document of a location's head, as it is now."""
    if drawing.open_head is not None:
        return drawing.open_head
    head: Document = orjson.loads(drawing.head)
    return head


def evses_of(drawing: LocationDrawing) -> list[Document]:
    """The documents of a location's EVSEs, as they are now, in the order of registration."""
    return [
        drawing.open_evses[uid_key].document if uid_key in drawing.open_evses else orjson.loads(text)
        for uid_key, text in drawing.evses.items()
    ]


def on_location_registered(drawings: Drawings, event: LocationRegistered, position: int) -> Change:
    """A location appears, without EVSEs."""
    head = head_document(event)
    drawings.locations[event.location_id] = LocationDrawing(
        location_id=event.location_id,
        country_code=event.country_code,
        party_id=event.party_id,
        head="",
        evses={},
        revision=position,
        open_head=head,
        is_redrawn=True,
    )
    return Change(event.location_id, None, head)


def on_location_changed(drawings: Drawings, event: LocationChanged, position: int) -> Change:
    """Fields of a location become others; its date_modified moves."""
    drawing = drawings.locations[event.location_id]
    was, head = _opened_head(drawing, iso(event.timestamp), position)
    change_head(head, event.changes)
    drawing.is_renamed |= "name" in event.changes
    return Change(event.location_id, differing(was, head), head)


def on_location_photos_added(drawings: Drawings, event: LocationPhotosAdded, position: int) -> Change:
    """Photos join those of a location; its date_modified moves."""
    was, head = _opened_head(drawings.locations[event.location_id], iso(event.timestamp), position)
    add_photos(head, event)
    return Change(event.location_id, differing(was, head), head)


def on_location_photo_replaced(drawings: Drawings, event: LocationPhotoReplaced, position: int) -> Change:
    """A photo shows another image; its date_modified and the location's move.

    raises: KeyError where the location has no such photo
    """
    was, head = _opened_head(drawings.locations[event.location_id], iso(event.timestamp), position)
    replace_photo(head, event)
    return Change(event.location_id, differing(was, head), head)


def on_evse_registered(drawings: Drawings, event: EvseRegistered, position: int) -> Change:
    """An EVSE joins its location, behind those that are there."""
    drawing = drawings.locations[event.location_id]
    uid_key = folded(event.uid)
    document = evse_document(event)
    drawing.evses[uid_key] = ""
    drawing.open_evses[uid_key] = OpenEvse(document, position, event.timestamp, position)
    drawing.is_redrawn = True
    drawing.revision = position
    return Change(event.location_id, None, document, event.uid)


def on_evse_status_changed(drawings: Drawings, event: EvseStatusChanged, position: int) -> Change:
    """The status of an EVSE becomes another; REMOVED takes it out of what the public may find."""
    drawing = drawings.locations[event.location_id]
    document = _opened(drawing, event.evse_uid, position)
    was = {"status": document["status"]}
    drawing.is_redrawn |= REMOVED in (event.status, document["status"])
    document["status"] = event.status
    return Change(event.location_id, was, {"status": event.status}, document["uid"])


def on_connector_status_changed(drawings: Drawings, event: ConnectorStatusChanged, position: int) -> Change:
    """The status of a connector becomes another; its date_modified moves.

    raises: KeyError where the EVSE has no such connector
    """
    drawing = drawings.locations[event.location_id]
    evse = _opened(drawing, event.evse_uid, position)
    now = {"status": event.status, "date_modified": iso(event.timestamp)}
    for connector in evse["connectors"]:
        if connector["connector_id"] == event.connector_id:
            was = {key: connector[key] for key in now}
            connector.update(now)
            return Change(event.location_id, was, now, evse["uid"], event.connector_id)
    raise KeyError(event.connector_id)


def _opened_head(drawing: LocationDrawing, at: str, position: int) -> tuple[Document, Document]:
    """The document as it was, and the one that may be changed."""
    was = head_of(drawing)
    drawing.open_head = was | {"date_modified": at}
    drawing.is_redrawn = True
    drawing.revision = position
    return was, drawing.open_head


def _opened(drawing: LocationDrawing, uid: str, position: int) -> Document:
    uid_key = folded(uid)
    evse = drawing.open_evses.get(uid_key)
    if evse is None:
        evse = drawing.open_evses[uid_key] = OpenEvse(orjson.loads(drawing.evses[uid_key]), position)
    evse.revision = drawing.revision = position
    return evse.document
