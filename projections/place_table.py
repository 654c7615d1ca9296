"""The only module that writes place_view: in which cities the public finds how many locations.

Counted as locations come and go, since counting a million of them at each question takes a tenth of a second.
Unqualified names: search_path says the schema.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, TypeAlias

import orjson

from ocpi.identifiers import folded

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

    def more(self) -> list[tuple[object, ...]]:
        """Values for COUNT_MORE: places that have more locations now, in one order for all who write."""
        return [(*place, folded(place[0]), count) for place, count in sorted(self._counts.items()) if count > 0]

    def less(self) -> list[tuple[object, ...]]:
        """Values for COUNT_LESS."""
        return [(*place, -count) for place, count in sorted(self._counts.items()) if count < 0]


def _place_of(head: str) -> Place:
    document = orjson.loads(head)
    return document["province"], document["city"]
