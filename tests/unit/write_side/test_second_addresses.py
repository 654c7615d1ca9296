"""The offline geocoder on addresses that it was not made with. docs/data_sources.md tells how they were written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from write_side.adapters.addresses import place_of
from write_side.adapters.gazetteer import gazetteer

if TYPE_CHECKING:
    from collections.abc import Callable

FLOOR: Final = 0.95
ROWS: Final = list(csv.DictReader(Path(__file__).with_name("second_addresses.csv").read_text("utf-8").splitlines()))
FOUND_IN_PHILIPPINES: Final = [row for row in ROWS if row["city"]]

REWRITTEN: Final[dict[str, Callable[[str], str]]] = {
    "as it came": str,
    "in capitals": str.upper,
    "without periods": lambda address: address.replace(".", ""),
    "without blanks": lambda address: address.replace(", ", ","),
    "on lines": lambda address: address.replace(", ", "\n"),
    "with the country": lambda address: f"{address}, Philippines",
}
SHORTENED: Final[dict[str, Callable[[str], str]]] = {
    "without commas": lambda address: address.replace(",", ""),
    "with dashes": lambda address: address.replace(", ", " - "),
    "without its end": lambda address: address.rpartition(",")[0],
}


def told(address: str) -> tuple[str, str] | None:
    found = place_of(gazetteer(), address)
    return None if found is None else (found.city, found.province)


def right(row: dict[str, str]) -> tuple[str, str] | None:
    return (row["city"], row["province"]) if row["city"] else None


def test_there_are_many_of_every_region() -> None:
    assert len(ROWS) >= 150
    assert len({row["region"] for row in FOUND_IN_PHILIPPINES}) == 17  # Central Luzon and Central Visayas share CEN


def test_the_first_try_is_told_as_it_was() -> None:
    assert sum(row["first_try"] == "right" for row in ROWS) == 230


@pytest.mark.parametrize("rewrite", REWRITTEN.values(), ids=REWRITTEN)
def test_nearly_all_are_placed_right(rewrite: Callable[[str], str]) -> None:
    missed = [row["address"] for row in FOUND_IN_PHILIPPINES if told(rewrite(row["address"])) != right(row)]
    assert len(missed) <= (1 - FLOOR) * len(FOUND_IN_PHILIPPINES), missed


@pytest.mark.parametrize("rewrite", [*REWRITTEN.values(), *SHORTENED.values()], ids=[*REWRITTEN, *SHORTENED])
def test_none_is_placed_in_a_wrong_province(rewrite: Callable[[str], str]) -> None:
    placed = [(row, told(rewrite(row["address"]))) for row in FOUND_IN_PHILIPPINES]
    assert [(row["address"], where) for row, where in placed if where and where[1] != row["province"]] == []


def test_their_regions_are_right() -> None:
    placed = [(row, place_of(gazetteer(), row["address"])) for row in FOUND_IN_PHILIPPINES]
    assert [row["address"] for row, place in placed if place and place.region != row["region"]] == []


@pytest.mark.parametrize("row", [row for row in ROWS if not row["city"]], ids=lambda row: row["address"])
def test_what_is_abroad_or_nowhere_is_refused(row: dict[str, str]) -> None:
    assert told(row["address"]) is None


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("Talisay City, Negros Occidental, Lacson St.", ("Talisay", "Negros Occidental")),
        ("Tabaco City, Albay, Ziga Avenue", ("Tabaco", "Albay")),
        ("Talisay City, Lacson St.", None),  # two cities are called so
        ("Talisay City, Lacson St., Negros Street", None),
        ("Valencia, Spain, Bohol Street", None),
        ("Bohol, Lacson St.", None),
    ],
)
def test_a_street_may_stand_behind_city_and_province(address: str, place: tuple[str, str] | None) -> None:
    assert told(address) == place
