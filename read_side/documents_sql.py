"""The question for documents whose keys are known, by primary key, with their revisions. Pure.

Rows have the columns that `sql` gives such documents; one that is gone has no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from read_side.documents import Row
from read_side.filters import OwnEvses
from read_side.scope import Own
from read_side.sql import Question, Statement

LOCATIONS: Final = """
select c.generation, c.pos, v.id, v.revision{columns}
  from (select generation, pos from views.checkpoint limit 1) as c
  left join views.location_view as v on v.id = any($1::integer[])
"""

EVSES: Final = """
select c.generation, c.pos, v.id, v.revision, v.document
  from (select generation, pos from views.checkpoint limit 1) as c
  left join (
       select registered_pos as id, revision, document
         from unnest($3::text[]) as wanted (uid_key)
        cross join lateral (
              select registered_pos, revision, document
                from views.evse_view
               where country_code = $1
                 and party_id = $2
                 and uid_key = wanted.uid_key
              offset 0
              ) as e
       ) as v on true
"""

EVSES_WITH_LOCATION: Final = """
select c.generation, c.pos, v.id, v.revision, v.document, v.head
  from (select generation, pos from views.checkpoint limit 1) as c
  left join (
       select registered_pos as id, l.revision, document, head
         from unnest($3::text[]) as wanted (uid_key)
        cross join lateral (
              select registered_pos, location_id, document
                from views.evse_view
               where country_code = $1
                 and party_id = $2
                 and uid_key = wanted.uid_key
              offset 0
              ) as e
        cross join lateral (
              select revision, head
                from views.location_view
               where id = e.location_id
              offset 0
              ) as l
       ) as v on true
"""


def documents_of(statement: Statement, rows: Sequence[Row]) -> Question:
    """What asks for the documents of these rows of that statement."""
    if isinstance(statement.filter, OwnEvses) and isinstance(statement.scope, Own):
        party = statement.scope.party
        text = EVSES_WITH_LOCATION if "head" in statement.columns else EVSES
        return text, (party.country_code, party.party_id, [row["uid_key"] for row in rows])
    columns = "".join(f", v.{column}" for column in sorted(statement.columns))
    return LOCATIONS.format(columns=columns), ([row["id"] for row in rows],)
