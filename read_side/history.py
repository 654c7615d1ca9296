"""Makes the contract's documents out of rows of the history. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from read_side.cut import Document
    from read_side.documents import Row


def as_of(parts: str) -> tuple[str, str]:
    """The documents of a location and of its EVSEs, as they were. parts: as `history_sql` says."""
    location: Document = {}
    evses: dict[str, Document] = {}
    for uid, connector_id, first, last in orjson.loads(parts):
        if not uid:
            location = first | last
        elif not connector_id:
            evses[uid] = first | last
        else:
            _connector(evses[uid], connector_id).update(last)
    return orjson.dumps(location).decode(), orjson.dumps(list(evses.values())).decode()


def _connector(evse: Document, connector_id: int) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in evse["connectors"] if one["connector_id"] == connector_id)
    return found


def event_document(row: Row) -> Document:
    """LOCATION_EVENT of a row."""
    after: Mapping[str, Any] = orjson.loads(row["after"])
    before: Mapping[str, Any] = dict.fromkeys(after) if row["before"] is None else orjson.loads(row["before"])
    return {
        "position": str(row["id"]),
        "at": row["at"],
        "event": row["topic"],
        "command_id": str(row["command_id"]),
        "correlation_id": row["correlation_id"],
        "actor": row["actor"],
        "evse_uid": row["uid"] or None,
        "connector_id": row["connector_id"] or None,
        "changes": [
            {"field": field, "before": value, "after": after[field]}
            for field, value in before.items()
            if value != after[field]
        ],
    }
