"""The only module that writes place_view: in which cities the public finds how many locations.

Counted as locations come and go, since counting a million of them at each question takes a tenth of a second.
Unqualified names: search_path says the schema.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from ocpi.identifiers import folded
from projections.generations import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

COUNT_MORE: Final = """
    insert into place_view (province, city, province_key, locations)
    select province, city, province_key, locations
      from unnest($1::text[], $2::text[], $3::text[], $4::int[])
           as more (province, city, province_key, locations)
        on conflict (province, city) do update
       set locations = place_view.locations + excluded.locations
"""

COUNT_LESS: Final = """
    update place_view
       set locations = place_view.locations - less.locations
      from unnest($1::text[], $2::text[], $3::int[]) as less (province, city, locations)
     where place_view.province = less.province
       and place_view.city = less.city
"""

FORGET_EMPTY: Final = """
    delete from place_view
     where locations = 0
"""

PUBLIC_HEADS: Final = """
    select id, head
      from location_view
     where is_public
       and province_key = any($1::text[])
       and city_key = any($2::text[])
"""

SET_COUNTS: Final = """
    insert into place_view (province, city, province_key, locations)
    select province, city, province_key, locations
      from unnest($1::text[], $2::text[], $3::text[], $4::int[])
           as counted (province, city, province_key, locations)
        on conflict (province, city) do update
       set locations = excluded.locations
"""

Place: TypeAlias = tuple[str, str]
"""Province and city, as they are shown."""


class PlaceCounts:
    """By how many locations each place has more, or fewer, after a batch."""

    def __init__(self) -> None:
        self._counts: Counter[Place] = Counter()

    def move(self, *, was: str | None, now: str | None) -> None:
        """One location, by its head: as the public saw it before the batch, and as it sees it now; None: not at all."""
        if was == now:
            return
        if was is not None:
            self._counts[_place_of(was)] -= 1
        if now is not None:
            self._counts[_place_of(now)] += 1

    def add(self, place: Place) -> None:
        """One location more that the public sees there."""
        self._counts[place] += 1

    def more(self) -> list[tuple[object, ...]]:
        """Values for COUNT_MORE: places that have more locations now, in one order for all who write."""
        return [(*place, folded(place[0]), count) for place, count in sorted(self._counts.items()) if count > 0]

    def less(self) -> list[tuple[object, ...]]:
        """Values for COUNT_LESS."""
        return [(*place, -count) for place, count in sorted(self._counts.items()) if count < 0]


async def recount(connection: asyncpg.Connection[Any], heads: Iterable[str]) -> None:
    """Count the locations of the places that these heads name anew, in a transaction that holds the checkpoint.

    Of these a damaged one names none. raises: Refused for a damaged head of another location there
    """
    counts = {place: 0 for head in heads if (place := _legible_place(head)) is not None}
    provinces, cities = [province for province, _ in counts], [city for _, city in counts]
    province_keys = list(map(folded, provinces))
    for location_id, head in await connection.fetch(PUBLIC_HEADS, province_keys, list(map(folded, cities))):
        place = _legible_place(head)
        if place is None:
            raise Refused(f"location/{location_id} is damaged too: name both to repair them")
        if place in counts:
            counts[place] += 1
    await connection.execute(SET_COUNTS, provinces, cities, province_keys, list(counts.values()))
    await connection.execute(FORGET_EMPTY)


def _legible_place(head: str) -> Place | None:
    """None where the head is damaged."""
    try:
        return _place_of(head)
    except (orjson.JSONDecodeError, KeyError):
        return None


def _place_of(head: str) -> Place:
    document = orjson.loads(head)
    return document["province"], document["city"]
