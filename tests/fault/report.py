"""Tells what the faults did to those who write: to a person as one table, to readers in docs/faults.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.fault.kinds import KINDS
from tests.support.documents import write_between_marks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tests.bench.machine import Machine
    from tests.fault.campaign import Outcome

PAGE: Final = Path(__file__).parents[2] / "docs/faults.md"
HEADINGS: Final = (
    "fault",
    "times",
    "accepted",
    "refused",
    "none accepted, s",
    "a command took, s",
    "views behind, s",
)
WIDTH: Final = 120


@dataclass(frozen=True, slots=True)
class Campaigned:
    """A whole campaign, proved."""

    seed: int
    queries: int
    outcomes: Sequence[Outcome]
    machine: Machine
    at: datetime

    def title(self) -> str:
        """How much of what."""
        accepted = sum(outcome.waiting.accepted for outcome in self.outcomes)
        return (
            f"{len(self.outcomes)} faults, seed {self.seed}, {self.at:%Y-%m-%d}: {accepted:,} commands accepted, "
            "0 lost, 0 applied twice, no hole in the log, `emsp verify` found nothing; "
            f"{self.queries:,} queries answered, none with anything older than it asked for"
        )

    def rows(self) -> list[list[str]]:
        """A row a kind that occurred; the longest of each time."""
        return [
            _row(kind.name, suffered)
            for kind in KINDS
            if (suffered := [outcome for outcome in self.outcomes if outcome.kind == kind.name])
        ]

    def print(self) -> None:
        """The one table."""
        table = Table(title=self.title(), caption="\n".join(self.machine.lines()), title_style="bold")
        for number, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if number else "left", no_wrap=not number)
        for row in self.rows():
            table.add_row(*row)
        console = Console()
        Console(width=max(console.width, WIDTH)).print(table)

    def write(self) -> None:
        """The same into the page."""
        lines = [f"{self.title()}.", "", *(f"- {line}" for line in self.machine.lines()), ""]
        lines += [f"| {' | '.join(HEADINGS)} |", f"|---{'|---:' * (len(HEADINGS) - 1)}|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows()]
        write_between_marks(PAGE, "fault", "\n".join(lines))


def _row(kind: str, outcomes: Sequence[Outcome]) -> list[str]:
    waiting = [outcome.waiting for outcome in outcomes]
    return [
        kind,
        str(len(outcomes)),
        f"{sum(one.accepted for one in waiting):,}",
        f"{sum(one.refused for one in waiting):,}",
        f"{max(one.longest_gap_s for one in waiting):.2f}",
        f"{max(one.longest_command_s for one in waiting):.2f}",
        f"{max(outcome.arrived_s for outcome in outcomes):.2f}",
    ]
