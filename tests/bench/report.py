"""Tells what was measured: to a person as tables, to the next run as JSON, to readers in docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.machine import Machine
from tests.bench.rows import Grid, Group, Row, shown
from tests.support.documents import write_between_marks

RESULTS: Final = Path(__file__).with_name("results")
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "performance.md"
PICTURE: Final = DOCUMENT.with_name("queries.svg")
WIDTH: Final = 124


def print_tables(groups: Sequence[Group], grids: Sequence[Grid], machine: Machine, at: datetime) -> None:
    """One table of all groups, and the grids."""
    console = Console()
    console = Console(width=max(console.width, WIDTH))
    console.print(f"make bench, {at:%Y-%m-%d %H:%M} UTC", *machine.lines(), sep="\n", style="bold")
    if groups:
        console.print(_table_of_groups(groups))
    for grid in grids:
        table = Table(title=grid.heading, caption="\n".join(grid.notes), title_style="bold")
        table.add_column(grid.what, no_wrap=True)
        for column in grid.columns:
            table.add_column(column, justify="right")
        for row in grid.rows:
            table.add_row(*row)
        console.print(table)


def _table_of_groups(groups: Sequence[Group]) -> Table:
    table = Table()
    table.add_column("", no_wrap=True)
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("runs", justify="right", style="dim", no_wrap=True)
    table.add_column("ours / this", justify="right", no_wrap=True)
    table.add_column("aim", no_wrap=True)
    for group in groups:
        table.add_section()
        table.add_row(group.heading, style="bold")
        for row in group.rows:
            table.add_row("  " + row.what, *_cells(row))
    return table


def write_json(groups: Sequence[Group], grids: Sequence[Grid], machine: Machine, at: datetime, *, of: str = "") -> Path:
    """One small file a day, in results/. of: which parts, where it is not all."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{at:%Y-%m-%d}{of}.json"
    told = {
        "at": at,
        "machine": asdict(machine),
        "groups": [asdict(group) for group in groups],
        "grids": [asdict(grid) for grid in grids],
    }
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def write_document(groups: Sequence[Group], grids: Sequence[Grid], machine: Machine, at: datetime) -> None:
    """What stands between its marks in docs/performance.md becomes these tables; what was not measured stays."""
    when = [f"Measured {at:%Y-%m-%d}.", "", *(f"- {line}" for line in machine.lines()), ""]
    if groups:
        write_between_marks(DOCUMENT, "bench", "\n".join(when + _markdown_of_groups(groups)))
    if grids:
        write_between_marks(DOCUMENT, "queries", "\n".join(when + _markdown_of_grids(grids)))


def _markdown_of_groups(groups: Sequence[Group]) -> list[str]:
    lines = ["| | median | unit | runs | ours / this | aim |", "|---|---:|---|---:|---:|---|"]
    for group in groups:
        lines.append(f"| **{group.heading}** | | | | | |")
        lines += [f"| {row.what} | {' | '.join(_cells(row))} |" for row in group.rows]
    return lines


def _markdown_of_grids(grids: Sequence[Grid]) -> list[str]:
    lines = [f"![p50 and p99 of every query over the size of the tables]({PICTURE.name})"]
    for grid in grids:
        lines += ["", f"**{grid.heading}**", "", f"| {' | '.join((grid.what, *grid.columns))} |"]
        lines.append(f"|---|{'---:|' * len(grid.columns)}")
        lines += [f"| {' | '.join(row)} |" for row in grid.rows]
        lines += [line for note in grid.notes for line in ("", note)]
    return lines


def _cells(row: Row) -> list[str]:
    times = "" if row.times is None else f"{row.times:.1f} ×"
    between = f"{shown(min(row.runs))} to {shown(max(row.runs))}" if len(row.runs) > 1 else ""
    return [shown(row.value), row.unit, between, times, row.aim]
