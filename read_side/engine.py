"""Answers GraphQL: guards, plan, one statement a root field, the answer cut and encoded. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from read_side import executor
from read_side.answers import Answers
from read_side.cut import Document
from read_side.documents import document_of, is_owners, matches, shown_to_everybody
from read_side.errors import QueryRefused
from read_side.executor import Documents
from read_side.faults import GraphQLError, fault_of, faults_at, faults_of
from read_side.fields import QUERIES
from read_side.filters import Arguments
from read_side.fragments import Fragments
from read_side.guards import Limits
from read_side.parsing import Invalid, Schema
from read_side.plan import Plan, Root
from read_side.preparing import Prepared, Preparer
from read_side.reading import NULL, Bound, Reader
from read_side.scope import Own, Viewer
from read_side.selection import Selected
from read_side.sql import render
from read_side.views import Views

TRUNCATED: Final = "truncated"

SHARE_OF_ANSWERS: Final = 4
"""Whole answers get that part of the cache's bytes, fragments the rest."""


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

    values: dict[str, tuple[bytes, ...]]
    errors: dict[str, tuple[GraphQLError, ...]]
    is_truncated: bool = False

    def refuse(self, selected: Selected, error: Exception) -> None:
        """That root field answers null, and this error."""
        self.values[selected.key] = NULL
        self.errors[selected.key] = faults_at(error, selected.nodes, selected.key)


class GraphQLService:
    """The queries and introspection, over one views database. Made by `create_engine`."""

    def __init__(self, schema: Schema, views: Views, limits: Limits) -> None:
        self.schema = schema
        self.limits = limits
        of_answers = limits.fragment_cache_bytes // SHARE_OF_ANSWERS
        self.answers = Answers(of_answers)
        self.fragments = Fragments(limits.fragment_cache_bytes - of_answers)
        self.preparer = Preparer(schema, limits)
        self._views = views
        self._reader = Reader(views, self.fragments, self.answers)
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
            prepared = await self.preparer.prepared(text, operation_name, variables or {}, caller)
            return await self._run(prepared, variables or {}, min_position)
        except QueryRefused as refused:
            return Answer(None, (fault_of(refused),), refused=refused)
        except Invalid as invalid:
            return Answer(None, faults_of(invalid.errors))

    async def _run(self, prepared: Prepared, variables: Mapping[str, Any], min_position: int | None) -> Answer:
        answering = _Answering(dict.fromkeys(prepared.errors, NULL), dict(prepared.errors))
        if prepared.bound:
            await self._read(prepared.bound, min_position, answering)
        elif min_position is not None:
            await self._views.reach(min_position, at_most_s=self.limits.min_position_wait_s)
        if prepared.others:
            await self._introspect(prepared.plan, prepared.others, variables, answering)
        parts: list[bytes] = []
        for key in prepared.keys:
            parts += (b"," if parts else b"{", orjson.dumps(key), b":", *answering.values[key])
        errors = tuple(error for key in ("", *prepared.keys) for error in answering.errors.get(key, ()))
        return Answer((*(parts or [b"{"]), b"}"), errors, {TRUNCATED: True} if answering.is_truncated else {})

    async def _read(self, bound: tuple[Bound, ...], min_position: int | None, answering: _Answering) -> None:
        found_of = await self._reader.read(bound, at_least=min_position, at_most_s=self.limits.min_position_wait_s)
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

    async def documents(self, name: str, arguments: Arguments, caller: Viewer) -> Documents:
        """The documents of a root field, for Tartiflette's executor. raises: QueryRefused."""
        statement = self.preparer.statement(name, arguments, None, caller)
        asked = await self._views.ask([render(statement)], at_most_s=self.limits.min_position_wait_s)
        found, _ = matches(asked.rows[0], statement.filter)
        is_own = isinstance(statement.scope, Own)
        documents: list[Document] = []
        for row in found:
            document = document_of(row, statement.filter)
            is_seen_by_owner = is_owners(row, statement.filter, is_own=is_own)
            documents.append(document if is_seen_by_owner else shown_to_everybody(document))
        if QUERIES[name].is_list:
            return documents
        return documents[0] if documents else None


@dataclass(frozen=True, slots=True)
class _Asking:
    """Tartiflette's context: whose question its root resolvers ask. See `executor.Asking`."""

    service: GraphQLService
    caller: Viewer

    async def documents(self, name: str, arguments: Arguments) -> Documents:
        """The documents of a root field. raises: QueryRefused."""
        return await self.service.documents(name, arguments, self.caller)


def request_of(service: GraphQLService, caller: Viewer) -> executor.Asking:
    """What Tartiflette's executor is given to ask with, for whoever runs a plan through it."""
    return _Asking(service, caller)


async def create_engine(views: Views, limits: Limits, schema_name: str = "emsp") -> GraphQLService:
    """A service over these views. schema_name: once a process, for Tartiflette keeps schemas by name."""
    return GraphQLService(await executor.cooked(schema_name), views, limits)
