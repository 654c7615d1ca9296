"""Turns a statement of the read side into one SQL text and its parameters. Pure; only constants are joined.

The same shape gives the same text, so PostgreSQL's prepared plans are used again. Every text answers with at least one
row: generation and checkpoint of the views, and nulls beside them where nothing matches. The rest of a row:

    locations   id, chord (with lat and lng), is_own (`location`), head, evses: JSON, those of them that are asked for
    EVSEs       location_id, document, head: JSON; after_known (with after): whether the caller has such an EVSE

Pages that must be sorted, or skipped over, are found by keys first (an index-only scan where there is no filter beside
the index) and get their documents afterwards, so that no document is sorted or read in vain. `offset 0` is a fence:
without it the planner may turn a look-up for each row into a hash of the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from read_side.filters import EvseWanted, Filter, Near, OneLocation, OwnEvses, OwnLocations, Page, PublicLocations
from read_side.scope import Own, Scope

Question: TypeAlias = tuple[str, tuple[Any, ...]]
"""SQL text and the values of $1, $2, …"""


@dataclass(frozen=True, slots=True)
class Statement:
    """One root field, ready to be asked. columns: documents that its cut needs, of `head` and `evses`."""

    filter: Filter
    scope: Scope
    columns: frozenset[str]


FROM_VIEWS: Final = """
  from (select generation, pos from views.checkpoint limit 1) as c
  left join ("""

ON_TRUE: Final = """
       ) as v on true"""

OF_PARTY: Final = """
        where country_code = {country_code}
          and party_id = {party_id}"""

IS_PUBLIC: Final = """
        where is_public"""

ID_AFTER: Final = """
          and id > {after}"""

IN_CITY: Final = """
          and city_key = {city_key}"""

IN_PROVINCE: Final = """
          and province_key = {province_key}"""

HAS_ANY: Final = """
          and codes && {words}::text[]"""

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

NEAREST_WITH_TIES: Final = """
              select id, point <-> {centre} as chord
                from views.location_view{where}
               order by point <-> {centre}
               fetch first ({reach}) rows with ties"""

NAME_CONTAINS: Final = """
          and location_name_key like {pattern}"""

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

ONE_LOCATION: Final = """
       select id, country_code = {country_code} and party_id = {party_id} as is_own{columns}
         from views.location_view
        where id = {location_id}
          and (publish or country_code = {country_code} and party_id = {party_id})"""

DOCUMENTS_OF_LOCATION: Final = """
        cross join lateral (
              select {columns}
                from views.location_view
               where id = page.id
              offset 0
              ) as full_row"""

DOCUMENT_OF_EVSE: Final = """
        cross join lateral (
              select document
                from views.evse_view
               where location_id = page.location_id
                 and registered_pos = page.registered_pos
              offset 0
              ) as full_row"""

HEAD_OF_EVSE: Final = """
        cross join lateral (
              select head
                from views.location_view
               where id = page.location_id
              offset 0
              ) as its_location"""

CENTRE: Final = "cube(array[{x}, {y}, {z}]::float8[])"
EVSE_WANTS: Final = """
                 and e.{column} && {words}::text[]"""


class _Parameters:
    """The values of a text, in the order in which it names them."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def put(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def render(statement: Statement) -> Question:
    """One SQL text and its parameters."""
    parameters = _Parameters()
    match statement.filter:
        case OwnEvses() as wanted:
            text = _evses(wanted, _owner(statement.scope), statement.columns, parameters)
        case OwnLocations(page=page):
            text = _own_locations(page, _owner(statement.scope), statement.columns, parameters)
        case OneLocation(location_id=location_id):
            text = _one_location(location_id, _owner(statement.scope), statement.columns, parameters)
        case PublicLocations() as wanted:
            text = _public_locations(wanted, statement.columns, parameters)
    return text, tuple(parameters.values)


def _owner(scope: Scope) -> Own:
    if not isinstance(scope, Own):
        raise TypeError("this question is asked of one CPO's own")
    return scope


def _party(own: Own, parameters: _Parameters) -> dict[str, str]:
    return {
        "country_code": parameters.put(own.party.country_code),
        "party_id": parameters.put(own.party.party_id),
    }


def _listed(columns: frozenset[str], of: str = "") -> str:
    return "".join(f", {of}{column}" for column in sorted(columns))


def _framed(columns: str, inner: str, extra: str = "") -> str:
    return f"""
select c.generation, c.pos, {columns}{extra}{FROM_VIEWS}{inner}{ON_TRUE}
"""


def _limits(page: Page, parameters: _Parameters) -> str:
    limits = f"""
        limit {parameters.put(page.limit)}"""
    if page.offset:
        limits += f"""
       offset {parameters.put(page.offset)}"""
    return limits


def _one_location(location_id: int | None, own: Own, columns: frozenset[str], parameters: _Parameters) -> str:
    party = _party(own, parameters)
    inner = ONE_LOCATION.format(columns=_listed(columns), location_id=parameters.put(location_id), **party)
    return _framed(f"v.id, v.is_own{_listed(columns, 'v.')}", inner)


def _own_locations(page: Page, own: Own, columns: frozenset[str], parameters: _Parameters) -> str:
    where = OF_PARTY.format(**_party(own, parameters))
    if page.after is not None:
        where += ID_AFTER.format(after=parameters.put(page.after))
    return _locations(where, columns, page, parameters)


def _public_locations(wanted: PublicLocations, columns: frozenset[str], parameters: _Parameters) -> str:
    where = IS_PUBLIC
    if wanted.page.after is not None:
        where += ID_AFTER.format(after=parameters.put(wanted.page.after))
    if wanted.city_key is not None:
        where += IN_CITY.format(city_key=parameters.put(wanted.city_key))
    if wanted.province_key is not None:
        where += IN_PROVINCE.format(province_key=parameters.put(wanted.province_key))
    for words in wanted.any_of:
        where += HAS_ANY.format(words=parameters.put(words))
    where += _one_evse(wanted.evse, parameters)
    if wanted.near is not None:
        return _nearest(where, wanted.near, columns, (wanted.page, parameters))
    is_sorted = bool(wanted.any_of)
    return _locations(where, columns, wanted.page, parameters, is_sorted=is_sorted)


def _one_evse(evse: EvseWanted, parameters: _Parameters) -> str:
    """The rule that one and the same EVSE meets all; where only one list is asked for, the location's codes say it."""
    lists = [
        ("capabilities", evse.capabilities),
        ("payment_types", evse.payment_types),
        ("connectors", evse.connectors),
    ]
    asked = [(column, words) for column, words in lists if words]
    if len(asked) < 2:
        return ""
    wanted = "".join(EVSE_WANTS.format(column=column, words=parameters.put(words)) for column, words in asked)
    return HAS_EVSE.format(wanted=wanted)


def _locations(
    where: str, columns: frozenset[str], page: Page, parameters: _Parameters, *, is_sorted: bool = False
) -> str:
    order_and_limit = f"""
        order by id{_limits(page, parameters)}"""
    if columns and (page.offset or is_sorted):
        inner = _two_steps(where + order_and_limit, columns)
    else:
        inner = f"""
       select id{_listed(columns)}
         from views.location_view{where}{order_and_limit}"""
    return _framed(f"v.id{_listed(columns, 'v.')}", inner)


def _nearest(where: str, near: Near, columns: frozenset[str], paged: tuple[Page, _Parameters]) -> str:
    """By distance, then id. The index knows the distance alone: whoever ties with the last one is looked at too."""
    page, parameters = paged
    x, y, z = near.point
    centre = CENTRE.format(x=parameters.put(x), y=parameters.put(y), z=parameters.put(z))
    if near.chord is not None:
        where += WITHIN.format(centre=centre, chord=parameters.put(near.chord))
    ties = NEAREST_WITH_TIES.format(centre=centre, where=where, reach=parameters.put(page.limit + page.offset))
    page_of_keys = f"""
       select id, chord
         from ({ties}
              ) as nearest
        order by chord, id{_limits(page, parameters)}"""
    if not columns:
        return _framed("v.id, v.chord", page_of_keys)
    documents = DOCUMENTS_OF_LOCATION.format(columns=", ".join(sorted(columns)))
    inner = f"""
       select page.id, page.chord{_listed(columns)}
         from ({page_of_keys}
              ) as page{documents}"""
    return _framed(f"v.id, v.chord{_listed(columns, 'v.')}", inner)


def _two_steps(tail: str, columns: frozenset[str]) -> str:
    return f"""
       select page.id{_listed(columns)}
         from (
       select id
         from views.location_view{tail}
              ) as page{DOCUMENTS_OF_LOCATION.format(columns=", ".join(sorted(columns)))}"""


def _evses(wanted: OwnEvses, own: Own, columns: frozenset[str], parameters: _Parameters) -> str:
    party = _party(own, parameters)
    order = "location_name_key" if wanted.is_by_location else "created_at"
    direction = " desc" if wanted.is_descending else ""
    in_order = f"{order}{direction}, location_id{direction}, registered_pos{direction}"
    where = OF_PARTY.format(**party)
    extra = ""
    if wanted.contains is not None:
        where += NAME_CONTAINS.format(pattern=parameters.put(f"%{_plain(wanted.contains)}%"))
    if wanted.page.after is not None:
        after = parameters.put(wanted.page.after)
        where += EVSE_AFTER.format(order=order, past="<" if wanted.is_descending else ">", after=after, **party)
        extra = AFTER_KNOWN.format(after=after, **party)
    tail = f"""{where}
        order by {in_order}{_limits(wanted.page, parameters)}"""
    is_two_steps = bool(wanted.page.offset) or wanted.contains is not None
    keys = "location_id, registered_pos" if is_two_steps else "location_id, document"
    head = HEAD_OF_EVSE if "head" in columns else ""
    inner = f"""
       select page.location_id, document{_listed(columns)}
         from (
       select {keys}
         from views.evse_view{tail}
              ) as page{DOCUMENT_OF_EVSE if is_two_steps else ""}{head}"""
    return _framed(f"v.location_id, v.document{_listed(columns, 'v.')}", inner, extra)


def _plain(text: str) -> str:
    """The text for LIKE, its wildcards plain text."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
