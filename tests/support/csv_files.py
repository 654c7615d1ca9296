"""CSV files for tests: rows that are valid by default, one word to spoil; and large files, always the same."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS: Final = (
    "location",
    "address",
    "lat",
    "lng",
    "evse_sn",
    "kwh",
    "connectors",
    "format",
    "power_type",
    "max_voltage",
    "max_amperage",
    "max_electric_power",
    "facilities",
    "parking_types",
    "capabilities",
    "payment_types",
    "floor_level",
    "directions",
)
CITIES: Final = ("Makati, Metro Manila", "Olongapo, Zambales", "Cabuyao, Laguna", "Cebu City, Cebu", "Davao City")
EVSES_OF_LOCATION: Final = 5


def a_row(uid: str = "A1", location: str = "Harbor Point", **spoiled: object) -> dict[str, object]:
    """One row, valid."""
    return {
        "location": location,
        "address": "Rizal Highway, Olongapo, Zambales",
        "lat": "14.8225",
        "lng": "120.2828",
        "evse_sn": uid,
        "kwh": "7.4",
        "connectors": '["TYPE_2"]',
        "format": "SOCKET",
        "power_type": "AC",
        "max_voltage": "230",
        "max_amperage": "32",
        "max_electric_power": "7400",
        "facilities": '["MALL", "WIFI"]',
        "parking_types": '["INDOOR"]',
        "capabilities": '["QR_READER"]',
        "payment_types": '["GCASH"]',
        "floor_level": "B1",
        "directions": "",
    } | spoiled


def a_csv(*rows: dict[str, object], header: Iterable[str] = COLUMNS) -> bytes:
    """A file of these rows."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(row.values() for row in rows)
    return text.getvalue().encode()


def large_rows(count: int, *, prefix: str = "L", seed: int = 4) -> Iterator[dict[str, object]]:
    """That many EVSEs, five a location, the locations' rows now and then far apart."""
    chance = random.Random(seed)
    order = list(range(count))
    for _ in range(count // 100):
        one, other = chance.randrange(count), chance.randrange(count)
        order[one], order[other] = order[other], order[one]
    for number in order:
        nr = number // EVSES_OF_LOCATION
        yield a_row(
            f"{prefix}-{number:06}",
            f"{prefix} Station {nr}",
            address=f"{nr} Rizal Avenue, {CITIES[nr % len(CITIES)]}",
            lat="" if nr % 3 else f"{14 + nr % 1_000 / 1_000:.3f}",
            lng="" if nr % 3 else f"{121 + nr % 100 / 1_000:.3f}",
            connectors='["TYPE_2", "CCS_2"]' if number % 7 == 0 else "[2]",
        )


def write_large(path: Path, count: int, *, prefix: str = "L") -> Path:
    """A file of that many rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(row.values() for row in large_rows(count, prefix=prefix))
    return path
