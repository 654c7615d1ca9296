"""Compares views that were built with the log, by other code than that which built them, before they go live.

All rows are counted, and the positions of all EVSEs summed. Of some locations, taken by chance, everything that can
change is compared with what the write side's own fold makes of their streams. (`verify` compares every column of every
row, but with a second build: it takes as long, and what is wrong in a projection is wrong in both.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from ocpi.identifiers import Party
from projections.differences import Difference, text_of
from projections.documents import IMAGES
from projections.generations import Refused
from write_side.events.cpo import CpoRegistered
from write_side.events.evse import ConnectorStatusChanged, EvseRegistered, EvseStatusChanged
from write_side.events.location import (
    LocationChanged,
    LocationPhotoReplaced,
    LocationPhotosAdded,
    LocationRegistered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

SAMPLE: Final = 500

OF_EVSES: Final = (EvseRegistered.TOPIC, EvseStatusChanged.TOPIC, ConnectorStatusChanged.TOPIC)
OF_LOCATIONS: Final = (
    LocationRegistered.TOPIC,
    LocationChanged.TOPIC,
    LocationPhotosAdded.TOPIC,
    LocationPhotoReplaced.TOPIC,
)

ROWS: Final = """
    select (select count(*) from location_view) as location_view,
           (select count(*) from evse_view) as evse_view,
           (select count(*) from cpo_view) as cpo_view,
           (select count(*) from history_view) as history_view,
           (select coalesce(sum(revision), 0)::bigint from evse_view) as evse_revisions,
           (select coalesce(sum(locations), 0)::bigint from place_view) as place_view,
           (select count(*) from location_view where is_public) as public_locations
"""
COUNTED_BY: Final[dict[str, tuple[str, ...]]] = {
    "location_view": (LocationRegistered.TOPIC,),
    "evse_view": (EvseRegistered.TOPIC,),
    "cpo_view": (CpoRegistered.TOPIC,),
    "history_view": (*OF_LOCATIONS, *OF_EVSES),
}
"""Each of these events has made one row."""

SOME_LOCATIONS: Final = """
    select id, country_code, party_id, head, evses,
           array(
               select uid_key
                 from evse_view
                where location_id = location_view.id
                order by registered_pos) as uids
      from location_view
     order by random()
     limit $1
"""

LISTS: Final = ("facilities", "parking_types", "parking_restrictions")
PLACE: Final = ("city", "province", "region", "postal_code")


@dataclass(frozen=True, slots=True)
class Named:
    """A location and its EVSEs, by which their streams are found. uids: of its rows, not of its document."""

    location_id: int
    party: Party
    uids: tuple[str, ...]


Facts = dict[str, object]
"""What can change of a location and its EVSEs, by words for people: `name`, `EVSEs`, `EVSE A1 status`, …"""


class Oracle(Protocol):
    """What the log says by itself, up to a position."""

    async def counts(self, until: int) -> Mapping[str, int]:
        """How many events there are of each topic."""

    async def last_positions(self, topics: Sequence[str], until: int) -> int:
        """The sum of the positions of the last event of each stream that has such events."""

    async def facts(self, named: Sequence[Named], until: int) -> Mapping[int, Facts]:
        """Of these locations, by id; nothing of one that has no events."""


class Untrue(Refused):
    """What was built is not what the events say. differences: in what, of the rows that were looked at."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        super().__init__(f"{len(differences)} differences; the live views stay, and what was built is removed")
        self.differences = differences


async def differences(session: asyncpg.Connection[Any], oracle: Oracle, position: int) -> list[Difference]:
    """In what the views of the session's schema, which are at that position, are not what the log says."""
    return [*await differences_of_all(session, oracle, position), *await _of_some(session, oracle, position)]


async def differences_of_all(session: asyncpg.Connection[Any], oracle: Oracle, position: int) -> list[Difference]:
    """The same, counting alone."""
    (rows,) = await session.fetch(ROWS)
    counts = await oracle.counts(position)
    last_positions = await oracle.last_positions(OF_EVSES, position)
    compared = [
        ("evse_view", "sum of revision", rows["evse_revisions"], last_positions),
        ("place_view", "sum of locations", rows["place_view"], rows["public_locations"]),
    ]
    for table, topics in COUNTED_BY.items():
        compared.append((table, "rows", rows[table], sum(counts.get(topic, 0) for topic in topics)))
    return [
        Difference("all", table, column, str(found), str(told))
        for table, column, found, told in compared
        if found != told
    ]


async def _of_some(session: asyncpg.Connection[Any], oracle: Oracle, position: int) -> list[Difference]:
    found: dict[int, Facts] = {}
    named: list[Named] = []
    for row in await session.fetch(SOME_LOCATIONS, SAMPLE):
        head, evses = orjson.loads(row["head"]), orjson.loads(row["evses"])
        found[row["id"]] = facts_of(head, evses)
        party = Party(row["country_code"], row["party_id"])
        named.append(Named(row["id"], party, tuple(row["uids"])))
    told = await oracle.facts(named, position)
    return [
        Difference(f"location/{one}", "location_view", fact, text_of(facts.get(fact)), text_of(told[one].get(fact)))
        for one, facts in found.items()
        for fact in facts | told[one]
        if facts.get(fact) != told[one].get(fact)
    ]


def facts_of(head: Mapping[str, Any], evses: Sequence[Mapping[str, Any]]) -> Facts:
    """What the documents of a location say."""
    facts: Facts = {key: head[key] for key in ("name", "address", "publish", *PLACE)}
    facts |= {key: head[f"address_{key}"] for key in ("lat", "lng")}
    facts |= {key: [one["code"] for one in head[key]] for key in LISTS}
    facts["photos"] = [[photo["id"], photo["url"].removeprefix(IMAGES)] for photo in head["photos"]]
    facts["EVSEs"] = [evse["uid"] for evse in evses]
    for evse in evses:
        facts[f"EVSE {evse['uid']} status"] = evse["status"]
        for connector in evse["connectors"]:
            facts[f"EVSE {evse['uid']} connector {connector['connector_id']} status"] = connector["status"]
    return facts
