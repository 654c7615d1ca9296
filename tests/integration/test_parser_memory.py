"""The parser keeps documents up to a limit; texts that come once each, valid or not, leave no trace in the process."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from read_side.errors import BadUserInput
from read_side.executor import cooked
from read_side.guards import Limits
from read_side.parsing import Invalid, Parser


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


async def test_ever_new_texts_leave_no_trace() -> None:
    small = Parser(await cooked("test_guards_memory"), Limits(cached_ast_bytes=1_000_000))

    def run(first: int, last: int) -> None:
        for number in range(first, last):
            small.document(f"{{ location(id: {number}) {{ id name evses {{ uid status connectors {{ id }} }} }} }}")
            with pytest.raises(BadUserInput):
                small.document(f"{{ location(id: {number}) {{ id name evses {{ uid ")
            with pytest.raises(Invalid):
                small.document(f"{{ location(id: {number}) {{ id name nothing{number} }} }}")

    run(0, 500)
    gc.collect()
    before = rss_bytes()
    run(500, 5_500)
    gc.collect()
    assert rss_bytes() - before < 8_000_000
    assert small.cached_bytes <= 1_000_000
    assert small.cached_bytes == sum(size for _, _, size in small.cached.values())
    assert len(small.cached) > 50
