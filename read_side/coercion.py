"""Variables and arguments that plainly are what their types want, in a twentieth of the time. Pure.

Tartiflette makes a task of every value that it coerces. So it is asked only for those that need more than a look: what
has to be changed, and what is wrong, of which it tells what. Here, None says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from tartiflette.language.ast import (
    FieldNode,
    ListTypeNode,
    ListValueNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectValueNode,
    VariableDefinitionNode,
    VariableNode,
)

Values: TypeAlias = dict[str, Any]

SMALLEST_INT: Final = -(2**31)
LARGEST_INT: Final = 2**31 - 1
LARGEST_EXACT: Final = 2**53
"""Up to here a whole number is the same as a Float."""


def _is_int(value: object) -> bool:
    return type(value) is int and SMALLEST_INT <= value <= LARGEST_INT


def _is_float(value: object) -> bool:
    return (type(value) is float and isfinite(value)) or (type(value) is int and abs(value) <= LARGEST_EXACT)


def _is_string(value: object) -> bool:
    return type(value) is str


def _is_boolean(value: object) -> bool:
    return type(value) is bool


PLAIN: Final[dict[str, Callable[[object], bool]]] = {
    "Int": _is_int,
    "Float": _is_float,
    "String": _is_string,
    "Boolean": _is_boolean,
}
"""Whether a value is equal to what coercing it to that scalar type would answer."""


class Declared(NamedTuple):
    """A variable of an operation. is_plain: for its type, or for each item of its list."""

    name: str
    is_plain: Callable[[object], bool]
    is_list: bool
    is_nullable: bool
    has_default: bool

    def takes(self, value: object) -> bool:
        """Whether coercing that value would answer its equal."""
        if value is None:
            return self.is_nullable
        if self.is_list:
            return type(value) is list and all(item is None or self.is_plain(item) for item in value)
        return self.is_plain(value)


def declared(definitions: Iterable[VariableDefinitionNode]) -> tuple[Declared, ...] | None:
    """The variables of an operation; None where one's type is none of those that can be looked at."""
    known = [_declared(definition) for definition in definitions]
    found = tuple(one for one in known if one is not None)
    return found if len(found) == len(known) else None


def _declared(definition: VariableDefinitionNode) -> Declared | None:
    of = definition.type
    is_nullable = not isinstance(of, NonNullTypeNode)
    if isinstance(of, NonNullTypeNode):
        of = of.type
    is_list = isinstance(of, ListTypeNode)
    if isinstance(of, ListTypeNode):
        of = of.type
    is_plain = PLAIN.get(of.name.value) if isinstance(of, NamedTypeNode) else None
    if is_plain is None:
        return None
    has_default = definition.default_value is not None
    return Declared(definition.variable.name.value, is_plain, is_list, is_nullable, has_default)


def plain_variables(known: Sequence[Declared], given: Mapping[str, Any]) -> Values | None:
    """The values of an operation's variables where all of them are plain. Those left out are left out."""
    for one in known:
        if one.name in given:
            if not one.takes(given[one.name]):
                return None
        elif one.has_default or not one.is_nullable:
            return None
    return {one.name: given[one.name] for one in known if one.name in given}


class PlainArguments(NamedTuple):
    """The arguments of a field. constant: coerced already; variables: what names a variable, with its name."""

    constant: Values
    variables: tuple[tuple[str, str], ...]

    def with_values(self, values: Mapping[str, Any]) -> Values:
        """All of them. values: of the variables, coerced."""
        return self.constant | {name: values[variable] for name, variable in self.variables if variable in values}


def variables_of(node: FieldNode, definitions: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """The arguments that are a variable each, with its name; None where what is asked for hangs on more than that.

    definitions: Tartiflette's, of the arguments that the field has
    """
    if any(one.default_value is not None or one.graphql_type.is_non_null_type for one in definitions.values()):
        return None
    arguments = node.arguments or ()
    if any(_holds_a_variable(argument.value) for argument in arguments):
        return None
    named = [argument for argument in arguments if isinstance(argument.value, VariableNode)]
    return tuple((argument.name.value, argument.value.name.value) for argument in named)


def _holds_a_variable(value: Any) -> bool:  # noqa: ANN401 - a node of any kind of value
    if isinstance(value, ListValueNode):
        return any(isinstance(item, VariableNode) or _holds_a_variable(item) for item in value.values)
    return isinstance(value, ObjectValueNode)
