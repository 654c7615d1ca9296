"""`emsp rebuild` and `emsp verify`: views built anew beside the live ones, and proved to be what the log says."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.connections import databases
from api.projecting import views_rebuild, views_verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import TaskID

    from api.settings import Settings
    from projections.replay import Tell
    from projections.verify import Difference

SHOWN: Final = 100
CUT: Final = 120
BEFORE: Final = 20


class ViewsDiffer(Exception):
    """The views are not what the events say."""


@contextmanager
def progress_bars() -> Iterator[Tell]:
    """A bar a phase on standard error, with its rate and the time left."""
    with Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=total, rate="")
            task = bars.tasks[tasks[phase]]
            speed = task.finished_speed or task.speed
            bars.update(task.id, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield tell


async def rebuild(settings: Settings, *, back: bool, drop_old: bool) -> None:
    """Build and switch, switch back, or remove what could be switched back to. raises: Refused."""
    console = Console()
    with progress_bars() as tell:
        async with databases(settings) as urls, views_rebuild(settings, urls, tell) as views:
            if drop_old:
                dropped = await views.drop_old()
                console.print(
                    "The views before are removed." if dropped else "There were no views before: nothing to do."
                )
                return
            live = await views.back() if back else await views.run()
    console.print(f"Live: generation {live.number}, version {live.version}, at position {live.position:,}.")
    console.print("The views before are kept: `emsp rebuild --back` switches back, `--drop-old` removes them.")


async def verify(settings: Settings, *, repair: Sequence[str]) -> None:
    """Print every difference; or mend these keys. raises: Refused, ViewsDiffer."""
    with progress_bars() as tell:
        async with databases(settings) as urls, views_verify(settings, urls, tell) as views:
            if repair:
                await views.repair(repair)
                found: list[Difference] = []
            else:
                found = [one async for one in views.differences()]
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
    else:
        console.print("The views are what the events say.")


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
