"""Answers GraphQL: guards, plan, one statement a root field, the answer cut and encoded. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from tartiflette.coercers.arguments import coerce_arguments
from tartiflette.coercers.variables import coerce_variables
from tartiflette.execution.collect import collect_executable_variable_definitions
from tartiflette.types.exceptions.tartiflette import MultipleException

from read_side import executor
from read_side.cut import Document
from read_side.documents import document_of, is_owners, matches, shown_to_everybody
from read_side.encoding import Shape
from read_side.errors import QueryRefused, Unavailable
from read_side.executor import Documents
from read_side.faults import GraphQLError, fault_of, faults_at, faults_of
from read_side.fields import QUERIES
from read_side.filters import Arguments
from read_side.fragments import Fragments
from read_side.guards import Limits, check_variables
from read_side.parsing import Invalid, Parser, Schema
from read_side.plan import Plan, Root, bind, compile_operation, roots_of, scope_of
from read_side.reading import NULL, Bound, Reader
from read_side.scope import Own, Viewer
from read_side.selection import Selected
from read_side.sql import Statement, render
from read_side.views import Views

TRUNCATED: Final = "truncated"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with.

    parts: JSON of the data, to be joined; None where nothing was run, and then errors says why
    errors: each with `extensions.code`; the door adds what HTTP calls it
    refused: what ended the request before anything was run, where it was one thing
    """

    parts: tuple[bytes, ...] | None
    errors: tuple[GraphQLError, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)
    refused: QueryRefused | None = None

    @property
    def data(self) -> bytes | None:
        """The JSON of the data, as one: a copy."""
        return None if self.parts is None else b"".join(self.parts)


@dataclass(slots=True)
class _Answering:
    """The answer of one request, as far as it is known. values: JSON by key, in parts."""

    values: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    errors: dict[str, tuple[GraphQLError, ...]] = field(default_factory=dict)
    is_truncated: bool = False

    def refuse(self, selected: Selected, error: Exception) -> None:
        """That root field answers null, and this error."""
        self.values[selected.key] = NULL
        self.errors[selected.key] = faults_at(error, selected.nodes, selected.key)


class GraphQLService:
    """The five queries and introspection, over one views database. Made by `create_engine`."""

    def __init__(self, schema: Schema, views: Views, limits: Limits) -> None:
        self.schema = schema
        self.limits = limits
        self.fragments = Fragments(limits.fragment_cache_bytes)
        self._views = views
        self._reader = Reader(views, self.fragments)
        self._parser = Parser(schema, limits)
        self._query_fields = schema.find_type("Query").implemented_fields
        self._introspecting = asyncio.Lock()

    async def execute(
        self,
        text: str,
        variables: Mapping[str, Any] | None,
        operation_name: str | None,
        *,
        caller: Viewer,
        min_position: int | None = None,
    ) -> Answer:
        """The answer to one request. min_position: the views must have reached it; waited for, within a limit."""
        try:
            plan = self.plan(text, operation_name)
            values = await self.coerced(plan, variables or {})
            return await self._run(plan, values, variables or {}, _Request(self, caller, min_position))
        except QueryRefused as refused:
            return Answer(None, (fault_of(refused),), refused=refused)
        except Invalid as invalid:
            return Answer(None, faults_of(invalid.errors))

    def plan(self, text: str, operation_name: str | None) -> Plan:
        """The plan of an operation, compiled when its text is new. raises: QueryRefused, Invalid."""
        document, plans = self._parser.document(text)
        plan: Plan | None = plans.get(operation_name)
        if plan is None:
            plan = compile_operation(document.definitions, operation_name)
            plans[operation_name] = plan
        return plan

    async def coerced(self, plan: Plan, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The variables as the operation's types have them. raises: QueryRefused, Invalid."""
        if not plan.operation.variable_definitions:
            return {}
        check_variables(variables, self.limits)
        definitions = collect_executable_variable_definitions(self.schema, plan.operation)
        values, errors = await coerce_variables(definitions, dict(variables), None)
        if errors:
            raise Invalid(errors)
        return values

    async def _run(self, plan: Plan, values: dict[str, Any], variables: Mapping[str, Any], request: _Request) -> Answer:
        roots = roots_of(plan, values)
        answering = _Answering()
        bound = [
            one
            for root in roots
            if root.shape and (one := await self._bound(root.selected, root.shape, values, (request, answering)))
        ]
        if bound:
            await self._read(bound, request, answering)
        elif request.min_position is not None:
            await request.reach()
        await self._introspect(plan, [root for root in roots if root.shape is None], variables, answering)
        keys = [root.selected.key for root in roots]
        parts: list[bytes] = []
        for key in keys:
            parts += (b"," if parts else b"{", orjson.dumps(key), b":", *answering.values[key])
        errors = tuple(error for key in ["", *keys] for error in answering.errors.get(key, ()))
        return Answer((*(parts or [b"{"]), b"}"), errors, {TRUNCATED: True} if answering.is_truncated else {})

    async def _bound(
        self, selected: Selected, shape: Shape, values: dict[str, Any], of: tuple[_Request, _Answering]
    ) -> Bound | None:
        """The root field's statement; None where it can't have one, which is its error then."""
        request, answering = of
        definition = self._query_fields[selected.name]
        try:
            arguments = await coerce_arguments(
                definition.arguments, selected.nodes[0], values, None, coercer=definition.arguments_coercer
            )
            return Bound(selected, shape, request.statement(selected.name, arguments, shape.keys))
        except (QueryRefused, MultipleException) as error:
            answering.refuse(selected, error)
            return None

    async def _read(self, bound: Sequence[Bound], request: _Request, answering: _Answering) -> None:
        found_of = await self._reader.read(
            bound, at_least=request.min_position, at_most_s=self.limits.min_position_wait_s
        )
        for one, found in zip(bound, found_of, strict=True):
            if isinstance(found, QueryRefused):
                answering.refuse(one.selected, found)
                continue
            answering.is_truncated |= found.is_truncated
            answering.values[one.selected.key] = found.parts

    async def _introspect(
        self, plan: Plan, roots: Sequence[Root], variables: Mapping[str, Any], answering: _Answering
    ) -> None:
        if all(root.is_typename for root in roots):
            answering.values |= {root.selected.key: (b'"Query"',) for root in roots}
            return
        async with self._introspecting:  # it holds the loop: one at a time leaves the others their turns
            nodes = [node for root in roots for node in root.selected.nodes]
            data, errors = await executor.run(self.schema, plan, nodes, variables=variables)
        for root in roots:
            value = (data or {}).get(root.selected.key)
            answering.values[root.selected.key] = (orjson.dumps(value),)
        answering.errors[""] = tuple(errors)


@dataclass(frozen=True, slots=True)
class _Request:
    """What one request may ask of the views; Tartiflette's context where its executor runs."""

    service: GraphQLService
    caller: Viewer
    min_position: int | None

    def statement(self, name: str, arguments: Arguments, keys: frozenset[str] | None) -> Statement:
        """raises: QueryRefused."""
        scope = scope_of(name, self.caller)
        return bind(name, keys, arguments, scope, cap=self.service.limits.find_cap)

    async def ask(self, statements: Sequence[Statement]) -> tuple[list[Any], ...]:
        """The rows of each statement, of one state of the views. raises: Unavailable."""
        asked = await self.service._views.ask(  # noqa: SLF001 - the request is the service's own
            [render(statement) for statement in statements],
            at_least=self.min_position,
            at_most_s=self.service.limits.min_position_wait_s,
        )
        return asked.rows

    async def reach(self) -> None:
        """Wait for the position alone. raises: Unavailable."""
        if self.min_position is not None and not await self.service._views.wait_for(  # noqa: SLF001
            self.min_position, at_most_s=self.service.limits.min_position_wait_s
        ):
            raise Unavailable(f"The views have not reached position {self.min_position} yet")

    async def documents(self, name: str, arguments: Arguments) -> Documents:
        """See `executor.Asking`."""
        statement = self.statement(name, arguments, None)
        (rows,) = await self.ask([statement])
        found, _ = matches(rows, statement.filter)
        is_own = isinstance(statement.scope, Own)
        documents: list[Document] = []
        for row in found:
            document = document_of(row, statement.filter)
            is_seen_by_owner = is_owners(row, statement.filter, is_own=is_own)
            documents.append(document if is_seen_by_owner else shown_to_everybody(document))
        if QUERIES[name].is_list:
            return documents
        return documents[0] if documents else None


def request_of(service: GraphQLService, caller: Viewer, min_position: int | None = None) -> executor.Asking:
    """What Tartiflette's executor is given to ask with, for whoever runs a plan through it."""
    return _Request(service, caller, min_position)


async def create_engine(views: Views, limits: Limits, schema_name: str = "emsp") -> GraphQLService:
    """A service over these views. schema_name: once a process, for Tartiflette keeps schemas by name."""
    return GraphQLService(await executor.cooked(schema_name), views, limits)
