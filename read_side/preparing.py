"""A query text, its variables and its caller → what to ask of the views: found out once, as far as it can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from tartiflette.coercers.arguments import coerce_arguments
from tartiflette.coercers.variables import coerce_variables
from tartiflette.execution.collect import collect_executable_variable_definitions
from tartiflette.types.exceptions.tartiflette import MultipleException

from read_side.coercion import Declared, PlainArguments, Values, declared, plain_variables, variables_of
from read_side.errors import QueryRefused
from read_side.faults import GraphQLError, faults_at
from read_side.filters import Arguments
from read_side.guards import Limits, check_variables
from read_side.parsing import Invalid, Parser, Schema
from read_side.plan import Plan, Root, bind, compile_operation, roots_of, scope_of
from read_side.reading import Bound
from read_side.scope import Viewer
from read_side.selection import Selected
from read_side.sql import Statement

MOST_PREPARED: Final = 4_096
"""Root fields of all operations: some 3 kB each. One more, and all are forgotten; what is asked often is soon back."""

LARGEST_KEPT_BYTES: Final = 1_024
"""Variables that are kept with what was prepared for them, as JSON."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation with its variables, for one caller: what to ask, and what is answered without asking.

    bound: the root fields that are read; errors: of those that are refused, by key; others: Tartiflette's to run
    """

    plan: Plan
    keys: tuple[str, ...]
    bound: tuple[Bound, ...]
    errors: Mapping[str, tuple[GraphQLError, ...]]
    others: tuple[Root, ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """An operation of a text.

    declared: its variables, where they can be looked at; arguments: of its root fields, by the identity of their nodes
    prepared: what was prepared of it, by caller and variables
    """

    plan: Plan
    declared: tuple[Declared, ...] | None
    arguments: dict[int, PlainArguments] = field(default_factory=dict)
    prepared: dict[tuple[Viewer, bytes], Prepared] = field(default_factory=dict)


class Preparer:
    """Prepares the operations of one schema."""

    def __init__(self, schema: Schema, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._parser = Parser(schema, limits)
        self._query_fields = schema.find_type("Query").implemented_fields
        self._kept = 0

    def plan(self, text: str, operation_name: str | None) -> Plan:
        """The plan of an operation, compiled when its text is new. raises: QueryRefused, Invalid."""
        return self._compiled(text, operation_name).plan

    async def prepared(
        self, text: str, operation_name: str | None, variables: Mapping[str, Any], caller: Viewer
    ) -> Prepared:
        """What such a request asks. raises: QueryRefused, Invalid."""
        compiled = self._compiled(text, operation_name)
        given = self._given(compiled.plan, variables)
        prepared = None if given is None else compiled.prepared.get((caller, given))
        if prepared is None:
            prepared = await self._prepare(compiled, await self._coerced(compiled, variables), caller)
            if given is not None and len(given) <= LARGEST_KEPT_BYTES:
                self._keep(compiled, (caller, given), prepared)
        return prepared

    def statement(self, name: str, arguments: Arguments, keys: frozenset[str] | None, caller: Viewer) -> Statement:
        """What a root field asks for this caller. keys: as `plan.bind` has them. raises: QueryRefused."""
        return bind(name, keys, arguments, scope_of(name, caller), cap=self._limits.find_cap)

    async def coerced(self, plan: Plan, variables: Mapping[str, Any]) -> Values:
        """The variables as the operation's types have them, by Tartiflette. raises: Invalid."""
        definitions = collect_executable_variable_definitions(self._schema, plan.operation)
        values, errors = await coerce_variables(definitions, dict(variables), None)
        if errors:
            raise Invalid(errors)
        return values

    def _compiled(self, text: str, operation_name: str | None) -> _Compiled:
        document, known = self._parser.document(text)
        compiled: _Compiled | None = known.get(operation_name)
        if compiled is None:
            plan = compile_operation(document.definitions, operation_name)
            variables = declared(plan.operation.variable_definitions or ())
            compiled = known[operation_name] = _Compiled(plan, variables)
        return compiled

    def _given(self, plan: Plan, variables: Mapping[str, Any]) -> bytes | None:
        """The variables as JSON, of an operation that has any; None for what nobody sends: nested hundreds deep.

        raises: Guarded
        """
        if not variables or not plan.operation.variable_definitions:
            return b""
        check_variables(variables, self._limits)
        try:
            return orjson.dumps(variables)
        except orjson.JSONEncodeError:
            return None

    def _keep(self, compiled: _Compiled, key: tuple[Viewer, bytes], prepared: Prepared) -> None:
        """Have it ready for the next request of that caller with these variables."""
        size = max(1, len(prepared.bound))
        self._kept += size
        if self._kept > MOST_PREPARED:
            self._kept = size
            for _, operations, _ in self._parser.cached.values():
                for one in operations.values():
                    one.prepared.clear()
        compiled.prepared[key] = prepared

    async def _coerced(self, compiled: _Compiled, variables: Mapping[str, Any]) -> Values:
        values = None if compiled.declared is None else plain_variables(compiled.declared, variables)
        return await self.coerced(compiled.plan, variables) if values is None else values

    async def _prepare(self, compiled: _Compiled, values: Values, caller: Viewer) -> Prepared:
        roots = roots_of(compiled.plan, values)
        bound: list[Bound] = []
        errors: dict[str, tuple[GraphQLError, ...]] = {}
        for root in roots:
            if root.shape is None:
                continue
            selected = root.selected
            try:
                arguments = await self._arguments(compiled, selected, values)
                statement = self.statement(selected.name, arguments, root.shape.keys, caller)
            except (QueryRefused, MultipleException) as error:
                errors[selected.key] = faults_at(error, selected.nodes, selected.key)
            else:
                bound.append(Bound(selected, root.shape, statement))
        return Prepared(
            compiled.plan,
            tuple(root.selected.key for root in roots),
            tuple(bound),
            errors,
            tuple(root for root in roots if root.shape is None),
        )

    async def _arguments(self, compiled: _Compiled, selected: Selected, values: Values) -> Values:
        """raises: MultipleException."""
        node = selected.nodes[0]
        known = compiled.arguments.get(id(node))
        if known is not None:
            return known.with_values(values)
        definition = self._query_fields[selected.name]
        variables = variables_of(node, definition.arguments)
        coerced: Values = await coerce_arguments(
            definition.arguments,
            node,
            values if variables is None else {},
            None,
            coercer=definition.arguments_coercer,
        )
        if variables is None:
            return coerced
        known = compiled.arguments[id(node)] = PlainArguments(coerced, variables)
        return known.with_values(values)
