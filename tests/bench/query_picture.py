"""The picture of the queries: p50 and p99 over the size of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from tests.bench.query_runs import Runs
from tests.bench.query_set import OVER_SIZES
from tests.bench.query_targets import COLD, WARM

COLUMNS: Final = 5
COLOURS: Final = {WARM: "#c2410c", COLD: "#1d4ed8"}
STYLE: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "emsp", "font.size": 8, "font.family": "sans-serif"}
"""Text stays text; the same figures give the same file."""


def draw(runs: Runs, to: Path) -> None:
    """A small chart for each query, all with the same axes: what is flat does not hang on the size."""
    with mpl.rc_context(STYLE):
        queries = [query for query in OVER_SIZES if query.name in runs.requests]
        figure = Figure(figsize=(12, 5), layout="constrained")
        all_axes = figure.subplots(-(-len(queries) // COLUMNS), COLUMNS, sharex=True, sharey=True, squeeze=False)
        for query, axes in zip(queries, all_axes.flat, strict=False):
            for name, colour in COLOURS.items():
                axes.plot(runs.sizes, [runs.p50(query, name, size) for size in runs.sizes], "o-", c=colour, ms=3)
                axes.plot(runs.sizes, [runs.p99(query, name, size) for size in runs.sizes], "o:", c=colour, ms=3)
            axes.set_title(query.name, fontsize=8)
            axes.set_yscale("log")
            axes.set_xscale("log")
            axes.set_xticks(runs.sizes, [f"{size:,}" for size in runs.sizes])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.grid(visible=True, which="both", axis="y", alpha=0.2)
        figure.supxlabel("locations")
        figure.supylabel("ms to the answer, 16 connections")
        handles = all_axes.flat[0].get_lines()
        labels = [f"{name}, {which}" for name in COLOURS for which in ("p50", "p99")]
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
        figure.savefig(to, metadata={"Date": None})
