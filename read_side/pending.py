"""What a CPO has staged and not yet approved or rejected: R15, and the list beside R16.

Each statement answers at least one row, with generation and checkpoint of the views (see `views`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from read_side.parked import of_cpo

if TYPE_CHECKING:
    from ocpi.identifiers import Party
    from read_side.sql import Question
    from read_side.views import Row, Views

COUNTS: Final = """
    select c.generation, c.pos, p.locations, p.evses
      from (select generation, pos from views.checkpoint limit 1) as c
     cross join (
        select count(*) as locations, coalesce(sum(evse_count), 0) as evses
          from views.pending_view
         where country_code = $1
           and party_id = $2) as p
"""

ITEMS: Final = """
    select c.generation, c.pos, p.head, p.evses
      from (select generation, pos from views.checkpoint limit 1) as c
      left join (
        select staged_pos, nr, head, evses
          from views.pending_view
         where country_code = $1
           and party_id = $2
         order by staged_pos, nr
         limit $3
        offset $4) as p on true
     order by p.staged_pos, p.nr
"""

NOTHING: Final = "NO_PENDING_LOCATIONS_AND_EVSES"


@dataclass(frozen=True, slots=True)
class PendingReports:
    """Answers them, from the views. min_position_wait_s: how long one waits for the position that it names.

    min_position of each: the views have reached it. Each raises: Unavailable
    """

    views: Views
    min_position_wait_s: float

    async def counts(self, party: Party, *, min_position: int | None = None) -> list[dict[str, int]] | str:
        """R15: how many locations and EVSEs wait, or the contract's word for none."""
        question = (COUNTS, (party.country_code, party.party_id))
        row = (await self._ask(question, party, min_position))[0]
        if not row["locations"]:
            return NOTHING
        return [{"pending_locations": row["locations"], "pending_evses": row["evses"]}]

    async def items(
        self, party: Party, *, limit: int, offset: int, min_position: int | None = None
    ) -> list[dict[str, Any]]:
        """Staged locations with their EVSEs, as they were uploaded, in that order."""
        question = (ITEMS, (party.country_code, party.party_id, limit, offset))
        rows = [row for row in await self._ask(question, party, min_position) if row["head"] is not None]
        return [orjson.loads(row["head"]) | {"evses": orjson.loads(f"[{row['evses']}]")} for row in rows]

    async def _ask(self, question: Question, party: Party, min_position: int | None) -> list[Row]:
        asked = await self.views.ask(
            [question], at_least=min_position, at_most_s=self.min_position_wait_s, concern=of_cpo(party)
        )
        return asked.rows[0]
