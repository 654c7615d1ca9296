"""As a program: measures, prints one table, writes it as JSON; with --write also into docs/performance.md."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime

import structlog
import uvloop
from rich.console import Console

from tests.bench.append import measure_append
from tests.bench.calls import measure_calls
from tests.bench.machine import this_machine
from tests.bench.rebuild import measure_rebuild
from tests.bench.report import print_table, write_document, write_json
from tests.bench.rows import Group
from tests.bench.uploads import measure_uploads
from tests.bench.views import measure_views
from tests.support.databases import Databases
from tests.support.servers import NoServer, Servers, servers

PARTS = ("store", "calls", "csv", "views", "rebuild")


REBUILT_LOCATIONS = 100_000


async def measure(parts: list[str], *, is_written: bool) -> None:
    console = Console(stderr=True)
    async with servers() as found, Databases(found.postgres_url) as databases:
        machine = await this_machine(found)
        at = datetime.now(UTC)
        groups: list[Group] = []
        for part in parts:
            console.print(f"measuring: {part} …", style="dim")
            groups += await _measure(part, found, databases)
    print_table(groups, machine, at)
    if parts == list(PARTS):
        console.print(f"written: {write_json(groups, machine, at).name}", style="dim")
    if is_written:
        write_document(groups, machine, at)


async def _measure(part: str, found: Servers, databases: Databases) -> list[Group]:
    match part:
        case "store":
            return [await measure_append(databases)]
        case "calls":
            return await measure_calls(found, databases)
        case "csv":
            return [await measure_uploads(found, databases)]
        case "views":
            return [await measure_views(found, databases)]
        case _:
            return [await measure_rebuild(found, databases, REBUILT_LOCATIONS)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be given more than once")
    parser.add_argument("--write", action="store_true", help="also into docs/performance.md")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        uvloop.run(measure(asked.only or list(PARTS), is_written=asked.write))
    except NoServer as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
