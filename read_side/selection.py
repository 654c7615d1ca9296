"""What an operation selects, fragments spread and equal names merged, as GraphQL's "CollectFields" says. Pure.

All types of the schema are object types, so a fragment applies to its very type or is refused: by `check_whole`, for
Tartiflette lets `{ ... on CONNECTOR { id } }` pass (1.4.1). Afterwards type conditions need not be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tartiflette.language.ast import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    SelectionSetNode,
    VariableNode,
)

from read_side.errors import BadUserInput
from read_side.fields import FIELDS, QUERIES

Fragments: TypeAlias = Mapping[str, FragmentDefinitionNode]
Selection: TypeAlias = FieldNode | FragmentSpreadNode | InlineFragmentNode
Includes: TypeAlias = Callable[[Selection], bool]
"""Whether @skip and @include let a selection through."""

TYPENAME: Final = "__typename"
INTROSPECTED: Final = "__Type"
KNOWN: Final = {**FIELDS, "Query": QUERIES}


@dataclass(slots=True)
class Selected:
    """One key of an answer: the fields of that name, merged."""

    key: str
    name: str
    nodes: list[FieldNode] = field(default_factory=list)

    def sets(self) -> Iterator[SelectionSetNode]:
        """What is selected below."""
        return (node.selection_set for node in self.nodes if node.selection_set)


def collected(sets: Iterable[SelectionSetNode], fragments: Fragments, includes: Includes) -> list[Selected]:
    """The keys that these selection sets of one object give, in the answer's order.

    raises: BadUserInput where fields of one key differ in name or arguments
    """
    found: dict[str, Selected] = {}
    visited: set[str] = set()
    for selection_set in sets:
        for node in _fields(selection_set, fragments, includes, visited):
            key = node.alias.value if node.alias else node.name.value
            selected = found.setdefault(key, Selected(key, node.name.value))
            if selected.nodes:
                _check_mergeable(selected, node)
            selected.nodes.append(node)
    return list(found.values())


def _fields(
    selection_set: SelectionSetNode, fragments: Fragments, includes: Includes, visited: set[str]
) -> Iterator[FieldNode]:
    for selection in selection_set.selections:
        if not includes(selection):
            continue
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            yield from _fields(selection.selection_set, fragments, includes, visited)
        elif selection.name.value not in visited:
            visited.add(selection.name.value)
            yield from _fields(fragments[selection.name.value].selection_set, fragments, includes, visited)


def check_whole(sets: Iterable[SelectionSetNode], fragments: Fragments, type_name: str = "Query") -> None:
    """Refuse fields that can't be merged, fragments of other types and introspection in the midst of data.

    Tartiflette lets them pass (1.4.1). What @skip and @include say doesn't matter here.
    raises: BadUserInput
    """

    def applies(selection: Selection) -> bool:
        condition = _type_condition(selection, fragments)
        if condition is not None and condition != type_name and type_name in KNOWN:
            raise BadUserInput(f"A fragment on {condition} can never apply to {type_name}.")
        return True

    for selected in collected(sets, fragments, applies):
        field = KNOWN.get(type_name, {}).get(selected.name)
        if field is None and type_name in FIELDS and selected.name != TYPENAME:  # it finds `__type` on every type
            raise BadUserInput(f"Field {selected.name} doesn't exist on {type_name}")
        check_whole(selected.sets(), fragments, field.of if field and field.of else INTROSPECTED)


def _type_condition(selection: Selection, fragments: Fragments) -> str | None:
    node = fragments[selection.name.value] if isinstance(selection, FragmentSpreadNode) else selection
    condition = getattr(node, "type_condition", None)
    return None if condition is None else str(condition.name.value)


def _check_mergeable(selected: Selected, node: FieldNode) -> None:
    first = selected.nodes[0]
    if first.name.value != node.name.value or _arguments(first) != _arguments(node):
        raise BadUserInput(
            f'Fields "{selected.key}" conflict: they differ in name or arguments. Use different aliases.'
        )


def _arguments(node: FieldNode) -> dict[str, Any]:
    return {argument.name.value: _literal(argument.value) for argument in node.arguments or ()}


def _literal(node: Any) -> Any:  # noqa: ANN401 - a node of any kind of value, compared as plain data
    if isinstance(node, VariableNode):
        return (VariableNode, node.name.value)
    if isinstance(node, ListValueNode):
        return [_literal(value) for value in node.values]
    if isinstance(node, ObjectValueNode):
        return {pair.name.value: _literal(pair.value) for pair in node.fields}
    return (type(node), getattr(node, "value", None))


def conditions(sets: Iterable[SelectionSetNode], fragments: Fragments) -> tuple[str, ...]:
    """The variables that @skip and @include ask for, sorted; in the fragments that are spread there, too."""
    found: set[str] = set()
    visited: set[str] = set()
    waiting = list(sets)
    while waiting:
        for selection in waiting.pop().selections:
            for directive in selection.directives or ():
                condition = _condition(directive)
                if isinstance(condition, VariableNode):
                    found.add(condition.name.value)
            if not isinstance(selection, FragmentSpreadNode):
                waiting += [selection.selection_set] if selection.selection_set else []
            elif selection.name.value not in visited:
                visited.add(selection.name.value)
                waiting.append(fragments[selection.name.value].selection_set)
    return tuple(sorted(found))


def includes_by(variables: Mapping[str, Any]) -> Includes:
    """What @skip and @include let through with these (coerced) variables."""

    def includes(selection: Selection) -> bool:
        for directive in selection.directives or ():
            condition = _condition(directive)
            if condition is None:
                continue
            is_true = variables[condition.name.value] if isinstance(condition, VariableNode) else condition.value
            if is_true == (directive.name.value == "skip"):
                return False
        return True

    return includes


def _condition(directive: DirectiveNode) -> VariableNode | BooleanValueNode | None:
    if directive.name.value not in {"skip", "include"}:
        return None
    found: VariableNode | BooleanValueNode = next(
        argument.value for argument in directive.arguments or () if argument.name.value == "if"
    )
    return found
