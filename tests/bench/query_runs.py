"""What was measured of queries: by query, server and size of the tables."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.bench.query_load import Loaded
from tests.bench.query_set import Query


@dataclass(slots=True)
class Runs:
    """sizes: in locations, rising; requests: different ones of each query; notes: what else was found."""

    sizes: tuple[int, ...]
    requests: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _of: dict[tuple[str, str, int], list[Loaded]] = field(default_factory=dict)

    def add(self, query: Query, target: str, size: int, run: Loaded) -> None:
        """One turn's."""
        self._of.setdefault((query.name, target, size), []).append(run)

    def of(self, query: Query, target: str, size: int) -> list[Loaded]:
        """Every turn's; none where that server is not asked this."""
        return self._of.get((query.name, target, size), [])

    def rates(self, query: Query, target: str, size: int) -> list[float]:
        """Requests a second."""
        return [run.rate for run in self.of(query, target, size)]

    def p50(self, query: Query, target: str, size: int) -> float:
        """The median of the turns, in milliseconds."""
        return median(run.p50 for run in self.of(query, target, size))

    def p99(self, query: Query, target: str, size: int) -> float:
        """The median of the turns, in milliseconds."""
        return median(run.p99 for run in self.of(query, target, size))

    def times(self, query: Query, target: str, other: str) -> float:
        """How many times as many requests a second as the other; of all sizes where that is least."""
        return min(
            median(self.rates(query, target, size)) / median(self.rates(query, other, size)) for size in self.sizes
        )

    @property
    def data(self) -> tuple[dict[str, Any], ...]:
        """All of it."""
        return tuple(
            {"query": query, "server": target, "size": size, "rounds": [asdict(run) for run in runs]}
            for (query, target, size), runs in self._of.items()
        )

    @property
    def most_of_load(self) -> float:
        """The largest part of one core that the load itself took."""
        return max(run.share for runs in self._of.values() for run in runs)
