"""Query text → parsed and validated document, by Tartiflette's parts but without its leak, from a bounded cache.

Tartiflette 1.4.1 never frees the C string of `graphql_ast_to_json`: 13.6 kB for each text that isn't in its cache.
"""

from __future__ import annotations

import ctypes
import logging
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson
from tartiflette.language.ast import DocumentNode
from tartiflette.language.parsers.libgraphqlparser import parser as libgraphqlparser
from tartiflette.language.parsers.libgraphqlparser.transformers import _parse_definitions
from tartiflette.language.validators import Validators
from tartiflette.language.validators.query import RULE_SET
from tartiflette.types.exceptions.tartiflette import TartifletteError

from read_side.errors import BadUserInput
from read_side.guards import Limits, check_ast, check_text

Schema: TypeAlias = Any
"""Tartiflette's schema; it has no type of its own that could be named."""

VALIDATOR_FAILS: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)
"""What Tartiflette's validator raises on some invalid texts, such as `location(id: {a: 1})`."""

PLACE: Final = re.compile(r"^(\d+)\.(\d+)(?:-[\d.]+)?: (.*)$", re.DOTALL)
"""The parser's own form of a place: line.column."""

CYCLES: Final = "fragment-spreads-must-not-form-cycles"


class _NoRule:
    """In the place of a rule that refuses what is valid."""

    abort = False

    def validate(self, **_: object) -> list[TartifletteError]:
        return []


RULES: Final = RULE_SET | {CYCLES: _NoRule()}
"""Tartiflette's rules but for one: it takes a fragment that two others spread for a cycle. `guards` looks for those."""

log = logging.getLogger(__name__)


class Invalid(Exception):
    """The text doesn't parse or isn't valid. errors: Tartiflette's, to be coerced."""

    def __init__(self, errors: list[TartifletteError]) -> None:
        self.errors = errors
        super().__init__(len(errors))


class SyntaxFault(BadUserInput):
    """The text doesn't parse. line, column: where, from 1."""

    def __init__(self, message: str) -> None:
        self.line, self.column = 1, 1
        if place := PLACE.match(message):
            self.line, self.column = int(place[1]), int(place[2])
            message = place[3]
        super().__init__(f"Syntax error: {message}")


@dataclass(slots=True)
class Parser:
    """Parses and validates against one schema. plans: what is compiled out of a document lives as long as it.

    The cache is bounded by the bytes of the texts' syntax trees, to which the documents are proportional.
    """

    schema: Schema
    limits: Limits
    cached: OrderedDict[str, tuple[DocumentNode, dict[str | None, Any], int]] = field(default_factory=OrderedDict)
    cached_bytes: int = 0
    _c: ctypes.CDLL = field(default_factory=lambda: ctypes.CDLL(None))

    def document(self, text: str) -> tuple[DocumentNode, dict[str | None, Any]]:
        """The valid document of a text, and a place for its plans by operation name.

        raises: BadUserInput  refused by a guard; SyntaxFault where it doesn't parse
                Invalid       Tartiflette says why
        """
        known = self.cached.get(text)
        if known is not None:
            self.cached.move_to_end(text)
            return known[0], known[1]
        check_text(text, self.limits)
        ast = self._ast(text)
        tree = _decoded(ast)
        check_ast(tree, self.limits)
        document = self._validated(tree)
        plans: dict[str | None, Any] = {}
        self._keep(text, document, plans, len(ast) + len(text))
        return document, plans

    def _ast(self, text: str) -> bytes:
        memory = libgraphqlparser._FFI  # noqa: SLF001 - the library has no other way to its parser
        library = libgraphqlparser._LIB  # noqa: SLF001
        errors = memory.new("char **")
        node = library.graphql_parse_string(memory.new("char[]", text.encode()), errors)
        if errors[0] != memory.NULL:
            message = memory.string(errors[0]).decode("utf-8", "replace")
            library.graphql_error_free(errors[0])
            raise SyntaxFault(message)
        try:
            text_of_tree = library.graphql_ast_to_json(node)
            try:
                return bytes(memory.string(text_of_tree))
            finally:
                self._c.free(ctypes.c_void_p(int(memory.cast("uintptr_t", text_of_tree))))
        finally:
            library.graphql_node_free(node)

    def _validated(self, tree: Any) -> DocumentNode:  # noqa: ANN401 - decoded JSON
        validators = Validators(self.schema, RULES)
        try:
            definitions = _parse_definitions(tree["definitions"], validators)
        except TartifletteError as error:
            raise Invalid([error]) from error
        except VALIDATOR_FAILS as error:
            log.info("the validator failed on a query", exc_info=error)
            raise BadUserInput("The query is not valid for this schema.") from error
        if validators.errors:
            raise Invalid(validators.errors)
        return DocumentNode(definitions)

    def _keep(self, text: str, document: DocumentNode, plans: dict[str | None, Any], size: int) -> None:
        if size > self.limits.cached_ast_bytes // 8:
            return
        self.cached[text] = (document, plans, size)
        self.cached_bytes += size
        while self.cached_bytes > self.limits.cached_ast_bytes:
            _, (_, _, freed) = self.cached.popitem(last=False)
            self.cached_bytes -= freed


def _decoded(ast: bytes) -> Any:  # noqa: ANN401 - decoded JSON
    try:
        return orjson.loads(ast)
    except ValueError:
        raise BadUserInput("Syntax error: a string of the query is no text.") from None
