"""As a program: measures, prints the tables, writes them as JSON; with --write also into docs/performance.md."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

import structlog
import uvloop
from rich.console import Console

from tests.bench.append import measure_append
from tests.bench.calls import measure_calls
from tests.bench.filled import SIZES, filled, sizes_of
from tests.bench.index_cost import measure_index_cost
from tests.bench.machine import this_machine
from tests.bench.queries import How, measure_queries
from tests.bench.query_picture import draw
from tests.bench.query_tables import tables
from tests.bench.rebuild import measure_rebuild
from tests.bench.report import PICTURE, print_tables, write_document, write_json
from tests.bench.rows import Grid, Group
from tests.bench.uploads import measure_uploads
from tests.bench.views import measure_views
from tests.support.databases import Databases
from tests.support.servers import NoServer, Servers, servers

Measured: TypeAlias = Sequence[Group | Grid]

REBUILT_LOCATIONS: Final = 100_000
INDEXED_LOCATIONS: Final = 100_000
"""At most: each line of that part copies the whole database."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a part is given. sizes, how: of the queries; is_written: whether the document is."""

    servers: Servers
    databases: Databases
    console: Console
    sizes: Sequence[int]
    how: How
    is_written: bool


async def _store(bench: Bench) -> Measured:
    return [await measure_append(bench.databases)]


async def _calls(bench: Bench) -> Measured:
    return await measure_calls(bench.servers, bench.databases)


async def _csv(bench: Bench) -> Measured:
    return [await measure_uploads(bench.servers, bench.databases)]


async def _views(bench: Bench) -> Measured:
    return [await measure_views(bench.servers, bench.databases)]


async def _rebuild(bench: Bench) -> Measured:
    return [await measure_rebuild(bench.servers, bench.databases, REBUILT_LOCATIONS)]


async def _indexes(bench: Bench) -> Measured:
    size = min(INDEXED_LOCATIONS, max(bench.sizes))
    dsn = await filled(bench.servers.postgres_url, size, bench.console)
    return [await measure_index_cost(bench.databases, dsn, size, bench.console)]


async def _queries(bench: Bench) -> Measured:
    runs = await measure_queries((bench.servers, bench.databases), bench.sizes, bench.how, bench.console)
    if bench.is_written:
        draw(runs, PICTURE)
    return tables(runs)


PARTS: Final[dict[str, Callable[[Bench], Awaitable[Measured]]]] = {
    "store": _store,
    "calls": _calls,
    "csv": _csv,
    "views": _views,
    "rebuild": _rebuild,
    "indexes": _indexes,
    "queries": _queries,
}


async def measure(parts: Collection[str], told: argparse.Namespace) -> None:
    console = Console(stderr=True)
    async with servers() as found, Databases(found.postgres_url) as databases:
        machine = await this_machine(found)
        at = datetime.now(UTC)
        bench = Bench(found, databases, console, told.sizes, How(told.rounds, told.seconds, told.query), told.write)
        measured: list[Group | Grid] = []
        for part in parts:
            console.print(f"measuring: {part} …", style="dim")
            measured += await PARTS[part](bench)
    groups = [part for part in measured if isinstance(part, Group)]
    grids = [part for part in measured if isinstance(part, Grid)]
    print_tables(groups, grids, machine, at)
    is_whole = set(parts) == set(PARTS)
    if told.write or is_whole:
        path = write_json(groups, grids, machine, at, of="" if is_whole else f"-{'-'.join(parts)}")
        console.print(f"written: {path.name}", style="dim")
    if told.write:
        write_document(groups, grids, machine, at)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be given more than once")
    parser.add_argument(
        "--sizes", type=sizes_of, default=SIZES, help="locations that queries are asked among, with commas between"
    )
    parser.add_argument("--query", default="", help="those queries alone that have this in their names")
    parser.add_argument("--rounds", type=int, default=3, help="of the queries")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each query at each server in a round")
    parser.add_argument("--write", action="store_true", help="also into docs/performance.md")
    told = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        uvloop.run(measure(told.only or list(PARTS), told))
    except NoServer as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
