"""Images that no event speaks of (yet, or any more): uploads that may become logos, and files that have to go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from write_side.domain.cpo import Upload
from write_side.domain.errors import ImagesOutOfReach
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from write_side.domain.changes import Changes
    from write_side.ports import Images

MAX_OWN_UPLOADS: Final = 20
"""So many uploads of one CPO wait to become its logo; the oldest makes room."""

ANNOUNCE: Final = """
    insert into es.loose_images (name, due_at)
    select name, now() + interval '1 hour'
      from unnest($1::text[]) as new (name)
"""
"""No command takes an hour: what is still loose then was left behind by one that died."""

OFFER_TO_ALL: Final = """
    update es.loose_images
       set filename = $2,
           client = $3,
           stored_at = now(),
           due_at = now() + interval '25 hours'
     where name = $1
"""
"""An hour longer than anybody may take it, so that it isn't removed while somebody does."""

OFFER_TO_ONE: Final = """
    update es.loose_images
       set filename = $2,
           cpo_owner_id = $3,
           stored_at = now(),
           due_at = null
     where name = $1
"""

MAKE_ROOM: Final = """
    update es.loose_images
       set due_at = now() + interval '1 hour'
      from (
            select name,
                   row_number() over (partition by filename order by stored_at desc) as of_filename,
                   row_number() over (order by stored_at desc) as of_cpo
              from es.loose_images
             where cpo_owner_id = $1
               and due_at is null) as own
     where loose_images.name = own.name
       and (own.of_filename > 1 or own.of_cpo > $2)
"""
"""Not at once: somebody may be about to take it."""

OWN_UPLOADS: Final = """
    select name, filename
      from es.loose_images
     where cpo_owner_id = $1
       and filename = $2
       and due_at is null
     order by stored_at desc
"""

SHARED_UPLOADS: Final = """
    select name, filename
      from es.loose_images
     where filename = $1
       and client is not null
       and stored_at > now() - interval '24 hours'
       and due_at > now()
     order by stored_at
     limit 2
"""

LET_GO: Final = """
    update es.loose_images
       set due_at = now()
     where name = any($1)
"""

SPOKEN_OF: Final = """
    delete from es.loose_images
     where name = any($1)
"""

REPLACED: Final = """
    insert into es.loose_images (name, due_at)
    select name, now()
      from unnest($1::text[]) as old (name)
        on conflict do nothing
"""

NEXT_DUE: Final = """
    select name
      from es.loose_images
     where due_at <= now()
     order by due_at
     limit 1
       for update skip locked
"""

REMOVED: Final = """
    delete from es.loose_images
     where name = $1
"""

POSTPONE: Final = """
    update es.loose_images
       set due_at = now() + interval '1 minute'
     where name = $1
"""

log = structlog.get_logger(__name__)


class StoredLooseImages:
    """The `LooseImages` port on PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    async def announce(self, names: Sequence[str]) -> None:
        """Images of these names are about to be stored; in an hour they are removed. raises: StoreOutOfReach."""
        with reaching_the_store():
            await self._pool.execute(ANNOUNCE, names)

    async def offer_to_all(self, upload: Upload, client: str) -> None:
        """For a day any CPO may take that image. raises: StoreOutOfReach."""
        with reaching_the_store():
            await self._pool.execute(OFFER_TO_ALL, upload.name, upload.filename, client)

    async def offer_to_one(self, upload: Upload, cpo_owner_id: int) -> None:
        """That CPO may take that image; what it makes room for goes: of that file name, or the oldest of too many.

        raises: StoreOutOfReach
        """
        with reaching_the_store():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(OFFER_TO_ONE, upload.name, upload.filename, cpo_owner_id)
                await connection.execute(MAKE_ROOM, cpo_owner_id, MAX_OWN_UPLOADS)

    async def own(self, cpo_owner_id: int, filename: str) -> list[Upload]:
        """What that CPO has sent under that file name, the newest first. raises: StoreOutOfReach."""
        with reaching_the_store():
            rows = await self._pool.fetch(OWN_UPLOADS, cpo_owner_id, filename)
        return [Upload(row["name"], row["filename"]) for row in rows]

    async def shared(self, filename: str) -> list[Upload]:
        """What was sent with Basic under that file name in the last 24 hours, two at most. raises: StoreOutOfReach."""
        with reaching_the_store():
            rows = await self._pool.fetch(SHARED_UPLOADS, filename)
        return [Upload(row["name"], row["filename"]) for row in rows]

    async def let_go(self, names: Sequence[str]) -> None:
        """Nobody wants these any more. raises: StoreOutOfReach."""
        with reaching_the_store():
            await self._pool.execute(LET_GO, names)


async def write_images(connection: asyncpg.Connection[Any], changes: Changes) -> None:
    """In the append's transaction: what its events speak of is no longer loose, what they replace is."""
    if changes.images_used:
        await connection.execute(SPOKEN_OF, changes.images_used)
    if changes.images_replaced:
        await connection.execute(REPLACED, changes.images_replaced)


async def remove_next(pool: asyncpg.Pool[Any], images: Images) -> bool:
    """Remove the next image that is due; trouble postpones it. Its row is locked meanwhile: nobody else tries too.

    returns: whether there was one
    raises:  StoreOutOfReach
    """
    with reaching_the_store():
        async with pool.acquire() as connection, connection.transaction():
            name = await connection.fetchval(NEXT_DUE)
            if name is None:
                return False
            try:
                await images.remove(name)
            except ImagesOutOfReach as trouble:
                log.warning("image stays for now", name=name, error=repr(trouble.__cause__))
                await connection.execute(POSTPONE, name)
            else:
                await connection.execute(REMOVED, name)
    return True
