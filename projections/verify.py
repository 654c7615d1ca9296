"""Proves that the views say what the events say: the log is replayed beside them, and compared row by row.

Both are brought to the same position while the live projector waits, for milliseconds; one snapshot keeps them so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from projections import letter_table, place_table, proof, replay
from projections.by_command import only_projector
from projections.consumer import MAX_BATCH, must_not_be_ahead
from projections.differences import columns_of
from projections.folders import working_folder
from projections.generations import CHECK, DROP_CHECK, LIVE, Refused, alone, hold_live, must_be_in
from projections.migrate import views_version
from projections.part import Part, Some
from projections.projector import Projector
from projections.rebuild import bring_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    import asyncpg

    from projections.bulk import Connect, Log
    from projections.consumer import Pull
    from projections.differences import Difference
    from projections.proof import Oracle
    from projections.replay import Tell

Bring = Callable[[Projector, int], Awaitable[None]]
"""Draws what that projector's schema lacks up to a position of the log."""

# Each answers (key, what is live, what the events say) of the rows that differ; null where there is no such row.
# $1: of these locations or CPOs alone; null: of all.
OF_LOCATIONS: Final[dict[str, str]] = {
    "location_view": """
        select 'location/' || coalesce(live.id, told.id) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from (
            select *
              from views.location_view
             where $1::int[] is null or id = any($1)) as live
          full join views_check.location_view as told using (id)
         where live is distinct from told
         order by 1
    """,
    "evse_view": """
        select 'location/' || coalesce(told.location_id, live.location_id) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from (
            select *
              from views.evse_view
             where $1::int[] is null or location_id = any($1)) as live
          full join views_check.evse_view as told using (country_code, party_id, uid_key)
         where live is distinct from told
         order by 1
    """,
    "history_view": """
        select 'location/' || coalesce(told.location_id, live.location_id) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from (
            select *
              from views.history_view
             where $1::int[] is null or location_id = any($1)) as live
          full join views_check.history_view as told using (location_id, pos)
         where live is distinct from told
         order by 1
    """,
}
OF_CPOS: Final[dict[str, str]] = {
    "cpo_view": """
        select concat_ws('/', 'cpo', coalesce(live.country_code, told.country_code),
                         coalesce(live.party_id, told.party_id)) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from (
            select *
              from views.cpo_view
             where $1::text[] is null or country_code || '/' || party_id = any($1)) as live
          full join views_check.cpo_view as told using (country_code, party_id)
         where live is distinct from told
         order by 1
    """,
    "pending_view": """
        select concat_ws('/', 'cpo', coalesce(live.country_code, told.country_code),
                         coalesce(live.party_id, told.party_id)) as key,
               to_jsonb(live) as live,
               to_jsonb(told) as told
          from (
            select *
              from views.pending_view
             where $1::text[] is null or country_code || '/' || party_id = any($1)) as live
          full join views_check.pending_view as told using (country_code, party_id, name_key)
         where live is distinct from told
         order by 1
    """,
}
OF_PLACES: Final[dict[str, str]] = {
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
DIFFERING: Final = {**OF_LOCATIONS, **OF_CPOS, **OF_PLACES}
"""By table. In full, since a view that is proved by a part of its columns is not proved."""

SOME_LOCATIONS: Final = """
    select id, country_code || '/' || party_id as party
      from views.location_view
     order by random()
     limit $1
"""

HEADS: Final = """
    select head
      from views.location_view
     where id = any($1::int[])
     union all
    select head
      from views_check.location_view
     where id = any($1::int[])
"""
"""As they were, and as they will be: of these places the public may find more locations then, or fewer."""

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
REPAIR_LETTERS: Final = """
    delete from views.dead_letter
          where key = any($1::text[])
"""
REPAIR_PLACES: Final = """
    delete from views.place_view;
    insert into views.place_view
    select *
      from views_check.place_view
"""
NEW_GENERATION: Final = "update views.checkpoint set generation = generation + 1"
"""What was remembered of the mended rows is not theirs any more, and the projector begins again at the checkpoint."""

SNAPSHOT: Final = "select 1"
SEARCH_LIVE: Final = "set local search_path = views, public"
PREFETCH: Final = 200


@dataclass(frozen=True, slots=True)
class Verify:
    """The live views of one database, and the log; as in `Rebuild`."""

    connect: Connect
    log: Log
    pull: Pull
    folder: Path
    tell: Tell
    oracle: Oracle

    async def differences(self, *, sample: int | None = None) -> AsyncIterator[Difference]:
        """Everything in which the live views are not what the events say. raises: Refused.

        sample: look at so many locations, taken by chance, and their CPOs alone; the rows of all are counted then
        """
        async with self._alone() as session:
            some = None if sample is None else await _sample(session, sample)
            bring = await self._draw(session, some)
            async with session.transaction(isolation="repeatable_read", readonly=True):
                position = await self._at_one_position(session, bring)
                if some is not None:
                    await session.execute(SEARCH_LIVE)
                    for difference in await proof.differences_of_all(session, self.oracle, position):
                        yield difference
                asked = _asked(some)
                for count, (table, whose) in enumerate(asked.items()):
                    self.tell("compare", count, len(asked))
                    async for row in session.cursor(DIFFERING[table], *whose, prefetch=PREFETCH):
                        for difference in columns_of(table, *row):
                            yield difference
                self.tell("compare", len(asked), len(asked))

    async def repair(self, keys: Sequence[str]) -> None:
        """Make the rows of these keys what the events say, and no other; count the places of their locations anew.

        raises: Refused, also for an unknown key, and for `places` while another key is parked
        """
        some, has_places = _subjects(keys)
        async with self._alone() as session:
            bring = await self._draw(session, None if has_places else some)
            async with self._holding_live(session, bring):
                heads = await session.fetch(HEADS, some.location_ids)
                for statement in REPAIR:
                    await session.execute(statement, some.location_ids)
                for statement in REPAIR_CPOS:
                    await session.execute(statement, some.parties)
                await session.execute(REPAIR_LETTERS, some.keys())
                await session.execute(SEARCH_LIVE)
                if has_places:
                    await _nothing_may_be_parked(session)
                    await session.execute(REPAIR_PLACES)
                else:
                    await place_table.recount(session, [row["head"] for row in heads])
                await session.execute(NEW_GENERATION)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """The session of the only one who builds or compares; what was drawn to compare with is removed at its end."""
        session = await self.connect()
        try:
            await alone(session)
            live = await must_be_in(session, LIVE)
            if live.version != views_version():
                raise Refused(f"the live views were made by another version of the code ({live.version}): rebuild them")
            await must_not_be_ahead(live.position, self.pull)
            await session.execute(DROP_CHECK)
            yield session
            await session.execute(DROP_CHECK)
        finally:
            await session.close()

    async def _draw(self, session: asyncpg.Connection[Any], some: Some | None) -> Bring:
        """Draw all views, or begin to draw those of some. returns: what brings them up to a position."""
        if some is not None:
            await replay.create(session, CHECK)
            return Part(self.log, some, self.tell).bring_to
        await replay.begin(session, CHECK, head=(await must_be_in(session, LIVE)).position)
        with working_folder(self.folder, "verify-") as folder:
            await replay.Replay(CHECK, self.connect, self.log, self.tell).fill(folder)
        return lambda projector, position: bring_to(projector, self.pull, position)

    @asynccontextmanager
    async def _holding_live(self, session: asyncpg.Connection[Any], bring: Bring) -> AsyncIterator[int]:
        """A transaction of that session in which both are at one position, and stay there: which."""
        async with only_projector(self.connect, CHECK) as projector:
            drawn = 0
            while (live := (await must_be_in(session, LIVE)).position) - drawn >= MAX_BATCH:
                await bring(projector, live)
                drawn = live
            async with session.transaction():
                position = await hold_live(session)
                await bring(projector, position)
                yield position

    async def _at_one_position(self, snapshot: asyncpg.Connection[Any], bring: Bring) -> int:
        """Take the session's snapshot when both are at one position. returns: which."""
        holder = await self.connect()
        try:
            async with self._holding_live(holder, bring) as position:
                await snapshot.execute(SNAPSHOT)
                return position
        finally:
            await holder.close()


async def _sample(session: asyncpg.Connection[Any], size: int) -> Some:
    rows = await session.fetch(SOME_LOCATIONS, size)
    return Some([row["id"] for row in rows], list({row["party"] for row in rows}))


async def _nothing_may_be_parked(session: asyncpg.Connection[Any]) -> None:
    """No letters, which are in the log's counts of places and would be counted again when they are drawn.

    raises: Refused
    """
    if parked := sorted(await letter_table.counts(session)):
        raise Refused(f"places: {', '.join(parked)} must be retried first, or repaired with them: not all is drawn")


def _asked(some: Some | None) -> dict[str, tuple[object, ...]]:
    """What to ask, by table: parameters of DIFFERING."""
    location_ids, parties = (None, None) if some is None else (some.location_ids, some.parties)
    asked: dict[str, tuple[object, ...]] = dict.fromkeys(OF_LOCATIONS, (location_ids,))
    asked |= dict.fromkeys(OF_CPOS, (parties,))
    return asked if some is not None else asked | dict.fromkeys(OF_PLACES, ())


def _subjects(keys: Sequence[str]) -> tuple[Some, bool]:
    """Locations and CPOs, and whether the counts of places are meant. raises: Refused."""
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
    return Some(location_ids, parties), "places" in keys
