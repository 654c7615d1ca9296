"""Random valid queries through the plan and through Tartiflette's own executor: the same answers, errors included."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from read_side import executor
from read_side.engine import GraphQLService, create_engine, request_of
from read_side.fields import FIELDS, QUERIES
from read_side.guards import Limits
from read_side.plan import roots_of
from read_side.scope import NOBODY, Viewer
from tests.support.builders import NOON, PARTY
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, fill, views_of

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
DECLARED: Final = {
    "yes": "Boolean!",
    "no": "Boolean = true",
    "n": "Int",
    "text": "String",
    "codes": "[String]",
    "far": "Float",
    "when": "DateTime",
    "never": "DateTime",
    "unset": "Int",
    "default": "Int = 1",
}
VARIABLES: Final[list[dict[str, Any]]] = [
    {"yes": True, "no": False, "n": 2, "text": "harbor", "codes": ["WIFI", None], "far": 90, "when": NOON.isoformat()},
    {"yes": True, "no": False, "n": 1, "text": "makati", "codes": "CAFE", "far": 14.55, "default": 3, "when": "soon"},
    {"yes": False, "n": None, "text": None, "codes": None, "far": None, "default": None, "when": None},
    {"yes": False, "no": True, "codes": [], "text": "", "nobody_asked_for": {"it": []}},
]
"""Each of its type, a single value for a list too, null, or not given."""

ASKED_AGAIN: Final = 4
"""First with documents, then by what the cache of fragments has."""

INTS: Final = ["0", "1", "2", "3", "-1", "null", "$n", "$unset", "$default", "7"]
TEXTS: Final = ['""', '"hub"', "null", "$text", '"%"', '"ASC"', '"DESC"', '"location"', '"date_created"', '"A1"']
CODES: Final = ['["WIFI"]', '"CAFE"', "[]", "null", "$codes", '["QR_READER", "NONE"]', '["CCS_2", $text]', '["GCASH"]']
PLACES: Final = ['"makati"', '"Metro Manila"', '""', "null", "$text"]
MOMENTS: Final = [
    "null",
    "$when",
    "$never",
    '"2026-11-23T12:00:00.249999Z"',
    '"2026-11-23T14:03:00.250000+02:00"',
    '"2026-11-24T00:00:00Z"',
    '"2999-01-01T00:00:00Z"',
    '"2026-11-23T12:00:00"',
    '"0001-01-01T00:00:00+14:00"',
]
POSITIONS: Final = ['"3"', '"-1"', '"x"', "null", "$text", '"99999999999999999999"', '"12"']
FLOATS: Final = ["0", "14.8", "120.3", "-16.5", "1e3", "null", "$far", "-1", "91"]
ARGUMENTS: Final[dict[str, dict[str, list[str]]]] = {
    "evse": {"limit": INTS, "offset": INTS, "location_name": TEXTS, "order": TEXTS, "order_by": TEXTS, "after": TEXTS},
    "evses": {"limit": INTS, "location_name": TEXTS},
    "locations": {"limit": INTS, "offset": INTS, "after": INTS},
    "location": {"id": INTS, "as_of": MOMENTS},
    "location_history": {"id": INTS, "limit": INTS, "offset": INTS, "after": POSITIONS},
    "find_ev_locations": {"limit": INTS, "offset": INTS, "after": INTS},
    "find_ev_filter_locations": {
        "lat": FLOATS,
        "lng": FLOATS,
        "distance": FLOATS,
        "city": PLACES,
        "province": PLACES,
        "facilities": CODES,
        "parking_types": CODES,
        "parking_restrictions": CODES,
        "capabilities": CODES,
        "payment_types": CODES,
        "connector_types": CODES,
        "power_types": ['["AC"]', '"DC"', "null", "$codes", "[$text]"],
        "limit": INTS,
        "offset": INTS,
    },
}


CONDITIONS: Final = ["true", "false", "$yes", "$no"]
T = TypeVar("T")


class Asked(NamedTuple):
    """One request."""

    text: str
    operation: str | None
    variables: dict[str, Any]
    viewer: Viewer


class Writer:
    """Writes one query text, with the fragments that it spreads.

    choices: a byte a choice, since Hypothesis draws one string of bytes faster than hundreds of numbers; the end is
        zeros, and zero is what is simplest
    """

    def __init__(self, choices: bytes) -> None:
        self.choices = iter(choices)
        self.fragments: list[str] = []
        self.written: list[tuple[str, str]] = []  # name and type of each fragment that is whole
        self.calls: dict[str, str] = {}  # arguments by key of the answer
        self.aliases = 0

    def number(self, end: int) -> int:
        return next(self.choices, 0) % end

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[self.number(len(choices))]

    def request(self) -> Asked:
        viewer, variables = self.one_of(VIEWERS), self.one_of(VARIABLES)
        name = self.one_of([None, "Q"])
        other = self.one_of(["", "query Other { __typename }"]) if name else ""
        body = f"{self.selection('Query', 2)} {' '.join(self.fragments)}"
        used = ", ".join(f"${one}: {of}" for one, of in DECLARED.items() if re.search(rf"\${one}\b", body))
        return Asked(f"{other} query {name or ''}{used and f'({used})'} {body}", name, variables, viewer)

    def selection(self, type_name: str, depth: int) -> str:
        return f"{{ {' '.join(self.part(type_name, depth) for _ in range(1 + self.number(4)))} }}"

    def part(self, type_name: str, depth: int) -> str:
        """A field, or a fragment with more of the same type. depth: 0: without fields below."""
        kind, directives, below = self.number(10), self.directives(), max(depth - 1, 0)
        match kind:
            case 9 if depth:
                return f"...{directives} {self.selection(type_name, below)}"
            case 8:
                return f"... on {type_name}{directives} {self.selection(type_name, below)}"
            case 7 if depth:
                name = f"F{len(self.fragments)}"
                self.fragments.append("")
                self.fragments[int(name[1:])] = f"fragment {name} on {type_name} {self.selection(type_name, below)}"
                self.written.append((name, type_name))
                return f"...{name}{directives}"
            case 6 if again := [name for name, of in self.written if of == type_name]:
                return f"...{self.one_of(again)}{directives}"
            case 5:
                return f"{self.alias('__typename')}__typename{directives}"
        return self.root(directives) if type_name == "Query" else self.field(type_name, depth, directives)

    def directives(self) -> str:
        match self.number(10):
            case 7:
                return f" @skip(if: {self.one_of(CONDITIONS)})"
            case 8:
                return f" @include(if: {self.one_of(CONDITIONS)})"
            case 9:
                return f" @include(if: {self.one_of(CONDITIONS)}) @skip(if: {self.one_of(CONDITIONS)})"
        return ""

    def alias(self, name: str) -> str:
        """None, one of its own, or one that the same field has wherever it is, whose selections merge then."""
        self.aliases += 1
        return self.one_of(["", "", f"k{self.aliases}: ", f"x_{name}: "])

    def field(self, type_name: str, depth: int, directives: str) -> str:
        known = FIELDS[type_name]
        name = self.one_of([name for name, field in known.items() if depth or field.of is None])
        of = known[name].of
        return f"{self.alias(name)}{name}{directives}{'' if of is None else ' ' + self.selection(of, depth - 1)}"

    def root(self, directives: str) -> str:
        if self.number(20) == 19:
            return 's: __type(name: "FACILITY") { name fields { name } }'
        name = self.one_of(list(ARGUMENTS))
        alias, of = self.alias(name), QUERIES[name].of
        assert of is not None
        # What answers under the same key is asked with the same arguments, or the query is not valid.
        arguments = self.calls.setdefault(alias or name, self.arguments(name))
        return f"{alias}{name}{arguments}{directives} {self.selection(of, 3)}"

    def arguments(self, name: str) -> str:
        known = ARGUMENTS[name]
        chosen = {self.one_of(sorted(known)) for _ in range(self.number(5))}
        return f"({', '.join(f'{one}: {self.one_of(known[one])}' for one in sorted(chosen))})" if chosen else ""


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


async def by_executor(service: GraphQLService, asked: Asked) -> tuple[bytes, list[dict[str, Any]]]:
    plan = service.preparer.plan(asked.text, asked.operation)
    roots = roots_of(plan, await service.preparer.coerced(plan, asked.variables))
    nodes = [node for root in roots for node in root.selected.nodes]
    data, errors = await executor.run(
        service.schema, plan, nodes, variables=asked.variables, asking=request_of(service, asked.viewer)
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
        asked = Writer(choices).request()
        note(asked.text)
        data, errors = await by_executor(service, asked)
        for _ in range(ASKED_AGAIN):
            answer = await service.execute(asked.text, asked.variables, asked.operation, caller=asked.viewer)
            assert answer.data == data
            assert sorted(map(orjson.dumps, answer.errors)) == sorted(map(orjson.dumps, errors))

    return the_plan_answers_as_the_executor_does


test_the_plan_answers_as_the_executor_does_1 = compared(1)
test_the_plan_answers_as_the_executor_does_2 = compared(2)
test_the_plan_answers_as_the_executor_does_3 = compared(3)
test_the_plan_answers_as_the_executor_does_4 = compared(4)


def every_field(type_name: str) -> str:
    return " ".join(
        name if field.of is None else f"{name} {{ {every_field(field.of)} }}"
        for name, field in FIELDS[type_name].items()
    )


@pytest.mark.parametrize("viewer", [BOTH, Viewer(party=OTHER)])
@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_whole_documents_are_answered_as_the_executor_does(
    service: GraphQLService, name: str, viewer: Viewer
) -> None:
    of = QUERIES[name].of
    assert of is not None
    of_one = "(id: 1)" if name in {"location", "location_history"} else ""
    text = f"{{ {name}{of_one} {{ {every_field(of)} }} }}"
    data, _ = await by_executor(service, Asked(text, None, {}, viewer))
    for _ in range(ASKED_AGAIN):
        assert (await service.execute(text, {}, None, caller=viewer)).data == data
