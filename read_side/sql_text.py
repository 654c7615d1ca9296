"""What every statement of the read side is made of: its frame, its parameters, its party, its page. Pure."""

from __future__ import annotations

from typing import Any, Final

from read_side.filters import Page
from read_side.scope import Own

FRAME: Final = """
select c.generation, c.pos, {columns}{extra}
  from (select generation, pos from views.checkpoint limit 1) as c
  left join ({inner}
       ) as v on true
"""

LIMIT: Final = """
        limit {limit}"""

OFFSET: Final = """
       offset {offset}"""

OF_PARTY: Final = """
        where country_code = {country_code}
          and party_id = {party_id}"""


class Parameters:
    """The values of a text, in the order in which it names them."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def put(self, value: object) -> str:
        """What the text calls this value."""
        self.values.append(value)
        return f"${len(self.values)}"


def party_of(own: Own, parameters: Parameters) -> dict[str, str]:
    """What the text calls a CPO's country and party."""
    return {
        "country_code": parameters.put(own.party.country_code),
        "party_id": parameters.put(own.party.party_id),
    }


def listed(columns: frozenset[str], of: str = "") -> str:
    """`, a, b`, each after the name it is `of`."""
    return "".join(f", {of}{column}" for column in sorted(columns))


def framed(columns: str, inner: str, extra: str = "") -> str:
    """The whole text around a question; extra: columns that are there without a match, too."""
    return FRAME.format(columns=columns, extra=extra, inner=inner)


def limits_of(page: Page, parameters: Parameters) -> str:
    """`limit` and, where there is one, `offset`."""
    limits = LIMIT.format(limit=parameters.put(page.limit))
    if page.offset:
        limits += OFFSET.format(offset=parameters.put(page.offset))
    return limits
