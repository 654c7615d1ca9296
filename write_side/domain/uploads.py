"""Rows of an upload become locations with their EVSEs (contract §4).

Pure, and a few rows at a time, so that a file may be larger than memory: what is kept of it meanwhile is one entry for
each location and each EVSE.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ocpi.identifiers import folded
from write_side.domain.drafts import EvseDraft, LocationDraft
from write_side.domain.errors import DuplicateEvseUid, Fault, LocationNameExists, TooManyEvses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from write_side.domain.place import Placed

MAX_FAULTS: Final = 1_000
"""So many are told (contract §4)."""

MAX_CONNECTORS: Final = 100
"""Of one EVSE: each row adds some, and an EVSE is one event."""

LOCATION_COLUMNS: Final = ("lat", "lng", "facilities", "parking_types")
EVSE_COLUMNS: Final = ("kwh", "meter_type", "capabilities", "payment_types", "floor_level", "directions")
COLUMN_OF: Final = {"meter_type": "power_type"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an upload as it was understood. number: in its file, whose header is 1.

    location: without EVSEs; evse: with the connectors of this row
    """

    number: int
    location: LocationDraft
    evse: EvseDraft


@dataclass(frozen=True, slots=True)
class Rows:
    """Some consecutive rows. faults: what is wrong with others among them, which are left out."""

    rows: tuple[Row, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class LocationOfRows:
    """A location at the first of its rows. nr: 1, 2, … in the upload; placed None: not asked for."""

    nr: int
    row: int
    draft: LocationDraft
    placed: Placed | None = None


@dataclass(frozen=True, slots=True)
class EvseRow:
    """One row of an EVSE. nr: of the EVSE, ascending by its first row; draft: with the connectors of this row."""

    location_nr: int
    nr: int
    row: int
    draft: EvseDraft


@dataclass(frozen=True, slots=True)
class EvseOfRows:
    """An EVSE of all its rows. row: the first of them."""

    row: int
    draft: EvseDraft


@dataclass(frozen=True, slots=True)
class Group:
    """One location of an upload with all its EVSEs, in the order of their first rows."""

    location: LocationOfRows
    evses: tuple[EvseOfRows, ...]


@dataclass(slots=True)
class _Location:
    """upload: the last that named it; evse_count: over all uploads that were added."""

    nr: int
    draft: LocationDraft
    upload: int
    evse_count: int = 0


class _Evse(NamedTuple):
    """A tuple of numbers: of a hundred thousand of them the garbage collector need not look at one."""

    nr: int
    location_nr: int
    upload: int
    connectors: int


@dataclass(slots=True)
class Grouping:
    """Finds the locations and EVSEs of rows as they come. faults, ignored: grow.

    Several uploads may be added one after the other: an EVSE belongs to one of them, a location may be in several.
    ignored: what rows say of a location that its first row says otherwise, as in W1 (contract §3)
    """

    max_evses: int
    faults: list[Fault] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    _locations: dict[str, _Location] = field(default_factory=dict)
    _evses: dict[str, _Evse] = field(default_factory=dict)
    _upload: int = 0
    _rows_of: list[int] = field(default_factory=list)

    def next_upload(self) -> None:
        """What is added from now on is another upload, its locations and EVSEs numbered from 1."""
        self._upload += 1
        self._rows_of.clear()

    def add(self, rows: Sequence[Row]) -> tuple[list[LocationOfRows], list[EvseRow]]:
        """The locations that these rows name first in their upload, and the rows that are without fault."""
        locations: list[LocationOfRows] = []
        evses: list[EvseRow] = []
        for row in rows:
            location = self._location(row, locations)
            evse = None if location is None else self._evse(row, location)
            if evse is not None:
                self._rows_of[evse.location_nr - 1] += 1
                evses.append(EvseRow(evse.location_nr, evse.nr, row.number, row.evse))
        return locations, evses

    def _location(self, row: Row, new: list[LocationOfRows]) -> _Location | None:
        name = folded(row.location.name)
        location = self._locations.get(name)
        if location is None:
            location = self._locations[name] = _Location(0, row.location, -1)
        elif folded(location.draft.address) != folded(row.location.address):
            self.faults.append(LocationNameExists().at("address", row=row.number))
            return None
        elif location.draft is not row.location:
            differing = _differing(location.draft, row.location, LOCATION_COLUMNS)
            self._ignore(row.number, differing)
        if location.upload != self._upload:
            self._rows_of.append(0)
            location.nr, location.upload = len(self._rows_of), self._upload
            new.append(LocationOfRows(location.nr, row.number, location.draft))
        return location

    def _evse(self, row: Row, location: _Location) -> _Evse | None:
        uid = folded(row.evse.uid)
        evse = self._evses.get(uid)
        if evse is None:
            location.evse_count += 1
            if location.evse_count > self.max_evses:
                if location.evse_count == self.max_evses + 1:
                    self.faults.append(TooManyEvses().at("evse_sn", row=row.number))
                return None
            evse = _Evse(len(self._evses) + 1, location.nr, self._upload, 0)
        elif (evse.upload, evse.location_nr) != (self._upload, location.nr):
            self.faults.append(DuplicateEvseUid(row.evse.uid).at("evse_sn", row=row.number))
            return None
        evse = evse._replace(connectors=evse.connectors + len(row.evse.connectors))
        if evse.connectors > MAX_CONNECTORS:
            message = f"the EVSE would have more than {MAX_CONNECTORS} connectors"
            self.faults.append(Fault("connectors", message, row=row.number))
            return None
        self._evses[uid] = evse
        return evse

    def _ignore(self, row: int, fields: Sequence[str]) -> None:
        if len(self.ignored) < MAX_FAULTS:
            self.ignored += [f"rows[{row}].{COLUMN_OF.get(name, name)}" for name in fields]

    def pages(self, rows_at_once: int) -> Iterator[tuple[int, int]]:
        """(first, last) number of the locations of this upload, some at a time: as many as that many rows make."""
        first = 1
        rows = 0
        for nr, count in enumerate(self._rows_of, start=1):
            if rows and rows + count > rows_at_once:
                yield first, nr - 1
                first, rows = nr, 0
            rows += count
        if first <= len(self._rows_of):
            yield first, len(self._rows_of)


def _differing(first: LocationDraft | EvseDraft, other: LocationDraft | EvseDraft, names: Sequence[str]) -> list[str]:
    """Which of these the other says otherwise than the first. An empty cell says nothing."""
    return [
        name
        for name in names
        if (said := getattr(other, name)) != getattr(first, name) and said is not None and said != ()
    ]


@dataclass(slots=True)
class Folding:
    """Folds the rows of some locations into their EVSEs, a few rows at a time.

    locations: by number; ignored: what rows say of an EVSE that its first row says otherwise
    """

    locations: Sequence[LocationOfRows]
    ignored: list[str] = field(default_factory=list)
    _evses: dict[int, dict[int, EvseOfRows]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, rows: Iterable[EvseRow]) -> None:
        """More rows, those of an EVSE in the order of the file."""
        for row in rows:
            evses = self._evses[row.location_nr]
            known = evses.get(row.nr)
            if known is None:
                evses[row.nr] = EvseOfRows(row.row, row.draft)
                continue
            differing = _differing(known.draft, row.draft, EVSE_COLUMNS)
            self.ignored += [f"rows[{row.row}].{COLUMN_OF.get(name, name)}" for name in differing]
            draft = replace(known.draft, connectors=known.draft.connectors + row.draft.connectors)
            evses[row.nr] = EvseOfRows(known.row, draft)

    def groups(self) -> list[Group]:
        """The locations with their EVSEs."""
        return [Group(location, tuple(self._evses[location.nr].values())) for location in self.locations]
