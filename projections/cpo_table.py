"""The only module that reads and writes cpo_view. Unqualified names: search_path says the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from ocpi.identifiers import Party
from projections.cpos import CpoDrawing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import asyncpg

CPOS_BY_PARTY: Final = """
    select country_code, party_id, cpo_owner_id, details, revision
      from cpo_view
      join unnest($1::text[], $2::text[]) as wanted (country_code, party_id)
     using (country_code, party_id)
"""

UPSERT_CPOS: Final = """
    insert into cpo_view (country_code, party_id, cpo_owner_id, details, revision)
    select country_code, party_id, cpo_owner_id, details, revision
      from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bigint[])
           as new (country_code, party_id, cpo_owner_id, details, revision)
        on conflict (country_code, party_id) do update
       set details = excluded.details,
           revision = excluded.revision
"""


async def load(connection: asyncpg.Connection, parties: Collection[Party]) -> dict[Party, CpoDrawing]:
    """The drawings of those of these CPOs that the views know."""
    countries, ids = [one.country_code for one in parties], [one.party_id for one in parties]
    found = [_drawing_of(row) for row in await connection.fetch(CPOS_BY_PARTY, countries, ids)]
    return {drawing.party: drawing for drawing in found}


def _drawing_of(row: asyncpg.Record) -> CpoDrawing:
    return CpoDrawing(
        party=Party(row["country_code"], row["party_id"]),
        cpo_owner_id=row["cpo_owner_id"],
        details=orjson.loads(row["details"]),
        revision=row["revision"],
    )


def rows_of(drawings: Iterable[CpoDrawing]) -> list[tuple[object, ...]]:
    """Values of the columns, in the order of UPSERT_CPOS. Pure."""
    return [
        (
            one.party.country_code,
            one.party.party_id,
            one.cpo_owner_id,
            orjson.dumps(one.details).decode(),
            one.revision,
        )
        for one in drawings
    ]
