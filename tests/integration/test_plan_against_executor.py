"""Random valid queries through the plan and through Tartiflette's own executor: the same answers, errors included."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from read_side import executor
from read_side.engine import GraphQLService, create_engine, request_of
from read_side.fields import QUERIES
from read_side.guards import Limits
from read_side.plan import roots_of
from read_side.scope import NOBODY, Viewer
from tests.support.builders import PARTY
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, fill, views_of
from tests.support.queries import Asked, Writer, every_field

EXAMPLES: Final = int(os.environ.get("EMSP_TEST_DIFFERENTIAL_EXAMPLES", "500"))
"""Of each of the four seeds."""

BOTH: Final = Viewer(party=PARTY, client="app", scopes=frozenset({"read"}))
VIEWERS: Final = [
    BOTH,
    BOTH,
    NOBODY,
    Viewer(party=PARTY),
    Viewer(party=OTHER),
    Viewer(client="app", scopes=frozenset({"read"})),
    Viewer(client="desk"),
    Viewer(rejected="Token Expired"),
]
ASKED_AGAIN: Final = 4
"""First with documents, then by what the cache of fragments has."""


@pytest.fixture(scope="module")
async def service(fresh_database: Databases) -> AsyncIterator[GraphQLService]:
    dsn = await fresh_database()
    await fill(dsn)
    async with views_of(dsn) as views:
        yield await create_engine(
            views,
            Limits(aliases=500, cost=100_000, depth=50, fragment_cache_bytes=20_000),
            "test_plan_against_executor",
        )
    await fresh_database.drop(dsn)


async def by_executor(service: GraphQLService, asked: Asked, viewer: Viewer) -> tuple[bytes, list[dict[str, Any]]]:
    plan = service.preparer.plan(asked.text, asked.operation)
    roots = roots_of(plan, await service.preparer.coerced(plan, asked.variables))
    nodes = [node for root in roots for node in root.selected.nodes]
    data, errors = await executor.run(
        service.schema, plan, nodes, variables=asked.variables, asking=request_of(service, viewer)
    )
    return orjson.dumps(data), errors


def compared(number: int) -> Callable[..., None]:
    """A test of the queries that this seed makes."""

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(st.binary(min_size=150, max_size=500))
    async def the_plan_answers_as_the_executor_does(service: GraphQLService, choices: bytes) -> None:
        writer = Writer(choices)
        viewer, asked = writer.one_of(VIEWERS), writer.request()
        note(asked.text)
        data, errors = await by_executor(service, asked, viewer)
        for _ in range(ASKED_AGAIN):
            answer = await service.execute(asked.text, asked.variables, asked.operation, caller=viewer)
            assert answer.data == data
            assert sorted(map(orjson.dumps, answer.errors)) == sorted(map(orjson.dumps, errors))

    return the_plan_answers_as_the_executor_does


test_the_plan_answers_as_the_executor_does_1 = compared(1)
test_the_plan_answers_as_the_executor_does_2 = compared(2)
test_the_plan_answers_as_the_executor_does_3 = compared(3)
test_the_plan_answers_as_the_executor_does_4 = compared(4)


@pytest.mark.parametrize("viewer", [BOTH, Viewer(party=OTHER)])
@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_whole_documents_are_answered_as_the_executor_does(
    service: GraphQLService, name: str, viewer: Viewer
) -> None:
    of = QUERIES[name].of
    assert of is not None
    of_one = "(id: 1)" if name in {"location", "location_history"} else ""
    text = f"{{ {name}{of_one} {{ {every_field(of)} }} }}"
    data, _ = await by_executor(service, Asked(text, None, {}), viewer)
    for _ in range(ASKED_AGAIN):
        assert (await service.execute(text, {}, None, caller=viewer)).data == data


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ evse { distance: __typename uid } }", {}),
        ("{ location_history(id: 1) { distance: __typename position } }", {}),
        ("{ locations { distance: __typename id } }", {}),
        ("query($f: Int) { find_ev_filter_locations(facilities: [$f]) { id } }", {"f": 3}),
        ("query($f: [String]) { find_ev_filter_locations(facilities: [$f]) { id } }", {"f": ["WIFI"]}),
        ("query($f: String) { find_ev_filter_locations(facilities: [$f]) { id } }", {"f": "WIFI"}),
    ],
)
async def test_odd_ones_are_answered_as_the_executor_does(
    service: GraphQLService, text: str, variables: dict[str, Any]
) -> None:
    data, errors = await by_executor(service, Asked(text, None, variables), BOTH)
    answer = await service.execute(text, variables, None, caller=BOTH)
    assert answer.data == data
    assert sorted(map(orjson.dumps, answer.errors)) == sorted(map(orjson.dumps, errors))
