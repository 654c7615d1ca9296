"""Every query of the contract over the size of the tables, and pages beside what such pages could cost.

All that is compared takes turns: in each round every size, in it every query, and each server a few short times, one
after the other. Before it is measured, a server is asked for a moment, and the warm one of ours all of a query's
requests once, which fills its cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any, Final

import aiohttp
import asyncpg
import orjson
from rich.console import Console

from read_side.scope import PUBLIC
from read_side.views import SESSION
from tests.bench.filled import filled
from tests.bench.query_load import Load, load_process
from tests.bench.query_runs import Runs
from tests.bench.query_set import BESIDE_PEERS, OVER_SIZES, PAGE, Query, Request
from tests.bench.query_targets import COLD, CONSTANT, FLOOR, WARM, Target, mercurius_folder, targets
from tests.support.databases import Databases
from tests.support.plans import nodes, plan_of
from tests.support.servers import Servers

WARM_UP_S: Final = 0.4
TURNS: Final = 3
"""Of each server in a round."""
COMPARED: Final = 20
"""Answers of a peer that must be ours before it is measured."""


@dataclass(frozen=True, slots=True)
class How:
    """seconds: of each query at each server in a round; named: what the queries have in their names."""

    rounds: int
    seconds: float
    named: str


async def measure_queries(on: tuple[Servers, Databases], sizes: Sequence[int], how: How, console: Console) -> Runs:
    """Fails where a server does not answer as ours does."""
    found, databases = on
    node_modules = await mercurius_folder(console)
    views = {size: await filled(found.postgres_url, size, console) for size in sizes}
    runs = Runs(tuple(sorted(sizes)))
    with load_process() as load:
        for turn in range(how.rounds):
            for size in runs.sizes:
                console.print(f"  round {turn + 1} of {how.rounds}, among {size:,} …", style="dim")
                async with targets(found, databases, views[size], node_modules) as started:
                    if turn == 0:
                        await _check_same(started, size)
                    for query, asked in _asked(started, how.named):
                        await _measure(runs, (query, size), asked, (load, how.seconds))
    runs.notes.append(await _plan_of_a_deep_offset(views[runs.sizes[-1]], runs.sizes[-1]))
    return runs


async def _plan_of_a_deep_offset(dsn: str, size: int) -> str:
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    wanted = {"limit": 20, "offset": size // 2}
    plan = await plan_of(connection, "find_ev_locations", wanted, PUBLIC, options="analyze, ")
    await connection.close()
    (walk,) = [node for node in nodes(plan) if node.get("Actual Rows", 0) > size // 2 and "Index Name" in node]
    return (
        f"The plan of an offset of {size // 2:,} among {size:,}: {walk['Node Type']} over {walk['Index Name']},"
        f" {walk.get('Heap Fetches', 'all')} of its entries looked up in the table."
    )


async def _measure(runs: Runs, what: tuple[Query, int], asked: Sequence[Target], how: tuple[Load, float]) -> None:
    """One query at each of these servers, in turns: what else the machine does meanwhile, it does to all of them."""
    (query, size), (load, seconds) = what, how
    requests = {target.name: target.requests(query, size) for target in asked}
    for target in asked:
        runs.requests[query.name] = len(requests[target.name])
        if target.name == WARM:
            await load.once(target.port, requests[target.name])
        else:
            await load(target.port, requests[target.name], WARM_UP_S)
    for _ in range(TURNS):
        for target in asked:
            runs.add(query, target.name, size, await load(target.port, requests[target.name], seconds / TURNS))


def _asked(started: Mapping[str, Target], named: str) -> Iterator[tuple[Query, list[Target]]]:
    for query in dict.fromkeys(BESIDE_PEERS + OVER_SIZES):
        if named in query.name:
            names = started if query in BESIDE_PEERS else (WARM, COLD)
            yield query, [started[name] for name in names if _answers(started[name], query)]


def _answers(target: Target, query: Query) -> bool:
    """The constant and the floor stand beside the page with every field alone."""
    return query is PAGE or target.name not in {CONSTANT, FLOOR}


async def _check_same(started: Mapping[str, Target], size: int) -> None:
    async with aiohttp.ClientSession() as session:
        for query in BESIDE_PEERS:
            for asked in query.requests(size)[:COMPARED]:
                ours = await _answer(session, started[WARM], query, asked)
                for target in started.values():
                    if target.name != CONSTANT and _answers(target, query):
                        other = await _answer(session, target, query, asked)
                        assert _is_same(ours, other), (target.name, query.name, asked, ours, other)


async def _answer(session: aiohttp.ClientSession, target: Target, query: Query, asked: Request) -> Any:
    headers, body = target.call(query, asked)
    url = f"http://127.0.0.1:{target.port}{target.path}"
    async with session.post(url, data=body, headers={**headers, "Content-Type": "application/json"}) as response:
        return orjson.loads(await response.read())


def _is_same(one: Any, other: Any) -> bool:
    """The same JSON, in whatever order of keys; the last digit of a distance hangs on the library that computes it."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(_is_same, one, other))
        case float(), int() | float():
            return isclose(one, other, rel_tol=1e-9)
        case _:
            return bool(one == other)
