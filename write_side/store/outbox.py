"""The mails that wait: sent one by one, retried, deleted once they are somebody else's. Never lost.

A crash between the server's answer and the deletion sends once more, with the same Message-ID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    import asyncpg

    from write_side.ports import Mailer, Secrets

NEXT_DUE: Final = """
    select id, message_id, sealed, tries
      from es.outbox_mail
     where due_at <= now()
     order by due_at, id
     limit 1
       for update skip locked
"""

DELETE_SENT: Final = """
    delete from es.outbox_mail
     where id = $1
"""

POSTPONE: Final = """
    update es.outbox_mail
       set tries = tries + 1,
           due_at = now() + least(interval '1 second' * 2 ^ least(tries, 12), interval '1 hour')
     where id = $1
"""

WAITING: Final = "select count(*) from es.outbox_mail"

log = structlog.get_logger(__name__)


async def send_next(pool: asyncpg.Pool[Any], secrets: Secrets, mailer: Mailer) -> bool:
    """Send the next mail that is due; a failure postpones it. The row is locked meanwhile: two senders never share one.

    returns: whether there was one
    raises:  StoreOutOfReach
    """
    with reaching_the_store():
        async with pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(NEXT_DUE)
            if row is None:
                return False
            try:
                await mailer.send(secrets.unseal(row["sealed"]))
            except (OSError, ValueError) as trouble:
                log.warning("mail postponed", message_id=row["message_id"], tries=row["tries"], error=repr(trouble))
                await connection.execute(POSTPONE, row["id"])
            else:
                await connection.execute(DELETE_SENT, row["id"])
    return True


async def waiting(pool: asyncpg.Pool[Any]) -> int:
    """How many mails wait. raises: StoreOutOfReach."""
    with reaching_the_store():
        count: int = await pool.fetchval(WAITING)
    return count
