"""The only module that writes history_view, by adding to it. Unqualified names: search_path says the schema."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from projections.copy_format import microseconds, text, text_or_null, uuid, word

if TYPE_CHECKING:
    from projections.history import HistoryRow

ADD: Final = """
    insert into history_view (
           location_id, pos, at, since, topic, command_id, correlation_id, actor, uid, connector_id, before, after)
    select location_id, pos, at, since, topic, command_id, correlation_id, actor, uid, connector_id, before, after
      from unnest($1::int[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::uuid[],
                  $7::text[], $8::text[], $9::text[], $10::smallint[], $11::text[], $12::text[])
           as new (location_id, pos, at, since, topic, command_id, correlation_id, actor, uid, connector_id,
                   before, after)
"""

_BEGINS: Final = Struct("!hiiiqiqiq").pack
"""The number of columns; location_id, pos, at and since, each with its length before it."""
_INT2: Final = Struct("!ih").pack


def encoded_row(row: HistoryRow) -> bytes:
    """A row as COPY takes it. There is one for each event: column by column it took twice as long."""
    at = microseconds(row.at)
    since = at if row.since is row.at else microseconds(row.since)
    return b"".join(
        (
            _BEGINS(len(row), 4, row.location_id, 8, row.pos, 8, at, 8, since),
            word(row.topic),
            uuid(row.command_id),
            text(row.correlation_id),
            word(row.actor),
            text(row.uid),
            _INT2(2, row.connector_id),
            text_or_null(row.before),
            text(row.after),
        )
    )
