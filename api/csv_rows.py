"""A CSV file as a stream of understood rows, and everything that is wrong with the others, by row and column.

Contract §4. The file is never held whole, and no row takes more than a bounded part of memory, whatever is in it.
"""

from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Final

from api.csv_cells import COLUMNS, Cells, Wrong
from write_side.domain.drafts import ConnectorDraft, EvseDraft, LocationDraft
from write_side.domain.errors import VALIDATION_ERROR, Fault, Faults, InvalidFileType
from write_side.domain.uploads import MAX_FAULTS, Row, Rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

BATCH_COST: Final = 60_000
ROW_COST: Final = 500
"""In characters: after a hundred short rows, or fewer long ones, other requests have a turn. Some milliseconds."""

MAX_ROW_CHARACTERS: Final = 60_000
MAX_CELL_CHARACTERS: Final = 8_000
CACHED_CELLS: Final = 256
"""Of each column: rows that follow each other say much the same."""

NAMES: Final = Cells._fields
HEADER: Final = 1
"""Its row; the first row below it is 2, as spreadsheets count."""

OFFLINE: Final = "OFFLINE"
AVAILABLE: Final = "AVAILABLE"
AC: Final = "AC"
DC: Final = "DC"

TOO_LONG: Final = Wrong(((f"expected at most {MAX_CELL_CHARACTERS} characters", VALIDATION_ERROR),))


class _Unreadable(Exception):
    """From here on the file can't be read; says why."""


@dataclass(slots=True)
class _Lines:
    """The lines of a text, as csv.reader takes them. left: characters that the row being read may still take."""

    text: io.TextIOWrapper
    left: int = MAX_ROW_CHARACTERS

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.text.readline(self.left + 1)
        if not line:
            raise StopIteration
        if len(line) > self.left:
            raise _Unreadable(f"more than {MAX_ROW_CHARACTERS} characters: is there a quote that is never closed?")
        self.left -= len(line)
        return line


async def rows_of(file: IO[bytes], *, max_rows: int) -> AsyncGenerator[Rows, None]:
    """The rows of a CSV file, some at a time; others have a turn between them.

    file: is read from its start and stays open; max_rows: how many it may have
    raises: InvalidFileType  it is no CSV
            Faults           the header is not the contract's
    """
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        for rows in _batches(_Lines(text), max_rows):
            yield rows
            await asyncio.sleep(0)
    finally:
        text.detach()


def _batches(lines: _Lines, max_rows: int) -> Iterator[Rows]:
    reader = _Reader()
    batch: list[Row | Fault] = []
    size, is_empty = 0, True
    for number, cells, characters in _records(lines, max_rows):
        understood = [cells] if isinstance(cells, Fault) else reader.understood(number, cells)
        batch += understood
        size += ROW_COST + characters
        is_empty &= not understood
        if size >= BATCH_COST:
            yield _rows(batch)
            batch, size = [], 0
    if is_empty:
        batch.append(Fault("", "there are no rows", row=HEADER))
    yield _rows(batch)


def _rows(batch: list[Row | Fault]) -> Rows:
    return Rows(
        tuple(one for one in batch if isinstance(one, Row)), tuple(one for one in batch if isinstance(one, Fault))
    )


def _records(lines: _Lines, max_rows: int) -> Iterator[tuple[int, list[str] | Fault, int]]:
    """(row, cells, characters) of each below the header; where it can't be read on, why, as the last.

    raises: InvalidFileType, Faults  as `rows_of`
    """
    records = csv.reader(lines)
    number = HEADER
    try:
        for cells in records:
            if number == HEADER:
                check_header(cells)
            elif number - HEADER > max_rows:
                yield number, Fault("", f"more than {max_rows} rows", row=number), 0
                return
            else:
                yield number, cells, MAX_ROW_CHARACTERS - lines.left
            number += 1
            lines.left = MAX_ROW_CHARACTERS
    except (_Unreadable, csv.Error) as why:
        if number == HEADER:
            raise InvalidFileType from None
        yield number, Fault("", str(why), row=number), 0
    if number == HEADER:
        raise InvalidFileType


def check_header(cells: Sequence[str]) -> None:
    """Pass where these are the contract's columns in its order.

    raises: InvalidFileType  none of them is there; Faults
    """
    given = [cell.strip().casefold() for cell in cells]
    while given and not given[-1]:
        given.pop()
    if not set(given) & set(NAMES):
        raise InvalidFileType
    faults = [Fault(name, "the column is missing", row=HEADER) for name in NAMES if name not in given]
    for place, name in enumerate(given):
        if name not in NAMES:
            shown = "".join(letter for letter in name[:100] if letter.isprintable())
            faults.append(Fault(shown, f"column {place + 1} is unknown", row=HEADER))
        elif name in given[:place]:
            faults.append(Fault(name, "the column is there twice", row=HEADER))
    if not faults and given != list(NAMES):
        name = next(name for name, expected in zip(given, NAMES, strict=True) if name != expected)
        faults.append(Fault(name, f"expected the columns in this order: {', '.join(NAMES)}", row=HEADER))
    if faults:
        raise Faults(faults[:MAX_FAULTS])


class _Reader:
    """Understands one row after the other, and remembers cells that it has seen lately."""

    def __init__(self) -> None:
        self._columns = [(column.name, lru_cache(CACHED_CELLS)(column.understood)) for column in COLUMNS]
        self._location = LocationDraft("", "", None, None, (), (), (), None, ())

    def understood(self, number: int, cells: Sequence[str]) -> list[Row | Fault]:
        """The row, or its faults; nothing where it is blank."""
        if not any(cell and not cell.isspace() for cell in cells):
            return []
        faults: list[Row | Fault] = []
        if len(cells) < len(NAMES) or any(cell.strip() for cell in cells[len(NAMES) :]):
            faults.append(Fault("", f"expected {len(NAMES)} cells, found {len(cells)}", row=number))
        values: list[object] = []
        for (name, understand), cell in zip(self._columns, cells, strict=False):
            value = understand(cell) if len(cell) <= MAX_CELL_CHARACTERS else TOO_LONG
            if isinstance(value, Wrong):
                faults += [Fault(name, message, rule, row=number) for message, rule in value.found]
            values.append(value)
        if len(values) == len(NAMES):
            row = Cells._make(values)
            if (row.lat is None) != (row.lng is None):
                faults.append(Fault("lng", "lat and lng: give both or neither", row=number))
            if not faults:
                return [Row(number, self._location_of(row), _evse_of(row))]
        return faults

    def _location_of(self, row: Cells) -> LocationDraft:
        """The same object for rows of a location that follow each other: a file has few of them."""
        draft = LocationDraft(
            row.location, row.address, row.lat, row.lng, row.facilities, row.parking_types, (), None, ()
        )
        if draft != self._location:
            self._location = draft
        return self._location


def _evse_of(row: Cells) -> EvseDraft:
    connectors = tuple(
        ConnectorDraft(
            standard,
            row.format,
            row.power_type,
            row.max_voltage,
            row.max_amperage,
            row.max_electric_power,
            AVAILABLE,
        )
        for standard in row.connectors
    )
    return EvseDraft(
        row.evse_sn,
        OFFLINE,
        DC if row.power_type == DC else AC,
        row.kwh,
        connectors,
        row.capabilities,
        row.payment_types,
        row.floor_level,
        row.directions,
    )
