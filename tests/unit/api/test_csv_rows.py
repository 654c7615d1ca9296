from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.csv_rows import MAX_CELL_CHARACTERS, MAX_ROW_CHARACTERS, rows_of
from tests.support.csv_files import COLUMNS, a_csv, a_row, large_rows
from write_side.domain.drafts import ConnectorDraft, EvseDraft, LocationDraft
from write_side.domain.errors import Fault, Faults, InvalidFileType
from write_side.domain.uploads import Row, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = ",".join(COLUMNS).encode()


async def batches(file: bytes, *, max_rows: int = 1_000) -> list[Rows]:
    return [some async for some in rows_of(io.BytesIO(file), max_rows=max_rows)]


async def read(file: bytes, *, max_rows: int = 1_000) -> list[Row]:
    """The rows of a file without faults."""
    found = await batches(file, max_rows=max_rows)
    assert [fault for some in found for fault in some.faults] == []
    return [row for some in found for row in some.rows]


async def wrong(file: bytes, *, max_rows: int = 1_000) -> list[tuple[int | None, str, str]]:
    """(row, column, code) of what is wrong."""
    found = await batches(file, max_rows=max_rows)
    return [(fault.row, fault.field, fault.code) for some in found for fault in some.faults]


async def the(**cells: object) -> Row:
    """The one row of a file with these cells."""
    (row,) = await read(a_csv(a_row(**cells)))  # type: ignore[arg-type]
    return row


async def test_a_row_becomes_a_location_and_an_evse() -> None:
    assert await the(floor_level=" L2 ", directions="Behind the lift") == Row(
        2,
        LocationDraft(
            "Harbor Point",
            "Rizal Highway, Olongapo, Zambales",
            14.8225,
            120.2828,
            ("MALL", "WIFI"),
            ("INDOOR",),
            (),
            None,
            (),
        ),
        EvseDraft(
            "A1",
            "OFFLINE",
            "AC",
            7.4,
            (ConnectorDraft("TYPE_2", "SOCKET", "AC", 230, 32, 7_400, "AVAILABLE"),),
            ("QR_READER",),
            ("GCASH",),
            "L2",
            "Behind the lift",
        ),
    )


@pytest.mark.parametrize(
    ("power_type", "meter_type"), [("AC", "AC"), ("AC_3_PHASE", "AC"), ("AC_1_PHASE", "AC"), ("DC", "DC")]
)
async def test_the_meter_type_follows_the_power_type(power_type: str, meter_type: str) -> None:
    assert (await the(power_type=power_type)).evse.meter_type == meter_type


async def test_every_connector_of_a_row_has_what_the_row_says() -> None:
    connectors = (
        await the(connectors='["CCS_2", "CHADEMO", "CCS_2"]', format="CABLE", power_type="DC")
    ).evse.connectors
    assert [connector.standard for connector in connectors] == ["CCS_2", "CHADEMO", "CCS_2"]
    assert {(connector.format, connector.power_type) for connector in connectors} == {("CABLE", "DC")}


@pytest.mark.parametrize(
    ("cell", "codes"),
    [
        ('["MALL","WIFI"]', ("MALL", "WIFI")),
        (' [ "MALL" , "WIFI" ] ', ("MALL", "WIFI")),
        ('[\n"MALL",\n"WIFI"\n]', ("MALL", "WIFI")),
        ("[9, 16]", ("MALL", "WIFI")),
        ('["9", "WIFI"]', ("MALL", "WIFI")),
        ('"["MALL","WIFI"]"', ("MALL", "WIFI")),
        ('"[""MALL"",""WIFI""]"', ("MALL", "WIFI")),
        ('"[\\"MALL\\",\\"WIFI\\"]"', ("MALL", "WIFI")),
        ('\'["MALL","WIFI"]\'', ("MALL", "WIFI")),
        ('[["MALL","WIFI"]]', ("MALL", "WIFI")),
        ('["[\\"MALL\\",\\"WIFI\\"]"]', ("MALL", "WIFI")),
        ('"[9,16]"', ("MALL", "WIFI")),
        ("[[9]]", ("MALL",)),
        ('["MALL","MALL"]', ("MALL",)),
        ("[]", ()),
        ("[[]]", ()),
        ('"[]"', ()),
        ("", ()),
    ],
)
async def test_lists_are_json_also_in_one_more_pair_of_quotes_or_brackets(cell: str, codes: tuple[str, ...]) -> None:
    assert (await the(facilities=cell)).location.facilities == codes


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ('["CASINO"]', "INVALID_FACILITIES"),
        ("[99]", "INVALID_FACILITIES"),
        ("[0]", "INVALID_FACILITIES"),
        ("[-1]", "INVALID_FACILITIES"),
        ("[true]", "VALIDATION_ERROR"),
        ("[1.5]", "VALIDATION_ERROR"),
        ("[null]", "VALIDATION_ERROR"),
        ("[[[1]]]", "VALIDATION_ERROR"),
        ('{"MALL": 1}', "VALIDATION_ERROR"),
        ("MALL", "VALIDATION_ERROR"),
        ("9", "VALIDATION_ERROR"),
        ('"', "VALIDATION_ERROR"),
        ("null", "VALIDATION_ERROR"),
        ('["MALL"', "VALIDATION_ERROR"),
        ("[" * 2_000, "VALIDATION_ERROR"),
        (f"[{'1,' * 100}1]", "VALIDATION_ERROR"),
    ],
)
async def test_a_list_that_is_none_and_a_code_that_is_unknown_are_faults(cell: str, code: str) -> None:
    assert await wrong(a_csv(a_row(facilities=cell))) == [(2, "facilities", code)]


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("connectors", '["SCHUKO"]', "INVALID_CONNECTOR_STANDARD"),
        ("connectors", "", "PLEASE_PROVIDE_ATLEAST_ONE_CONNECTOR"),
        ("connectors", "[]", "PLEASE_PROVIDE_ATLEAST_ONE_CONNECTOR"),
        ("connectors", "[[]]", "PLEASE_PROVIDE_ATLEAST_ONE_CONNECTOR"),
        ("parking_types", '["ROOF"]', "INVALID_PARKING_TYPES"),
        ("capabilities", '["RFID"]', "INVALID_CAPABILITIES"),
        ("payment_types", "[3]", "INVALID_PAYMENT_TYPES"),
        ("location", "", "VALIDATION_ERROR"),
        ("location", "x" * 256, "VALIDATION_ERROR"),
        ("location", "a\x00b", "VALIDATION_ERROR"),
        ("address", "  ", "VALIDATION_ERROR"),
        ("address", "x" * 501, "VALIDATION_ERROR"),
        ("address", "Rizal Highway\nOlongapo", "VALIDATION_ERROR"),
        ("address", "x" * (MAX_CELL_CHARACTERS + 1), "VALIDATION_ERROR"),
        ("evse_sn", "", "VALIDATION_ERROR"),
        ("evse_sn", "x" * 37, "VALIDATION_ERROR"),
        ("evse_sn", "ñ1", "VALIDATION_ERROR"),
        ("kwh", "", "VALIDATION_ERROR"),
        ("kwh", "0", "VALIDATION_ERROR"),
        ("kwh", "-1", "VALIDATION_ERROR"),
        ("kwh", "100001", "VALIDATION_ERROR"),
        ("kwh", "NaN", "VALIDATION_ERROR"),
        ("kwh", "Infinity", "VALIDATION_ERROR"),
        ("kwh", "1e999", "VALIDATION_ERROR"),
        ("kwh", "7,4", "VALIDATION_ERROR"),
        ("kwh", "true", "VALIDATION_ERROR"),
        ("format", "socket", "VALIDATION_ERROR"),
        ("power_type", "AC/DC", "VALIDATION_ERROR"),
        ("max_voltage", "0", "VALIDATION_ERROR"),
        ("max_voltage", "230.5", "VALIDATION_ERROR"),
        ("max_voltage", "2147483648", "VALIDATION_ERROR"),
        ("max_voltage", "9" * 400, "VALIDATION_ERROR"),
        ("max_amperage", "-5", "VALIDATION_ERROR"),
        ("max_amperage", "٣٢", "VALIDATION_ERROR"),
        ("max_electric_power", "lots", "VALIDATION_ERROR"),
        ("floor_level", "x" * 256, "VALIDATION_ERROR"),
        ("directions", "x" * 1_001, "VALIDATION_ERROR"),
    ],
)
async def test_a_cell_that_is_not_as_it_must_be_is_a_fault_of_its_column(column: str, cell: str, code: str) -> None:
    assert await wrong(a_csv(a_row(**{column: cell}))) == [(2, column, code)]


@pytest.mark.parametrize(("lat", "lng", "column"), [("91", "120", "lat"), ("14", "181", "lng"), ("x", "120", "lat")])
async def test_coordinates_are_degrees(lat: str, lng: str, column: str) -> None:
    assert await wrong(a_csv(a_row(lat=lat, lng=lng))) == [(2, column, "VALIDATION_ERROR")]


async def test_coordinates_come_both_or_neither() -> None:
    neither = (await the(lat="", lng="")).location
    assert (neither.lat, neither.lng) == (None, None)
    assert await wrong(a_csv(a_row(lat=""))) == [(2, "lng", "VALIDATION_ERROR")]
    assert await wrong(a_csv(a_row(lng="", kwh=""))) == [(2, "kwh", "VALIDATION_ERROR"), (2, "lng", "VALIDATION_ERROR")]


async def test_every_fault_of_every_row_is_told_and_the_right_rows_are_read() -> None:
    file = a_csv(a_row("A1", kwh="x", format=""), a_row("A2"), a_row("A3", connectors="[7]"))
    assert await wrong(file) == [
        (2, "kwh", "VALIDATION_ERROR"),
        (2, "format", "VALIDATION_ERROR"),
        (4, "connectors", "INVALID_CONNECTOR_STANDARD"),
    ]
    assert [row.evse.uid for some in await batches(file) for row in some.rows] == ["A2"]


async def test_a_bom_is_fine_and_names_are_kept_beyond_ascii() -> None:
    (row,) = await read(b"\xef\xbb\xbf" + a_csv(a_row(location="Parañaque – Süd")))
    assert row.location.name == "Parañaque – Süd"


async def test_blank_rows_are_skipped_and_counted() -> None:
    first, second = a_csv(a_row("A1"), a_row("A2")).split(b"\r\n")[1:3]
    blank = b"," * (len(COLUMNS) - 1)
    file = b"\r\n".join([HEADER, b"", blank, first, b'""', b" , ,", second, b"", b""])
    assert [(row.number, row.evse.uid) for row in await read(file)] == [(4, "A1"), (7, "A2")]


async def test_a_quoted_cell_may_have_commas_quotes_and_lines_and_rows_are_counted_as_a_spreadsheet_does() -> None:
    file = a_csv(
        a_row("A1", facilities='["MALL",\n\n"WIFI"]', directions='Past the "old" gate, left'), a_row("A2", kwh="")
    )
    (first,) = (row for some in await batches(file) for row in some.rows)
    assert (first.location.facilities, first.evse.directions) == (("MALL", "WIFI"), 'Past the "old" gate, left')
    assert await wrong(file) == [(3, "kwh", "VALIDATION_ERROR")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_lines_end_as_on_any_system(end: bytes) -> None:
    file = a_csv(a_row("A1"), a_row("A2")).replace(b"\r\n", end).removesuffix(end)
    assert [row.evse.uid for row in await read(file)] == ["A1", "A2"]


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\n\n",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"PK\x03\x04" + b"\x00" * 5_000,
        b"\xff\xfe" + HEADER.decode().encode("utf-16-le"),
        HEADER.replace(b",", b";"),
        b"name,uid\nx,y",
        b"x" * (MAX_ROW_CHARACTERS + 1),
        b'{"locations": []}',
    ],
    ids=["empty", "blank", "png", "zip", "utf-16", "semicolons", "another table", "one long line", "json"],
)
async def test_what_is_no_csv_is_refused_as_such(file: bytes) -> None:
    with pytest.raises(InvalidFileType):
        await batches(file)


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        (COLUMNS[:-1], [("directions", "the column is missing")]),
        ((*COLUMNS, "colour"), [("colour", "column 19 is unknown")]),
        ((*COLUMNS, "KWH"), [("kwh", "the column is there twice")]),
        (
            ("location", "adress", *COLUMNS[2:]),
            [("address", "the column is missing"), ("adress", "column 2 is unknown")],
        ),
    ],
)
async def test_a_header_that_is_not_the_contracts_is_told_column_by_column(
    header: Sequence[str], faults: list[tuple[str, str]]
) -> None:
    with pytest.raises(Faults) as raised:
        await batches(a_csv(a_row(), header=header))
    assert [(fault.field, fault.message) for fault in raised.value.faults] == faults
    assert {fault.row for fault in raised.value.faults} == {1}


async def test_columns_in_another_order_are_refused() -> None:
    with pytest.raises(Faults) as raised:
        await batches(a_csv(a_row(), header=("address", "location", *COLUMNS[2:])))
    (fault,) = raised.value.faults
    assert (fault.row, fault.field) == (1, "address")
    assert fault.message.startswith("expected the columns in this order: location, address, lat")


async def test_a_header_in_any_case_and_with_empty_columns_behind_is_fine() -> None:
    header = [f" {name.upper()} " for name in COLUMNS]
    row: dict[str, Any] = a_row() | {"": "", " ": " "}
    assert len(await read(a_csv(row, header=(*header, "", "")))) == 1


async def test_a_row_with_too_few_or_too_many_cells_is_a_fault() -> None:
    lines = a_csv(a_row("A1"), a_row("A2")).split(b"\r\n")
    file = b"\r\n".join([lines[0], lines[1].rpartition(b",")[0], lines[2] + b",more"])
    assert await wrong(file) == [(2, "", "VALIDATION_ERROR"), (3, "", "VALIDATION_ERROR")]


async def test_what_is_not_utf_8_is_a_fault_of_its_cell() -> None:
    file = a_csv(a_row(location="Parañaque"), a_row("A2")).decode().encode("latin-1")
    (some,) = await batches(file)
    assert some.faults == (Fault("location", "not UTF-8", row=2),)
    assert len(some.rows) == 1


async def test_a_file_without_rows_is_a_fault() -> None:
    assert await wrong(HEADER) == [(1, "", "VALIDATION_ERROR")]
    assert await wrong(HEADER + b"\n\n,,\n") == [(1, "", "VALIDATION_ERROR")]


async def test_a_quote_that_never_closes_is_told_where_it_begins_and_ends_the_reading() -> None:
    lists = {"connectors": "[2]", "facilities": "[9]", "parking_types": "[1]", "capabilities": "", "payment_types": ""}
    plain = [a_row(f"A{number}", address="Olongapo", **lists) for number in range(1_500)]
    rows = a_csv(*plain).split(b"\r\n")
    rows[7] = b'"' + rows[7]
    found = await batches(b"\r\n".join(rows), max_rows=2_000)
    (fault,) = (fault for some in found for fault in some.faults)
    assert fault.row == 8
    assert "a quote that is never closed" in fault.message
    assert sum(len(some.rows) for some in found) == 6


async def test_a_row_of_endless_cells_is_not_read_into_memory() -> None:
    assert await wrong(HEADER + b"\n" + b"," * 3_000_000) == [(2, "", "VALIDATION_ERROR")]
    assert await wrong(HEADER + b"\n" + b'"\n",' * 1_000_000) == [(2, "", "VALIDATION_ERROR")]


async def test_more_rows_than_the_limit_are_a_fault() -> None:
    file = a_csv(a_row("A1"), a_row("A2"), a_row("A3"))
    assert len(await read(file, max_rows=3)) == 3
    assert await wrong(file, max_rows=2) == [(4, "", "VALIDATION_ERROR")]


async def test_a_long_file_comes_in_pieces() -> None:
    found = await batches(a_csv(*large_rows(1_000)), max_rows=1_000)
    assert sum(len(some.rows) for some in found) == 1_000
    assert max(len(some.rows) for some in found) <= 120
    assert len({id(row.location) for some in found for row in some.rows}) < 300


def test_the_template_is_the_header() -> None:
    template = Path(__file__).parents[3] / "docs" / "csv" / "template.csv"
    assert template.read_text() == ",".join(COLUMNS) + "\n"
