"""The mails that wait: sent one by one, retried, deleted once they are somebody else's. Never lost.

A crash between the server's answer and the deletion sends once more, with the same Message-ID.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from write_side.domain.errors import MailRefused, MailServerOutOfReach
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    import asyncpg

    from write_side.ports import Mailer, Secrets

NEXT_DUE: Final = """
    select id, message_id, party, sealed, tries
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
           failure = null,
           due_at = clock_timestamp() + least(interval '1 second' * 2 ^ least(tries, 12), interval '1 hour')
     where id = $1
"""

FAIL: Final = """
    update es.outbox_mail
       set tries = tries + 1,
           failure = $2,
           due_at = clock_timestamp() + least(interval '1 hour' * 2 ^ least(tries, 5), interval '1 day')
     where id = $1
"""

MAKE_DUE: Final = """
    update es.outbox_mail
       set due_at = now()
     where due_at > now()
"""

COUNT: Final = """
    select count(*) as waiting,
           count(failure) as failed,
           coalesce(extract(epoch from now() - min(created_at)), 0)::float as oldest_s
      from es.outbox_mail
"""

FAILED: Final = """
    select message_id, party, failure, tries, created_at, due_at
      from es.outbox_mail
     where failure is not null
     order by created_at, id
     limit $1
"""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class OutboxState:
    """What a process knows of its outbox.

    waiting, failed, oldest_s: all mails that wait, those of them that were refused for good, seconds of the oldest,
                               when it last looked
    sent, postponed:           by this process
    """

    waiting: int = 0
    failed: int = 0
    oldest_s: float = 0.0
    sent: int = 0
    postponed: int = 0


class Outbox:
    """The waiting mails of a store, and the mailer that takes them. pool: a send holds one of its sessions."""

    def __init__(self, pool: asyncpg.Pool[Any], secrets: Secrets, mailer: Mailer) -> None:
        self.state = OutboxState()
        self._pool = pool
        self._secrets = secrets
        self._mailer = mailer

    async def send_next(self) -> bool:
        """Send the next mail that is due; a failure postpones it. The row is locked meanwhile: no two senders share it.

        returns: whether there was one
        raises:  StoreOutOfReach
        """
        with reaching_the_store():
            async with self._pool.acquire() as connection, connection.transaction():
                row = await connection.fetchrow(NEXT_DUE)
                if row is None:
                    return False
                about = {"message_id": row["message_id"], "party": row["party"], "tries": row["tries"]}
                try:
                    await self._deliver(row["sealed"])
                except MailRefused as refused:
                    log.error("mail failed", **about, error=str(refused))  # noqa: TRY400 - the trace tells nothing
                    await connection.execute(FAIL, row["id"], str(refused))
                except (MailServerOutOfReach, OSError) as trouble:
                    log.warning("mail postponed", **about, error=repr(trouble))
                    await connection.execute(POSTPONE, row["id"])
                    self.state.postponed += 1
                else:
                    await connection.execute(DELETE_SENT, row["id"])
                    log.info("mail sent", **about)
                    self.state.sent += 1
        return True

    async def _deliver(self, sealed: bytes) -> None:
        try:
            message = self._secrets.unseal(sealed)
        except ValueError as wrong:
            raise MailRefused(f"{wrong}: was EMSP_SEAL_KEY changed?") from None
        await self._mailer.send(message)

    async def look(self) -> None:
        """Count what waits, for `state`. raises: StoreOutOfReach."""
        with reaching_the_store():
            (row,) = await self._pool.fetch(COUNT)
        self.state.waiting, self.state.failed, self.state.oldest_s = row


async def make_all_due(store: asyncpg.Connection[Any] | asyncpg.Pool[Any]) -> int:
    """Let every waiting mail be tried now, the refused ones too. returns: how many had to wait longer."""
    status: str = await store.execute(MAKE_DUE)
    return int(status.rpartition(" ")[2])
