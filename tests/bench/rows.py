"""What a measurement comes to: a line of the table, and the same as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One line. value: the median of runs; times: how many times this value the group's own value is; aim: to reach."""

    what: str
    value: float
    unit: str
    runs: tuple[float, ...] = ()
    times: float | None = None
    aim: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that belong together, under one heading."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of its own: several numbers to a line.

    what: heads the first column; rows: cells as they are shown; notes: below it; data: what the cells were made of
    """

    heading: str
    what: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    data: tuple[dict[str, Any], ...] = ()


def median_row(what: str, runs: Sequence[float], unit: str, *, ours: Row | None = None, aim: str = "") -> Row:
    """The line of repeated runs. ours: the line that this one stands beside."""
    value = median(runs)
    times = None if ours is None else ours.value / value
    return Row(what, value, unit, tuple(runs), times, aim)


def ranged(runs: Sequence[float]) -> str:
    """Median and range of repeated runs."""
    return f"{shown(median(runs))} ({shown(min(runs))}–{shown(max(runs))})" if len(runs) > 1 else shown(runs[0])


def shown(value: float) -> str:
    """A number with three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
