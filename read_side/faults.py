"""The shape of GraphQL errors: what clients hear of a failure, and never more (contract §5)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from tartiflette.types.exceptions.tartiflette import CoercionError, MultipleException, TartifletteError
from tartiflette.utils.errors import located_error

from read_side.errors import BadUserInput, Internal, QueryRefused
from read_side.parsing import SyntaxFault

GraphQLError: TypeAlias = dict[str, Any]
"""`message`, `extensions.code`, and where they are known `locations` and `path`."""

MOST_ERRORS: Final = 20
LONGEST_MESSAGE: Final = 500

log = logging.getLogger(__name__)


def fault_of(error: Exception) -> GraphQLError:
    """A failure of the whole request: nothing was answered."""
    fault = _shaped(error)
    fault.pop("path", None)
    if isinstance(error, SyntaxFault):
        fault["locations"] = [{"line": error.line, "column": error.column}]
    return fault


def faults_of(errors: Iterable[Exception]) -> tuple[GraphQLError, ...]:
    """As `fault_of`, for as many of them as a person reads."""
    return tuple(fault_of(error) for error, _ in zip(errors, range(MOST_ERRORS), strict=False))


def faults_at(error: Exception, nodes: list[Any], key: str) -> tuple[GraphQLError, ...]:
    """A failure of one root field, which answers null. nodes: the field as selected, under that key."""
    located: MultipleException = located_error(error, nodes, [key])
    return tuple(_shaped(one) for one in located.exceptions[:MOST_ERRORS])


async def coerce_error(error: Exception, _shape: GraphQLError) -> GraphQLError:
    """The same shape for what Tartiflette's own executor meets."""
    return _shaped(error)


def _shaped(error: Exception) -> GraphQLError:
    refused = _refusal(error)
    fault: GraphQLError = {"message": _shortened(refused.message)}
    if isinstance(error, TartifletteError):
        told = error.coerce_value()
        fault |= {name: told[name] for name in ("locations", "path") if told.get(name)}
    fault["extensions"] = {"code": refused.code}
    return fault


def _refusal(error: Exception) -> QueryRefused:
    """What may be told. A failure inside a resolver is ours, whatever its text says."""
    if isinstance(error, QueryRefused):
        return error
    original = getattr(error, "original_error", None)
    if isinstance(original, QueryRefused):
        return original
    if isinstance(error, TartifletteError) and (original is None or isinstance(error, CoercionError)):
        return BadUserInput(error.user_message or error.message)
    log.error("a query failed", exc_info=original or error)
    return Internal()


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
