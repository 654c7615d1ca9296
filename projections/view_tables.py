"""Reads and writes location_view and evse_view, as no other module does but `bulk_rows`; other views have one each.

Unqualified names: search_path says the schema.
Whoever calls `write` holds the checkpoint in the same transaction (see `projector`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

from ocpi.identifiers import folded
from projections import cpo_table, history_table, pending_table, place_table
from projections.drawings import Drawings
from projections.history import EARLIEST, HistoryRow
from projections.locations import LocationDrawing, head_of
from projections.place_table import PlaceCounts
from projections.rows import EvseRow, LocationRow, evse_row, evses_text, is_removed, location_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import asyncpg

    from ocpi.identifiers import Party

LOCATIONS_BY_ID: Final = """
    select id, country_code, party_id, head, evses, revision, is_public,
           (select since
              from history_view
             where location_id = location_view.id
             order by pos desc
             limit 1) as since
      from location_view
     where id = any($1::int[])
"""

UPSERT_LOCATIONS: Final = """
    insert into location_view (
           id, country_code, party_id, cpo_owner_id, name_key, publish, is_public,
           city_key, province_key, facets, name_grams, point, head, evses, revision)
    select id, country_code, party_id, cpo_owner_id, name_key, publish, is_public,
           city_key, province_key, facets::int[], name_grams::int[], cube(array[x, y, z]), head, evses, revision
      from unnest($1::int[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bool[], $7::bool[],
                  $8::text[], $9::text[], $10::text[], $11::text[], $12::float8[], $13::float8[], $14::float8[],
                  $15::text[], $16::text[], $17::bigint[])
           as new (id, country_code, party_id, cpo_owner_id, name_key, publish, is_public,
                   city_key, province_key, facets, name_grams, x, y, z, head, evses, revision)
        on conflict (id) do update
       set name_key = excluded.name_key,
           publish = excluded.publish,
           is_public = excluded.is_public,
           city_key = excluded.city_key,
           province_key = excluded.province_key,
           facets = excluded.facets,
           name_grams = excluded.name_grams,
           point = excluded.point,
           head = excluded.head,
           evses = excluded.evses,
           revision = excluded.revision
"""

UPDATE_LOCATION_EVSES: Final = """
    update location_view
       set evses = new.evses,
           revision = new.revision
      from unnest($1::int[], $2::text[], $3::bigint[]) as new (id, evses, revision)
     where location_view.id = new.id
"""

UPSERT_EVSES: Final = """
    insert into evse_view (
           country_code, party_id, uid_key, location_id, location_name_key, created_at, registered_pos,
           is_removed, capabilities, payment_types, connectors, document, revision)
    select country_code, party_id, uid_key, location_id, location_name_key, created_at, registered_pos,
           is_removed, string_to_array(capabilities, ' '), string_to_array(payment_types, ' '),
           string_to_array(connectors, ' '), document, revision
      from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::timestamptz[], $7::bigint[],
                  $8::bool[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[])
           as new (country_code, party_id, uid_key, location_id, location_name_key, created_at, registered_pos,
                   is_removed, capabilities, payment_types, connectors, document, revision)
        on conflict (country_code, party_id, uid_key) do update
       set location_id = excluded.location_id,
           location_name_key = excluded.location_name_key,
           created_at = excluded.created_at,
           registered_pos = excluded.registered_pos,
           is_removed = excluded.is_removed,
           capabilities = excluded.capabilities,
           payment_types = excluded.payment_types,
           connectors = excluded.connectors,
           document = excluded.document,
           revision = excluded.revision
"""

UPDATE_EVSE_DOCUMENTS: Final = """
    update evse_view
       set is_removed = new.is_removed,
           document = new.document,
           revision = new.revision
      from unnest($1::int[], $2::text[], $3::bool[], $4::text[], $5::bigint[])
           as new (location_id, uid_key, is_removed, document, revision)
     where evse_view.location_id = new.location_id
       and evse_view.uid_key = new.uid_key
"""
"""By location, not by primary key: on tables that were never analyzed PostgreSQL takes another index that begins with
the party for as good as that one, and reads all EVSEs of the party for each."""

RENAME_LOCATION_OF_EVSES: Final = """
    update evse_view
       set location_name_key = new.name_key
      from unnest($1::int[], $2::text[]) as new (location_id, name_key)
     where evse_view.location_id = new.location_id
"""

_EVSE_STARTS: Final = '{"uid":'
_UID_ENDS: Final = '","evse_id":'

Row: TypeAlias = tuple[object, ...]
"""Values for one row, in the order of a statement's parameters."""


async def load(
    connection: asyncpg.Connection, location_ids: Collection[int], parties: Collection[Party] = ()
) -> Drawings:
    """The drawings of those of these locations and CPOs that the views know."""
    found = await connection.fetch(LOCATIONS_BY_ID, list(location_ids)) if location_ids else []
    return Drawings(
        locations={row["id"]: _drawing_of(row) for row in found},
        cpos=await cpo_table.load(connection, parties) if parties else {},
    )


def _drawing_of(row: asyncpg.Record) -> LocationDrawing:
    return LocationDrawing(
        location_id=row["id"],
        country_code=row["country_code"],
        party_id=row["party_id"],
        head=row["head"],
        evses=dict(_split(row["evses"])),
        revision=row["revision"],
        drawn_head=row["head"],
        was_public=row["is_public"],
        since=row["since"] or EARLIEST,
    )


def _split(evses: str) -> Iterator[tuple[str, str]]:
    """(casefolded uid, document) of each EVSE in the array that `evses_text` has made.

    Parsing it all took longer than its update in the database. It can be cut at what only the start of an EVSE can be:
    no other object in it begins with the key uid, and inside a string every quote has a backslash before it.
    """
    for evse in evses[len(_EVSE_STARTS) + 1 : -1].split("," + _EVSE_STARTS) if len(evses) > 2 else ():
        uid = orjson.loads(evse[: evse.index(_UID_ENDS) + 1])
        yield folded(uid), _EVSE_STARTS + evse


class RowsMissing(Exception):
    """The views lack rows that earlier events must have made: they are damaged, and have to be built anew."""


@dataclass(slots=True)
class Changes:
    """The rows that a batch writes: parameters of the statement that each list is named for."""

    upsert_locations: list[Row] = field(default_factory=list)
    update_location_evses: list[Row] = field(default_factory=list)
    rename_location_of_evses: list[Row] = field(default_factory=list)
    upsert_evses: list[Row] = field(default_factory=list)
    update_evse_documents: list[Row] = field(default_factory=list)
    add_history: list[HistoryRow] = field(default_factory=list)
    upsert_cpos: list[Row] = field(default_factory=list)
    places: PlaceCounts = field(default_factory=PlaceCounts)
    settle_pending: list[Row] = field(default_factory=list)
    stage_pending: list[Row] = field(default_factory=list)


def changes_of(drawings: Drawings) -> Changes:
    """What these drawings changed, and only that. Pure."""
    changes = Changes(
        upsert_cpos=cpo_table.rows_of(drawings.cpos.values()),
        settle_pending=pending_table.settled_rows(drawings.pending),
        stage_pending=pending_table.staged_rows(drawings.pending),
    )
    for drawing in drawings.locations.values():
        drawing.write_back()
        if drawing.is_redrawn:
            row = location_row(drawing)
            changes.upsert_locations.append(_flat_location(row))
            changes.places.move(
                was=drawing.drawn_head if drawing.was_public else None, now=row.head if row.is_public else None
            )
        else:
            changes.update_location_evses.append((drawing.location_id, evses_text(drawing), drawing.revision))
        changes.add_history += drawing.history
        if drawing.is_renamed:
            changes.rename_location_of_evses.append((drawing.location_id, folded(head_of(drawing)["name"])))
        for uid_key, evse in drawing.open_evses.items():
            if evse.registered_pos is not None:
                changes.upsert_evses.append(_flat_evse(evse_row(drawing, uid_key)))
            else:
                document = (is_removed(evse.document), drawing.evses[uid_key], evse.revision)
                changes.update_evse_documents.append((drawing.location_id, uid_key, *document))
    return changes


async def write(connection: asyncpg.Connection, changes: Changes) -> None:
    """A statement for each kind of change, however many rows. raises: RowsMissing."""
    await _run(connection, UPSERT_LOCATIONS, changes.upsert_locations)
    await _run(connection, UPDATE_LOCATION_EVSES, changes.update_location_evses, is_one_each=True)
    await _run(connection, RENAME_LOCATION_OF_EVSES, changes.rename_location_of_evses)
    await _run(connection, UPSERT_EVSES, changes.upsert_evses)
    await _run(connection, UPDATE_EVSE_DOCUMENTS, changes.update_evse_documents, is_one_each=True)
    await _run(connection, history_table.ADD, changes.add_history)
    await _run(connection, cpo_table.UPSERT_CPOS, changes.upsert_cpos)
    await _run(connection, place_table.COUNT_MORE, changes.places.more())
    if less := changes.places.less():
        await _run(connection, place_table.COUNT_LESS, less, is_one_each=True)
        await connection.execute(place_table.FORGET_EMPTY)
    await _run(connection, pending_table.SETTLE, changes.settle_pending)
    await _run(connection, pending_table.STAGE, changes.stage_pending)


async def _run(
    connection: asyncpg.Connection, statement: str, rows: Sequence[Row], *, is_one_each: bool = False
) -> None:
    if not rows:
        return
    done = await connection.execute(statement, *map(list, zip(*rows, strict=True)))
    if is_one_each and done != f"UPDATE {len(rows)}":
        raise RowsMissing(f"{done} instead of {len(rows)}")


def _flat_location(row: LocationRow) -> Row:
    """As `unnest` takes it, which would flatten lists of lists: arrays as texts, the point as three numbers."""
    return tuple(chain(row[:9], (_literal(row.facets), _literal(row.name_grams)), row.point, row[12:]))


def _literal(numbers: Iterable[int]) -> str:
    """A PostgreSQL array."""
    return f"{{{','.join(map(str, numbers))}}}"


def _flat_evse(row: EvseRow) -> Row:
    lists = (" ".join(row.capabilities), " ".join(row.payment_types), " ".join(row.connectors))
    return (*row[:8], *lists, *row[11:])
