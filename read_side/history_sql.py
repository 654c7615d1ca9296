"""The questions about what was: a location as of a moment, and what happened to it, as SQL. Pure.

`since` never goes back within a location, so that both indexes are in the order of its events. A location as of a
moment is one look-up for each of its parts, however many rows a part has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from read_side.sql_text import framed, limits_of, party_of

if TYPE_CHECKING:
    from read_side.filters import LocationAsOf, LocationHistory
    from read_side.scope import Own
    from read_side.sql_text import Parameters

LOCATION_AS_OF: Final = """
       with recursive parts as (
              (select uid, connector_id, since, pos, after
                 from views.history_view
                where location_id = {location_id}
                order by uid, connector_id, since, pos
                limit 1)
              union all
              select next_part.uid, next_part.connector_id, next_part.since, next_part.pos, next_part.after
                from parts
               cross join lateral (
                     select uid, connector_id, since, pos, after
                       from views.history_view
                      where location_id = {location_id}
                        and (uid, connector_id) > (parts.uid, parts.connector_id)
                      order by uid, connector_id, since, pos
                      limit 1
                     ) as next_part
       )
       select id, is_own, max(latest.pos) as revision,
              json_agg(json_build_array(uid, connector_id, parts.after::json, latest.after::json)
                       order by parts.pos)::text as parts
         from (
              select id, country_code = {country_code} and party_id = {party_id} as is_own, publish
                from views.location_view
               where id = {location_id}
              ) as location
        cross join parts
        cross join lateral (
              select pos, after
                from views.history_view
               where location_id = {location_id}
                 and uid = parts.uid
                 and connector_id = parts.connector_id
                 and since <= {moment}
               order by since desc, pos desc
               limit 1
              ) as latest
        where parts.since <= {moment}
        group by id, is_own, publish
       having is_own or publish and bool_or(uid = '' and (latest.after::json ->> 'publish')::boolean)"""

IS_FUTURE: Final = ", {moment} > now() as is_future"

OWN_LOCATION: Final = """
                     (select id
                        from views.location_view
                       where id = {location_id}
                         and country_code = {country_code}
                         and party_id = {party_id})"""

LOCATION_HISTORY: Final = """
       select pos as id, pos as revision, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
              topic, command_id, correlation_id, actor, uid, connector_id, before, after
         from views.history_view
        where location_id = {own_location}{before_position}
        order by pos desc{limits}"""

BEFORE_POSITION: Final = """
          and pos < {after}"""

IS_KNOWN: Final = ", {own_location} is not null as is_known"

HISTORY_COLUMNS: Final = (
    "v.id, v.revision, v.at, v.topic, v.command_id, v.correlation_id, v.actor, v.uid, v.connector_id, v.before, v.after"
)


def location_as_of(wanted: LocationAsOf, own: Own, parameters: Parameters) -> str:
    """`location` with `as_of`: one row, its parts as JSON: [uid, connector_id, first, last], as they came to be.

    A location of others was published then, and is now.
    """
    moment = parameters.put(wanted.moment)
    inner = LOCATION_AS_OF.format(
        location_id=parameters.put(wanted.location_id), moment=moment, **party_of(own, parameters)
    )
    return framed("v.id, v.revision, v.is_own, v.parts", inner, IS_FUTURE.format(moment=moment))


def location_history(wanted: LocationHistory, own: Own, parameters: Parameters) -> str:
    """`location_history`: the newest first; is_known: whether the location is the caller's."""
    own_location = OWN_LOCATION.format(location_id=parameters.put(wanted.location_id), **party_of(own, parameters))
    after = wanted.page.after
    inner = LOCATION_HISTORY.format(
        own_location=own_location,
        before_position="" if after is None else BEFORE_POSITION.format(after=parameters.put(after)),
        limits=limits_of(wanted.page, parameters),
    )
    return framed(HISTORY_COLUMNS, inner, IS_KNOWN.format(own_location=own_location))
