"""Refuses query texts that would crash, stall or exhaust us, before Tartiflette sees them (docs: queries.md). Pure.

Its C parser ends the process on some 10,000 nested brackets, and its validator takes seconds for deep selections and
for many definitions (1.4.1). Cost counts fields, not rows: no query of an existing client comes near a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from read_side.errors import BadUserInput

Ast: TypeAlias = Mapping[str, Any]
"""A node of the parser's JSON."""

TOKEN: Final = re.compile(
    r"""
      \#[^\n\r]*                                  # comment
    | \"\"\" (?: \\\"\"\" | [^"] | "(?!"") )*? \"\"\"   # block string
    | " (?: [^"\\\n\r] | \\. )* "                 # string
    | (?P<open> [\[({] )
    | (?P<close> [\])}] )
    | [A-Za-z_0-9.+-]+                            # name, number, spread
    | [^\s,]                                      # punctuation, and what is nothing
    """,
    re.VERBOSE,
)

INTROSPECTION: Final = frozenset({"__schema", "__type"})
LISTS_OF_INTROSPECTION: Final = frozenset({"fields", "inputFields", "interfaces", "possibleTypes"})
"""Lists of types that lead to types again: nested, they multiply."""

MOST_NESTED_LISTS: Final = 2


class Guarded(BadUserInput):
    """A guard refuses the query: it is too much, or no text, whatever it would mean."""


class NotAQuery(Guarded):
    """The text has a mutation or a subscription, of which the schema knows none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may be at most; each is a setting of the operator or a safe constant.

    depth, aliases, cost: of a whole text, fragments spread; introspection has no depth limit of its own
    find_cap: answers of one root field
    """

    depth: int = 12
    aliases: int = 50
    cost: int = 2_000
    find_cap: int = 10_000
    roots: int = 20
    definitions: int = 100
    tokens: int = 10_000
    brackets: int = 64
    text_bytes: int = 256 * 1024
    variable_values: int = 1_000
    variable_characters: int = 20_000
    cached_ast_bytes: int = 16 * 1024 * 1024
    fragment_cache_bytes: int = 64 * 1024 * 1024
    min_position_wait_s: float = 2.0


def check_text(text: str, limits: Limits) -> None:
    """Refuse a text by its look alone, in one linear pass. raises: Guarded."""
    if "\0" in text:
        raise Guarded("Syntax error: the query holds a NUL character.")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Guarded("Syntax error: the query holds a lone surrogate.") from None
    if size > limits.text_bytes:
        raise Guarded(f"The query is longer than {limits.text_bytes} bytes.")
    _check_tokens(text, limits)


def _check_tokens(text: str, limits: Limits) -> None:
    depth = 0
    for count, token in enumerate(TOKEN.finditer(text)):
        if count >= limits.tokens:
            raise Guarded(f"The query has more than {limits.tokens} tokens.")
        if token["open"]:
            depth += 1
            if depth > limits.brackets:
                raise Guarded(f"The query nests brackets deeper than {limits.brackets}.")
        elif token["close"]:
            depth -= 1


def check_variables(variables: Mapping[str, Any], limits: Limits) -> None:
    """Refuse more than anybody needs: each value may cost an error that repeats them all. raises: Guarded."""
    count = characters = 0
    waiting: list[Any] = list(variables.values())
    while waiting:
        value = waiting.pop()
        count += 1
        if count + len(waiting) > limits.variable_values:
            raise Guarded(f"The variables hold more than {limits.variable_values} values.")
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            characters += sum(map(len, value))
        elif isinstance(value, str):
            characters += len(value)
        if characters > limits.variable_characters:
            raise Guarded(f"The variables hold more than {limits.variable_characters} characters.")


@dataclass(frozen=True, slots=True)
class Weight:
    """What a selection comes to, its fragments spread. depth: levels of fields; nesting: of selection sets."""

    nesting: int = 0
    depth: int = 0
    aliases: int = 0
    cost: int = 0

    def beside(self, other: Weight) -> Weight:
        """Both, in one selection set."""
        return Weight(
            max(self.nesting, other.nesting),
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.cost + other.cost,
        )


@dataclass(slots=True)
class _Scale:
    """Weighs each fragment once, so that fragments that double each other cost no time."""

    fragments: Mapping[str, Ast]
    deepest: int
    weighed: dict[str, Weight] = field(default_factory=dict)
    being_weighed: set[str] = field(default_factory=set)

    def weigh(self, selection_set: Ast | None, *, level: int = 0, is_root: bool = False) -> Weight:
        """level: of the selection sets around it. raises: Guarded for more of them than others can descend into."""
        if selection_set is None:
            return Weight()
        weight = Weight()
        if level < self.deepest:
            for selection in selection_set["selections"]:
                weight = weight.beside(self._selection(selection, level + 1, is_root=is_root))
        if level + weight.nesting >= self.deepest:
            raise Guarded(f"The query nests selections deeper than {self.deepest}.")
        return replace(weight, nesting=weight.nesting + 1)

    def _selection(self, selection: Ast, level: int, *, is_root: bool) -> Weight:
        match selection["kind"]:
            case "Field":
                return self._field(selection, level, is_root=is_root)
            case "InlineFragment":
                return self.weigh(selection["selectionSet"], level=level, is_root=is_root)
        # A spread costs too: fragments without a field that double each other keep the validator busy for ever.
        weight = self._fragment(selection["name"]["value"], level, is_root=is_root)
        return replace(weight, cost=weight.cost + 1)

    def _field(self, selection: Ast, level: int, *, is_root: bool) -> Weight:
        below = self.weigh(selection["selectionSet"], level=level)
        is_free = is_root and selection["name"]["value"] in INTROSPECTION
        depth = 0 if is_free else 1 + below.depth
        return Weight(below.nesting, depth, below.aliases + (selection["alias"] is not None), below.cost + 1)

    def _fragment(self, name: str, level: int, *, is_root: bool) -> Weight:
        key = f"{name} {is_root}"
        if key not in self.weighed:
            if name not in self.fragments:
                return Weight()  # the validator's to refuse
            if key in self.being_weighed:
                raise Guarded(f"Fragment {name[:100]} spreads itself.")
            self.being_weighed.add(key)
            self.weighed[key] = self.weigh(self.fragments[name]["selectionSet"], level=level, is_root=is_root)
        return self.weighed[key]


def check_ast(ast: Ast, limits: Limits) -> None:
    """Refuse what is too deep, too wide or too much, before it is validated. raises: Guarded."""
    definitions: list[Ast] = ast["definitions"]
    if len(definitions) > limits.definitions:
        raise Guarded(f"The query has more than {limits.definitions} operations and fragments.")
    fragments = {one["name"]["value"]: one for one in definitions if one["kind"] == "FragmentDefinition"}
    scale = _Scale(fragments, limits.brackets)
    total = Weight()
    for definition in definitions:
        is_operation = definition["kind"] == "OperationDefinition"
        if is_operation and definition["operation"] != "query":
            raise NotAQuery(f"This service answers queries, it knows no {definition['operation']}.")
        weight = scale.weigh(definition["selectionSet"], is_root=is_operation)
        if is_operation:
            total = total.beside(weight)
            _check_roots(definition["selectionSet"], fragments, limits)
    for what, value, limit in (
        ("nests fields", total.depth, limits.depth),
        ("has aliases", total.aliases, limits.aliases),
        ("has fields", total.cost, limits.cost),
    ):
        if value > limit:
            raise Guarded(f"The query {what} beyond the limit: {value}, at most {limit}.")
    _check_introspection(definitions, fragments)


def _check_roots(selection_set: Ast, fragments: Mapping[str, Ast], limits: Limits) -> None:
    """Each root field is a statement; counted by the keys that they answer under."""
    keys: set[str] = set()
    visited: set[str] = set()
    waiting = [selection_set]
    while waiting:
        for selection in waiting.pop()["selections"]:
            if selection["kind"] == "Field":
                keys.add((selection["alias"] or selection["name"])["value"])
            elif selection["kind"] == "InlineFragment":
                waiting.append(selection["selectionSet"])
            elif (name := selection["name"]["value"]) in fragments and name not in visited:
                visited.add(name)
                waiting.append(fragments[name]["selectionSet"])
    if len(keys) > limits.roots:
        raise Guarded(f"The query has more than {limits.roots} root fields.")


def _check_introspection(definitions: list[Ast], fragments: Mapping[str, Ast]) -> None:
    """Lists of types within lists of types within lists of types would answer megabytes to anybody."""
    deepest: dict[str, int] = {}

    def nested(selection_set: Ast | None) -> int:
        return max((_of(selection) for selection in selection_set["selections"]), default=0) if selection_set else 0

    def _of(selection: Ast) -> int:
        match selection["kind"]:
            case "Field":
                return nested(selection["selectionSet"]) + (selection["name"]["value"] in LISTS_OF_INTROSPECTION)
            case "InlineFragment":
                return nested(selection["selectionSet"])
        name = selection["name"]["value"]
        if name not in deepest:
            deepest[name] = 0
            if name in fragments:
                deepest[name] = nested(fragments[name]["selectionSet"])
        return deepest[name]

    if any(nested(definition["selectionSet"]) > MOST_NESTED_LISTS for definition in definitions):
        raise Guarded("Introspection nests lists of types too deep.")
