"""`emsp rebuild` and `emsp verify`: views built anew beside the live ones, and proved to be what the log says."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.command_faults import ViewsDiffer
from api.connections import databases
from api.projecting import views_rebuild, views_verify
from projections.courtesy import NICE
from projections.proof import Untrue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.progress import TaskID

    from api.settings import Settings
    from projections.differences import Difference
    from projections.replay import Tell

LOG: Final = "read the log"
REBUILDING: Final = {
    LOG: 0.2,
    "draw the locations": 0.6,
    "make the indexes": 0.1,
    "analyze": 0.04,
    "catch up": 0.02,
    "compare with the log": 0.04,
}
VERIFYING: Final = {LOG: 0.17, "draw the locations": 0.5, "make the indexes": 0.1, "analyze": 0.03, "compare": 0.2}
LOOKING: Final = {LOG: 0.95, "compare": 0.05}
"""The phases, and what part of the time each takes."""
SPEED_OVER_S: Final = 600.0
"""The whole goes on in uneven steps: its rate is that of all of it, not of the last seconds."""

SHOWN: Final = 100
CUT: Final = 120
BEFORE: Final = 20


@contextmanager
def progress_bars(shares: Mapping[str, float]) -> Iterator[Tell]:
    """A bar for the whole, with its rate and the time left, and one for each phase, on standard error.

    shares: of the time, by phase, in their order
    """
    with Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        speed_estimate_period=SPEED_OVER_S,
    ) as bars:
        tasks: dict[str, TaskID] = {}
        whole = bars.add_task("in all", total=None, rate="")

        def show(task_id: TaskID, done: int, total: int, unit: str) -> None:
            task = bars.tasks[task_id]
            speed = task.finished_speed or task.speed
            bars.update(task_id, completed=done, total=total, rate=f"{speed:,.0f}{unit}/s" if speed else "")

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total, rate="")
            show(tasks[phase], done, total, "")
            events = int(bars.tasks[tasks[LOG]].total or 0) if LOG in tasks else 0
            part = done_of_all(shares, phase, done / total if total else 1.0)
            show(whole, round(events * part), events, " events")

        yield tell


def done_of_all(shares: Mapping[str, float], phase: str, done: float) -> float:
    """How much of the whole is done, when so much of that phase is, and all before it. done: [0, 1]."""
    before = itertools.takewhile(lambda one: one != phase, shares)
    return sum(shares[one] for one in before) + shares.get(phase, 0.0) * done


async def rebuild(settings: Settings, *, back: bool, drop_old: bool) -> None:
    """Build and switch, switch back, or remove what could be switched back to. raises: Refused, Untrue."""
    console = Console()
    with progress_bars(REBUILDING) as tell:
        async with databases(settings) as urls, views_rebuild(settings, urls, tell) as views:
            os.nice(NICE)
            if drop_old:
                dropped = await views.drop_old()
                console.print(
                    "The views before are removed." if dropped else "There were no views before: nothing to do."
                )
                return
            try:
                live = await views.back() if back else await views.run()
            except Untrue as untrue:
                console.print(_table(untrue.differences), soft_wrap=True)
                raise
    console.print(f"Live: generation {live.number}, version {live.version}, at position {live.position:,}.")
    console.print("The views before are kept: `emsp rebuild --back` switches back, `--drop-old` removes them.")


async def verify(settings: Settings, *, repair: Sequence[str], sample: int | None) -> None:
    """Print every difference; or mend these keys. raises: Refused, ViewsDiffer."""
    is_part = sample is not None or bool(repair)
    with progress_bars(LOOKING if is_part else VERIFYING) as tell:
        async with databases(settings) as urls, views_verify(settings, urls, tell) as views:
            os.nice(NICE)
            if repair:
                await views.repair(repair)
                found: list[Difference] = []
            else:
                found = [one async for one in views.differences(sample=sample)]
    console = Console(soft_wrap=True)
    if repair:
        console.print(f"Mended: {', '.join(repair)}.")
    elif found:
        console.print(_table(found))
        keys = sorted({one.key for one in found})
        raise ViewsDiffer(
            f"{len(found)} differences in {len(keys)} keys; mend them with: "
            f"emsp verify --repair {' --repair '.join(keys[:SHOWN])}{' …' if len(keys) > SHOWN else ''}"
        )
    elif sample is None:
        console.print("The views are what the events say.")
    else:
        console.print(f"The views have as many rows as the events say, and {sample} locations are what they say.")


def _table(found: Sequence[Difference]) -> Table:
    table = Table("key", "table", "column", "in the views", "by the events")
    for one in found[:SHOWN]:
        start = _start(one)
        table.add_row(one.key, one.table, one.column, _shown(one.live, start), _shown(one.told, start))
    if len(found) > SHOWN:
        table.caption = f"and {len(found) - SHOWN} more"
    return table


def _shown(text: str | None, start: int) -> str:
    if text is None:
        return "(missing)"
    return ("…" if start else "") + text[start : start + CUT] + ("…" if len(text) > start + CUT else "")


def _start(one: Difference) -> int:
    """From where on to show two texts, so that it is seen in what they differ."""
    live, told = one.live or "", one.told or ""
    common = next((index for index, (a, b) in enumerate(zip(live, told, strict=False)) if a != b), 0)
    return max(0, common - BEFORE)
