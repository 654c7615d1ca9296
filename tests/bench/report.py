"""Tells what was measured: to a person as one table, to the next run as JSON, to readers in docs/performance.md."""

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
from tests.bench.rows import Group, Row, shown
from tests.support.documents import write_between_marks

RESULTS: Final = Path(__file__).with_name("results")
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "performance.md"
WIDTH: Final = 124


def print_table(groups: Sequence[Group], machine: Machine, at: datetime) -> None:
    """The one table."""
    table = Table(title=f"make bench, {at:%Y-%m-%d %H:%M} UTC", caption="\n".join(machine.lines()), title_style="bold")
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
    console = Console()
    Console(width=max(console.width, WIDTH)).print(table)


def write_json(groups: Sequence[Group], machine: Machine, at: datetime) -> Path:
    """One small file a day, in results/."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{at:%Y-%m-%d}.json"
    told = {"at": at, "machine": asdict(machine), "groups": [asdict(group) for group in groups]}
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def write_document(groups: Sequence[Group], machine: Machine, at: datetime) -> None:
    """What stands between the two marks of docs/performance.md becomes this table."""
    write_between_marks(DOCUMENT, "bench", markdown(groups, machine, at))


def markdown(groups: Sequence[Group], machine: Machine, at: datetime) -> str:
    """Date, machine and table as Markdown."""
    lines = [f"Measured {at:%Y-%m-%d}.", "", *(f"- {line}" for line in machine.lines()), ""]
    lines += ["| | median | unit | runs | ours / this | aim |", "|---|---:|---|---:|---:|---|"]
    for group in groups:
        lines.append(f"| **{group.heading}** | | | | | |")
        lines += [f"| {row.what} | {' | '.join(_cells(row))} |" for row in group.rows]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    times = "" if row.times is None else f"{row.times:.1f} ×"
    between = f"{shown(min(row.runs))} to {shown(max(row.runs))}" if len(row.runs) > 1 else ""
    return [shown(row.value), row.unit, between, times, row.aim]
