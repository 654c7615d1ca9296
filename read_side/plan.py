"""Compiles an operation, once per query text, into what each of its root fields asks and how its answer is cut. Pure.

This is the seam for speed: nobody else knows how an answer is made of rows (docs/decisions/0007).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tartiflette.language.ast import FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode

from read_side.cut import tree_of
from read_side.encoding import Shape, shape_of
from read_side.errors import BadUserInput
from read_side.fields import DISTANCE, EVSES, LOCATION_OF_EVSE, QUERIES
from read_side.filters import Arguments, understood
from read_side.scope import Scope, Viewer, own_scope, public_scope
from read_side.selection import TYPENAME, Fragments, Selected, check_whole, collected, conditions, includes_by
from read_side.sql import Statement

OF_EVERYBODY: Final = frozenset({"find_ev_locations", "find_ev_filter_locations"})
"""Root fields for Basic clients; the others are a CPO's (contract §5)."""

MOST_VARIANTS: Final = 16

Document: TypeAlias = list[OperationDefinitionNode | FragmentDefinitionNode]
"""The definitions of a parsed and validated query text."""


@dataclass(frozen=True, slots=True)
class Root:
    """One root field as selected. shape: None for __typename and for introspection."""

    selected: Selected
    shape: Shape | None

    @property
    def is_typename(self) -> bool:
        """Whether the field is __typename, which needs nobody."""
        return self.selected.name == TYPENAME


@dataclass(frozen=True, slots=True)
class Plan:
    """One operation of a query text, compiled.

    conditions: the variables of @skip and @include; variants: root fields by the values of these
    """

    operation: OperationDefinitionNode
    fragments: Fragments
    conditions: tuple[str, ...]
    variants: dict[tuple[bool, ...], tuple[Root, ...]] = field(default_factory=dict)


def compile_operation(document: Document, operation_name: str | None) -> Plan:
    """The plan of one operation of a valid document.

    raises: BadUserInput  the operation is not there, or has fields that can't be merged
    """
    operation = _operation(document, operation_name)
    fragments = {one.name.value: one for one in document if isinstance(one, FragmentDefinitionNode)}
    sets: list[SelectionSetNode] = [operation.selection_set]
    check_whole(sets, fragments)
    return Plan(operation, fragments, conditions(sets, fragments))


def _operation(document: Document, name: str | None) -> OperationDefinitionNode:
    operations = [one for one in document if isinstance(one, OperationDefinitionNode)]
    if not name:
        if len(operations) == 1:
            return operations[0]
        raise BadUserInput("Must provide operation name if query contains multiple operations.")
    for operation in operations:
        if operation.name is not None and operation.name.value == name:
            return operation
    raise BadUserInput(f'Unknown operation named "{name[:100]}".')


def roots_of(plan: Plan, variables: Mapping[str, Any]) -> tuple[Root, ...]:
    """The root fields that an answer has with these (coerced) variables, in its order.

    raises: BadUserInput where @skip or @include would be given null
    """
    for name in plan.conditions:
        if variables.get(name) is None:
            raise BadUserInput(f'Variable "${name}" decides what is included and must not be null.')
    key = tuple(variables[name] for name in plan.conditions)
    roots = plan.variants.get(key)
    if roots is None:
        if len(plan.variants) >= MOST_VARIANTS:
            plan.variants.clear()
        roots = plan.variants[key] = _compile_roots(plan, variables)
    return roots


def _compile_roots(plan: Plan, variables: Mapping[str, Any]) -> tuple[Root, ...]:
    includes = includes_by(variables)
    roots: list[Root] = []
    for selected in collected([plan.operation.selection_set], plan.fragments, includes):
        query = QUERIES.get(selected.name)
        shape = None
        if query is not None and query.of is not None:
            shape = shape_of(tree_of(selected, query.of, plan.fragments, includes), query.of)
        roots.append(Root(selected, shape))
    return tuple(roots)


def scope_of(name: str, viewer: Viewer) -> Scope:
    """What this caller may see through that root field. raises: Unauthenticated, Forbidden."""
    return public_scope(viewer) if name in OF_EVERYBODY else own_scope(viewer)


def bind(name: str, keys: frozenset[str] | None, arguments: Arguments, scope: Scope, *, cap: int) -> Statement:
    """A root field with its arguments and its caller's scope: what to ask the views.

    keys: of its documents that are wanted; None: all
    raises: BadUserInput, naming the argument
    """
    is_evse = QUERIES[name].of == "EVSE"
    if is_evse:
        columns = {"document", "head"} if keys is None or LOCATION_OF_EVSE in keys else {"document"}
    elif keys is None:
        columns = {"head", EVSES}
    else:
        columns = {EVSES} & keys
        if keys - {EVSES, DISTANCE, "id"}:
            columns |= {"head"}
    return Statement(understood(name, arguments, cap=cap), scope, frozenset(columns))
