"""The scalars of our schema beside GraphQL's own, as Tartiflette takes them."""

from __future__ import annotations

from typing import Any, Final

from tartiflette import Scalar
from tartiflette.constants import UNDEFINED_VALUE
from tartiflette.language.ast.base import Node
from tartiflette.scalar.builtins.string import ScalarString


class Json:
    """Any JSON value; only ever answered, never an argument."""

    def coerce_output(self, value: object) -> object:
        """As it is."""
        return value

    def coerce_input(self, value: object) -> object:
        """As it is."""
        return value

    def parse_literal(self, _ast: Node) -> Any:  # noqa: ANN401 - Tartiflette's own constant
        """None has a place in a query text."""
        return UNDEFINED_VALUE


SCALARS: Final[dict[str, ScalarString | Json]] = {"DateTime": ScalarString(), "JSON": Json()}
"""A DateTime travels as text, and is read in `filters`, where a wrong one is refused by its argument's name."""


def register(schema_name: str) -> None:
    """Make them known, before Tartiflette's own of the same names."""
    for name, scalar in SCALARS.items():
        Scalar(name, schema_name=schema_name)(scalar)
