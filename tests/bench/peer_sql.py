"""How a peer asks the tables of the views: as short as its authors would write it, over the same indexes.

Its caller is who the header `Party` names; nobody checks a token or a right, which is work that a peer is spared.
"""

from __future__ import annotations

from typing import Final

from ocpi.facets import FACETS

HEADER: Final = "Party"

LOCATIONS: Final = """
    select head, evses
      from views.location_view
     where country_code = $1
       and party_id = $2
     order by id
     limit $3
"""

EVSES: Final = """
    select document, head
      from (select location_id, registered_pos, created_at, document
              from views.evse_view
             where country_code = $1
               and party_id = $2
             order by created_at, location_id, registered_pos
             limit $3) as evse
      join views.location_view on id = location_id
     order by created_at, location_id, registered_pos
"""

NEAREST: Final = """
    select head, evses, point <-> cube($1::float8[]) as chord
      from views.location_view
     where is_public
       and point <@ cube_enlarge(cube($1::float8[]), $2, 3)
       and point <-> cube($1::float8[]) <= $2
       and facets && $3::int[]
       and facets && $4::int[]
     order by point <-> cube($1::float8[])
     limit $5
"""

FACETS_OF: Final = {
    kind: {code: facet for (of, code), facet in FACETS.items() if of == kind}
    for kind in ("facilities", "connector_types")
}
"""The number of each code in the column facets."""
