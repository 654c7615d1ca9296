"""The questions about locations as SQL: one, a CPO's own, those that the public finds. Pure."""

from __future__ import annotations

from typing import Final

from ocpi.facets import place_facets
from read_side.filters import EvseWanted, Near, Page, PublicLocations
from read_side.scope import Own
from read_side.sql_text import OF_PARTY, Parameters, framed, limits_of, listed, party_of

IS_PUBLIC: Final = """
        where is_public"""

ID_AFTER: Final = """
          and id > {after}"""

IN_CITY: Final = """
          and city_key = {key}"""

IN_PROVINCE: Final = """
          and province_key = {key}"""

BY_ID: Final = "id"
BY_ID_AND_FACETS: Final = "id <-> 0"
"""The same order, as the index over ids and facets knows it."""

HAS_ANY: Final = """
          and facets && {facets}::int[]"""

HAS_EVSE: Final = """
          and exists (
              select
                from views.evse_view as e
               where e.location_id = location_view.id
                 and not e.is_removed{wanted}
              offset 0
              )"""

WITHIN: Final = """
          and point <@ cube_enlarge({centre}, {chord}::float8, 3)
          and point <-> {centre} <= {chord}::float8"""

CENTRE: Final = "cube(array[{x}, {y}, {z}]::float8[])"

EVSE_WANTS: Final = """
                 and e.{column} && {words}::text[]"""

NEAREST: Final = """
       select id, chord
         from (
              select id, point <-> {centre} as chord
                from views.location_view{where}
               order by point <-> {centre}
               fetch first ({reach}) rows with ties
              ) as nearest
        order by chord, id{limits}"""

LOCATIONS: Final = """
       select id{columns}
         from views.location_view{where}
        order by {order}{limits}"""

ONE_LOCATION: Final = """
       select id, country_code = {country_code} and party_id = {party_id} as is_own{columns}
         from views.location_view
        where id = {location_id}
          and (publish or country_code = {country_code} and party_id = {party_id})"""

DOCUMENTS_OF_PAGE: Final = """
       select page.id{more}{columns}
         from ({keys}
              ) as page
        cross join lateral (
              select {documents}
                from views.location_view
               where id = page.id
              offset 0
              ) as full_row"""


def one_location(location_id: int | None, own: Own, columns: frozenset[str], parameters: Parameters) -> str:
    """`location`."""
    party = party_of(own, parameters)
    inner = ONE_LOCATION.format(columns=listed(columns), location_id=parameters.put(location_id), **party)
    return framed(f"v.id, v.is_own{listed(columns, 'v.')}", inner)


def own_locations(page: Page, own: Own, columns: frozenset[str], parameters: Parameters) -> str:
    """`locations`."""
    where = OF_PARTY.format(**party_of(own, parameters))
    if page.after is not None:
        where += ID_AFTER.format(after=parameters.put(page.after))
    return _locations(where, columns, (page, parameters))


def public_locations(wanted: PublicLocations, columns: frozenset[str], parameters: Parameters) -> str:
    """`find_ev_locations` and `find_ev_filter_locations`."""
    where = IS_PUBLIC
    if wanted.page.after is not None:
        where += ID_AFTER.format(after=parameters.put(wanted.page.after))
    places = [("city", IN_CITY, wanted.city_key), ("province", IN_PROVINCE, wanted.province_key)]
    named = [(kind, clause, key) for kind, clause, key in places if key is not None]
    for _, clause, key in named:
        where += clause.format(key=parameters.put(key))
    any_of = list(wanted.any_of)
    if wanted.near is not None:
        any_of += [(facet,) for kind, _, key in named for facet in place_facets(kind, key)]
    for facets in any_of:
        where += HAS_ANY.format(facets=parameters.put(facets))
    where += _one_evse(wanted.evse, parameters)
    if wanted.near is not None:
        return _nearest(where, wanted.near, columns, (wanted.page, parameters))
    # A town's own index is in the order of ids too, and has nothing of other towns.
    return _locations(
        where, columns, (wanted.page, parameters), order=BY_ID if named or not any_of else BY_ID_AND_FACETS
    )


def _one_evse(evse: EvseWanted, parameters: Parameters) -> str:
    """The rule that one and the same EVSE meets all, where facets do not say it."""
    lists = [
        ("capabilities", evse.capabilities),
        ("payment_types", evse.payment_types),
        ("connectors", evse.connectors),
    ]
    asked = [(column, words) for column, words in lists if words]
    if not asked:
        return ""
    wanted = "".join(EVSE_WANTS.format(column=column, words=parameters.put(words)) for column, words in asked)
    return HAS_EVSE.format(wanted=wanted)


def _locations(where: str, columns: frozenset[str], paged: tuple[Page, Parameters], *, order: str = BY_ID) -> str:
    page, parameters = paged
    is_two_steps = bool(columns) and (page.offset > 0 or order != BY_ID)
    keys = LOCATIONS.format(
        columns="" if is_two_steps else listed(columns),
        where=where,
        order=order,
        limits=limits_of(page, parameters),
    )
    inner = _with_documents(keys, columns) if is_two_steps else keys
    return framed(f"v.id{listed(columns, 'v.')}", inner)


def _nearest(where: str, near: Near, columns: frozenset[str], paged: tuple[Page, Parameters]) -> str:
    """By distance, then id. The index knows the distance alone: whoever ties with the last one is looked at too."""
    page, parameters = paged
    x, y, z = near.point
    centre = CENTRE.format(x=parameters.put(x), y=parameters.put(y), z=parameters.put(z))
    if near.chord is not None:
        where += WITHIN.format(centre=centre, chord=parameters.put(near.chord))
    keys = NEAREST.format(
        centre=centre,
        where=where,
        reach=parameters.put(page.limit + page.offset),
        limits=limits_of(page, parameters),
    )
    inner = _with_documents(keys, columns, "chord") if columns else keys
    return framed(f"v.id, v.chord{listed(columns, 'v.')}", inner)


def _with_documents(keys: str, columns: frozenset[str], *more: str) -> str:
    documents = ", ".join(sorted(columns))
    return DOCUMENTS_OF_PAGE.format(
        more=listed(frozenset(more), "page."), columns=listed(columns), keys=keys, documents=documents
    )
