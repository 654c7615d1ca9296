"""The only module that writes history_view, by adding to it. Unqualified names: search_path says the schema."""

from __future__ import annotations

from typing import Final

ADD: Final = """
    insert into history_view (
           location_id, pos, at, since, topic, command_id, correlation_id, actor, uid, connector_id, before, after)
    select location_id, pos, at, since, topic, command_id, correlation_id, actor, uid, connector_id, before, after
      from unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::uuid[],
                  $7::text[], $8::text[], $9::text[], $10::smallint[], $11::text[], $12::text[])
           as new (location_id, pos, at, since, topic, command_id, correlation_id, actor, uid, connector_id,
                   before, after)
"""
