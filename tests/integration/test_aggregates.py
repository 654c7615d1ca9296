"""The states of streams: remembered and kept as snapshots, and never taken for the truth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.builders import CODEC, PARTY, evse_registered, evse_status_changed, location_registered
from tests.support.store import Store, a_command, a_store
from write_side.domain import evse
from write_side.events.streams import evse_stream, location_stream
from write_side.store import aggregates
from write_side.store.aggregates import SNAPSHOT_EVENTS, Aggregates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from write_side.domain.aggregates import Aggregate

A1 = evse_stream(PARTY, "A1")
STATUSES = ("CHARGING", "AVAILABLE")


@pytest.fixture
async def store(empty_store: str) -> AsyncIterator[Store]:
    async with a_store(empty_store) as opened:
        await opened.events.append(a_command(location_registered(), evse_registered("A1")))
        yield opened


async def changed(store: Store, first: int, last: int) -> None:
    """Versions first to last of A1's stream: its status back and forth."""
    events = [evse_status_changed(STATUSES[version % 2], "A1", version=version) for version in range(first, last + 1)]
    for start in range(0, len(events), 100):
        await store.events.append(a_command(*events[start : start + 100]))


async def state_of(states: Aggregates) -> tuple[Aggregate | None, int]:
    history = await states.load([A1])
    return history.of(A1), history.positions[A1]


def fresh(store: Store) -> Aggregates:
    """A process that remembers nothing yet."""
    return Aggregates(store.pool, CODEC, capacity=10)


async def folded(store: Store) -> evse.Evse | None:
    return evse.replay(map(CODEC.decode, await store.events.stream(A1)))  # type: ignore[arg-type]


async def test_what_another_process_appended_is_seen_whatever_is_remembered(store: Store) -> None:
    one, other = fresh(store), fresh(store)
    for version in range(2, 9):
        assert await state_of(one) == await state_of(other)
        await changed(store, version, version)
    assert (await state_of(one))[0] == (await state_of(other))[0] == await folded(store)


async def test_a_long_stream_is_loaded_from_its_snapshot(store: Store) -> None:
    last = SNAPSHOT_EVENTS + 40
    await changed(store, 2, last)
    expected = await state_of(fresh(store))
    kept = await store.session.fetchrow("select originator_version, pos, kind, state from es.snapshots")
    assert kept is not None
    assert tuple(kept)[:3] == (last, last + 1, "Evse")
    await changed(store, last + 1, last + 3)
    # What is before the snapshot is not read any more: without it the rest alone would make no state.
    await store.session.execute("set session_replication_role = replica")
    await store.session.execute("delete from es.events where originator_version <= $1", last)
    state, position = await state_of(fresh(store))
    assert isinstance(state, evse.Evse)
    assert (state.version, state.status, position) == (last + 3, STATUSES[(last + 3) % 2], last + 4)
    assert expected[0] == evse.Evse(PARTY, "A1", 1, last, STATUSES[last % 2], {1: "AVAILABLE", 2: "AVAILABLE"})


async def test_a_snapshot_of_another_shape_is_not_looked_at_and_is_written_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await changed(store, 2, SNAPSHOT_EVENTS + 1)
    await state_of(fresh(store))
    await store.session.execute("update es.snapshots set state = '{}', shape = 'of last year'")
    assert (await state_of(fresh(store)))[0] == await folded(store)
    assert await store.session.fetchval("select shape from es.snapshots") == aggregates.SHAPE
    monkeypatch.setattr(aggregates, "SHAPE", "of next year")
    assert (await state_of(fresh(store)))[0] == await folded(store)


async def test_an_older_snapshot_never_replaces_a_newer_one(store: Store) -> None:
    await changed(store, 2, SNAPSHOT_EVENTS + 1)
    slow = fresh(store)
    await state_of(fresh(store))
    await store.session.execute("update es.snapshots set originator_version = 9000, pos = 9000")
    await store.session.execute("update es.snapshots set shape = shape")
    keep = (A1, SNAPSHOT_EVENTS + 1, 1, "Evse", aggregates.SHAPE, b"{}")
    await store.pool.execute(aggregates.KEEP, *keep)
    assert await store.session.fetchval("select originator_version from es.snapshots") == 9000
    await store.session.execute("delete from es.snapshots")
    assert (await state_of(slow))[0] == await folded(store)


async def test_many_loads_at_once_agree_and_the_least_used_is_forgotten(store: Store) -> None:
    few = Aggregates(store.pool, CODEC, capacity=1)
    for version in range(2, 6):
        await changed(store, version, version)
        states = await asyncio.gather(*(few.load([A1, location_stream(1)]) for _ in range(5)))
        assert {one.positions[A1] for one in states} == {version + 1}
        assert all(one.of(A1) == states[0].of(A1) and one.of(location_stream(1)) is not None for one in states)


async def test_a_stream_that_does_not_exist_is_not_remembered(store: Store) -> None:
    states = fresh(store)
    unknown = evse_stream(PARTY, "B1")
    assert (await states.load([unknown, unknown])).states == {}
    await store.events.append(a_command(evse_registered("B1")))
    assert (await states.load([unknown])).of(unknown) == evse.replay([evse_registered("B1")])
