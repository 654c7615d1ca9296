"""The only module that writes pending_view. Unqualified names: search_path says the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ocpi.identifiers import Party
    from projections.pending import PendingDrawing

SETTLE: Final = """
    delete from pending_view
     using unnest($1::text[], $2::text[]) as settled (country_code, party_id)
     where pending_view.country_code = settled.country_code
       and pending_view.party_id = settled.party_id
"""

STAGE: Final = """
    insert into pending_view (country_code, party_id, name_key, staged_pos, nr, head, evse_count, evses)
    select country_code, party_id, name_key, staged_pos, nr, head, evse_count, evses
      from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::text[], $7::int[], $8::text[])
           as new (country_code, party_id, name_key, staged_pos, nr, head, evse_count, evses)
        on conflict (country_code, party_id, name_key) do update
       set evse_count = pending_view.evse_count + excluded.evse_count,
           evses = pending_view.evses || ',' || excluded.evses
"""


def settled_rows(drawings: dict[Party, PendingDrawing]) -> list[tuple[object, ...]]:
    """Parameters of SETTLE. Pure."""
    return [(party.country_code, party.party_id) for party, drawing in drawings.items() if drawing.is_settled]


def staged_rows(drawings: dict[Party, PendingDrawing]) -> list[tuple[object, ...]]:
    """Parameters of STAGE. Pure."""
    return [
        (
            party.country_code,
            party.party_id,
            name_key,
            location.staged_pos,
            location.nr,
            location.head,
            len(location.evses),
            ",".join(location.evses),
        )
        for party, drawing in drawings.items()
        for name_key, location in drawing.locations.items()
    ]
