"""Rows of whole locations on their way into empty tables, by COPY: encoded as soon as a location is folded.

One location at a time, all that is made of it stays in the processor's cache: folding 40,000 events first, and making
their rows then, took a third longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from projections import copy_format, history_table, place_table
from projections.copy_format import boolean, cube, int4, int4_array, int8, text, text_array, timestamptz, word
from projections.history import HistoryRow
from projections.locations import head_of
from projections.place_table import PlaceCounts
from projections.rows import EvseRow, LocationRow, rows_of

if TYPE_CHECKING:
    import asyncpg

    from projections.copy_format import Encode
    from projections.drawings import Drawings
    from projections.locations import LocationDrawing

LOCATION_COLUMNS: Final[dict[str, Encode]] = {
    "id": int4,
    "country_code": word,
    "party_id": word,
    "cpo_owner_id": int4,
    "name_key": text,
    "publish": boolean,
    "is_public": boolean,
    "city_key": word,
    "province_key": word,
    "facets": int4_array,
    "name_grams": int4_array,
    "point": cube,
    "head": text,
    "evses": text,
    "revision": int8,
}
EVSE_COLUMNS: Final[dict[str, Encode]] = {
    "country_code": word,
    "party_id": word,
    "uid_key": text,
    "location_id": int4,
    "location_name_key": text,
    "created_at": timestamptz,
    "registered_pos": int8,
    "is_removed": boolean,
    "capabilities": text_array,
    "payment_types": text_array,
    "connectors": text_array,
    "document": text,
    "revision": int8,
}
"""How COPY takes the columns, in the order of LocationRow and EvseRow."""
_encoded_location: Final = copy_format.row_of(tuple(LOCATION_COLUMNS.values()))
_encoded_evse: Final = copy_format.row_of(tuple(EVSE_COLUMNS.values()))


class BulkRows:
    """The rows of some locations, as COPY takes them."""

    def __init__(self) -> None:
        self._locations: list[bytes] = []
        self._evses: list[bytes] = []
        self._history: list[bytes] = []
        self._places = PlaceCounts()

    def add(self, drawing: LocationDrawing) -> None:
        """Those of a location whose whole history was folded."""
        location, evses = rows_of(drawing)
        self._locations.append(_encoded_location(location))
        self._evses += map(_encoded_evse, evses)
        self._history += map(history_table.encoded_row, drawing.history)
        if location.is_public:
            head = head_of(drawing)
            self._places.add((head["province"], head["city"]))

    async def copy(self, connection: asyncpg.Connection) -> None:
        """Put them into the tables, which have nothing of these locations."""
        for table, columns, rows in (
            ("location_view", LocationRow._fields, self._locations),
            ("evse_view", EvseRow._fields, self._evses),
            ("history_view", HistoryRow._fields, self._history),
        ):
            await connection.copy_to_table(table, source=copy_format.file_of(rows), columns=columns, format="binary")
        if more := self._places.more():
            await connection.execute(place_table.COUNT_MORE, *map(list, zip(*more, strict=True)))


async def copy(connection: asyncpg.Connection, drawings: Drawings) -> None:
    """Put all rows of these locations, whose whole history was folded, into tables that have nothing of them."""
    rows = BulkRows()
    for _, drawing in sorted(drawings.locations.items()):
        rows.add(drawing)
    await rows.copy(connection)
