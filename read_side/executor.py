"""Tartiflette: the schema, and its own executor for what is not a plain read (introspection).

Its root resolvers ask the views as the plan does, so that both answer alike; a test compares them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any, Final, Protocol, TypeAlias

from tartiflette import Engine, Resolver
from tartiflette.execution.execute import execute
from tartiflette.execution.response import build_response
from tartiflette.language.ast import DocumentNode, FieldNode, OperationDefinitionNode, SelectionSetNode
from tartiflette.resolver.default import default_field_resolver
from tartiflette.utils.errors import error_coercer_factory

from read_side.faults import GraphQLError, coerce_error
from read_side.fields import FIELDS, QUERIES
from read_side.parsing import Schema
from read_side.plan import Plan
from read_side.scalars import register

Documents: TypeAlias = list[dict[str, Any]] | dict[str, Any] | None
"""What a root field resolves to: whole documents, or one, as its caller may see them."""

_respond: Final = partial(build_response, error_coercer=error_coercer_factory(coerce_error))


class Asking(Protocol):
    """The request that Tartiflette's context carries."""

    async def documents(self, name: str, arguments: Mapping[str, Any]) -> Documents:
        """The documents of a root field. raises: QueryRefused."""


def sdl() -> str:
    """The schema's text."""
    return files("read_side").joinpath("schema.graphql").read_text(encoding="utf-8")


async def cooked(schema_name: str) -> Schema:
    """Tartiflette's schema with our resolvers. schema_name: once a process."""
    register(schema_name)
    for name in QUERIES:
        Resolver(f"Query.{name}", schema_name=schema_name)(_resolver(name))
    kept: list[Schema] = []

    def keep(parse: Callable[[str, Schema], Any]) -> Callable[[str, Schema], Any]:
        def parse_and_keep(text: str, schema: Schema) -> Any:  # noqa: ANN401 - Tartiflette's own
            kept.append(schema)
            return parse(text, schema)

        return parse_and_keep

    engine = Engine(
        sdl(),
        schema_name=schema_name,
        error_coercer=coerce_error,
        custom_default_resolver=_key_of_document,
        query_cache_decorator=keep,
        coerce_list_concurrently=False,
        coerce_parent_concurrently=False,
        sdl_file_encoding="utf-8",
    )
    await engine.cook()
    await engine.execute("{ __typename }")  # the cache's decorator is the public way to the schema
    return kept[0]


def _resolver(name: str) -> Callable[..., Awaitable[Documents]]:
    async def resolve(_parent: object, arguments: Mapping[str, Any], context: Asking, _info: object) -> Documents:
        return await context.documents(name, arguments)

    return resolve


async def _key_of_document(parent: Any, arguments: Any, context: Any, info: Any) -> Any:  # noqa: ANN401 - Tartiflette's
    fields = FIELDS.get(info.parent_type.name)
    if fields is None:  # introspection
        return await default_field_resolver(parent, arguments, context, info)
    return parent.get(fields[info.field_name].key)


async def run(
    schema: Schema,
    plan: Plan,
    nodes: Sequence[FieldNode],
    *,
    variables: Mapping[str, Any],
    asking: Asking | None = None,
) -> tuple[dict[str, Any] | None, list[GraphQLError]]:
    """The data and the errors of these root fields of a plan, by Tartiflette's executor."""
    whole = plan.operation
    operation = OperationDefinitionNode(
        operation_type=whole.operation_type,
        selection_set=SelectionSetNode(selections=list(nodes), location=whole.selection_set.location),
        name=whole.name,
        variable_definitions=whole.variable_definitions,
        directives=whole.directives,
        location=whole.location,
    )
    document = DocumentNode(definitions=[operation, *plan.fragments.values()])
    answer = await execute(schema, document, _respond, None, asking, dict(variables), None)
    return answer["data"], list(answer.get("errors", ()))
