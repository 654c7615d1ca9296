"""Random valid queries, from a string of random bytes: all that a plain read can contain, and every argument."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

from read_side.fields import FIELDS, QUERIES
from tests.support.builders import NOON

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
EVSES: Final = {
    "limit": INTS,
    "offset": INTS,
    "location_name": TEXTS,
    "order": TEXTS,
    "order_by": TEXTS,
    "after": TEXTS,
}
ARGUMENTS: Final[dict[str, dict[str, list[str]]]] = {
    "evse": EVSES,
    "evses": EVSES,
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


class Writer:
    """Writes one valid query, with the fragments that it spreads.

    choices: a byte a choice, since Hypothesis draws one string of bytes faster than hundreds of numbers; after its end
        come zeros, and zero is what is simplest
    """

    def __init__(self, choices: bytes) -> None:
        self._choices = iter(choices)
        self._fragments: list[str] = []
        self._written: list[tuple[str, str]] = []  # name and type of each fragment that is whole
        self._calls: dict[str, str] = {}  # arguments by key of the answer
        self._aliases = 0

    def number(self, end: int) -> int:
        """The next choice, of so many."""
        return next(self._choices, 0) % end

    def one_of(self, choices: Sequence[T]) -> T:
        """The next choice, of these."""
        return choices[self.number(len(choices))]

    def request(self) -> Asked:
        """The query, and the variables that go with it."""
        variables = self.one_of(VARIABLES)
        name = self.one_of([None, "Q"])
        other = self.one_of(["", "query Other { __typename }"]) if name else ""
        body = f"{self._selection('Query', 2)} {' '.join(self._fragments)}"
        used = ", ".join(f"${one}: {of}" for one, of in DECLARED.items() if re.search(rf"\${one}\b", body))
        return Asked(f"{other} query {name or ''}{used and f'({used})'} {body}", name, variables)

    def _selection(self, type_name: str, depth: int) -> str:
        return f"{{ {' '.join(self._part(type_name, depth) for _ in range(1 + self.number(4)))} }}"

    def _part(self, type_name: str, depth: int) -> str:
        """A field, or a fragment with more of the same type. depth: 0: without fields below."""
        kind, directives, below = self.number(10), self._directives(), max(depth - 1, 0)
        match kind:
            case 9 if depth:
                return f"...{directives} {self._selection(type_name, below)}"
            case 8:
                return f"... on {type_name}{directives} {self._selection(type_name, below)}"
            case 7 if depth:
                name = f"F{len(self._fragments)}"
                self._fragments.append("")
                self._fragments[int(name[1:])] = f"fragment {name} on {type_name} {self._selection(type_name, below)}"
                self._written.append((name, type_name))
                return f"...{name}{directives}"
            case 6 if again := [name for name, of in self._written if of == type_name]:
                return f"...{self.one_of(again)}{directives}"
            case 5:
                return f"{self._alias('__typename')}__typename{directives}"
        return self._root(directives) if type_name == "Query" else self._field(type_name, depth, directives)

    def _directives(self) -> str:
        match self.number(10):
            case 7:
                return f" @skip(if: {self.one_of(CONDITIONS)})"
            case 8:
                return f" @include(if: {self.one_of(CONDITIONS)})"
            case 9:
                return f" @include(if: {self.one_of(CONDITIONS)}) @skip(if: {self.one_of(CONDITIONS)})"
        return ""

    def _alias(self, name: str) -> str:
        """None, one of its own, or one that the same field has wherever it is, whose selections merge then."""
        self._aliases += 1
        return self.one_of(["", "", f"k{self._aliases}: ", f"x_{name}: "])

    def _field(self, type_name: str, depth: int, directives: str) -> str:
        known = FIELDS[type_name]
        name = self.one_of([name for name, field in known.items() if depth or field.of is None])
        of = known[name].of
        return f"{self._alias(name)}{name}{directives}{'' if of is None else ' ' + self._selection(of, depth - 1)}"

    def _root(self, directives: str) -> str:
        if self.number(20) == 19:
            return 's: __type(name: "FACILITY") { name fields { name } }'
        name = self.one_of(list(ARGUMENTS))
        alias, of = self._alias(name), QUERIES[name].of
        assert of is not None
        # What answers under the same key is asked with the same arguments, or the query is not valid.
        arguments = self._calls.setdefault(alias or name, self._arguments(name))
        return f"{alias}{name}{arguments}{directives} {self._selection(of, 3)}"

    def _arguments(self, name: str) -> str:
        known = ARGUMENTS[name]
        chosen = {self.one_of(sorted(known)) for _ in range(self.number(5))}
        return f"({', '.join(f'{one}: {self.one_of(known[one])}' for one in sorted(chosen))})" if chosen else ""


def every_field(type_name: str) -> str:
    """A selection of all that there is."""
    return " ".join(
        name if field.of is None else f"{name} {{ {every_field(field.of)} }}"
        for name, field in FIELDS[type_name].items()
    )
