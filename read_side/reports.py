"""The small questions of REST: reference data with places (R11, R12) and a CPO's own details (R13).

Each statement answers at least one row, with generation and checkpoint of the views, and nulls beside them where
nothing matches (see `views`).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from ocpi.codes import REFERENCE_LISTS
from ocpi.identifiers import folded
from read_side.errors import Unavailable
from read_side.parked import any_location, of_cpo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocpi.identifiers import Party
    from read_side.parked import Concern
    from read_side.sql import Question
    from read_side.views import Row, Views

PLACES: Final = """
    select c.generation, c.pos, p.province, p.city, p.locations
      from (select generation, pos from views.checkpoint limit 1) as c
      left join views.place_view as p on true
"""

CITIES_OF_PROVINCE: Final = """
    select c.generation, c.pos, p.city
      from (select generation, pos from views.checkpoint limit 1) as c
      left join views.place_view as p on p.province_key = $1
"""

DETAILS_OF_CPO: Final = """
    select c.generation, c.pos, v.details
      from (select generation, pos from views.checkpoint limit 1) as c
      left join views.cpo_view as v on v.country_code = $1 and v.party_id = $2
"""

REFERENCE_DATA: Final = {
    known.name: [{"id": one.id, "code": one.code, "description": one.description} for one in known.codes]
    for known in REFERENCE_LISTS
}


@dataclass(frozen=True, slots=True)
class Reports:
    """Answers them, from the views. min_position_wait_s: how long one waits for the position that it names.

    min_position of each: the views have reached it. Each raises: Unavailable
    """

    views: Views
    min_position_wait_s: float

    async def filters(self, *, min_position: int | None = None) -> dict[str, Any]:
        """R11: what can be filtered by, and where the public finds how many locations."""
        rows = await self._ask((PLACES, ()), min_position)
        found = [row for row in rows if row["city"] is not None]
        totals: dict[str, int] = {}
        for row in found:
            totals[row["province"]] = totals.get(row["province"], 0) + row["locations"]
        provinces = [{"province": one, "total_locations": totals[one]} for one in sorted(totals, key=_by_name)]
        return {**REFERENCE_DATA, "provinces": provinces, "cities": _cities(found)}

    async def cities(self, province: str, *, min_position: int | None = None) -> list[dict[str, str]]:
        """R12: the cities of that province, in any case, where the public finds a location."""
        # No name holds a NUL or half a character, which PostgreSQL can't even be asked for.
        wanted = province if province.isprintable() else ""
        rows = await self._ask((CITIES_OF_PROVINCE, (folded(wanted.strip()),)), min_position)
        return _cities(row for row in rows if row["city"] is not None)

    async def details(self, party: Party, *, min_position: int | None = None) -> dict[str, Any]:
        """R13: what is known of that CPO. `contact`: sealed as in the event, or None where it was forgotten."""
        question = (DETAILS_OF_CPO, (party.country_code, party.party_id))
        rows = await self._ask(question, min_position, of_cpo(party))
        if rows[0]["details"] is None:
            # Whoever can log in is registered: the views are behind.
            raise Unavailable
        details: dict[str, Any] = orjson.loads(rows[0]["details"])
        return details

    async def _ask(self, question: Question, min_position: int | None, concern: Concern = any_location) -> list[Row]:
        asked = await self.views.ask(
            [question], at_least=min_position, at_most_s=self.min_position_wait_s, concern=concern
        )
        return asked.rows[0]


def _cities(rows: Iterable[Row]) -> list[dict[str, str]]:
    return [{"city": city} for city in sorted({row["city"] for row in rows}, key=_by_name)]


def _by_name(name: str) -> str:
    """As people look names up: without case, and ñ behind n."""
    return folded(name) if name.isascii() else unicodedata.normalize("NFD", folded(name))
