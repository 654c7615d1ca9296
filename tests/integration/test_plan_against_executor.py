"""Random valid queries through the plan and through Tartiflette's own executor: the same answers, errors included."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from read_side import executor
from read_side.engine import GraphQLService, create_engine, request_of
from read_side.fields import FIELDS, QUERIES
from read_side.guards import Limits
from read_side.plan import roots_of
from read_side.scope import NOBODY, Viewer
from tests.support.builders import PARTY
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, fill, views_of

EXAMPLES: Final = int(os.environ.get("EMSP_TEST_DIFFERENTIAL_EXAMPLES", "200"))

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
VARIABLES: Final = {"yes": True, "no": False, "n": 2, "text": "harbor", "codes": ["WIFI", None], "far": 90}
DECLARED: Final = {
    "yes": "Boolean!",
    "no": "Boolean = true",
    "n": "Int",
    "text": "String",
    "codes": "[String]",
    "far": "Float",
    "unset": "Int",
    "default": "Int = 1",
}

ASKED_AGAIN: Final = 4
"""First with documents, then by what the cache of fragments has."""

INTS: Final = ["0", "1", "2", "3", "-1", "null", "$n", "$unset", "$default", "7"]
TEXTS: Final = ['""', '"hub"', "null", "$text", '"%"', '"ASC"', '"DESC"', '"location"', '"date_created"', '"A1"']
CODES: Final = ['["WIFI"]', '"CAFE"', "[]", "null", "$codes", '["QR_READER", "NONE"]', '["CCS_2", $text]', '["GCASH"]']
FLOATS: Final = ["0", "14.8", "120.3", "-16.5", "1e3", "null", "$far", "-1", "91"]
ARGUMENTS: Final[dict[str, dict[str, list[str]]]] = {
    "evse": {"limit": INTS, "offset": INTS, "location_name": TEXTS, "order": TEXTS, "order_by": TEXTS, "after": TEXTS},
    "evses": {"limit": INTS, "location_name": TEXTS},
    "locations": {"limit": INTS, "offset": INTS, "after": INTS},
    "location": {"id": INTS},
    "find_ev_locations": {"limit": INTS, "offset": INTS, "after": INTS},
    "find_ev_filter_locations": {
        "lat": FLOATS,
        "lng": FLOATS,
        "distance": FLOATS,
        "city": ['"makati"', '""', "$text"],
        "facilities": CODES,
        "capabilities": CODES,
        "payment_types": CODES,
        "connector_types": CODES,
        "power_types": ['["AC"]', '"DC"', "null"],
        "limit": INTS,
        "offset": INTS,
    },
}


@st.composite
def directives(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 3)):
        return ""
    condition = draw(st.sampled_from(["true", "false", "$yes", "$no"]))
    return draw(st.sampled_from([f" @skip(if: {condition})", f" @include(if: {condition})"]))


class Writer:
    """Writes one query text, with the fragments that it spreads."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.fragments: list[str] = []
        self.written: list[tuple[str, str]] = []  # name and type of each fragment that is whole
        self.aliases = 0

    def selection(self, type_name: str, depth: int) -> str:
        parts = [self.part(type_name, depth) for _ in range(self.draw(st.integers(1, 4)))]
        return "{ " + " ".join(parts) + " }"

    def part(self, type_name: str, depth: int) -> str:
        match self.draw(st.integers(0, 9)):
            case 0:
                return f"...{self.draw(directives())} {self.selection(type_name, depth - 1)}" if depth else "__typename"
            case 1:
                return f"... on {type_name}{self.draw(directives())} {self.selection(type_name, max(depth - 1, 0))}"
            case 2 if depth:
                name = f"F{len(self.fragments)}"
                self.fragments.append("")
                place = len(self.fragments) - 1
                self.fragments[place] = f"fragment {name} on {type_name} {self.selection(type_name, depth - 1)}"
                self.written.append((name, type_name))
                return f"...{name}{self.draw(directives())}"
            case 4 if again := [name for name, of in self.written if of == type_name]:
                return f"...{self.draw(st.sampled_from(again))}{self.draw(directives())}"
            case 3:
                return f"{self.alias()}__typename"
        return self.field(type_name, depth)

    def alias(self) -> str:
        if self.draw(st.booleans()):
            return ""
        self.aliases += 1
        return f"k{self.aliases}: "

    def field(self, type_name: str, depth: int) -> str:
        known = FIELDS[type_name]
        name = self.draw(st.sampled_from([name for name, field in known.items() if depth or field.of is None]))
        of = known[name].of
        below = "" if of is None else " " + self.selection(of, depth - 1)
        return f"{self.alias()}{name}{self.draw(directives())}{below}"

    def root(self) -> str:
        if self.draw(st.integers(0, 9)) == 0:
            return self.draw(st.sampled_from(["__typename", 's: __type(name: "FACILITY") { name fields { name } }']))
        name = self.draw(st.sampled_from(sorted(QUERIES)))
        known = ARGUMENTS[name]
        chosen = self.draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=3))
        arguments = ", ".join(f"{one}: {self.draw(st.sampled_from(known[one]))}" for one in chosen)
        self.aliases += 1
        of = QUERIES[name].of
        assert of is not None
        called = f"r{self.aliases}: {name}{arguments and f'({arguments})'}"
        return f"{called}{self.draw(directives())} {self.selection(of, 3)}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    writer = Writer(draw)
    roots = " ".join(writer.root() for _ in range(draw(st.integers(1, 3))))
    text = f"{{ {roots} }} {' '.join(writer.fragments)}"
    used = ", ".join(f"${name}: {of}" for name, of in DECLARED.items() if re.search(rf"\${name}\b", text))
    return f"query {used and f'({used})'} {text}"


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


async def by_executor(
    service: GraphQLService, text: str, variables: Mapping[str, Any], viewer: Viewer
) -> tuple[bytes, list[dict[str, Any]]]:
    plan = service.plan(text, None)
    roots = roots_of(plan, await service.coerced(plan, variables))
    nodes = [node for root in roots for node in root.selected.nodes]
    data, errors = await executor.run(
        service.schema, plan, nodes, variables=variables, asking=request_of(service, viewer)
    )
    return orjson.dumps(data), errors


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(text=queries(), viewer=st.sampled_from(VIEWERS))
async def test_the_plan_answers_as_the_executor_does(service: GraphQLService, text: str, viewer: Viewer) -> None:
    data, errors = await by_executor(service, text, VARIABLES, viewer)
    for _ in range(ASKED_AGAIN):
        answer = await service.execute(text, VARIABLES, None, caller=viewer)
        assert answer.data == data
        assert sorted(map(orjson.dumps, answer.errors)) == sorted(map(orjson.dumps, errors))
