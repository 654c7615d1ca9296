"""The questions about a CPO's EVSEs as SQL. Pure."""

from __future__ import annotations

from typing import Final, TypeAlias

from ocpi.facets import grams_wanted
from read_side.filters import OwnEvses, Page
from read_side.scope import Own
from read_side.sql_text import OF_PARTY, Parameters, framed, limits_of, listed, party_of

PAGE_OF_EVSES: Final = """
       select page.location_id, page.registered_pos as id, {columns}
         from ({page}
              ) as page{rows}{locations}"""

EVSES: Final = """
       select {keys}
         from views.evse_view{where}
        order by {in_order}"""

NAMED: Final = """
  with walked as materialized (
       select location_id, registered_pos, {order}
         from (
       select location_id, registered_pos, created_at, location_name_key
         from views.evse_view{where}
        order by {in_order}
        limit {walked}
              ) as next
        where location_name_key like {pattern}
        limit {reach}
       ),
       named as materialized (
       select id
         from views.location_view{of_party}
          and name_grams @> {grams}::int[]
          and name_key like {pattern}
          and (select count(*) from walked) < {reach}
        limit {looked_up} + 1
       ),
       found as (
       select location_id, registered_pos, {order}
         from named
        cross join lateral (
              select location_id, registered_pos, created_at, location_name_key
                from views.evse_view{where}
                 and location_id = named.id
              offset 0
              ) as its_evse
        where (select count(*) from named) <= {looked_up}
        order by {in_order}
        limit {reach}
       ),
       rest as (
       select location_id, registered_pos, {order}
         from views.evse_view{where}
          and location_name_key like {pattern}
          and (select count(*) from named) > {looked_up}
        order by {in_order}
        limit {reach}
       )
       select location_id, registered_pos
         from (
       select *
         from walked
        where (select count(*) from walked) = {reach}
        union all
       select *
         from found
        union all
       select *
         from rest
              ) as known
        order by {in_order}"""
"""EVSEs whose location's name contains a part. First the next so many EVSEs are looked through; where they do not fill
the page, the locations that have all grams of the part are looked up; where those are too many, the index is walked on.
Each of the three costs little where it is the right one, and the first two cost little always."""

WALKED: Final = 4_000
"""Entries of an index alone: 1 ms."""

LOOKED_UP: Final = 500
"""Locations with their EVSEs: 5 ms."""

EVSE_AFTER: Final = """
          and ({order}, location_id, registered_pos) {past} (
              select {order}, location_id, registered_pos
                from views.evse_view
               where country_code = {country_code}
                 and party_id = {party_id}
                 and uid_key = {after}
              )"""

AFTER_KNOWN: Final = """,
       exists (
           select
             from views.evse_view
            where country_code = {country_code}
              and party_id = {party_id}
              and uid_key = {after}
       ) as after_known"""

ROW_OF_EVSE: Final = """
        cross join lateral (
              select {columns}
                from views.evse_view
               where location_id = page.location_id
                 and registered_pos = page.registered_pos
              offset 0
              ) as full_row"""

ROW_OF_LOCATION: Final = """
        cross join lateral (
              select {columns}
                from views.location_view
               where id = page.location_id
              offset 0
              ) as its_location"""


Columns: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Of evse_view, and of location_view."""


def own_evses(wanted: OwnEvses, own: Own, columns: Columns, parameters: Parameters) -> str:
    """`evse`."""
    party = party_of(own, parameters)
    order = "location_name_key" if wanted.is_by_location else "created_at"
    direction = " desc" if wanted.is_descending else ""
    in_order = f"{order}{direction}, location_id{direction}, registered_pos{direction}"
    where = OF_PARTY.format(**party)
    extra = ""
    if wanted.page.after is not None:
        after = parameters.put(wanted.page.after)
        where += EVSE_AFTER.format(order=order, past="<" if wanted.is_descending else ">", after=after, **party)
        extra = AFTER_KNOWN.format(after=after, **party)
    is_two_steps = bool(wanted.page.offset) or wanted.contains is not None
    of_evse, of_location = map(", ".join, columns)
    if wanted.contains is None:
        keys = "location_id, registered_pos" + ("" if is_two_steps else f", {of_evse}")
        page = EVSES.format(keys=keys, where=where, in_order=in_order)
    else:
        page = NAMED.format(
            where=where,
            of_party=OF_PARTY.format(**party),
            order=order,
            in_order=in_order,
            **_named(wanted.contains, wanted.page, own, parameters),
        )
    asked = (*columns[0], *columns[1])
    inner = PAGE_OF_EVSES.format(
        columns=", ".join(asked),
        page=page + limits_of(wanted.page, parameters),
        rows=ROW_OF_EVSE.format(columns=of_evse) if is_two_steps else "",
        locations=ROW_OF_LOCATION.format(columns=of_location) if of_location else "",
    )
    return framed(f"v.location_id, v.id{listed(frozenset(asked), 'v.')}", inner, extra)


def _named(part: str, page: Page, own: Own, parameters: Parameters) -> dict[str, str]:
    reach = page.limit + page.offset
    return {
        "pattern": parameters.put(f"%{_plain(part)}%"),
        "grams": parameters.put(grams_wanted(own.party, part)),
        "walked": parameters.put(max(WALKED, 10 * reach)),
        "reach": parameters.put(reach),
        "looked_up": str(LOOKED_UP),
    }


def _plain(text: str) -> str:
    """The text for LIKE, its wildcards plain text."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
