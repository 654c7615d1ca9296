"""The tables of the queries: pages beside what they could cost, and all queries over the size of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from statistics import median
from typing import Final

from tests.bench.query_load import CONNECTIONS
from tests.bench.query_runs import Runs
from tests.bench.query_set import BESIDE_PEERS, OVER_SIZES, PAGE, Query
from tests.bench.query_targets import (
    COLD,
    CONSTANT,
    EXECUTOR,
    FLOOR,
    GRAPHQL_CORE,
    MERCURIUS,
    NODE_PACKAGES,
    TARTIFLETTE,
    WARM,
)
from tests.bench.rows import Grid, ranged, shown

WARM_AIMS: Final = {TARTIFLETTE: 150, MERCURIUS: 2, FLOOR: 1}
"""Of the page with every field: how many times as many requests a second."""

COLD_AIMS: Final = {FLOOR: 0.5}

LARGE_AIM: Final = 2
"""p50 among the most locations, of that among the fewest."""


def tables(runs: Runs) -> list[Grid]:
    """All of them, with those queries that were asked."""
    grids = [_beside_peers(runs, query) for query in BESIDE_PEERS if query.name in runs.requests]
    over_sizes = [query for query in OVER_SIZES if query.name in runs.requests]
    return [*grids, _over_sizes(runs, over_sizes)] if over_sizes else grids


def _beside_peers(runs: Runs, query: Query) -> Grid:
    rows = [
        (
            name,
            *(ranged(runs.rates(query, name, size)) for size in runs.sizes),
            *("" if name == ours else f"{shown(runs.times(query, ours, name))} ×" for ours in (WARM, COLD)),
            _aim(query, name),
        )
        for name in (WARM, COLD, CONSTANT, FLOOR, TARTIFLETTE, EXECUTOR, GRAPHQL_CORE, MERCURIUS)
        if runs.of(query, name, runs.sizes[0])
    ]
    columns = (*(f"among {size:,}" for size in runs.sizes), "warm / this", "cold / this", "aim")
    return Grid(f"{query.name}: {runs.requests[query.name]} different requests", "requests/s", columns, tuple(rows))


def _aim(query: Query, name: str) -> str:
    if query is not PAGE:
        return ""
    aims = (("warm", WARM_AIMS.get(name)), ("cold", COLD_AIMS.get(name)))
    return ", ".join(f"{ours} ≥ {times} ×" for ours, times in aims if times is not None)


def _over_sizes(runs: Runs, queries: Sequence[Query]) -> Grid:
    rows = [(*_head(runs, query, name), *_body(runs, query, name)) for query in queries for name in (WARM, COLD)]
    of_size = ("p50 among {:,}, ms", "p99", "requests/s")
    columns = (
        "cache",
        "different requests",
        *(column.format(size) for size in runs.sizes for column in of_size),
        "p50 of the last / the first",
        "aim",
    )
    note = (
        f"{CONNECTIONS} connections, the next request as soon as the last is answered; the load itself took at most"
        f" {runs.most_of_load:.0%} of one core. Peers: graphql-core {version('graphql-core')},"
        f" {', '.join(NODE_PACKAGES)}."
    )
    return Grid(
        "Every query over the size of the tables", "20 rows out", columns, tuple(rows), (note, *runs.notes), runs.data
    )


def _head(runs: Runs, query: Query, name: str) -> tuple[str, str, str]:
    return query.name, name.removeprefix("ours, "), str(runs.requests[query.name])


def _body(runs: Runs, query: Query, name: str) -> list[str]:
    cells = []
    for size in runs.sizes:
        cells.append(ranged([run.p50 for run in runs.of(query, name, size)]))
        cells += [shown(runs.p99(query, name, size)), shown(median(runs.rates(query, name, size)))]
    times = runs.p50(query, name, runs.sizes[-1]) / runs.p50(query, name, runs.sizes[0])
    return [*cells, f"{shown(times)} ×", "" if query.is_deep else f"≤ {LARGE_AIM} ×"]
