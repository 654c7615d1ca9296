"""Proves that the views say what the events say: the log is replayed beside them, and compared row by row.

Both are brought to the same position while the live projector waits, for milliseconds; one snapshot keeps them so.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from projections import replay
from projections.generations import CHECK, DROP_CHECK, HOLD_LIVE, LIVE, Refused, alone, must_be_in
from projections.migrate import views_version
from projections.projector import Projector
from projections.rebuild import bring_to
from write_side.events.codec import Codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg

    from projections.bulk import Connect, Log
    from projections.consumer import Pull
    from projections.replay import Tell

# Each answers (key, what is live, what the events say) of the rows that differ; null where there is no such row.
DIFFERING: Final[dict[str, str]] = {
    "location_view": """
        select 'location/' || coalesce(live.id, told.id) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from views.location_view as live
          full join views_check.location_view as told using (id)
         where live is distinct from told
         order by 1
    """,
    "evse_view": """
        select 'location/' || coalesce(told.location_id, live.location_id) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from views.evse_view as live
          full join views_check.evse_view as told using (country_code, party_id, uid_key)
         where live is distinct from told
         order by 1
    """,
    "history_view": """
        select 'location/' || coalesce(told.location_id, live.location_id) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from views.history_view as live
          full join views_check.history_view as told using (location_id, pos)
         where live is distinct from told
         order by 1
    """,
    "cpo_view": """
        select concat_ws('/', 'cpo', coalesce(live.country_code, told.country_code),
                         coalesce(live.party_id, told.party_id)) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from views.cpo_view as live
          full join views_check.cpo_view as told using (country_code, party_id)
         where live is distinct from told
         order by 1
    """,
    "pending_view": """
        select concat_ws('/', 'cpo', coalesce(live.country_code, told.country_code),
                         coalesce(live.party_id, told.party_id)) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from views.pending_view as live
          full join views_check.pending_view as told using (country_code, party_id, name_key)
         where live is distinct from told
         order by 1
    """,
    "place_view": """
        select 'places' as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from views.place_view as live
          full join views_check.place_view as told using (province, city)
         where live is distinct from told
         order by 1
    """,
}
"""By table. In full, since a view that is proved by a part of its columns is not proved."""

REPAIR: Final = (
    """
    delete from views.evse_view as live
          using views_check.evse_view as told
          where told.location_id = any($1::int[])
            and (live.country_code, live.party_id, live.uid_key) = (told.country_code, told.party_id, told.uid_key)
    """,
    """
    delete from views.evse_view
          where location_id = any($1::int[])
    """,
    """
    delete from views.history_view
          where location_id = any($1::int[])
    """,
    """
    insert into views.history_view
    select *
      from views_check.history_view
     where location_id = any($1::int[])
    """,
    """
    delete from views.location_view
          where id = any($1::int[])
    """,
    """
    insert into views.location_view
    select *
      from views_check.location_view
     where id = any($1::int[])
    """,
    """
    insert into views.evse_view
    select *
      from views_check.evse_view
     where location_id = any($1::int[])
    """,
)
REPAIR_CPOS: Final = (
    """
    delete from views.cpo_view
          where country_code || '/' || party_id = any($1::text[])
    """,
    """
    insert into views.cpo_view
    select *
      from views_check.cpo_view
     where country_code || '/' || party_id = any($1::text[])
    """,
    """
    delete from views.pending_view
          where country_code || '/' || party_id = any($1::text[])
    """,
    """
    insert into views.pending_view
    select *
      from views_check.pending_view
     where country_code || '/' || party_id = any($1::text[])
    """,
)
REPAIR_PLACES: Final = """
    delete from views.place_view;
    insert into views.place_view
    select *
      from views_check.place_view
"""
NEW_GENERATION: Final = "update views.checkpoint set generation = generation + 1"
"""What was remembered of the mended rows is not theirs any more, and the projector begins again at the checkpoint."""

SNAPSHOT: Final = "select 1"
PREFETCH: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of one row that is not what the events say. key: `location/ID`, `cpo/COUNTRY/PARTY` or `places`.

    live, told: what the views have and what the events say; both whole rows, as JSON, where one of them is missing.
    """

    key: str
    table: str
    column: str
    live: str | None
    told: str | None


@dataclass(frozen=True, slots=True)
class Verify:
    """The live views of one database, and the log; as in `Rebuild`."""

    connect: Connect
    log: Log
    pull: Pull
    folder: Path
    tell: Tell

    async def differences(self) -> AsyncIterator[Difference]:
        """Everything in which the live views are not what the events say. raises: Refused."""
        session = await self.connect()
        try:
            await alone(session)
            await self._replay(session)
            async with session.transaction(isolation="repeatable_read", readonly=True):
                await self._at_one_position(session)
                for table, differing in DIFFERING.items():
                    self.tell(f"compare {table}", 0, 1)
                    async for row in session.cursor(differing, prefetch=PREFETCH):
                        for difference in columns_of(table, *row):
                            yield difference
                    self.tell(f"compare {table}", 1, 1)
            await session.execute(DROP_CHECK)
        finally:
            await session.close()

    async def repair(self, keys: Sequence[str]) -> None:
        """Make the rows of these keys what the events say, and no other. raises: Refused, also for an unknown key."""
        location_ids, parties, has_places = _subjects(keys)
        session = await self.connect()
        try:
            await alone(session)
            await self._replay(session)
            projector = Projector(self.connect, Codec(), schema=CHECK)
            try:
                await projector.lead()
                async with session.transaction():
                    await bring_to(projector, self.pull, await session.fetchval(HOLD_LIVE))
                    for statement in REPAIR:
                        await session.execute(statement, location_ids)
                    for statement in REPAIR_CPOS:
                        await session.execute(statement, parties)
                    if has_places:
                        await session.execute(REPAIR_PLACES)
                    await session.execute(NEW_GENERATION)
            finally:
                projector.close()
            await session.execute(DROP_CHECK)
        finally:
            await session.close()

    async def _replay(self, session: asyncpg.Connection[Any]) -> None:
        live = await must_be_in(session, LIVE)
        if live.version != views_version():
            raise Refused(f"the live views were made by another version of the code ({live.version}): rebuild them")
        await session.execute(DROP_CHECK)
        await replay.begin(session, CHECK, head=live.position)
        with tempfile.TemporaryDirectory(prefix="verify-", dir=self.folder) as folder:
            await replay.Replay(CHECK, self.connect, self.log, self.tell).fill(Path(folder))

    async def _at_one_position(self, snapshot: asyncpg.Connection[Any]) -> None:
        """Take the session's snapshot when both are at one position."""
        projector = Projector(self.connect, Codec(), schema=CHECK)
        holder = await self.connect()
        try:
            await projector.lead()
            await bring_to(projector, self.pull, (await must_be_in(holder, LIVE)).position)
            async with holder.transaction():
                await bring_to(projector, self.pull, await holder.fetchval(HOLD_LIVE))
                await snapshot.execute(SNAPSHOT)
        finally:
            projector.close()
            await holder.close()


def _subjects(keys: Sequence[str]) -> tuple[list[int], list[str], bool]:
    """Locations, CPOs, and whether the counts of places are meant. raises: Refused."""
    location_ids: list[int] = []
    parties: list[str] = []
    for key in keys:
        kind, _, rest = key.partition("/")
        if kind == "location" and rest.isdecimal():
            location_ids.append(int(rest))
        elif kind == "cpo" and rest.count("/") == 1:
            parties.append(rest)
        elif key != "places":
            raise Refused(f"{key}: expected location/ID, cpo/COUNTRY/PARTY or places, as `emsp verify` names them")
    return location_ids, parties, "places" in keys


def columns_of(table: str, key: str, live: str | None, told: str | None) -> Sequence[Difference]:
    """What differs of one row, column by column."""
    if live is None or told is None:
        return [Difference(key, table, "*", live, told)]
    found, expected = orjson.loads(live), orjson.loads(told)
    return [
        Difference(key, table, column, _text(found[column]), _text(expected[column]))
        for column in found
        if found[column] != expected[column]
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
